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


def make_forward(*, bfloat16: bool = False, remat: bool = False, draws: int = 1) -> Forward:
    """The function `(model, x) -> Output`.

    Args:
        bfloat16: encoder and decoder compute in bfloat16, from float32 master weights; the bottleneck with its SVD, and
            everything after the decoder, stay in float32.
        remat: encoder and decoder are computed again in the backward pass instead of keeping their activations.
        draws: how often the noise of a variational model is drawn for each sample, see `Output`.
    """

    def plain(module: Any, x: Array) -> Array:
        return module(x)

    apply: Apply = nnx.remat(plain) if remat else plain
    if bfloat16:
        apply = _in_dtype(apply, jnp.bfloat16)

    def forward(model: Autoencoder, x: Array) -> Output:
        with jax.named_scope("encoder"):
            encoded = apply(model.encoder, x)
        latent = model.bottleneck(encoded)
        z = latent.z if draws == 1 else _with_more_draws(model, encoded, latent.z, draws)
        with jax.named_scope("decoder"):
            y = apply(model.decoder, z)
            return Output(model.activate(y), latent, y)

    return forward


def _with_more_draws(model: Autoencoder, encoded: Array, first: Array, draws: int) -> Array:
    """(batch * draws, latent_size): for each sample the first draw, and others with fresh noise, in consecutive rows.

    So rows that are sharded over devices stay where they are.
    """
    z = jnp.stack([first, *(model.bottleneck(encoded).z for _ in range(draws - 1))], axis=1)
    return z.reshape(-1, *z.shape[2:])


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
