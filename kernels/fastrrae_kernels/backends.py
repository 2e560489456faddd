"""Who computes a decomposition: XLA's own routines, or kernels of this package."""

from typing import Literal, TypeAlias

import jax.numpy as jnp
from jax.typing import DTypeLike

from .methods import Exact, Gram, Randomized
from .tpu.jacobi import MOST_COLUMNS

Backend: TypeAlias = Literal["auto", "xla", "pallas"]


def check_backend(backend: Backend, method: Exact | Gram | Randomized, dtype: DTypeLike, size: int) -> None:
    """Refuse what the kernels cannot do, where they are asked for by name: nothing falls back silently.

    Args:
        backend: what was asked for.
        method: resolved.
        dtype: the type that the decomposition is computed in.
        size: p, of the p x p matrix that is to be diagonalised.
    """
    if backend not in ("auto", "xla", "pallas"):
        raise ValueError(f'`backend` must be "auto", "xla" or "pallas"; got {backend!r}')
    if backend != "pallas":
        return
    if not isinstance(method, Gram):
        raise ValueError(f'`backend="pallas"` has kernels for Gram() only; got {method!r}')
    if jnp.dtype(dtype) != jnp.float32:
        raise ValueError(f'`backend="pallas"` computes in float32; got {jnp.dtype(dtype)}. Use "auto" or "xla"')
    if size > MOST_COLUMNS:
        raise ValueError(
            f'`backend="pallas"` takes matrices whose smaller (sharded: other) side is at most {MOST_COLUMNS}; got '
            f'{size}. Use "auto" or "xla"'
        )
