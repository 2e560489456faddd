"""Training in a notebook, executed by a real kernel: progress is shown as lines, and nothing else is printed."""

import os
import sys

import nbformat
from nbclient import NotebookClient

CELL = """
import numpy as np
from fastrrae import AE, Dataset, NetworkConfig, RunConfig, TrainingConfig, train

x = np.random.default_rng(0).standard_normal((64, 6))
config = RunConfig("notebook", model=AE(rank=2), network=NetworkConfig("mlp", (8,), (8,)),
                   training=TrainingConfig(steps=20, batch_size=16, log_every=5))
train(config, Dataset.from_arrays(x), "run")
"""


def test_progress_in_a_notebook(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = notebook.cells[0].outputs
    shown = "".join(output.get("text", "") for output in outputs if output.output_type == "stream")
    lines = [line for line in shown.splitlines() if line.startswith("step")]
    assert lines[0].startswith("step      5/20  loss")
    assert lines[-1].startswith("step     20/20  loss")
    assert not [output for output in outputs if output.output_type == "display_data"]
    assert "Warning" not in shown
