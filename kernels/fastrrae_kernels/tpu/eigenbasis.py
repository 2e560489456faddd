"""Eigenvectors of a Gram matrix on TPUs: by tridiagonal form, made orthonormal, and finished by Jacobi rotations.

The first is cheap, and leaves little to rotate: one sweep instead of nine where singular values are well apart. The
last is what results rest on: it is as accurate from any orthonormal start.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from ..matrices import transpose
from .jacobi import jacobi_eigh
from .pallas_call import Interpret, padded_stack
from .products import product
from .tridiagonal import tridiagonalise
from .tridiagonal_eigenvectors import eigenvectors

MOST_STEPS = 24  # of Newton and Schulz, each 3/2 times the last: enough for vectors of which two differ by 1e-3

ORTHONORMAL = 1e-3  # Frobenius norm of what a step squares: the next one is at rounding


def eigenbasis(gram: Array, in_basis: Callable[[Array], Array], *, floor: float, interpret: Interpret = False) -> Array:
    """Orthonormal rows (..., d, d) that diagonalise `gram`, by descending eigenvalue.

    Args:
        gram: (..., d, d), float32, positive semidefinite, of entries around one.
        in_basis: `basis gram basis^T` of orthonormal rows, as accurate as can be had.
        floor: of `jacobi_eigh`, for what `in_basis` gives of nearly the right rows.
        interpret: run the kernels on any platform, for tests.
    """
    start, found = _start(gram, interpret)

    def rotate(search: tuple[Array, Array]) -> tuple[Array, Array]:
        basis, passes = search
        turn = jacobi_eigh(in_basis(basis), floor=jnp.where(passes == 1, floor, 1.0), interpret=interpret).vectors
        basis = product(turn, basis, interpret=interpret)
        basis, _ = _newton_schulz(basis, interpret)  # orthonormal up to thousands of rotations: up to one product
        return basis, passes - 1

    # From the identity, the first pass resolves what a Gram matrix shows, and the second the rest.
    passes = jnp.where(jnp.all(found), 1, 2)
    return lax.while_loop(lambda search: search[1] > 0, rotate, (start, passes))[0]


def _start(gram: Array, interpret: Interpret) -> tuple[Array, Array]:
    """Rows that nearly diagonalise `gram`, and whether there are (...); the identity where not.

    Vectors of eigenvalues that differ by rounding errors alone can be the same ones: then there are not.
    """
    d = gram.shape[-1]
    size = -(-d // 8) * 8  # registers are whole; what is added is a block of its own, and comes last
    vectors = eigenvectors(tridiagonalise(padded_stack(gram, size), interpret=interpret), interpret=interpret)
    rows = transpose(vectors)[:, :d, :d].reshape(gram.shape)
    rows, defect = _orthonormal(rows, interpret)
    found = defect <= ORTHONORMAL
    return jnp.where(found[..., None, None], rows, jnp.eye(d, dtype=gram.dtype)), found


class _Progress(NamedTuple):
    rows: Array  # (..., d, d)
    defect: Array  # (...), before the last step
    step: Array


def _orthonormal(rows: Array, interpret: Interpret) -> tuple[Array, Array]:
    """The orthonormal matrix nearest to `rows`, for which these must be shorter than sqrt(3) in every direction."""

    def unfinished(progress: _Progress) -> Array:
        return (progress.step < MOST_STEPS) & jnp.any(progress.defect > ORTHONORMAL)

    def iterate(progress: _Progress) -> _Progress:
        return _Progress(*_newton_schulz(progress.rows, interpret), progress.step + 1)

    first = _Progress(rows, jnp.full_like(rows[..., 0, 0], jnp.inf), jnp.zeros((), jnp.int32))
    last = lax.while_loop(unfinished, iterate, first)
    return last.rows, last.defect


def _newton_schulz(rows: Array, interpret: Interpret) -> tuple[Array, Array]:
    """A step towards the nearest orthonormal matrix, and how far from one `rows` are (Frobenius)."""
    error = product(rows, rows, transposed=True, interpret=interpret) - jnp.eye(rows.shape[-1], dtype=rows.dtype)
    return rows - product(error, rows, interpret=interpret) / 2, jnp.sqrt(jnp.sum(error * error, axis=(-2, -1)))
