"""How a method is batched by `vmap`."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap

from ..matrices import full_precision


def natively_batched(algorithm: Callable[..., Any]) -> Callable[..., Any]:
    """Make `vmap` prepend a batch dimension to all arguments instead of batching each operation inside.

    A part may be traced with 64-bit types enabled and must not be traced again without; and a `cond` must stay one
    decision for the whole batch, not become a `select` that computes both sides.
    """
    batched = custom_vmap(full_precision(algorithm))

    @batched.def_vmap
    def rule(axis_size, in_batched, *args):  # pyright: ignore[reportUnusedFunction]
        def prepended(is_batched, x):
            return x if is_batched else jnp.broadcast_to(x, (axis_size, *x.shape))

        out = natively_batched(algorithm)(*jax.tree.map(prepended, in_batched, list(args)))
        return out, jax.tree.map(lambda _: True, out)

    return batched
