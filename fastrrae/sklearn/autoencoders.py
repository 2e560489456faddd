"""The autoencoders `RRAE` and `VRRAE` as scikit-learn estimators."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from .. import models
from ..data.normalisation import Scaling
from .autoencoder_estimator import AutoencoderEstimator

ROOM = 8  # lower ranks share the compiled programs of this one


class RRAE(AutoencoderEstimator):
    """Rank-reduction autoencoder: nonlinear coefficients of samples, as many as `rank`, as a transformer.

    The latent matrix of each batch is replaced by its best approximation of the given rank, a truncated SVD (Mounayer
    et al., "Rank reduction autoencoders"). After training, a basis of the latent space is fitted on all training
    samples, and coefficients are those in that basis. Networks compute in float32; float64 input gives float64 output.

    Args:
        rank: coefficients per sample, at most `latent_size` and `batch_size`.
        latent_size: width of the latent space whose rank is reduced; by default 32, or twice the rank if that is more.
        network: "auto" (multilayer perceptrons for vectors, convolutions for samples with more axes),
            "convolutional", "batch-normalised", "kernel-4" or "mlp".
        encoder_widths: units (or channels) of each layer of the encoder; by default those of the network, (256, 256)
            for vectors.
        decoder_widths: the same of the decoder.
        sample_shape: what a row is reshaped to, (T, C) for signals or (H, W, C) for images; by default a row is a
            vector.
        steps: the number of optimiser steps.
        batch_size: samples per step; with fewer samples in all, a batch holds some of them more than once.
        learning_rate: constant.
        optimiser: "adabelief", "adam" or "adamw".
        reconstruction: the loss, "relative" (100 ||x' - x|| / ||x|| of a batch) or "mse".
        normalise: "standard-per-feature" (zero mean and unit deviation of each feature; of signals and images, of each
            channel), "unit-per-feature", "standard" or "unit" (all features alike), or "none".
        mixture_components: Gaussians in the mixture that `sample` draws from.
        random_state: seeds the initial parameters, the order of samples and noise.

    Attributes:
        components_: (rank, n_features), the slopes of the decoding along each coefficient, in the units of the data:
            `(decode(mean + d) - decode(mean - d)) / (2 |d|)` with `d` one standard deviation of that coefficient, the
            others at their means. Of a linear decoder they are its rows, as of PCA. They are not orthonormal.
        mean_coefficients_: (rank,), of the training samples.
        explained_variance_ratio_: (rank,). Its sum over the first j is the explained variance (see `score`) of training
            samples that are decoded from their first j coefficients, the others set to their means. Measured on at most
            2048 training samples. The decoder has been trained with all coefficients, so single ratios can be negative;
            the sum of all is the explained variance of the model.
        training_coefficients_: (n_samples, rank).
        basis_: (rank, latent_size), orthonormal rows that span the latent space.
        singular_values_: (rank,), of the latent matrix of all training samples.
        density_: the mixture that `sample` draws from, fitted on first use.
        loss_curve_: (steps,), the loss of each step.
        n_features_in_, feature_names_in_: as in scikit-learn.

    Example:
        >>> search = GridSearchCV(RRAE(steps=300, random_state=0), {"rank": [2, 4, 8]}, cv=3).fit(x)
        >>> search.best_estimator_.transform(x).shape
        (2000, 8)
    """

    def _options(self) -> models.RRAE:
        return models.RRAE(**self._sizes())

    def _compiled_for(self, options: models.RRAE, batch_size: int) -> models.RRAE:
        """A larger rank, of which training uses as much as is asked for: no parameter depends on the rank."""
        room = max(ROOM, 1 << (options.rank - 1).bit_length())
        return replace(options, rank=min(room, options.latent_size, batch_size), adaptive_rank=True)


class VRRAE(AutoencoderEstimator):
    """Variational rank-reduction autoencoder: the coefficients of `RRAE` are the means of Gaussians.

    Training draws from these Gaussians and compares them with a standard normal, which regularises the space between
    samples; `transform` gives the means. Parameters and attributes are those of `RRAE`, and:

    Args:
        rank: coefficients per sample.
        kl_weight: weight of the KL term, which is summed over a batch, next to the reconstruction loss. The default is
            that of the VRRAE paper for the relative reconstruction loss.
        mean: "identity", or "linear" for a linear layer from the coefficients of the SVD to the means.
        latent_size: as in `RRAE`; so are all others.

    Example:
        >>> new = VRRAE(rank=4, steps=500).fit(x).sample(100)
    """

    mean: Any  # checked in `fit`, by `fastrrae.VRRAE`

    def __init__(
        self,
        rank: int = 2,
        *,
        kl_weight: float = 1e-3,
        mean: Literal["identity", "linear"] = "identity",
        latent_size: int | None = None,
        network: Literal["auto", "convolutional", "batch-normalised", "kernel-4", "mlp"] = "auto",
        encoder_widths: Sequence[int] | None = None,
        decoder_widths: Sequence[int] | None = None,
        sample_shape: Sequence[int] | None = None,
        steps: int = 1000,
        batch_size: int = 64,
        learning_rate: float = 1e-3,
        optimiser: Literal["adabelief", "adam", "adamw"] = "adabelief",
        reconstruction: Literal["relative", "mse"] = "relative",
        normalise: Scaling = "standard-per-feature",
        mixture_components: int = 10,
        random_state: int | np.random.RandomState | None = None,
    ):
        super().__init__(
            rank,
            latent_size=latent_size,
            network=network,
            encoder_widths=encoder_widths,
            decoder_widths=decoder_widths,
            sample_shape=sample_shape,
            steps=steps,
            batch_size=batch_size,
            learning_rate=learning_rate,
            optimiser=optimiser,
            reconstruction=reconstruction,
            normalise=normalise,
            mixture_components=mixture_components,
            random_state=random_state,
        )
        self.kl_weight = kl_weight
        self.mean = mean

    def _options(self) -> models.VRRAE:
        return models.VRRAE(**self._sizes(), mean=self.mean)

    def _weights(self) -> dict[str, float]:
        return {"kl": self.kl_weight}
