"""The MaskAAE: an adversarial autoencoder that learns how many coordinates it needs (Mondal et al. 2020)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array

from ..config_fields import PositiveFloat, PositiveInt
from ..objectives.critic_loss import wasserstein_estimate
from .autoencoder import Autoencoder, Output
from .base import Penalty, StepHook
from .bottleneck import Bottleneck, Latent
from .critic import AdversarialModel, Critic, critic_of
from .priors import StandardNormal
from .separate_update import SeparateUpdate, StepBatch

ACTIVE = 0.1  # the value of the mask from which a coordinate counts
LARGEST_START = 5.0  # of the parameters of the mask
LARGEST_WEIGHT = 2048.0  # of the term that makes the mask binary
_REACHED = 0.9  # share of the steps after which that weight is reached by default


@dataclass(frozen=True)
class MaskedNormal:
    """Standard normals, each coordinate scaled by its mask."""

    mask: np.ndarray  # (rank,), in [0, 1)

    def describe(self) -> str:
        """In words, for protocols."""
        return f"standard normal of {np.sum(self.mask >= ACTIVE)} coordinates, those of the mask"

    def sample(self, count: int, seed: int) -> np.ndarray:
        """Draw `count` coefficient vectors, (count, rank), float32."""
        return self.mask * StandardNormal(len(self.mask)).sample(count, seed)


class MaskedByCritic(nnx.Module):
    """`alpha * z` with a mask `alpha = 1 - exp(-a)` of parameters `a >= 0`; a critic compares with masked normals."""

    def __init__(self, rank: int, critic_widths: tuple[int, ...], *, rngs: nnx.Rngs):
        self.latent_size = self.rank = rank
        self.mask = nnx.Param(jax.random.uniform(rngs.params(), (rank,), maxval=LARGEST_START))
        self.critic = Critic(rank, critic_widths, rngs=rngs)

    @property
    def alpha(self) -> Array:
        """The mask (rank,), from 0 (closed) to 1 (open)."""
        return -jnp.expm1(-self.mask[...])

    @property
    def active(self) -> Array:
        """How many coordinates count, () int32."""
        return jnp.sum(self.alpha >= ACTIVE).astype(jnp.int32)

    @property
    def prior(self) -> MaskedNormal:
        """Masked standard normals, with the mask as it is now."""
        return MaskedNormal(np.asarray(self.alpha, np.float32))

    def __call__(self, z: Array) -> Latent:
        masked = self.alpha * z
        return Latent(masked, masked, encoded=z)

    def draw_prior(self, count: int) -> Array:
        """Fresh draws (count, rank) from the masked prior."""
        return self.alpha * self.critic.draw_normal(count)

    def coefficients(self, z: Array) -> Array:
        """The masked latent vectors."""
        return self.alpha * z

    def expand(self, coefficients: Array) -> Array:
        """The coefficients, unchanged."""
        return coefficients


class CountActive:
    """Logs after every step how many coordinates count, as `rank`."""

    def start(self, model: Autoencoder, optimiser: nnx.Optimizer) -> tuple[()]:
        """Nothing has to be remembered."""
        return ()

    def advance(
        self, model: Autoencoder, optimiser: nnx.Optimizer, state: tuple[()], loss: Array
    ) -> tuple[tuple[()], dict[str, Array]]:
        """The count now."""
        return state, {"rank": _bottleneck(model).active}

    def finish(self, variables: Any, state: tuple[()]) -> Any:
        """The variables, unchanged."""
        return variables


@dataclass(frozen=True)
class MaskAAE(AdversarialModel):
    """The MaskAAE: training starts with `rank` coordinates and closes those that it does not need.

    A mask alpha in [0, 1) multiplies the latent vectors and the draws from the
    prior alike. Every step has four updates:

    - encoder and decoder: `reconstruction + weight * spread`, where the spread is
      `mean((z - mean z)^2 exp(-10 alpha^2))` and silences closed coordinates;
    - the critic, several times, on masked latent vectors and masked normals;
    - the encoder, to meet the prior: `-mean C(alpha z)`;
    - the mask: `c reconstruction + (1 + W)^2 + w sum alpha (1 - alpha)`, where W is
      the critic's distance. The weight w starts at 2 / rank and doubles again and again up to
      2048, so that the mask ends at 0 or 1.

    `rank` in `metrics.jsonl` and `rank_found` in an evaluation are the coordinates whose mask is 0.1 at least.

    Example:
        >>> config = RunConfig("mine", model=MaskAAE(rank=32), training=TrainingConfig(steps=5000))
    """

    name: ClassVar[str] = "mask-aae"
    title: ClassVar[str] = "MaskAAE, adversarial autoencoder with a mask"
    default_weights: ClassVar[Mapping[str, float]] = {"spread": 100.0}

    encoder_learning_rate: PositiveFloat = 1e-4
    """Of the encoder where it meets the prior."""
    mask_learning_rate: PositiveFloat = 1e-2
    """Of the mask; the authors, who take 500,000 steps, have 5e-4."""
    mask_reconstruction_weight: PositiveFloat = 30.0
    """Weight of the reconstruction loss for the mask; the authors have 1000, for a cross-entropy averaged over values
    of a sample."""
    mask_interval: PositiveInt | None = None
    """Steps between two doublings of the weight that makes the mask binary. By default it reaches 2048 after nine
    tenths of the steps; the authors: 300 up to 20 coordinates, else 450 for each coordinate, 40,000 at most."""

    def bottleneck(self, rngs: nnx.Rngs) -> Bottleneck:
        """The mask, with a critic."""
        return MaskedByCritic(self.rank, self.critic_widths, rngs=rngs)

    def penalties(self) -> dict[str, Penalty]:
        """The spread of closed coordinates."""
        return {"spread": _spread}

    def binary_weight(self, step: Array, steps: int) -> Array:
        """The weight w of the mask's binary term at a step of a training of `steps` steps."""
        first = 2 / self.rank
        doublings = max(1, math.ceil(math.log2(LARGEST_WEIGHT / first)))
        interval = self.mask_interval or max(1, round(_REACHED * steps / doublings))
        return jnp.minimum(LARGEST_WEIGHT, first * 2.0 ** (step // interval))

    def separate_updates(self, steps: int) -> Sequence[SeparateUpdate]:
        """The updates of the critic, of the encoder by the critic, and of the mask."""

        def mask_loss(model: Autoencoder, batch: StepBatch) -> Array:
            error, latent = batch.reconstruct(model)
            alpha = _bottleneck(model).alpha
            distance = wasserstein_estimate(critic_of(model), _prior_of(model, latent), latent.z)
            binary = self.binary_weight(batch.step, steps) * jnp.sum(alpha * (1 - alpha))
            return self.mask_reconstruction_weight * error + (1 + distance) ** 2 + binary

        mask = optax.chain(optax.rmsprop(self.mask_learning_rate), optax.keep_params_nonnegative())
        return [
            self.critic_update(_prior_and_codes, optax.rmsprop(self.critic_learning_rate)),
            SeparateUpdate(
                "encoder", ("encoder",), _encoder_loss, optax.rmsprop(self.encoder_learning_rate), shared=True
            ),
            SeparateUpdate("mask", ("bottleneck", "mask"), mask_loss, mask),
        ]

    def step_hook(self, steps: int) -> StepHook:
        """The count of active coordinates."""
        return CountActive()

    def evaluate(
        self, bottleneck: Bottleneck, coefficients: np.ndarray, samples: Any, labels: np.ndarray | None, seed: int
    ) -> dict[str, float]:
        """How many coordinates are active."""
        return {"rank_found": float(bottleneck.active)} if isinstance(bottleneck, MaskedByCritic) else {}


def _bottleneck(model: Autoencoder) -> MaskedByCritic:
    assert isinstance(model.bottleneck, MaskedByCritic)
    return model.bottleneck


def _prior_of(model: Autoencoder, latent: Latent) -> Array:
    return _bottleneck(model).draw_prior(len(latent.z))


def _prior_and_codes(model: Autoencoder, batch: StepBatch) -> tuple[Array, Array]:
    return _prior_of(model, batch.latent), batch.latent.z


def _encoder_loss(model: Autoencoder, batch: StepBatch) -> Array:
    _, latent = batch.reconstruct(model)
    return -jnp.mean(critic_of(model)(latent.z))


def _spread(model: Autoencoder, x: Array, output: Output) -> Array:
    z = output.latent.encoded
    assert z is not None
    return jnp.mean((z - jnp.mean(z, axis=0)) ** 2 * jnp.exp(-10 * _bottleneck(model).alpha ** 2))
