"""Parts of a run that a user hands over in Python, and what the configuration records of them.

Code cannot be written to `config.json`. Its name can, and a digest of the structure that it makes: so a run is never
resumed with another network, loss or optimiser without a word.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from ..data.strings import derived_by
from ..errors import InputError, first_line
from ..models import Autoencoder, Penalty, build_model
from ..models.build import Part, make_part
from ..objectives.objective import ReconstructionLoss
from ..run_config import RunConfig
from .likelihoods import complete, network_of
from .state_arrays import flatten

Optimiser = optax.GradientTransformation | optax.Schedule
"""An optax optimiser, with its own learning rate, or a learning-rate schedule `step -> rate`."""


@dataclass(frozen=True)
class OwnParts:
    """What takes the place of parts that the configuration would describe; None leaves them to it.

    Attributes:
        model: the whole `Autoencoder`, or a function of `rngs` that makes it.
        encoder: a module (batch, *sample_shape) -> (batch, latent_size), or a function of `rngs` that makes it.
        decoder: a module (batch, latent_size) -> (batch, *sample_shape), or a function of `rngs` that makes it.
        bottleneck: see `fastrrae.models.Bottleneck`. With your own bottleneck (or `model`), the penalties of the
            configured model count only if `objective.weights` names them.
        reconstruction: the loss `(x, reconstruction) -> scalar`.
        penalties: by name, `(model, x, output) -> scalar`, in addition to those of the model; their weights are
            `objective.weights`.
        optimiser: an optax optimiser, or a learning-rate schedule.
    """

    model: Part | None = None
    encoder: Part | None = None
    decoder: Part | None = None
    bottleneck: Part | None = None
    reconstruction: ReconstructionLoss | None = None
    penalties: Mapping[str, Penalty] = field(default_factory=dict)
    optimiser: Optimiser | None = None

    def __post_init__(self) -> None:
        both = [name for name in ("encoder", "decoder", "bottleneck") if getattr(self, name) is not None]
        if self.model is not None and both:
            raise InputError(f"give `model` or its parts, not both; got `model` and {', '.join(both)}")

    @property
    def replaces_bottleneck(self) -> bool:
        """Whether the bottleneck is not that of the configured model, whose penalties and events then do not apply."""
        return self.model is not None or self.bottleneck is not None

    def build(self, config: RunConfig, sample_shape: tuple[int, ...]) -> Autoencoder:
        """The autoencoder that is trained."""
        if self.reconstruction is not None:
            _require_scalar(self.reconstruction, sample_shape)
        model = complete(self._build(config, sample_shape), config)
        if any(part is not None for part in (self.model, self.encoder, self.decoder, self.bottleneck)):
            latent = (model.bottleneck.latent_size,)
            _require_shapes("encoder", model.encoder, sample_shape, latent)
            _require_shapes("decoder", model.decoder, latent, sample_shape)
        return model

    def _build(self, config: RunConfig, sample_shape: tuple[int, ...]) -> Autoencoder:
        if self.model is None:
            return build_model(
                config.model,
                sample_shape,
                network=network_of(config),
                grammar=derived_by(config.data),
                encoder=self.encoder,
                decoder=self.decoder,
                bottleneck=self.bottleneck,
                seed=config.training.seed,
            )
        model = make_part(self.model, nnx.Rngs(config.training.seed))
        if not isinstance(model, Autoencoder):
            raise InputError(f"`model` must be or make a fastrrae.Autoencoder; got {type(model).__name__}")
        return model

    def describe(self, model: Autoencoder) -> dict[str, str]:
        """For each part that is given, its name and a digest of its structure, for the configuration."""
        described = {}
        whole = ("encoder", "decoder", "bottleneck") if self.model is not None else ()
        for name in ("encoder", "decoder", "bottleneck"):
            if name in whole or getattr(self, name) is not None:
                described[name] = describe_module(getattr(model, name))
        if self.reconstruction is not None:
            described["reconstruction"] = _qualified_name(self.reconstruction)
        for name, penalty in self.penalties.items():
            described[f"penalty {name}"] = _qualified_name(penalty)
        if self.optimiser is not None:
            described["optimiser"] = _describe_optimiser(self.optimiser, model)
        return described


def _require_shapes(name: str, network: Any, taken: tuple[int, ...], given: tuple[int, ...]) -> None:
    """Raise unless a network maps (batch, *taken) to (batch, *given); nothing is computed."""
    batch = jax.ShapeDtypeStruct((2, *taken), jnp.float32)
    try:
        found = nnx.eval_shape(network, batch).shape
    except (TypeError, ValueError) as error:
        raise InputError(
            f"`{name}` cannot be applied to a batch of shape {_batch_of(taken)}: {first_line(error)}"
        ) from None
    if found != (2, *given):
        raise InputError(f"`{name}` must return shape {_batch_of(given)}; got {_batch_of(found[1:])}")


def _require_scalar(loss: ReconstructionLoss, sample_shape: tuple[int, ...]) -> None:
    """Raise unless a user's reconstruction loss returns one number for a batch; nothing is computed."""
    batch = jax.ShapeDtypeStruct((2, *sample_shape), jnp.float32)
    found = jax.eval_shape(loss, batch, batch).shape
    if found:
        raise InputError(f"`reconstruction` must return a scalar, such as a mean over the batch; got shape {found}")


def _batch_of(shape: tuple[int, ...]) -> str:
    return f"({', '.join(['batch', *map(str, shape)])})"


def describe_module(module: Any) -> str:
    """The qualified name of a module's class, and a digest of the names, shapes and types of its variables."""
    if not isinstance(module, nnx.Module):
        return _qualified_name(module)
    return f"{_qualified_name(type(module))} {_digest(nnx.state(module))}"


def rebuild(config: RunConfig, sample_shape: tuple[int, ...], parts: OwnParts, *, of: str) -> Autoencoder:
    """The autoencoder of a configuration that was trained, with initial parameters.

    Args:
        config: the configuration of the run.
        sample_shape: the shape of its data.
        parts: the user's own networks, those that the run was trained with.
        of: the run, for messages.

    Raises:
        InputError: the run was trained with the user's own parts, and they are not given, or others are.
    """
    missing = [name for name in ("encoder", "decoder", "bottleneck") if name in config.own_parts]
    given = [name for name in missing if parts.model is not None or getattr(parts, name) is not None]
    if missing != given:
        names = ", ".join(f"{name} {config.own_parts[name].split()[0]}" for name in missing if name not in given)
        raise InputError(f"{of} was trained with parts of your own: {names}. Hand them over, as `model` or one by one")
    built = parts.build(config, sample_shape)
    require_parts(config, built, of=of)
    return built


def require_parts(config: RunConfig, model: Autoencoder, *, of: str) -> None:
    """Raise unless `model` has the own networks that a run was trained with.

    Args:
        config: the configuration of the run.
        model: as it was built now.
        of: the run, for the message.
    """
    for name in ("encoder", "decoder", "bottleneck"):
        recorded, found = config.own_parts.get(name), describe_module(getattr(model, name))
        if recorded is not None and found != recorded:
            raise InputError(f"{of} was trained with another {name}: {recorded} then, {found} now")


def _describe_optimiser(optimiser: Optimiser, model: Autoencoder) -> str:
    if not isinstance(optimiser, optax.GradientTransformation):
        return f"schedule {_qualified_name(optimiser)}"
    state = jax.eval_shape(optimiser.init, nnx.state(model, nnx.Param))
    return f"{_qualified_name(optimiser.init)} {_digest(state)}"


def _digest(state: Any) -> str:
    lines = [f"{name} {leaf.shape} {leaf.dtype}" for name, leaf in sorted(flatten(state).items())]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _qualified_name(thing: Callable[..., Any] | type) -> str:
    named = thing if hasattr(thing, "__qualname__") else type(thing)
    return f"{named.__module__}.{named.__qualname__}"
