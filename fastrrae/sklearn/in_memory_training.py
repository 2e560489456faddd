"""Training on an array in memory, without a run folder: one compiled program for each structure of a model.

Learning rate, penalty weights, seed, number of steps and number of samples are inputs of that program. A second fit
with the same structure, such as every other fit of a cross-validation, traces and compiles nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array, lax
from jax.typing import ArrayLike

from ..config import NetworkConfig, TrainingConfig
from ..data.pipeline import Share, ShuffledBatches
from ..errors import TrainingDiverged
from ..models import Autoencoder, Model, build_model
from ..models.inference import Method, infer
from ..models.latent_spectrum import latent_spectrum
from ..objectives import make_objective
from ..training.optimiser import make_optimiser
from ..training.step import StepOptions, TrainState, describe_step

STEPS_PER_CALL = 50  # a call takes longer than a step of a small model
BYTES_PER_CALL = 2**26  # of the batches that are moved to the device at a time
ROWS_PER_CALL = 256  # always as many, so that a row's result does not depend on the rows that come with it


@dataclass(frozen=True)
class Structure:
    """What the compiled programs depend on.

    Attributes:
        model: the options of the model.
        network: encoder and decoder.
        sample_shape: the shape of one sample.
        batch_size: samples per step.
        optimiser: as in `TrainingConfig`.
        reconstruction: the loss, as in `ObjectiveConfig`.
    """

    model: Model
    network: NetworkConfig
    sample_shape: tuple[int, ...]
    batch_size: int
    optimiser: Any
    reconstruction: Any

    def build(self, seed: int) -> Autoencoder:
        """The model with its initial parameters."""
        return build_model(self.model, self.sample_shape, network=self.network, seed=seed)

    def step_options(self, learning_rate: ArrayLike, weights: Mapping[str, Any]) -> StepOptions:
        """The step with this learning rate and these weights of the penalties; all of them may be traced."""
        training = TrainingConfig(optimiser=self.optimiser)
        return StepOptions(
            make_optimiser(training, 1, lambda _: learning_rate),
            make_objective(self.model.penalties(), weights, self.reconstruction),
        )

    @property
    def steps_per_call(self) -> int:
        """How many steps one call of the compiled program can take."""
        batch_bytes = 4 * self.batch_size * int(np.prod(self.sample_shape))
        return max(1, min(STEPS_PER_CALL, BYTES_PER_CALL // batch_bytes))


class TrainedInMemory(NamedTuple):
    """A trained model as NumPy arrays, which can be pickled.

    Attributes:
        structure: what it was built from.
        variables: all but the random streams, which inference does not use.
        rank: how many coefficients there are: those of `structure.model` that training has used.
        basis: rows (structure.model.rank, latent_size); the first `rank` of them count.
        singular_values: the singular values of the latent matrix of all training samples, (latent_size,).
        losses: the loss of each training step.
    """

    structure: Structure
    variables: list[np.ndarray]
    rank: int
    basis: np.ndarray
    singular_values: np.ndarray
    losses: np.ndarray

    def coefficients(self, x: np.ndarray) -> np.ndarray:
        """Of model values (samples, *sample_shape), (samples, rank), float32."""
        return _infer(self._model(), "coefficients", x)[:, : self.rank]

    def decode(self, coefficients: np.ndarray) -> np.ndarray:
        """Model values (samples, *sample_shape), float32, from coefficients (samples, rank)."""
        room = ((0, 0), (0, self.structure.model.rank - self.rank))
        return _infer(self._model(), "decode", np.pad(coefficients, room))

    def _model(self) -> Autoencoder:
        model = _merged(self.structure, self.variables)
        model.bottleneck.set_basis(jnp.asarray(self.basis))  # pyright: ignore[reportAttributeAccessIssue]
        return model


def train_in_memory(
    structure: Structure,
    x: np.ndarray,
    *,
    rank: int,
    steps: int,
    learning_rate: float,
    weights: Mapping[str, float],
    seed: int,
) -> TrainedInMemory:
    """Train on model values `x` (samples, *sample_shape), float32, and fit the basis on all of them.

    The `rank` may be lower than that of `structure.model` where its options say `adaptive_rank`.

    The steps are those of `fastrrae.train` with the same options, seed and data, on one device. Where there are fewer
    samples than `batch_size`, a batch holds some of them more than once.

    Raises:
        TrainingDiverged: a loss or a gradient was not finite.
    """
    model = structure.build(seed)
    if rank != structure.model.rank:
        model.bottleneck.set_active_rank(rank)  # pyright: ignore[reportAttributeAccessIssue]
    state, _ = describe_step(model, structure.step_options(0.0, weights))
    state = jax.tree.map(jnp.copy, state)  # some arrays are in it twice, and the program reuses their memory
    numbers = np.float32(learning_rate), {name: np.float32(weight) for name, weight in weights.items()}
    losses, waiting = [], (np.zeros(0), 0)
    for batches, count in _groups_of_batches(structure, x, steps, seed):
        state, group_losses = _take_steps(structure, state, batches, np.int32(count), *numbers)
        losses.append(_first(*waiting))  # of the group before: while it is waited for, the next one is on its way
        waiting = group_losses, count
    losses = np.concatenate([*losses, _first(*waiting)])
    diverged_at = int(state.diverged_at)
    if diverged_at:
        raise TrainingDiverged(
            f"the loss or a gradient became NaN or infinite at step {diverged_at} of {steps}. A lower `learning_rate`, "
            f"a larger `batch_size` or other data may help"
        )
    variables = [np.asarray(leaf) for leaf in jax.tree.leaves(state.variables[0]) if not _is_random_key(leaf)]
    latents = _infer(_merged(structure, variables), "encode", x)
    spectrum = latent_spectrum([latents], latents.shape[1])
    basis = spectrum.basis[: structure.model.rank]
    return TrainedInMemory(structure, variables, rank, basis, spectrum.singular_values, losses)


def _first(losses: ArrayLike, count: int) -> np.ndarray:
    return np.asarray(losses, np.float32)[:count]


def _groups_of_batches(structure: Structure, x: np.ndarray, steps: int, seed: int) -> Iterator[tuple[np.ndarray, int]]:
    """Batches (steps_per_call, batch_size, *sample_shape) and how many of them count: fewer in the last group."""
    source = ShuffledBatches(x, structure.batch_size, seed, steps, Share())
    for first in range(0, steps, structure.steps_per_call):
        count = min(structure.steps_per_call, steps - first)
        group = np.zeros((structure.steps_per_call, structure.batch_size, *structure.sample_shape), np.float32)
        for place in range(count):
            group[place] = source[first + place]
        yield group, count


@partial(jax.jit, static_argnums=0, donate_argnums=1)
def _take_steps(
    structure: Structure, state: TrainState, batches: Array, count: Array, rate: Array, weights: dict[str, Array]
) -> tuple[TrainState, Array]:
    """The state after the first `count` batches, and the loss of each."""
    _, step = describe_step(_abstract(structure), structure.step_options(rate, weights))

    def take(number: Array, carry: tuple[TrainState, Array]) -> tuple[TrainState, Array]:
        state, losses = carry
        state, metrics = step(state, batches[number])
        return state, losses.at[number].set(metrics["loss"])

    return lax.fori_loop(0, count, take, (state, jnp.zeros(len(batches), jnp.float32)))


def _infer(model: Autoencoder, method: Method, rows: np.ndarray) -> np.ndarray:
    def filled(batch: np.ndarray) -> np.ndarray:
        return np.concatenate([batch, np.zeros((ROWS_PER_CALL - len(batch), *batch.shape[1:]), np.float32)])

    rows = np.asarray(rows, np.float32)
    return infer(model, method, rows, prepare=filled, batch_size=ROWS_PER_CALL)[: len(rows)]


def _abstract(structure: Structure) -> Autoencoder:
    """The model with shapes and types in the place of arrays."""
    return nnx.eval_shape(lambda: structure.build(0))


@lru_cache(maxsize=32)
def _layout(structure: Structure) -> tuple[nnx.GraphDef, list[Any], Any]:
    """The graph of the model at inference, the abstract leaves of its variables, and how they are put together."""
    model = _abstract(structure)
    model.eval()
    graph, variables = nnx.split(model)
    return graph, *jax.tree.flatten(variables)


def _merged(structure: Structure, variables: list[np.ndarray]) -> Autoencoder:
    graph, layout, tree = _layout(structure)
    given = iter(variables)
    leaves = [jax.random.key(0) if _is_random_key(leaf) else jnp.asarray(next(given)) for leaf in layout]
    return nnx.merge(graph, jax.tree.unflatten(tree, leaves))


def _is_random_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
