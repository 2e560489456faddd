"""Curves elsewhere than in metrics.jsonl, and what is printed."""

import csv
from pathlib import Path

import pytest

from fastrrae import CSVWriter, InputError, TensorBoardWriter, train
from fastrrae.training.metrics_log import read_metrics
from fastrrae.training.progress import Lines, describe


def table(path: Path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_table_of_the_metrics(tmp_path, config, dataset, interrupt_training, interrupted):
    dataset, out = dataset.with_validation(0.2), tmp_path / "run"
    if interrupted:
        interrupt_training(config, dataset, out, 13)
    train(config, dataset, out, resume=interrupted, callbacks=[CSVWriter()])
    rows, logged = table(out / "metrics.csv"), read_metrics(out / "metrics.jsonl")
    assert [int(row["step"]) for row in rows] == [row["step"] for row in logged] == [5, 10, 15, 20]
    assert [float(row["loss"]) for row in rows] == [row["loss"] for row in logged]
    assert [row["validation"] for row in rows] == ["", str(logged[1]["validation"]), "", str(logged[3]["validation"])]


def test_a_table_that_cannot_be_written(tmp_path, config, dataset):
    with pytest.raises(InputError, match=r"cannot write .*nowhere"):
        train(config, dataset, tmp_path / "run", callbacks=[CSVWriter(tmp_path / "nowhere" / "metrics.csv")])


def test_curves_for_tensorboard(tmp_path, config, dataset):
    pytest.importorskip("tensorboardX")
    from tensorboardX.proto import event_pb2

    train(config, dataset, tmp_path / "run", callbacks=[TensorBoardWriter()])
    (path,) = (tmp_path / "run" / "tensorboard").iterdir()
    found, data = {}, path.read_bytes()
    while data:  # a record: 8 bytes of length, 4 of checksum, the event, 4 of checksum
        length = int.from_bytes(data[:8], "little")
        event = event_pb2.Event.FromString(data[12 : 12 + length])  # pyright: ignore[reportAttributeAccessIssue]
        for value in event.summary.value:
            found[event.step, value.tag] = value.simple_value
        data = data[16 + length :]
    for row in read_metrics(tmp_path / "run" / "metrics.jsonl"):
        assert found[row["step"], "loss"] == pytest.approx(row["loss"])


def test_without_tensorboardx_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tensorboardX", None)
    with pytest.raises(InputError, match=r'pip install "fastrrae\[tensorboard\]"'):
        TensorBoardWriter()


def test_quiet(tmp_path, config, dataset, capsys):
    train(config, dataset, tmp_path / "run", quiet=True)
    assert capsys.readouterr().out == ""


def test_lines_come_by_time_and_say_what_remains(capsys):
    now = [0.0]
    lines = Lines(1000, clock=lambda: now[0])
    for step in range(10, 1001, 10):
        now[0] += 2
        lines.update(step, describe({"loss": 1.0, "reconstruction": 1.0, "steps_per_second": 5.0}))
    printed = capsys.readouterr().out.splitlines()
    steps = [int(line.split("/")[0].removeprefix("step")) for line in printed]
    assert steps == [10, 60, 110, 160, 210, 260, 560, 860, 1000]
    assert "loss    1.000  reconstruction   1.000" in printed[0]
    assert printed[1].endswith("0:03:08 left")  # 2 s for 10 steps, of which 940 remain
    assert "left" not in printed[0]
    assert "left" not in printed[-1]
