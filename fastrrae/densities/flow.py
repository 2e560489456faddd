"""A normalising flow over coefficients, fitted on those of a training set by maximum likelihood."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array

from ..data.splits import hold_out
from ..fit import fit
from ..models.flows.flow import LAYERS, NormalisingFlow
from ..models.inference import infer

STEPS, BATCH, LEARNING_RATE = 2000, 256, 2e-3
STEPS_PER_CALL = 100  # after which the held-out likelihood is looked at
PATIENCE = 5  # looks without improvement, after which training ends
HELD_OUT, MOST_HELD_OUT = 0.1, 2000  # share of the coefficients that training does not see, and how many at most
NOISE = 0.02  # in deviations, added to each batch: codes on a surface would have an infinite likelihood


class _Coefficients(nnx.Variable):
    """The standardised training set, (count, rank); not trained."""


class _Training(nnx.Module):
    """A flow with what it is trained on, from which rows are drawn on the device."""

    def __init__(self, flow: NormalisingFlow, coefficients: Array):
        self.flow, self.coefficients = flow, _Coefficients(coefficients)


@dataclass(frozen=True)
class Flow:
    """`offset + scale * z`, with z distributed like `flow` (see `NormalisingFlow`).

    Example:
        >>> density = Flow.fit(run.training_coefficients)
        >>> run.sample(100, density=density), density.log_prob(alpha)
    """

    offset: np.ndarray  # (rank,)
    scale: np.ndarray  # (rank,)
    flow: NormalisingFlow

    @classmethod
    def fit(cls, coefficients: np.ndarray, seed: int = 0) -> "Flow":
        """Train on coefficients (count, rank); the same seed gives the same density.

        A tenth of them is held out, and the parameters are those of the best held-out likelihood.
        """
        values = np.asarray(coefficients, np.float32)
        offset, scale = values.mean(axis=0), values.std(axis=0)
        standardised = (values - offset) / np.where(scale > 0, scale, 1)
        train, held_out = _split(standardised, seed)
        flow = NormalisingFlow(values.shape[1], rngs=nnx.Rngs(seed))
        training = _Training(flow, jnp.asarray(train))
        keys = np.asarray(jax.random.key_data(jax.random.split(jax.random.key(seed), STEPS)))
        best = _Best(flow, held_out)
        fit(training, _loss, _optimiser(), keys, steps_per_call=STEPS_PER_CALL, until=best.look)
        best.restore()
        return cls(offset, scale, flow)

    def describe(self) -> str:
        """In words, for protocols."""
        return (
            f"a normalising flow ({LAYERS} spline couplings, at most {STEPS} steps of {BATCH}, the best on a held-out "
            f"tenth), fitted on the coefficients of the training set"
        )

    def log_prob(self, z: Array) -> Array:
        """The logarithm of the density at `z` (batch, rank): (batch,), in nats.

        Along coefficients that do not vary there is no density: they are left out.
        """
        scale = np.where(self.scale > 0, self.scale, 1)
        return self.flow.log_prob((jnp.asarray(z) - self.offset) / scale) - float(np.sum(np.log(scale)))

    def sample(self, count: int, seed: int) -> np.ndarray:
        """Draw `count` coefficient vectors, (count, rank), float32."""
        return (self.offset + self.scale * self.flow.sample(count, seed)).astype(np.float32)


class _Best:
    """The parameters with the best held-out likelihood so far."""

    def __init__(self, flow: NormalisingFlow, held_out: np.ndarray):
        self._flow, self._held_out = flow, held_out
        self._likelihood, self._waited = -np.inf, 0
        self._parameters: Any = None

    def look(self) -> bool:
        """Whether training has gone on for long enough."""
        likelihood = float(infer(self._flow, "log_prob", self._held_out).mean())
        if likelihood > self._likelihood:
            self._likelihood, self._waited = likelihood, 0
            self._parameters = jax.tree.map(np.array, nnx.state(self._flow, nnx.Param))
        else:
            self._waited += 1
        return self._waited >= PATIENCE

    def restore(self) -> None:
        """Set the flow's parameters to the best."""
        if self._parameters is not None:
            nnx.update(self._flow, jax.tree.map(jnp.asarray, self._parameters))


def _split(values: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on, and rows to judge by: the same ones where there are too few to hold any out."""
    if len(values) < 1 / HELD_OUT:
        return values, values
    kept, held_out = hold_out(len(values), min(HELD_OUT, MOST_HELD_OUT / len(values)), seed=seed)
    return values[kept], values[held_out]


def _loss(training: _Training, key: Array) -> Array:
    """The negative log-likelihood of rows drawn at random by a key, given as its numbers."""
    of_rows, of_noise = jax.random.split(jax.random.wrap_key_data(key))
    x = training.coefficients[...]
    rows = x[jax.random.randint(of_rows, (BATCH,), 0, len(x))]
    return -jnp.mean(training.flow.log_prob(rows + NOISE * jax.random.normal(of_noise, rows.shape)))


@lru_cache
def _optimiser() -> optax.GradientTransformation:
    """One object, so that the compiled step is used again."""
    return optax.adam(optax.cosine_decay_schedule(LEARNING_RATE, STEPS))
