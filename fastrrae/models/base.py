"""What a model of the family is: its options, and what it adds to training and evaluation.

A model is one file of this package with a dataclass derived from `Model`, and one line in `registry.py`. The trainer,
the evaluation and the command line know no model by name: they ask the methods below.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, Self

import numpy as np
from flax import nnx
from jax import Array

from ..config_fields import CheckedFields, PositiveInt
from ..errors import InputError
from .autoencoder import Autoencoder, Output
from .bottleneck import Bottleneck
from .separate_update import SeparateUpdate

# Options whose default is another in each variational model; `mean` names another map, too.
_OWN_DEFAULTS = {"mean", "bounded_variance"}

Penalty = Callable[[Autoencoder, Array, Output], Array]
"""`(model, x, output) -> scalar`: a term that is weighted and added to the reconstruction loss of a batch `x`."""


@dataclass(frozen=True)
class TrainingContext:
    """What an event during training can ask for.

    Attributes:
        seed: the seed of the run.
        coefficients: computes the coefficients (count, rank) of the whole training set, by the model as it is now.
        samples: `count -> samples` (count, *sample_shape) of the training set, evenly spaced and normalised; the same
            on every process.
        from_main_process: `(compute, shape) -> array`, what the main process computes on every process, so that all
            agree.
    """

    seed: int
    coefficients: Callable[[], np.ndarray]
    samples: Callable[[int], np.ndarray]
    from_main_process: Callable[[Callable[[], np.ndarray], tuple[int, ...]], np.ndarray]


class TrainingEvent(NamedTuple):
    """Something that happens once, before a step: `apply` changes variables of the model in place."""

    before_step: int
    apply: Callable[[Autoencoder, TrainingContext], None]


class StepHook(Protocol):
    """Something that happens within every step, inside the compiled program, and keeps a state in the checkpoints."""

    def start(self, model: Autoencoder, optimiser: nnx.Optimizer) -> Any:
        """The state (a pytree of arrays) before the first step."""
        ...

    def advance(
        self, model: Autoencoder, optimiser: nnx.Optimizer, state: Any, loss: Array
    ) -> tuple[Any, dict[str, Array]]:
        """After the update of a step: change variables in place; return the new state, and metrics to log."""
        ...

    def finish(self, variables: Any, state: Any) -> Any:
        """The variables (of model and optimiser) to end training with."""
        ...


@dataclass(frozen=True)
class Model(CheckedFields):
    """The options of a model; subclasses add their own and say what the model consists of."""

    section: ClassVar[str] = "model"
    name: ClassVar[str] = ""  # in the registry, configuration files and `--model`
    title: ClassVar[str] = ""
    # Weights of penalties where the configuration gives none. They were tried on digits, next to a reconstruction loss
    # in per cent; a penalty that is not named here must be given a weight.
    default_weights: ClassVar[Mapping[str, float]] = {}
    spectral_norm: ClassVar[Literal["none", "decoder"]] = "none"  # the networks that are normalised by default
    example: ClassVar[str] = ", such as VRRAE(rank=16)"  # in the message for what is no model
    draws_noise: ClassVar[bool] = False  # whether training adds noise to the coefficients

    rank: PositiveInt = 16
    """Coefficients per sample (k in the papers)."""

    @classmethod
    def sharing(cls, other: "Model", **changes: Any) -> Self:
        """The options of this model that another one has too, with the values that they have there."""
        names = {item.name for item in fields(cls)} & {item.name for item in fields(other)} - _OWN_DEFAULTS
        return cls(**{name: getattr(other, name) for name in names} | changes)

    def bottleneck(self, rngs: nnx.Rngs) -> Bottleneck:
        """The bottleneck, with parameters initialised from `rngs`."""
        raise NotImplementedError

    def extend(self, model: Autoencoder, sample_shape: tuple[int, ...], rngs: nnx.Rngs) -> None:
        """Add to a model, in place, what depends on the shape of a sample, such as trainable inputs."""

    def penalties(self) -> dict[str, Penalty]:
        """Terms added to the reconstruction loss, by name; the main one first."""
        return {}

    def check_batch(self, batch_size: int) -> None:
        """Raise an InputError if the model cannot be trained with batches of this size."""

    def check_reconstruction(self, reconstruction: str) -> None:
        """Raise an InputError if the model cannot be trained with the reconstruction loss of this name."""

    def separate_updates(self, steps: int) -> Sequence[SeparateUpdate]:
        """What else is updated within every step of a training of `steps` steps, in this order."""
        return ()

    def events(self, steps: int) -> Sequence[TrainingEvent]:
        """What happens once during a training of `steps` steps."""
        return ()

    def step_hook(self, steps: int) -> StepHook | None:
        """What happens within every step of a training of `steps` steps."""
        return None

    def evaluate(
        self, bottleneck: Bottleneck, coefficients: np.ndarray, samples: Any, labels: np.ndarray | None, seed: int
    ) -> dict[str, float]:
        """Figures that this model adds to an evaluation, by name.

        Args:
            bottleneck: trained.
            coefficients: coefficients of the training set, (count, rank).
            samples: the training set, raw values (count, *sample_shape), read when indexed.
            labels: labels of the training set, (count,); None where they are not known.
            seed: the seed of the evaluation.
        """
        return {}

    def weights(self, given: Mapping[str, float], *, reconstruction: str = "relative") -> dict[str, float]:
        """A weight for every penalty of the model: the given one, or the model's default.

        Raises:
            InputError: a penalty has no weight, or a weight names no penalty of the model.
        """
        names = list(self.penalties())
        unknown = [name for name in given if name not in names]
        if unknown:
            known = f"its penalties are {', '.join(names)}" if names else "it has none"
            raise InputError(f"`objective.weights` names {', '.join(unknown)}, not a penalty of {self.name}: {known}")
        return {name: given[name] if name in given else self._default(name, reconstruction) for name in names}

    def _default(self, name: str, reconstruction: str) -> float:
        usual = self.default_weights.get(name)
        if usual is None:
            raise InputError(
                f"`objective.weights.{name}` must be given: it is the weight of a penalty of {self.name}, and there is "
                f"no usual value. 0 leaves the penalty out"
            )
        if reconstruction != "relative":
            raise InputError(
                f"`objective.weights.{name}` must be given for {self.name} here: its usual value, {usual:g}, belongs "
                f"to the reconstruction loss `relative`, and this is `{reconstruction}`"
            )
        return usual
