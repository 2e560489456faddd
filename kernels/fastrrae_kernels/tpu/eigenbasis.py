"""Eigenvectors of a Gram matrix on TPUs: by tridiagonal form, and finished by products of matrices.

Products are what a TPU does best, and what they leave off the diagonal tells whether they were enough.
Where they were not, as where many singular values are equal, Jacobi's rotations finish instead: a sweep of them takes
as long as a hundred products, but they are as accurate from any orthonormal start.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from ..matrices import transpose
from .jacobi import jacobi_eigh
from .pallas_call import SMALL, Interpret, padded_stack
from .products import gram as self_product
from .products import product
from .rotations import rotations
from .tridiagonal import tridiagonalise
from .tridiagonal_eigenvectors import eigenvectors

MOST_STEPS = 24  # of Newton and Schulz, each 3/2 times the last: enough for vectors of which two differ by 1e-3

ORTHONORMAL = 1e-3  # Frobenius norm of what a step squares: the next one is at rounding

MOST_POLISHES = 8  # one suffices for a random matrix, two to four for what training meets


class Effort(NamedTuple):
    """How often each loop ran whose end is decided at run time (int32, the most of a stack): what it cost."""

    polishes: Array
    turns: Array  # of the polishes, those that found something to turn
    resolved: Array  # of these, those with an eigenproblem of the discarded rows
    newton_schulz: Array  # steps, of all polishes
    newton_schulz_resolved: Array
    passes: Array  # of the multisection
    passes_resolved: Array
    jacobi: Array
    sweeps: Array  # of all Jacobi's


def eigenbasis(
    gram: Array,
    in_basis: Callable[[Array], Array],
    *,
    floor: float,
    rank: int | None = None,
    interpret: Interpret = False,
) -> Array:
    """Orthonormal rows (..., d, d) that diagonalise `gram`, by descending eigenvalue.

    Args:
        gram: (..., d, d), float32, positive semidefinite, of entries around one.
        in_basis: `basis gram basis^T` of orthonormal rows, as accurate as can be had.
        floor: the floor of `jacobi_eigh`, for what `in_basis` gives of nearly the right rows.
        rank: how many rows are to be kept; the others matter to their eigenvalues and to derivatives only (None: all).
        interpret: run the kernels on any platform, for tests.
    """
    return eigenbasis_and_effort(gram, in_basis, floor=floor, rank=rank, interpret=interpret)[0]


def eigenbasis_and_effort(
    gram: Array,
    in_basis: Callable[[Array], Array],
    *,
    floor: float,
    rank: int | None = None,
    interpret: Interpret = False,
) -> tuple[Array, Effort]:
    """The `eigenbasis`, and what it took; for benchmarks and tests."""
    start, found, proved, effort = _polished(gram, in_basis, floor, rank or gram.shape[-1], interpret)

    def rotate(search: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        basis, passes, sweeps = search
        turn = jacobi_eigh(in_basis(basis), floor=jnp.where(passes == 1, floor, 1.0), interpret=interpret)
        basis = product(turn.vectors, basis, interpret=interpret)
        basis, _ = _newton_schulz(basis, interpret)  # orthonormal up to thousands of rotations: up to one product
        return basis, passes - 1, sweeps + turn.sweeps

    # From the identity, the first pass resolves what a Gram matrix shows, and the second the rest.
    passes = jnp.where(jnp.all(proved), 0, jnp.where(jnp.all(found), 1, 2))
    none = jnp.zeros_like(start[..., 0, 0], jnp.int32)
    with jax.named_scope("jacobi"):
        basis, _, sweeps = lax.while_loop(lambda search: search[1] > 0, rotate, (start, passes, none))
    return basis, effort._replace(jacobi=passes, sweeps=jnp.max(sweeps, initial=0))


class _Polish(NamedTuple):
    rows: Array  # (..., d, d), nearly orthonormal
    basis: Array  # (..., d, d), the last ones made orthonormal
    values: Array  # (..., d), the diagonal of `basis gram basis^T`
    found: Array  # (...), that there was an orthonormal basis
    proved: Array  # (...), that it diagonalises the matrix
    effort: Effort


def _polished(
    gram: Array, in_basis: Callable[[Array], Array], floor: float, rank: int, interpret: Interpret
) -> tuple[Array, Array, Array, Effort]:
    """Sorted orthonormal rows, whether any were found (the identity where not), and whether they are good enough."""
    d = gram.shape[-1]

    def unfinished(polish: _Polish) -> Array:
        return (polish.effort.polishes < MOST_POLISHES) & jnp.any(polish.found & ~polish.proved)

    def improve(polish: _Polish) -> _Polish:
        """Orthonormalise the rows, test them by the Gram matrix in their basis, and rotate those that fail the test."""
        basis, defect, steps = _orthonormal(polish.rows, interpret)
        b = in_basis(basis)
        turn, values, proved, crowded, ready = rotations(b, rank, floor, interpret=interpret)
        found = defect <= ORTHONORMAL
        effort = polish.effort
        effort = effort._replace(polishes=effort.polishes + 1, newton_schulz=effort.newton_schulz + steps)

        def turned(rows: Array, effort: Effort) -> tuple[Array, Effort]:
            rows = product(turn, rows, interpret=interpret)
            effort = effort._replace(turns=effort.turns + 1)
            resolve = lambda rows, effort: _resolve(rows, turn, b, rank, effort, interpret)  # noqa: E731
            with jax.named_scope("resolve"):
                return lax.cond(jnp.any(crowded & ready), resolve, lambda *same: same, rows, effort)

        with jax.named_scope("turn"):
            rows, effort = lax.cond(jnp.any(found & ~proved), turned, lambda *same: same, basis, effort)
        return _Polish(rows, basis, values, found, found & proved, effort)

    rows, values, passes = _vectors(gram, interpret)
    no = jnp.zeros_like(values[..., 0], bool)
    effort = Effort(*(jnp.zeros_like(passes) for _ in Effort._fields))._replace(passes=passes)
    with jax.named_scope("polish"):
        last = lax.while_loop(unfinished, improve, _Polish(rows, rows, values, ~no, no, effort))
    basis = jnp.where(last.found[..., None, None], last.basis, jnp.eye(d, dtype=gram.dtype))
    return _sorted(basis, last.values, interpret), last.found, last.proved, last.effort


def _vectors(gram: Array, interpret: Interpret) -> tuple[Array, Array, Array]:
    """Rows that nearly diagonalise `gram` (..., d, d), by descending eigenvalue; these; the passes it took.

    Vectors of eigenvalues that differ by rounding errors alone can be the same ones.
    """
    d = gram.shape[-1]
    size = -(-d // 8) * 8  # registers are whole; what is added is a block of its own, and comes last
    found = eigenvectors(tridiagonalise(padded_stack(gram, size), interpret=interpret), interpret=interpret)
    rows, values = transpose(found.vectors)[:, :d, :d], found.values[:, 0, :d]
    values = values.reshape(gram.shape[:-1])
    return _sorted(rows.reshape(gram.shape), values, interpret), values, jnp.max(found.passes, initial=0)


def _sorted(rows: Array, values: Array, interpret: Interpret) -> Array:
    """`rows` (..., d, d) by descending `values` (..., d)."""
    order = jnp.argsort(values, axis=-1, descending=True)[..., None]
    if rows.shape[-1] > SMALL:
        return jnp.take_along_axis(rows, order, axis=-2)
    # A TPU gathers small rows one by one: the product with a permutation matrix, which is exact, takes a tenth of that.
    here = order == jnp.arange(rows.shape[-1])
    permutation = jnp.where(here, jnp.ones_like(rows), 0)  # inside `shard_map`, as different among devices as `rows`
    return product(permutation, rows, interpret=interpret)


def _resolve(
    rows: Array, turn: Array, b: Array, rank: int, effort: Effort, interpret: Interpret
) -> tuple[Array, Effort]:
    """`rows`, of which the discarded ones diagonalise their own block of `turn b turn^T`.

    Relative to the largest singular value they cannot be distinguished; relative to the largest of their own they can.
    """
    if rank == b.shape[-1]:
        return rows, effort
    turn = turn[..., rank:, :]
    block = product(product(turn, b, interpret=interpret), turn, transposed=True, interpret=interpret)
    largest = jnp.max(block, axis=(-2, -1), keepdims=True)  # on the diagonal: the matrix is positive semidefinite
    own, _, passes = _vectors(block / jnp.where(largest > 0, largest, 1), interpret)
    own, defect, steps = _orthonormal(own, interpret)
    own = jnp.where((defect <= ORTHONORMAL)[..., None, None], own, jnp.eye(own.shape[-1], dtype=own.dtype))
    resolved = product(own, rows[..., rank:, :], interpret=interpret)
    effort = effort._replace(
        resolved=effort.resolved + 1,
        newton_schulz_resolved=effort.newton_schulz_resolved + steps,
        passes_resolved=effort.passes_resolved + passes,
    )
    return jnp.concatenate([rows[..., :rank, :], resolved], axis=-2), effort


class _Progress(NamedTuple):
    rows: Array  # (..., d, d)
    defect: Array  # (...), before the last step
    step: Array


def _orthonormal(rows: Array, interpret: Interpret) -> tuple[Array, Array, Array]:
    """The orthonormal matrix nearest to `rows`, how far one step before that it was from one, and the number of steps.

    `rows` must be shorter than sqrt(3) in every direction.
    """

    def unfinished(progress: _Progress) -> Array:
        return (progress.step < MOST_STEPS) & jnp.any(progress.defect > ORTHONORMAL)

    def iterate(progress: _Progress) -> _Progress:
        return _Progress(*_newton_schulz(progress.rows, interpret), progress.step + 1)

    first = _Progress(rows, jnp.full_like(rows[..., 0, 0], jnp.inf), jnp.zeros((), jnp.int32))
    with jax.named_scope("orthonormalise"):
        last = lax.while_loop(unfinished, iterate, first)
    return last.rows, last.defect, last.step


def _newton_schulz(rows: Array, interpret: Interpret) -> tuple[Array, Array]:
    """A step towards the nearest orthonormal matrix, and how far from one `rows` are (Frobenius)."""
    error = self_product(rows, interpret=interpret) - jnp.eye(rows.shape[-1], dtype=rows.dtype)
    return rows - product(error, rows, interpret=interpret) / 2, jnp.sqrt(jnp.sum(error * error, axis=(-2, -1)))
