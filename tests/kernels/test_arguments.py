"""Wrong arguments: the message names the argument, the rule and what was got."""

import jax.numpy as jnp
import pytest

from fastrrae_kernels import Auto, Exact, Gram, low_rank, truncated_svd
from fastrrae_kernels.decomposition import Options
from fastrrae_kernels.methods.auto import choose_method


@pytest.mark.parametrize("function", [truncated_svd, low_rank])
@pytest.mark.parametrize(
    ("a", "rank", "error", "message"),
    [
        (jnp.ones((8, 9)), 12, ValueError, r"`rank` must be at most min\(m, n\) = 8; got 12"),
        (jnp.ones((8, 9)), 0, ValueError, r"`rank` must be at least 1; got 0"),
        (jnp.ones((8, 9)), 2.0, TypeError, r"`rank` must be a Python integer .* got 2\.0"),
        (jnp.ones((8, 9)), True, TypeError, r"`rank` must be a Python integer"),
        (jnp.ones(8), 1, ValueError, r"`a` must have shape \(\.\.\., m, n\); got \(8,\)"),
        (jnp.ones((8, 9), complex), 1, TypeError, r"`a` must be real; got complex64"),
    ],
)
def test_messages(function, a, rank, error, message):
    with pytest.raises(error, match=message):
        function(a, rank)


def test_a_method_is_a_value():
    with pytest.raises(
        TypeError,
        match=r"`method` must be one of Auto\(\), Exact\(\), Gram\(\), Randomized\(\.\.\.\) and Tracked\(.*got 'gram'",
    ):
        low_rank(jnp.ones((3, 4)), 1, method="gram")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("function", [truncated_svd, low_rank])
def test_a_start_needs_an_iterative_method_and_the_right_width(function):
    a = jnp.ones((8, 9))
    with pytest.raises(ValueError, match=r"`start` is for iterative methods.*got Gram\(\)"):
        function(a, 2, method=Gram(), start=jnp.ones((2, 9)))
    with pytest.raises(ValueError, match=r"`start` must have shape \(\.\.\., j, n\) with n = 9.*got \(9, 2\)"):
        function(a, 2, start=jnp.ones((9, 2)))


def test_exact_cannot_be_sharded():
    with pytest.raises(ValueError, match=r"`Exact\(\)` needs the whole matrix on one device"):
        Exact().check(Options(2, Exact(), "data"), 9, jnp.float32)


def test_auto_keeps_full_accuracy_everywhere():
    assert choose_method(jnp.float32, "cpu", 1000) == Gram()
    assert choose_method(jnp.float64, "cpu", 10) == Exact()
    assert choose_method(jnp.float32, "tpu", 512) == Gram()
    assert choose_method(jnp.float32, "tpu", 513) == Exact()
    assert Auto() == Auto()
