"""The Python examples of README.md and docs/svd.md run as they stand."""

import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

ROOT = Path(__file__).parents[1]


def examples_of(document):
    return re.findall(r"```python\n(.*?)```", (ROOT / document).read_text(encoding="utf-8"), re.DOTALL)


def run_example(text, **names):
    exec(compile(text, "an example", "exec"), names)
    return names


def test_the_readme_is_one_page():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= 900


def test_the_svd_of_the_readme():
    names = run_example(examples_of("README.md")[0])
    assert names["u"].shape == (32, 64, 16)
    assert jnp.isfinite(names["gradient"]).all()


def test_the_run_of_the_readme(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = run_example(examples_of("README.md")[1].replace("steps=1000", "steps=5"))
    assert names["alpha"].shape == (360, 16)
    assert names["new"].shape == (100, 8, 8, 1)


def test_the_page_on_the_svd():
    svd, warm, operator, sharded = examples_of("docs/svd.md")
    names = run_example(svd)
    assert names["u"].shape == (32, 64, 16)
    assert names["gradient"].shape == names["batched"].shape == names["hessian_vector"].shape == (32, 64, 200)
    assert all(jnp.isfinite(names[name]).all() for name in ("gradient", "hessian_vector", "batched"))
    names = run_example(warm, **names)
    assert names["warm"].vt.shape == (32, 16, 200)
    names = run_example(operator, **names)
    x = np.asarray(names["x"], np.float64)
    expected = np.linalg.svd(x - x.mean(axis=0), compute_uv=False)[:8]
    np.testing.assert_allclose(names["s"], expected, rtol=1e-3)
    names = run_example(sharded, **names)
    assert names["y"].shape == (64 * jax.device_count(), 200)
    assert np.linalg.matrix_rank(names["y"], tol=1e-3) == 16
