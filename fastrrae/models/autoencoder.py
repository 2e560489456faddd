"""The model: encoder, bottleneck, decoder."""

from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

import jax.numpy as jnp
from flax import nnx
from jax import Array
from jax.typing import ArrayLike

from .bottleneck import Bottleneck, Latent, PriorOfEncoder
from .fitted_basis import FittedBasis
from .inference import infer_batches
from .latent_spectrum import LatentSpectrum, Reduce, latent_spectrum
from .priors import Density

Network = Callable[[Array], Array]
Activation = Literal["none", "sigmoid", "tanh"]

_ACTIVATIONS: dict[Activation, Network] = {"none": lambda y: y, "sigmoid": nnx.sigmoid, "tanh": jnp.tanh}


class Output(NamedTuple):
    """What a forward pass gives: the reconstruction, and what the bottleneck made of the batch.

    With several draws of the noise, the draws of one sample are consecutive rows of the reconstruction, and `latent`
    belongs to the first draw.
    """

    reconstruction: Array  # (batch * draws, *sample_shape)
    latent: Latent
    before_activation: Array | None = None  # likewise, what the decoder gave; of a sigmoid, logits


class Autoencoder(nnx.Module):
    """`decoder(bottleneck(encoder(x)))`, for batches `x` of shape (batch, *sample_shape).

    Calling the model runs the current mode: `model.train()` (as built) lets the bottleneck use the whole batch and
    noise, `model.eval()` treats each sample alone. The named methods (`encode`, `coefficients`, `decode`,
    `reconstruct`, `sample`) always use the model at inference. For most of them, a rank-reducing model needs a fitted
    basis: see `fit_basis`.

    Args:
        encoder: module (batch, *sample_shape) -> (batch, bottleneck.latent_size); any `nnx.Module` will do.
        bottleneck: see `Bottleneck`; those of the family are made by the options of a model, `VRRAE(...).bottleneck`.
        decoder: module (batch, bottleneck.latent_size) -> (batch, *sample_shape).
        output: what is applied to the decoder's values: none, sigmoid (values in [0, 1]) or tanh (in [-1, 1]).
    """

    def __init__(self, encoder: Network, bottleneck: Bottleneck, decoder: Network, output: Activation = "none"):
        self.encoder = encoder
        self.bottleneck = bottleneck
        self.decoder = decoder
        self.output: Activation = output
        self.log_variance: nnx.Param[Array] | None = None

    def learn_variance(self) -> None:
        """Give the model a variance of its reconstructions, () and 1 at first, for the loss `gaussian` to learn."""
        self.log_variance = nnx.data(nnx.Param(jnp.zeros(())))

    def __call__(self, x: Array) -> Output:
        latent = self.bottleneck(self._latents(self.encoder, jnp.asarray(x)))
        y = self.decoder(latent.z)
        return Output(self.activate(y), latent, y)

    def activate(self, y: Array) -> Array:
        """What the model's output activation makes of the decoder's values."""
        return _ACTIVATIONS[self.output](y)

    @property
    def prior(self) -> Density | None:
        """The distribution that training compares coefficients with, fixed or trained; None where there is none."""
        if isinstance(self.bottleneck, PriorOfEncoder):
            return self.bottleneck.prior_by(_at_inference(self.encoder))
        return self.bottleneck.prior

    def encode(self, x: ArrayLike) -> Array:
        """The latent matrix (batch, latent_size), before the bottleneck."""
        return self._latents(_at_inference(self.encoder), jnp.asarray(x))

    def coefficients(self, x: ArrayLike) -> Array:
        """The coefficients (batch, rank) that describe each sample; means, of a variational model."""
        return self.bottleneck.coefficients(self.encode(x))

    def posterior(self, x: ArrayLike) -> tuple[Array, Array | None]:
        """Means and log-variances (batch, rank) of the coefficients; no log-variances without a variational model.

        The bottleneck must be in inference mode (`model.eval()`).
        """
        latent = self.bottleneck(self.encode(x))
        return latent.mean, latent.logvar

    def decode(self, coefficients: ArrayLike) -> Array:
        """Samples (batch, *sample_shape) from coefficients (batch, rank)."""
        return self.activate(_at_inference(self.decoder)(self.bottleneck.expand(jnp.asarray(coefficients))))

    def reconstruct(self, x: ArrayLike) -> Array:
        """`decode(coefficients(x))`."""
        return self.decode(self.coefficients(x))

    def sample(self, count: int, *, density: Density | None = None, seed: int = 0) -> Array:
        """New samples (count, *sample_shape): coefficients drawn from `density`, decoded.

        `density` is by default the prior that some models are trained with; others need one, fitted on the
        coefficients of their training set (`fastrrae.densities.GaussianMixture`).
        """
        density = density or self.prior
        if density is None:
            raise ValueError(
                "`density` must be given for a model that has no prior: fit one on "
                "`model.coefficients(training_set)`, for instance `fastrrae.densities.GaussianMixture.fit(...)`"
            )
        return self.decode(density.sample(count, seed))

    def fit_basis(self, batches: Iterable[ArrayLike], reduce: Reduce | None = None) -> LatentSpectrum:
        """Fit the basis of a rank-reducing model in one pass over `batches` of the training set.

        Exact: the leading right singular vectors of the latent matrix of all samples together. Returns the singular
        values of that matrix; for a model that reduces no rank, that is all it does. Where several processes each see a
        part of the training set, `reduce` sums a matrix (latent_size, latent_size) over them.
        """
        latents = (z for _, z in infer_batches(self, "encode", batches))
        spectrum = latent_spectrum(latents, self.bottleneck.latent_size, reduce)
        if isinstance(self.bottleneck, FittedBasis):
            self.bottleneck.set_basis(jnp.asarray(spectrum.basis[: self.bottleneck.rank]))
        return spectrum

    def _latents(self, encoder: Network, x: Array) -> Array:
        z = encoder(x)
        expected = (x.shape[0], self.bottleneck.latent_size)
        if z.shape != expected:
            raise ValueError(f"the encoder must return shape (batch, latent_size) = {expected}; got {z.shape}")
        return z


def _at_inference(network: Network) -> Network:
    """`network` as it runs at inference, whatever its mode; it and its running statistics stay as they are."""
    if not isinstance(network, nnx.Module):
        return network
    graph, variables = nnx.split(network)
    copy = nnx.merge(graph, variables)
    copy.eval()
    return copy
