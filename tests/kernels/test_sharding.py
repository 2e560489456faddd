"""Rows sharded over devices: the same results and gradients as on one device, from sums over devices alone."""

import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, PartitionSpec

from fastrrae_kernels import (
    Auto,
    Exact,
    Gram,
    Randomized,
    Tracked,
    TruncatedSVD,
    centred,
    low_rank,
    residual,
    specs,
    tracked_low_rank_and_svd,
    truncated_svd,
)

DEVICES = 8
AUTO = Auto()
ROWS, EVERYWHERE = PartitionSpec("data"), PartitionSpec()
# Tall, wide, a rank above the number of local rows, every row kept.
SHAPES = [(64, 24, 5), (16, 40, 7), (24, 24, 20), (8, 30, 8)]
METHODS = [Gram(), Randomized(tolerance=1e-6, iterations=500)]
pytestmark = pytest.mark.skipif(jax.device_count() < DEVICES, reason="needs eight devices")


@pytest.fixture(scope="module")
def mesh():
    return jax.make_mesh((DEVICES,), ("data",), axis_types=(AxisType.Auto,))


def factor_specs(rows: Any) -> TruncatedSVD:
    everywhere: Any = EVERYWHERE
    return TruncatedSVD(rows, everywhere, everywhere)


def sharded_svd(mesh, rank, method=AUTO, check_vma=True):
    def svd(a):
        return truncated_svd(a, rank, method=method, axis_name="data")

    return jax.shard_map(svd, mesh=mesh, in_specs=ROWS, out_specs=factor_specs(ROWS), check_vma=check_vma)


def sharded_low_rank(mesh, rank, method=AUTO):
    def approximate(a):
        return low_rank(a, rank, method=method, axis_name="data")

    return jax.shard_map(approximate, mesh=mesh, in_specs=ROWS, out_specs=ROWS)


def gapped(m, n, k):
    """A full-rank matrix whose kept singular values are apart, and well apart from the discarded ones."""
    d = min(m, n)
    s = np.concatenate([np.linspace(2, 1, k), np.linspace(0.5, 0.1, d - k)])
    u, _, vt = np.linalg.svd(specs.gaussian_matrix(m, n), full_matrices=False)
    return (u * s) @ vt


@pytest.mark.parametrize("method", METHODS, ids=repr)
@pytest.mark.parametrize("check_vma", [True, pytest.param(False, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("m", "n", "k"), SHAPES)
def test_results_equal_those_of_one_device(mesh, method, check_vma, m, n, k):
    a = gapped(m, n, k).astype(np.float32)
    u, s, vt = jax.jit(sharded_svd(mesh, k, method, check_vma))(a)
    expected = truncated_svd(a, k)
    np.testing.assert_allclose(s, expected.s, rtol=1e-5)
    np.testing.assert_allclose((u * s) @ vt, (expected.u * expected.s) @ expected.vt, atol=2e-5)
    np.testing.assert_allclose(u.T @ u, np.eye(k), atol=1e-5)
    np.testing.assert_allclose(vt @ vt.T, np.eye(k), atol=1e-5)


def test_a_rank_that_is_data(mesh, float64):
    a, w = gapped(64, 20, 4), specs.gaussian_matrix(64, 20, 3)

    def approximate(a, active):
        return low_rank(a, 6, axis_name="data", active_rank=active)

    sharded = jax.shard_map(approximate, mesh=mesh, in_specs=(ROWS, EVERYWHERE), out_specs=ROWS)
    found = jax.jit(jax.grad(lambda a, active: jnp.sum(w * jnp.sin(sharded(a, active)))))(a, 4)
    expected = jax.jit(jax.grad(lambda a: jnp.sum(w * jnp.sin(low_rank(a, 4)))))(a)
    np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize("method", METHODS, ids=repr)
@pytest.mark.parametrize(
    ("m", "n", "k"), [*SHAPES[:2], *(pytest.param(*s, marks=pytest.mark.slow) for s in SHAPES[2:])]
)
def test_gradients_equal_those_of_one_device(mesh, float64, method, m, n, k):
    a = gapped(m, n, k)
    wu, wv, wy = (jnp.asarray(specs.gaussian_matrix(r, c, 3)) for r, c in ((m, k), (k, n), (m, n)))

    def loss_of_factors(svd):
        u, s, vt = svd  # neither sees the sign of a triplet
        return jnp.sum(wu * u**2) + jnp.sum(jnp.sin(s)) + jnp.sum(wv * vt**2)

    def loss(a):
        svd, y = sharded_svd(mesh, k, method)(a), sharded_low_rank(mesh, k, method)(a)
        return loss_of_factors(svd) + jnp.sum(wy * jnp.sin(y))

    def loss_on_one_device(a):
        return loss_of_factors(truncated_svd(a, k)) + jnp.sum(wy * jnp.sin(low_rank(a, k)))

    tolerance = 1e-9 if method == Gram() else 1e-4
    expected = jax.jit(jax.grad(loss_on_one_device))(a)
    np.testing.assert_allclose(jax.jit(jax.grad(loss))(a), expected, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize("spectrum", ["log-spaced", "deficient", "zero", "tied"])
@pytest.mark.parametrize(("m", "n", "k"), [(64, 24, 12), (16, 40, 12)])
def test_accuracy_holds_for_every_spectrum(mesh, spectrum, m, n, k):
    a = specs.matrix_with_spectrum(spectrum, m, n).astype(np.float32)
    u, s, vt = (np.asarray(x, np.float64) for x in jax.jit(sharded_svd(mesh, k))(a))
    values = np.linalg.svd(a.astype(np.float64), compute_uv=False)
    assert np.abs(s - values[:k]).max() <= 2e-6 * values[0]
    assert np.abs(u.T @ u - np.eye(k)).max() <= 1e-5
    assert np.abs(vt @ vt.T - np.eye(k)).max() <= 1e-5
    bound = (1 + 1e-4) * np.sqrt(np.sum(values[k:] ** 2)) + 3e-6 * np.linalg.norm(values)
    assert np.linalg.norm(a - (u * s) @ vt) <= bound


def test_scales_and_batches(mesh):
    a = np.stack([gapped(32, 12, 3).astype(np.float32) * scale for scale in (1e-18, 1.0, 1e18)])
    svd = jax.shard_map(
        lambda a: truncated_svd(a, 3, axis_name="data"),
        mesh=mesh,
        in_specs=PartitionSpec(None, "data"),
        out_specs=factor_specs(PartitionSpec(None, "data")),
    )
    np.testing.assert_allclose(jax.jit(svd)(a).s, truncated_svd(a, 3).s, rtol=1e-5)


def test_warm_start_and_residual(mesh):
    a = gapped(64, 24, 4).astype(np.float32)
    start = truncated_svd(a, 4).vt

    def run(a, start):
        svd = truncated_svd(a, 4, method=Randomized(), start=start, axis_name="data")
        return residual(a, svd, axis_name="data")

    sharded = jax.shard_map(run, mesh=mesh, in_specs=(ROWS, EVERYWHERE), out_specs=EVERYWHERE)
    assert np.asarray(jax.jit(sharded)(a, start)).max() < 1e-5


def test_a_rank_above_the_global_matrix_is_refused(mesh):
    with pytest.raises(ValueError, match=r"`rank` must be at most min\(m, n\) = 12; got 13"):
        jax.jit(sharded_svd(mesh, 13))(np.zeros((16, 12), np.float32))


def collectives(compiled_text):
    """Every communication in a compiled program: its kind and the shapes that it carries."""
    kinds = "all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute"
    return [(kind, shapes) for shapes, kind in re.findall(rf"= (.*?) ({kinds})(?:-start)?\(", compiled_text)]


@pytest.mark.parametrize(("m", "n", "k"), [(64, 24, 5), (16, 40, 7)])
def test_communication_is_one_gram_matrix_and_small_sums(mesh, m, n, k):
    a = jax.ShapeDtypeStruct((m, n), jnp.float32)
    assert_frugal(lambda f, *args: jax.jit(f).lower(*args), mesh, a, k)


@pytest.mark.slow
@pytest.mark.parametrize(("m", "n", "k"), [(64, 24, 5), (576, 100, 16)])
def test_communication_on_tpu_topologies(tpu_slice, m, n, k):
    a = jax.ShapeDtypeStruct((m, n), jnp.float32, sharding=jax.sharding.NamedSharding(tpu_slice, ROWS))

    def lower(f, *args):
        return jax.jit(f).trace(*args).lower(lowering_platforms=("tpu",))

    assert_frugal(lower, tpu_slice, a, k)


def assert_frugal(lower, mesh, a, k):
    """One n x n sum forward, at most two sums backward, and nothing but sums."""
    n = a.shape[1]

    def with_gradient(svd):
        def run(a):
            y, pull = jax.vjp(svd, a)
            return y, pull(jax.tree.map(jnp.cos, y))

        return run

    for svd in (sharded_low_rank(mesh, k), sharded_svd(mesh, k)):
        forward = collectives(lower(svd, a).compile().as_text())
        both = collectives(lower(with_gradient(svd), a).compile().as_text())
        assert {kind for kind, _ in both} == {"all-reduce"}
        square = (f"[{n},{n}]", f"[1,{n},{n}]")  # TPUs sum it in the shape that the kernel takes
        assert sum(shapes.count(shape) for _, shapes in forward for shape in square) == 1
        assert len(both) - len(forward) <= 2


def tracked_twice(a):
    first = tracked_low_rank_and_svd(a, 3, jnp.zeros((Tracked().block(3), a.shape[-1])))
    return tracked_low_rank_and_svd(a, 3, first.basis).svd


OWN_FACTORS = {
    "exact": lambda a: truncated_svd(a, 3, method=Exact()),
    "gram": lambda a: truncated_svd(a, 3, method=Gram()),
    "iterated": lambda a: truncated_svd(a, 3, method=Randomized(tolerance=1e-6, iterations=500)),
    "iterated from a start": lambda a: truncated_svd(a, 3, method=Randomized(oversample=2), start=jnp.eye(3, 24)),
    "iterated by products": lambda a: truncated_svd(centred(a), 3, method=Randomized(oversample=2)),
    "active rank": lambda a: truncated_svd(a, 3, active_rank=jnp.asarray(2)),
    "tracked": tracked_twice,
}


@pytest.mark.parametrize("svd", OWN_FACTORS.values(), ids=OWN_FACTORS)
def test_factors_of_a_matrix_on_each_device(mesh, svd):
    def loss(a):
        u, s, vt = svd(a)
        return jnp.sum(s**3) + jnp.sum((u * jnp.arange(3)) @ vt * jnp.cos(a))

    assert_equal_on_each_device(mesh, loss)


@pytest.mark.parametrize("active_rank", [None, 2])
def test_approximations_of_a_matrix_on_each_device(mesh, active_rank):
    assert_equal_on_each_device(mesh, lambda a: jnp.sum(low_rank(a, 3, active_rank=active_rank) ** 3))


def assert_equal_on_each_device(mesh, loss):
    """The sum and the gradients of `loss` of a matrix on each device are those without devices."""
    a = np.stack([gapped(40, 24, 3) for _ in range(DEVICES)]).astype(np.float32)
    each = jax.shard_map(lambda a: jax.lax.psum(loss(a[0]), "data"), mesh=mesh, in_specs=ROWS, out_specs=EVERYWHERE)
    value, gradient = jax.jit(jax.value_and_grad(each))(a)
    values, gradients = jax.lax.map(jax.value_and_grad(loss), a)
    np.testing.assert_allclose(value, jnp.sum(values), rtol=1e-5)
    np.testing.assert_allclose(gradient, gradients, atol=1e-4)


@pytest.mark.parametrize("axis_name", [None, "data"])
def test_a_mesh_with_explicit_axes(axis_name):
    mesh = jax.make_mesh((DEVICES,), ("data",), axis_types=(AxisType.Explicit,))
    a = gapped(DEVICES * 24, 16, 3).astype(np.float32)

    def approximate(a):
        return low_rank(a, 3, axis_name=axis_name)

    with jax.set_mesh(mesh):
        rows = jax.device_put(a, jax.NamedSharding(mesh, ROWS))
        found = jax.jit(jax.shard_map(approximate, in_specs=ROWS, out_specs=ROWS))(rows)
    parts = [a] if axis_name else np.split(a, DEVICES)
    np.testing.assert_allclose(found, np.concatenate([low_rank(part, 3) for part in parts]), atol=1e-5)
