"""How often the loops of `Gram` on TPUs run whose end the program decides, counted by the interpreter.

On named matrices: entries drawn from a normal distribution, or singular values of a formula, for the rank k.
"""

from collections.abc import Callable
from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np

from fastrrae_kernels import specs
from fastrrae_kernels.matrices import matmul
from fastrrae_kernels.tpu.eigenbasis import Effort, eigenbasis_and_effort
from fastrrae_kernels.tpu.gram_in_float32 import ROTATED
from fastrrae_kernels.tpu.products import gram, product

SPECTRA: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "1/i": lambda i, k: 1 / (1.0 + i),
    "0.97^i": lambda i, k: 0.97**i,
    "1e-3 at the rank": lambda i, k: 10 ** (-3.0 * i / max(1, k - 1)),
    "knee at the rank": lambda i, k: np.where(i < k, 1 - 0.5 * i / k, 0.01 * (1 - 0.5 * i / len(i))),
    "uneven power law": lambda i, k: (1.0 + i) ** -1.257 * np.exp(0.1 * np.sin(1.7 * i)),
}
RANDOM = "random"
NAMES = (RANDOM, *SPECTRA)


def named_matrix(name: str, p: int, q: int, k: int, seed: int = 7) -> np.ndarray:
    """A matrix (p, q), p <= q, float32, of entries around one."""
    a = specs.gaussian_matrix(p, q, seed)
    if name != RANDOM:
        left = np.linalg.qr(specs.gaussian_matrix(p, p, seed))[0]
        right = np.linalg.qr(specs.gaussian_matrix(q, p, seed + 1))[0]
        a = (left * SPECTRA[name](np.arange(p), k)) @ right.T
    return (a / 2 ** np.floor(np.log2(np.abs(a).max()))).astype(np.float32)


@lru_cache(maxsize=32)
def loop_counts(name: str, m: int, n: int, rank: int, *, sharded: bool = False) -> dict[str, float]:
    """How often each loop of `Gram` runs for a named matrix (m, n), by the names that `program_parts` takes.

    Where rows are sharded, the sum of their Gram matrices is all that is decomposed.
    """
    p, q = sorted((m, n))
    return _by_scope(_effort(jnp.asarray(named_matrix(name, p, q, rank)), rank, sharded))


@partial(jax.jit, static_argnames=("rank", "sharded"))
def _effort(a: jax.Array, rank: int, sharded: bool) -> Effort:
    own, multiply = gram(a, interpret=True), partial(product, interpret=True)

    def in_basis(basis: jax.Array) -> jax.Array:
        if sharded:
            return matmul(matmul(basis, own), basis.T)
        return gram(multiply(basis, a), interpret=True)

    if sharded:
        return eigenbasis_and_effort(own, in_basis, floor=1.0, interpret=True)[1]
    return eigenbasis_and_effort(own, in_basis, floor=ROTATED**2, rank=rank, interpret=True)[1]


def _by_scope(effort: Effort) -> dict[str, float]:
    counts = {
        "polish": effort.polishes,
        "polish/orthonormalise": effort.newton_schulz,
        "polish/turn": effort.turns,
        "polish/turn/resolve": effort.resolved,
        "polish/turn/resolve/orthonormalise": effort.newton_schulz_resolved,
        "tridiagonal_eigenvectors": effort.passes,
        "polish/turn/resolve/tridiagonal_eigenvectors": effort.passes_resolved / max(1, int(effort.resolved)),
        "jacobi": effort.jacobi,
        "jacobi/jacobi_eigh": effort.sweeps / max(1, int(effort.jacobi)),
        "gram_schmidt": 1,  # whether rows are straight up to first order: these matrices are not rank deficient
    }
    return {name: float(count) for name, count in counts.items()}
