"""The rows that diagonalise a Gram matrix, by the interpreter: exact from a good start, and from none."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fastrrae_kernels import low_rank, specs
from fastrrae_kernels.matrices import matmul, transpose
from fastrrae_kernels.tpu.eigenbasis import eigenbasis, eigenbasis_and_effort
from fastrrae_kernels.tpu.gram_schmidt import gram_schmidt
from fastrrae_kernels.tpu.products import gram as self_product
from fastrrae_kernels.tpu.products import product
from fastrrae_kernels.tpu.rotations import rotations


@jax.jit
def basis_of(gram):
    return eigenbasis(gram, lambda rows: matmul(matmul(rows, gram), transpose(rows)), floor=1.0, interpret=True)


def assert_diagonalises(rows, gram):
    rows, largest = np.asarray(rows, np.float64), max(float(np.linalg.norm(gram, 2)), 1e-30)
    np.testing.assert_allclose(rows @ rows.T, np.eye(len(gram)), atol=3e-6)
    turned = rows @ gram @ rows.T
    np.testing.assert_allclose(turned - np.diag(np.diag(turned)), 0, atol=3e-6 * largest)
    np.testing.assert_allclose(np.diag(turned), np.linalg.eigvalsh(gram)[::-1], atol=3e-6 * largest)


def dead(d, seed=0):
    """A third of the coordinates is never used, and the others share a third of the directions."""
    a = specs.gaussian_matrix(d, d // 3, seed)
    a[::3] = 0
    return a


CASES = {
    **{name: lambda d, name=name: specs.matrix_with_spectrum(name, d, d + 5) for name in specs.SPECTRA},
    "gaussian": lambda d: specs.gaussian_matrix(d, d + 5),
    "dead": dead,
    "ones": lambda d: np.ones((d, d)),
    "identity": np.eye,
    "equal pairs": lambda d: np.kron(np.eye(2), specs.gaussian_matrix(d, d)),
}


@pytest.mark.parametrize("name", CASES)
def test_rows_diagonalise_whatever_the_spectrum(name):
    a = CASES[name](19)  # not a size of whole registers
    gram = (a @ a.T).astype(np.float32)
    assert_diagonalises(basis_of(gram), gram)


def test_a_stack_with_matrices_that_have_no_good_start():
    stack = [CASES[name](16) for name in ("gaussian", "zero", "tied", "dead")]
    grams = np.stack([a @ a.T for a in stack]).astype(np.float32).reshape(2, 2, 16, 16)
    rows = basis_of(grams)
    for index in np.ndindex(2, 2):
        assert_diagonalises(rows[index], grams[index])


def test_exact_ties_without_a_start_take_a_second_pass():
    """Sixty-four equal values in a matrix without any structure: their vectors cannot be told from each other."""
    turn = np.linalg.qr(specs.gaussian_matrix(96, 96))[0]
    gram = ((turn * np.repeat([1.0, 0.5], [64, 32])) @ turn.T).astype(np.float32)
    assert_diagonalises(basis_of(gram), gram)


def test_nan_stays_in_its_matrix():
    grams = np.stack([np.eye(8, dtype=np.float32)] * 2)
    grams[0, 3, 3] = np.nan
    rows = basis_of(grams)
    assert np.all(np.isnan(rows[0]))
    assert_diagonalises(rows[1], grams[1])


@pytest.mark.skipif(jax.device_count() < 8, reason="needs eight devices")
def test_inside_shard_map_every_device_may_have_its_own_matrices():
    """Traced only: the interpreter cannot run there."""
    mesh = jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    spec = jax.sharding.PartitionSpec("data")
    own = jax.shard_map(lambda a: low_rank(a, 2, backend="pallas"), mesh=mesh, in_specs=spec, out_specs=spec)
    program = str(jax.make_jaxpr(own)(jnp.zeros((8, 9, 14), jnp.float32)))
    for kernel in ("product", "tridiagonalise", "tridiagonal_eigenvectors", "jacobi_eigh"):
        assert f"name={kernel}" in program.replace(" ", "")


@pytest.mark.parametrize("shape", [(5, 3), (2, 3, 5, 7)])
@pytest.mark.parametrize("transposed", [False, True])
def test_products_are_those_of_numpy(shape, transposed):
    rng = np.random.default_rng(0)
    a = rng.standard_normal(shape).astype(np.float32)
    b = rng.standard_normal((*shape[:-2], shape[-1], 4)).astype(np.float32)
    given = b.swapaxes(-1, -2) if transposed else b
    got = product(jnp.asarray(a), jnp.asarray(given), transposed=transposed, interpret=True)
    np.testing.assert_allclose(got, a.astype(np.float64) @ b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", [(5, 3), (2, 3, 5, 7), (256, 40)])
def test_mirrored_products_are_those_of_numpy_and_symmetric(shape):
    a = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    got = np.asarray(self_product(jnp.asarray(a), interpret=True))
    np.testing.assert_allclose(got, a.astype(np.float64) @ a.swapaxes(-1, -2), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(got, got.swapaxes(-1, -2), atol=1e-6)


def nearly_diagonal(values, coupling, seed=0):
    """With cosines up to `coupling` between rows, and the vectors of its float64 eigenproblem."""
    noise = specs.gaussian_matrix(len(values), len(values), seed)
    noise = np.clip((noise + noise.T) / 4, -1, 1) * (1 - np.eye(len(values)))
    return np.diag(values) + coupling * noise * np.sqrt(np.outer(values, values))


@jax.jit
def rotated(b):
    return rotations(b, 8, 1e-11, interpret=True)


def test_rotations_square_what_is_beside_the_diagonal():
    b = nearly_diagonal(1.0 / np.arange(1, 25), 3e-4)
    found = rotated(b.astype(np.float32))
    assert not bool(found.proved)
    turn = np.linalg.qr(np.asarray(found.turn, np.float64).T)[0].T
    after = turn @ b @ turn.T
    beside = lambda b: np.abs(b - np.diag(np.diag(b)))  # noqa: E731
    assert beside(after)[:8].max() <= 0.02 * beside(b)[:8].max()
    np.testing.assert_allclose(found.values, np.diag(b), rtol=1e-6)


def test_tied_rows_that_share_none_are_rotated_exactly():
    b = np.diag(np.linspace(2, 1, 16))
    b[[1, 5], [1, 5]] = b[[2, 6], [2, 6]] = b[0, 0], b[4, 4]
    b[1, 2] = b[2, 1] = 0.01
    b[5, 6] = b[6, 5] = -0.02
    turn = np.asarray(rotated(b.astype(np.float32)).turn, np.float64)
    np.testing.assert_allclose(turn @ turn.T, np.eye(16), atol=1e-6)
    after = turn @ b @ turn.T
    np.testing.assert_allclose(after - np.diag(np.diag(after)), 0, atol=1e-7)


def test_what_is_diagonal_is_proved_and_crowds_of_discarded_rows_are_seen():
    diagonal = np.diag(np.linspace(2, 1, 32)).astype(np.float32)
    crowd = diagonal.copy()
    crowd[8:, 8:] = 1 + 0.1 * nearly_diagonal(np.ones(24), 1.0)
    lost = diagonal.copy()
    lost[3, 4] = np.nan
    found = rotated(np.stack([diagonal, crowd, lost]))
    assert found.proved.tolist() == [True, False, False]
    assert found.crowded.tolist()[:2] == [False, True]
    assert bool(found.ready[1])
    np.testing.assert_array_equal(found.turn[0], np.eye(32))


def few_values(d):
    """Two singular values, many times, in a matrix without any structure."""
    left, right = (np.linalg.qr(specs.gaussian_matrix(d, d, seed))[0] for seed in range(2))
    return (left * np.repeat([1.0, 0.5], [d // 2, d // 2])) @ right.T


@pytest.mark.parametrize(
    "name",
    [
        "gaussian",
        pytest.param("harmonic", marks=pytest.mark.slow),
        pytest.param("log-spaced", marks=pytest.mark.slow),
        "few values",
    ],
)
def test_products_suffice_where_values_are_apart(name):
    a = few_values(64) if name == "few values" else CASES[name](64)
    a, by_jacobi = a.astype(np.float32), name == "few values"
    own = a @ a.T

    def in_basis(rows):
        return self_product(product(rows, jnp.asarray(a), interpret=True), interpret=True)

    run = jax.jit(lambda g: eigenbasis_and_effort(g, in_basis, floor=1e-11, rank=20, interpret=True))
    rows, effort = run(own)
    assert_diagonalises(rows, own)
    assert (int(effort.jacobi) > 0) == by_jacobi
    assert (int(effort.sweeps) > 0) == by_jacobi
    assert 1 <= int(effort.polishes) <= 5


def test_products_of_large_matrices_are_xlas():
    a = jax.ShapeDtypeStruct((2, 512, 4096), jnp.float32)
    program = jax.make_jaxpr(lambda a: product(a, a, transposed=True))(a)
    assert "pallas_call" not in str(program)
    assert "pallas_call" in str(jax.make_jaxpr(lambda a: product(a, a, transposed=True))(a.update(shape=(2, 64, 64))))


@pytest.mark.parametrize("q", [12, 40])
def test_gram_schmidt_keeps_what_is_orthonormal_and_replaces_what_is_lost(q):
    x = np.linalg.qr(specs.gaussian_matrix(q, 12))[0].T.astype(np.float32)
    bent = x.copy()
    bent[5] += 0.1 * x[2] + 0.05 * x[7]
    lost = np.arange(12) >= 9  # as they come: those of the least singular values
    bent[lost] = 0
    stack = jnp.stack([jnp.asarray(bent), jnp.zeros((12, q))])
    y = np.asarray(jax.jit(gram_schmidt)(stack, jnp.stack([jnp.asarray(lost), jnp.ones(12, bool)])), np.float64)
    for rows in y:
        np.testing.assert_allclose(rows @ rows.T, np.eye(12), atol=2e-6)
    np.testing.assert_allclose(y[0][[0, 1, 2, 4]], x[[0, 1, 2, 4]], atol=1e-6)
    np.testing.assert_allclose(np.abs(np.sum(y[0][5] * x[5])), 1, atol=0.01)
