"""`Auto`: the fastest method that keeps full accuracy, by the platform that a program is compiled for."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import jax.numpy as jnp
from jax import Array, lax
from jax.typing import DTypeLike

from ..decomposition import Decomposition, Method, Options
from ..operands import Operand
from ..tpu.jacobi import MOST_COLUMNS
from .exact import Exact
from .gram import Gram
from .krylov import BLOCKS_KEPT, RitzVectors, Search, krylov_basis
from .native_batching import natively_batched
from .randomized import Randomized, first_block, within_basis

SEED = 0  # of the random block that an iteration starts from

# A block of the iteration takes about 6 p q b operations at the rate of large products, overhead included; the Gram
# matrix and its eigenvectors take as long as 7 p^2 (p + q) of these (2 cores, p = 500, 2000 and 4096).
BLOCK_COST, GRAM_COST = 6, 7

# The iteration may take this share of the time of `Gram`. It gives up after PATIENCE + 1 blocks where its rate says
# that it will not get there, as with a flat spectrum. For that, `Gram` needs no float64 and half of its time; so there
# have to be enough blocks, although 1/i takes only 5 or 6 to rounding, and 1/sqrt(i) 8.
SHARE, PATIENCE, ENOUGH_BLOCKS, BLOCKS_LIMIT = 0.5, 3, 12, 48

SMALLEST = 256  # of the smaller side: below, the small matrices of the iteration take longer than the products


def choose_method(dtype: DTypeLike, platform: str, size: int, *, sharded: bool = False) -> Exact | Gram:
    """The direct method that `Auto()` stands for.

    Args:
        dtype: the type that the decomposition is computed in.
        platform: "cpu", "gpu" or "tpu".
        size: the smaller side of the matrix.
        sharded: whether its rows are on several devices, so that only sums over them are to be had.

    `Gram` beats the thin SVD at every shape of `specs.SHAPES` (`bench/svd.py`), but it needs a type twice as wide as
    the input's, or the Jacobi kernel of TPUs: float64 input has neither, nor have matrices on TPUs beyond the kernel's
    size.
    """
    if sharded:
        return Gram()
    if jnp.dtype(dtype) == jnp.float64 or (platform == "tpu" and size > MOST_COLUMNS):
        return Exact()
    return Gram()


def blocks_worth_trying(dtype: DTypeLike, p: int, q: int, rank: int, *, sharded: bool = False) -> int:
    """How many blocks of a Krylov iteration `Auto()` tries before the direct method; 0: none.

    Where the rank is far below the smaller side p of a large matrix, an iteration to rounding takes a fraction of the
    time of a full decomposition if the spectrum decays. Where it does not, the first few blocks are lost: a third of
    that time (2000 x 8000, rank 50) or less.
    """
    if sharded or jnp.dtype(dtype) != jnp.float32 or p < SMALLEST:
        return 0
    blocks = int(SHARE * GRAM_COST * p * (p + q) / (BLOCK_COST * q * 2 * rank))
    return min(blocks, BLOCKS_LIMIT) if blocks >= ENOUGH_BLOCKS else 0


@dataclass(frozen=True)
class Auto(Method):
    """The fastest method that keeps full accuracy; the default.

    `choose_method` chooses it by type, size and platform. With a `start` it is
    `Randomized()`.

    For a large float32 matrix and a rank far below its smaller side
    (`blocks_worth_trying`) a Krylov iteration runs to rounding first; the
    direct method follows where it does not get there, as with a flat spectrum.
    """

    takes_start: ClassVar[bool] = True

    def given_start(self) -> Method:
        """The iterative method."""
        return Randomized()

    def check(self, options: Options, size: int, dtype: DTypeLike) -> None:
        """Refuse what the method chosen refuses."""
        if options.backend == "pallas":
            Gram().check(options, size, dtype)

    def decompose(self, a: Operand, start: Array | None, options: Options) -> Decomposition:
        """The choice is made where the program is compiled, which can be another machine than the default backend."""
        del start
        if options.backend == "pallas":
            return Gram().decompose(a, None, options)
        sharded, (p, q) = options.axis_name is not None, a.shape[-2:]
        blocks = blocks_worth_trying(a.dtype, p, q, options.rank, sharded=sharded)
        if blocks == 0:
            return direct(options, a)
        tolerance = 8 * float(jnp.finfo(a.dtype).eps)
        search = Search(options.rank, 2 * options.rank, blocks - 1, tolerance, options.axis_name, PATIENCE)
        return natively_batched(partial(_iterated_or_direct, search, options))(a)


def direct(options: Options, a: Operand) -> Decomposition:
    """By the direct method that `Auto()` stands for on the platform."""
    sharded = options.axis_name is not None
    on_tpu, elsewhere = (choose_method(a.dtype, p, a.shape[-2], sharded=sharded) for p in ("tpu", "cpu"))
    run = lambda method: partial(method.decompose, start=None, options=options)  # noqa: E731
    if on_tpu == elsewhere:
        return run(on_tpu)(a)
    return lax.platform_dependent(a, tpu=run(on_tpu), default=run(elsewhere))


def _iterated_or_direct(search: Search, options: Options, a: Operand) -> Decomposition:
    def fallback(a: Operand, ritz: RitzVectors) -> Decomposition:
        del ritz
        d, known = direct(options, a), BLOCKS_KEPT * search.block - search.rank
        return d._replace(discarded_u=d.discarded_u[..., :known], discarded_s=d.discarded_s[..., :known])

    def iterated(a: Operand, ritz: RitzVectors) -> Decomposition:
        del a
        return within_basis(search, ritz)

    ritz = krylov_basis(search, a, first_block(SEED, search.block, a, None))
    return lax.cond(jnp.any(ritz.error > search.tolerance), fallback, iterated, a, ritz)


AUTO = Auto()
