"""What must hold for a matrix of any shape, rank, spectrum and scale; hypothesis looks for a counterexample."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastrrae_kernels import Exact, Gram, low_rank, specs, truncated_svd

pytestmark = pytest.mark.slow

SIZES = st.sampled_from([1, 2, 3, 5, 8, 13, 40])  # few, for each pair is compiled anew


@st.composite
def problems(draw):
    m, n = draw(SIZES), draw(SIZES)
    d = min(m, n)
    exponents = draw(st.lists(st.one_of(st.just(-np.inf), st.floats(-8, 0)), min_size=d, max_size=d))
    if draw(st.booleans()):  # ties
        exponents = [exponents[i // 2] for i in range(d)]
    s = 10.0 ** np.sort(np.array(exponents))[::-1]
    seed = draw(st.integers(0, 5))
    left = np.linalg.qr(specs.gaussian_matrix(m, d, seed))[0]
    right = np.linalg.qr(specs.gaussian_matrix(n, d, seed + 1))[0]
    scale = draw(st.sampled_from([1.0, 1e-18, 1e18]))
    return ((left * s) @ right.T * scale).astype(np.float32), draw(st.sampled_from(sorted({1, (d + 1) // 2, d})))


@pytest.mark.parametrize("method", [Exact(), Gram()], ids=repr)
@settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(problem=problems())
def test_a_truncated_svd_is_one(method, problem):
    a, k = problem
    exact = a.astype(np.float64)
    values = np.linalg.svd(exact, compute_uv=False)
    u, s, vt = (np.asarray(x, np.float64) for x in truncated_svd(a, k, method=method))
    largest = values[0]
    assert np.all(np.diff(s) <= 0)
    assert np.abs(s - values[:k]).max() <= 2e-6 * largest
    assert np.abs(u.T @ u - np.eye(k)).max() <= 1e-5
    assert np.abs(vt @ vt.T - np.eye(k)).max() <= 1e-5
    bound = (1 + 1e-4) * np.linalg.norm(values[k:]) + 3e-6 * np.linalg.norm(values)
    assert np.linalg.norm(exact - (u * s) @ vt) <= bound
    assert np.linalg.norm(exact - np.asarray(low_rank(a, k, method=method), np.float64)) <= bound
