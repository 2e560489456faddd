"""The model's forward pass as training runs it: in which precision, and what is kept for the backward pass."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from jax.typing import DTypeLike

from ..models import Autoencoder, Output

Forward = Callable[[Autoencoder, Array], Output]
Apply = Callable[[Any, Array], Array]


def make_forward(*, bfloat16: bool = False, remat: bool = False) -> Forward:
    """The function `(model, x) -> Output`.

    Args:
        bfloat16: encoder and decoder compute in bfloat16, from float32 master weights; the bottleneck with its SVD, and
            everything after the decoder, stay in float32.
        remat: encoder and decoder are computed again in the backward pass instead of keeping their activations.
    """

    def plain(module: Any, x: Array) -> Array:
        return module(x)

    apply: Apply = nnx.remat(plain) if remat else plain
    if bfloat16:
        apply = _in_dtype(apply, jnp.bfloat16)

    def forward(model: Autoencoder, x: Array) -> Output:
        with jax.named_scope("encoder"):
            z = apply(model.encoder, x)
        latent = model.bottleneck(z)
        with jax.named_scope("decoder"):
            return Output(apply(model.decoder, latent.z), latent)

    return forward


def _in_dtype(apply: Apply, dtype: DTypeLike) -> Apply:
    """`apply` with parameters and input cast to `dtype`, and its result back to the input's type."""

    def cast(x: Array) -> Array:
        return x.astype(dtype) if jnp.issubdtype(x.dtype, jnp.floating) else x

    def applied(module: Any, x: Array) -> Array:
        graph, parameters, rest = nnx.split(module, nnx.Param, ...)
        narrow = nnx.merge(graph, jax.tree.map(cast, parameters), rest)
        y = apply(narrow, cast(x))
        nnx.update(module, nnx.state(narrow, nnx.Not(nnx.Param)))  # running statistics and the like
        return y.astype(x.dtype)

    return applied
