"""The kernel distance against the double loop of its definition."""

import numpy as np
import pytest

from fastrrae import InputError
from fastrrae.metrics import kernel_distance


def slow_discrepancy(x, y):
    n, d = x.shape

    def k(a, b):
        return (a @ b / d + 1) ** 3

    within = sum(k(x[i], x[j]) + k(y[i], y[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    return within - 2 * sum(k(x[i], y[j]) for i in range(n) for j in range(n)) / n**2


def test_the_estimate_is_its_definition():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((13, 5)), rng.standard_normal((13, 5)) + 0.3
    assert kernel_distance(x, y).mean == pytest.approx(slow_discrepancy(x, y), rel=1e-10)


@pytest.mark.parametrize(("subsets", "size"), [(40, 12), (3, 5)], ids=["kernel of all pairs", "of each subset"])
def test_subsets(subsets, size):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((20, 5)), rng.standard_normal((17, 5)) + 0.3
    again = np.random.default_rng(3)
    drawn = [[z[again.choice(len(z), size, replace=False)] for z in (x, y)] for _ in range(subsets)]
    expected = [slow_discrepancy(*pair) for pair in drawn]
    found = kernel_distance(x, y, subsets=subsets, size=size, seed=3)
    assert found.mean == pytest.approx(np.mean(expected), rel=1e-9)
    assert found.std == pytest.approx(np.std(expected), rel=1e-9)


def test_it_is_unbiased():
    """Around zero for two sets of one distribution, above and below; far from zero for others."""
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((2, 5000, 16)).astype(np.float32)
    same = kernel_distance(x, y, size=200)
    assert abs(same.mean) < 3 * same.std / np.sqrt(100) + 2e-3
    other = kernel_distance(x, y + 1, size=200)
    assert other.mean > 10 * other.std
    assert same.std > 0


def test_small_sets_are_used_whole_and_once():
    rng = np.random.default_rng(2)
    x, y = rng.standard_normal((2, 40, 3))
    found = kernel_distance(x, y)
    assert found.mean == pytest.approx(slow_discrepancy(x, y), rel=1e-9)
    assert found.std == 0
    assert kernel_distance(x, y[:30], seed=1) == kernel_distance(x, y[:30], seed=1)
    with pytest.raises(InputError, match="at least 2 features; got 1 and 40"):
        kernel_distance(x[:1], y)
