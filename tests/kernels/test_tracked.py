"""A tracked SVD: good for matrices that change slowly, exact for others, and its derivative that of what it found."""

import re
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, PartitionSpec

from fastrrae_kernels import (
    Tracked,
    TrackedResults,
    TruncatedSVD,
    low_rank,
    reference,
    specs,
    tracked_low_rank_and_svd,
    truncated_svd,
)
from fastrrae_kernels.methods.tracked import _orthonormal

M, N, K = 64, 40, 4
METHOD = Tracked(tolerance=0.02)
NOTHING = np.zeros((METHOD.block(K), N), np.float32)
ROWS, EVERYWHERE = PartitionSpec("data"), PartitionSpec()


def batch(step, m=M, n=N, speed=0.02):
    """Independent samples of a distribution whose principal directions turn a little with every step."""
    turned = np.linalg.qr(
        np.linalg.qr(specs.gaussian_matrix(n, n, 1))[0] + speed * step * specs.gaussian_matrix(n, n, 2)
    )
    return ((specs.gaussian_matrix(m, n, 10 + step) * 0.85 ** np.arange(n)) @ turned[0].T).astype(np.float32)


@cache
def program(method=METHOD):
    return jax.jit(partial(tracked_low_rank_and_svd, rank=K, method=method))


def tracked(a, basis, method=METHOD):
    return program(method)(a, basis=basis)


def relative_residuals(a, svd):
    """Of each triplet: |a^T u_i - s_i v_i| / s_i, and |a v_i - s_i u_i| / s_i, which is rounding."""
    u, s, v = (np.asarray(x, np.float64) for x in (svd.u, svd.s, svd.vt.T))
    return np.linalg.norm(a.T @ u - s * v, axis=0) / s, np.linalg.norm(a @ v - s * u, axis=0) / s


def test_a_slow_sequence_is_exact_once_and_within_the_tolerance_from_then_on():
    basis, residuals = NOTHING, np.zeros(K)
    for step in range(6):
        a = batch(step)
        y, svd, basis, exact = tracked(a, basis)
        assert float(exact) == (step == 0)
        residuals, rounding = relative_residuals(a, svd)
        assert np.sqrt(np.mean(residuals**2)) <= METHOD.tolerance
        assert rounding.max() < 1e-5
        for rows in (svd.u.T, svd.vt, basis):
            np.testing.assert_allclose(rows @ rows.T, np.eye(len(rows)), atol=1e-5)
        best = reference.low_rank(a, K)
        assert np.linalg.norm(a - y) <= 1.002 * np.linalg.norm(a - best)
        np.testing.assert_allclose((svd.u * svd.s) @ svd.vt, y, atol=1e-5)
        assert np.linalg.norm(y - best) <= 0.05 * np.linalg.norm(best)
    assert residuals.max() > 1e-4  # it was not exact


def flat():
    return specs.gaussian_matrix(M, N, 5).astype(np.float32)


def hidden():
    """A direction that neither the basis nor its image knows anything of, larger than all others."""
    a, known = batch(1), np.asarray(tracked(batch(0), NOTHING).basis)
    row, column = specs.gaussian_matrix(1, N, 8), specs.gaussian_matrix(1, M, 9)
    row -= row @ known.T @ known
    image = np.linalg.qr(a @ known.T)[0]
    column -= column @ image @ image.T
    return (a + 3 * np.linalg.norm(a) * column.T @ row / np.linalg.norm(row) / np.linalg.norm(column)).astype(
        np.float32
    )


@pytest.mark.parametrize("kind", ["flat", "jump", "zeros", "rank 2"])
def test_what_cannot_be_tracked_is_decomposed_exactly(kind):
    turned = np.linalg.qr(specs.gaussian_matrix(N, N, 4))[0]  # with 3, the basis is good enough by chance
    a = {"flat": flat(), "jump": batch(0) @ turned.astype(np.float32), "zeros": np.zeros((M, N), np.float32)}.get(kind)
    if a is None:
        a = reference.low_rank(flat(), 2).astype(np.float32)
    y, svd, basis, exact = tracked(a, tracked(batch(0), NOTHING).basis)
    assert float(exact) == (kind != "rank 2")
    np.testing.assert_allclose(y, reference.low_rank(a, K), atol=2e-5)
    np.testing.assert_allclose(svd.vt @ svd.vt.T, np.eye(K), atol=1e-5)
    assert np.isfinite(basis).all()


def test_a_direction_without_a_trace_in_the_basis_is_found():
    a = hidden()
    y, _, _, _ = tracked(a, tracked(batch(0), NOTHING).basis)
    best = reference.low_rank(a, K)
    assert np.linalg.norm(y - best) <= 0.05 * np.linalg.norm(best)


def test_after_a_batch_that_is_not_finite_all_begins_again():
    a = batch(1).copy()
    a[3, 5] = np.nan
    y, svd, basis, exact = tracked(a, tracked(batch(0), NOTHING).basis)
    assert np.isnan(y).all()
    assert np.isnan(svd.s).all()
    assert not np.any(basis)
    assert float(exact) == 1
    assert float(tracked(batch(2), basis).exact) == 1
    broken = np.full_like(NOTHING, np.nan)
    np.testing.assert_allclose(tracked(batch(2), broken).low_rank, reference.low_rank(batch(2), K), atol=1e-5)


@pytest.mark.parametrize("m", [M, pytest.param(24, marks=pytest.mark.slow)])
def test_the_derivative_is_that_at_the_nearby_matrix_whose_triplets_were_found(float64, m):
    """And so it is biased as a derivative at the matrix itself, by the order of the residual over the gap."""
    method = Tracked(tolerance=0.9)
    start, a, direction = (
        batch(0, m).astype(float),
        batch(3, m, speed=0.05).astype(float),
        specs.gaussian_matrix(m, N, 4),
    )
    basis = tracked_low_rank_and_svd(start, K, np.zeros((method.block(K), N)), method=method).basis

    def run(a):
        found = tracked_low_rank_and_svd(a, K, basis, method=method)
        return found.low_rank, found

    y, dy, found = jax.jit(lambda a: jax.jvp(run, (a,), (direction,), has_aux=True))(a)
    assert float(found.exact) == 0
    u, s, v = (np.asarray(x) for x in (found.svd.u, found.svd.s, found.svd.vt.T))
    residual = a.T @ u - v * s  # (n, k)
    nearby = a - u @ residual.T
    np.testing.assert_allclose(y, reference.low_rank(nearby, K), atol=1e-10)
    expected, elsewhere = (reference.low_rank_derivative(x, K, direction) for x in (nearby, a))
    size = np.linalg.norm(expected)
    assert np.linalg.norm(dy - expected) < 1e-3 * size
    bias = np.linalg.norm(dy - elsewhere) / size
    values = np.linalg.svd(a, compute_uv=False)
    gap = 1 - values[K] / values[K - 1]
    assert 3e-3 < bias < 2 * np.linalg.norm(residual / s) / gap


@pytest.mark.slow
def test_the_gradient_of_an_exact_decomposition_is_exact(float64):
    a, w = batch(2).astype(float), specs.gaussian_matrix(M, N, 3)

    def loss(approximate):
        return jax.jit(jax.grad(lambda a: jnp.sum(w * jnp.sin(approximate(a)))))(a)

    found = loss(lambda a: tracked_low_rank_and_svd(a, K, NOTHING, method=METHOD).low_rank)
    expected = loss(lambda a: low_rank(a, K))
    np.testing.assert_allclose(found, expected, atol=1e-3 * np.abs(expected).max())


@pytest.mark.slow
def test_a_stack_and_wide_matrices():
    """More columns than rows: the basis is still that of the columns. A stack is exact as soon as one of it must be."""
    a, b = (np.stack([batch(step, 30), batch(step + 1, 30)]) for step in (0, 1))
    _, _, basis, exact = jax.vmap(partial(tracked_low_rank_and_svd, rank=K))(a, basis=np.stack([NOTHING, NOTHING]))
    assert exact.tolist() == [1, 1]
    y, _, _, exact = tracked_low_rank_and_svd(b, K, basis)
    assert exact.tolist() == [0, 0]
    for i in range(2):
        best = reference.low_rank(b[i], K)
        assert np.linalg.norm(y[i] - best) <= 0.1 * np.linalg.norm(best)
    b[1] = specs.gaussian_matrix(30, N, 6)
    y, _, _, exact = tracked_low_rank_and_svd(b, K, basis)
    assert exact.tolist() == [1, 1]
    np.testing.assert_allclose(y[0], reference.low_rank(b[0], K), atol=1e-5)


@pytest.mark.slow
@pytest.mark.skipif(jax.device_count() < 8, reason="needs eight devices")
def test_shards_equal_one_device_and_exchange_nothing_larger_than_a_basis():
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))
    svd_specs = TruncatedSVD(ROWS, EVERYWHERE, EVERYWHERE)  # pyright: ignore[reportArgumentType]
    results = TrackedResults(ROWS, svd_specs, EVERYWHERE, EVERYWHERE)  # pyright: ignore[reportArgumentType]

    def on_shards(a, basis):
        return tracked_low_rank_and_svd(a, K, basis, method=METHOD, axis_name="data")

    sharded = jax.shard_map(on_shards, mesh=mesh, in_specs=(ROWS, EVERYWHERE), out_specs=results)
    weights = specs.gaussian_matrix(M, N, 3).astype(np.float32)

    def with_gradient(run):
        return jax.jit(jax.value_and_grad(lambda a, basis: _loss(weights, run(a, basis)), has_aux=True))

    both = with_gradient(sharded), with_gradient(partial(_alone, METHOD))
    basis = jnp.asarray(NOTHING)
    for step in range(2):
        ((loss, found), gradient), ((expected_loss, expected), expected_gradient) = (
            f(batch(step), basis) for f in both
        )
        np.testing.assert_allclose(loss, expected_loss, rtol=1e-4)
        assert float(found.exact) == float(expected.exact) == (step == 0)
        np.testing.assert_allclose(found.low_rank, expected.low_rank, atol=2e-5)
        np.testing.assert_allclose(
            found.basis[:K].T @ found.basis[:K], expected.basis[:K].T @ expected.basis[:K], atol=1e-3
        )
        scale = np.abs(expected_gradient).max()
        np.testing.assert_allclose(gradient, expected_gradient, atol=2e-3 * scale)
        basis = expected.basis
    text = both[0].lower(batch(0), basis).compile().as_text() or ""
    kinds = re.findall(
        r"= (.*?) (all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute)(?:-start)?\(", text
    )
    assert {kind for _, kind in kinds} == {"all-reduce"}
    squares = [shape for shape, _ in kinds if f"[{N},{N}]" in shape]
    assert len(squares) == 1  # the Gram matrix of the exact branch
    sizes = [
        np.prod([int(d) for d in dims.split(",") if d])
        for shape, _ in kinds
        for dims in re.findall(r"\[([\d,]*)\]", shape)
    ]
    assert max(size for size in sizes if size != N * N) <= N * METHOD.block(K)


def _loss(weights, found):
    return jnp.sum(weights * jnp.sin(found.low_rank)), found


def _alone(method, a, basis):
    return tracked_low_rank_and_svd(a, K, basis, method=method)


@pytest.mark.slow
def test_without_a_start_or_with_too_many_directions_it_is_exact():
    a = batch(0)
    np.testing.assert_allclose(truncated_svd(a, K, method=METHOD).s, reference.truncated_svd(a, K)[1], rtol=1e-5)
    many = tracked_low_rank_and_svd(a, 20, np.ones((Tracked().block(20), N), np.float32))
    assert float(many.exact) == 1
    assert many.basis.shape == (Tracked().block(20), N)
    np.testing.assert_allclose(many.low_rank, reference.low_rank(a, 20), atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"oversample": 1}, "`oversample` must be at least 2, or None; got 1"),
        ({"iterations": 0}, "`iterations` must be at least 1; got 0"),
        ({"tolerance": 0.0}, r"`tolerance` must be positive; got 0\.0"),
    ],
)
def test_options_that_mean_nothing_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Tracked(**options)


def test_another_method_is_refused():
    with pytest.raises(TypeError, match=r"`method` must be Tracked\(\.\.\.\)"):
        tracked_low_rank_and_svd(batch(0), K, NOTHING, method="tracked")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("defect", [3e-4, 0.3])
def test_a_basis_becomes_orthonormal_and_keeps_its_span(defect):
    """Nearly orthonormal columns by products alone, others by a factor first."""
    rng = np.random.default_rng(0)
    q = np.linalg.qr(rng.standard_normal((40, 6)))[0]
    change = rng.standard_normal((6, 6))
    x = q @ (np.eye(6) + defect * change / np.linalg.norm(change))
    got = np.asarray(_orthonormal(jnp.asarray(x, jnp.float32)), float)
    np.testing.assert_allclose(got.T @ got, np.eye(6), atol=1e-6)
    np.testing.assert_allclose(got @ (got.T @ q), q, atol=1e-6)
