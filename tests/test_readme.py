"""The Python examples of README.md run as they stand."""

import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

README = (Path(__file__).parents[1] / "README.md").read_text()
SVD_EXAMPLE, WARM_EXAMPLE, SHARDED_EXAMPLE, RUN_EXAMPLE, PARTS_EXAMPLE = re.findall(
    r"```python\n(.*?)```", README, re.DOTALL
)


def run_example(text, **names):
    exec(compile(text, "README.md", "exec"), names)
    return names


def test_the_svd_example():
    names = run_example(SVD_EXAMPLE)
    assert names["u"].shape == (32, 64, 16)
    assert names["gradient"].shape == names["batched"].shape == names["hessian_vector"].shape == (32, 64, 200)
    assert all(jnp.isfinite(names[name]).all() for name in ("gradient", "hessian_vector", "batched"))


def test_the_warm_start_and_the_sharded_example():
    names = run_example(SVD_EXAMPLE)
    names = run_example(WARM_EXAMPLE, **names)
    assert names["warm"].vt.shape == (32, 16, 200)
    names = run_example(SHARDED_EXAMPLE, **names)
    assert names["y"].shape == (64 * jax.device_count(), 200)
    assert np.linalg.matrix_rank(names["y"], tol=1e-3) == 16


def test_the_run_example(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = run_example(RUN_EXAMPLE.replace("steps=1000", "steps=5"))
    assert names["again"].shape == (360, 8, 8, 1)
    assert names["alpha"].shape == (360, 16)
    assert names["new"].shape == (100, 8, 8, 1)


def test_the_parts_example():
    rngs = nnx.Rngs(0)
    x = np.random.default_rng(0).standard_normal((32, 10)).astype(np.float32)
    names = run_example(
        PARTS_EXAMPLE,
        my_encoder=nnx.Linear(10, 64, rngs=rngs),
        my_decoder=nnx.Linear(64, 10, rngs=rngs),
        rngs=rngs,
        x=jnp.asarray(x),
        batches_of_the_training_set=[x],
    )
    assert names["output"].reconstruction.shape == (32, 10)
    assert names["model"].reconstruct(x).shape == (32, 10)
