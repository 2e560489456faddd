"""A surrogate of a simulation: parameters -> coefficients -> field."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, overload

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from numpy.typing import ArrayLike

from ..data import Normalisation
from ..errors import InputError
from ..models import Autoencoder
from ..models.inference import infer
from .gaussian_process import GaussianProcess
from .interpolant import Interpolant, Method, interpolate
from .inverse_problem import Recovered, least_squares
from .parameter_space import ParameterSpace
from .piecewise_linear import PiecewiseLinear
from .radial_basis import RadialBasis
from .regressors import Regressor

MethodName = Literal["rbf", "linear", "gp"]

_METHODS: dict[str, Callable[[], Method]] = {"rbf": RadialBasis, "linear": PiecewiseLinear, "gp": GaussianProcess}
_SEARCHED = 500  # training parameters whose predicted fields an inverse problem may start from


@dataclass(frozen=True)
class Surrogate:
    """What `run.surrogate` gives: fields for parameters that no simulation has been run for.

    The coefficients of the training set are interpolated over its parameters, and the decoder makes fields of them.
    Fields are in the units of the data, (count, *sample_shape); parameters in theirs, (count, P) or (P,) for one.

    Attributes:
        space: names, ranges and values of the training parameters.
        interpolant: from scaled parameters to coefficients.
        model: whose decoder makes fields.
        normalisation: the normalisation of the data.
    """

    space: ParameterSpace
    interpolant: Interpolant
    model: Autoencoder
    normalisation: Normalisation

    @classmethod
    def fit(
        cls,
        space: ParameterSpace,
        coefficients: np.ndarray,
        model: Autoencoder,
        normalisation: Normalisation,
        method: MethodName | Method | Any = "rbf",
    ) -> "Surrogate":
        """Fit the interpolation of training coefficients (samples, rank); see `Run.surrogate` for `method`."""
        return cls(space, fit_interpolant(space, coefficients, method), model, normalisation)

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Names of the parameters, in their order."""
        return self.space.names

    @overload
    def predict(self, parameters: ArrayLike, *, return_std: Literal[False] = False) -> np.ndarray: ...

    @overload
    def predict(
        self, parameters: ArrayLike, *, return_std: Literal[True], draws: int = 100, seed: int = 0
    ) -> tuple[np.ndarray, np.ndarray]: ...

    def predict(
        self, parameters: ArrayLike, *, return_std: bool = False, draws: int = 100, seed: int = 0
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Fields (count, *sample_shape) for parameters (count, P); with `return_std`, also their standard deviations.

        Warns, with an `ExtrapolationWarning`, of parameters outside of the convex hull of the training set.

        Args:
            parameters: in the order of `parameter_names`.
            return_std: carry the deviation of the coefficients through the decoder.
            draws: draws of coefficients, whose decoded fields have that deviation.
            seed: the seed of the draws.

        Raises:
            InputError: parameters are of another shape or not finite, or the method has no standard deviation.

        Example:
            >>> surrogate.predict([[0.3, 0.05], [0.31, 0.05]])
        """
        rows = self.space.rows(parameters)
        self.space.warn_outside(rows)
        means = self.coefficients(rows)
        fields = self._decode(means)
        return (fields, self._deviation(rows, means, draws, seed)) if return_std else fields

    def coefficients(self, parameters: ArrayLike) -> np.ndarray:
        """Coefficients (count, rank) for parameters (count, P), interpolated in float64."""
        return interpolate(self.interpolant, self.space.scale(self.space.rows(parameters)))

    def as_jax_function(self) -> Callable[[Array], Array]:
        """A pure function from parameters (P,) to a field (*sample_shape), to compile and differentiate.

        Where convolutions are made of this package's own (on CPU), it has derivatives in reverse mode alone
        (`jax.grad`, `jax.jacrev`); `jacobian` has what forward mode would give. It warns of nothing.

        Raises:
            InputError: the method is a regressor of scikit-learn, which JAX cannot trace.

        Example:
            >>> field = surrogate.as_jax_function()
            >>> jax.grad(lambda p: field(p).max())(jnp.array([0.3, 0.05]))
        """
        if not self.interpolant.differentiable:
            raise InputError("`method` must be rbf, linear or gp for gradients; a regressor of scikit-learn has none")
        graph, variables = nnx.split(self.model)
        # Arrays of JAX, in the precision that it is set to now: it would keep those of NumPy in one of both for good.
        interpolant = jax.tree.map(jnp.asarray, self.interpolant)
        low, span = jnp.asarray(self.space.low), jnp.asarray(self.space.span)
        precision = jnp.result_type(*jax.tree.leaves(nnx.state(self.model, nnx.Param)))  # that of the weights

        def field(parameters: Array) -> Array:
            coefficients = interpolant(((jnp.asarray(parameters) - low) / span)[None])
            values = nnx.merge(graph, variables).decode(coefficients.astype(precision))[0]
            return self.normalisation.invert_on_device(values)

        return field

    def jacobian(self, parameters: ArrayLike) -> np.ndarray:
        """Derivatives of the fields by the parameters, in the units of both: (count, *sample_shape, P)."""
        rows = self.space.rows(parameters)
        return np.concatenate([np.asarray(self._jacobian(row))[None] for row in jnp.asarray(rows)])

    def recover(self, field: ArrayLike, *, starts: int = 3) -> Recovered:
        """The parameters, within their ranges, whose field is nearest to a given one, which may be noisy.

        Least squares, from the training parameters whose own predictions are nearest.

        Args:
            field: (*sample_shape), in the units of the data.
            starts: how many of them; the best solution counts.

        Raises:
            InputError: the field has another shape or is not finite, or the method has no gradient.
        """
        given = np.asarray(field, np.float64)
        candidates = self.space.training[:_SEARCHED]
        fields = self._decode(self.coefficients(candidates))
        if given.shape != fields.shape[1:]:
            raise InputError(f"`field` must have shape {fields.shape[1:]}; got {given.shape}")
        if not np.isfinite(given).all():
            raise InputError("`field` must be finite; it has NaN or infinity")
        if starts < 1:
            raise InputError(f"`starts` must be at least 1; got {starts}")
        distances = np.linalg.norm((fields - given).reshape(len(fields), -1), axis=1)
        guesses = candidates[np.argsort(distances, kind="stable")[:starts]]
        return least_squares(self.space, given, self._field, self._jacobian, guesses)

    @cached_property
    def _field(self) -> Callable[[Any], Array]:
        return jax.jit(self.as_jax_function())

    @cached_property
    def _jacobian(self) -> Callable[[Any], Array]:
        """Of parameters (P,): (*sample_shape, P), column by column.

        The decoder's own derivative may be reverse alone. What it pulls back is linear in the cotangent, so that the
        derivative of that is the Jacobian's product with a direction, with two reverse passes instead of one forward.
        """
        function = self.as_jax_function()

        def jacobian(parameters: Array) -> Array:
            field, pull = jax.vjp(function, parameters)
            _, push = jax.vjp(lambda cotangent: pull(cotangent)[0], jnp.zeros_like(field))
            directions = jnp.eye(len(parameters), dtype=parameters.dtype)
            return jnp.moveaxis(jax.vmap(lambda direction: push(direction)[0])(directions), 0, -1)

        compiled = jax.jit(jacobian)
        return lambda parameters: compiled(jnp.asarray(parameters, float))

    def _decode(self, coefficients: np.ndarray) -> np.ndarray:
        return self.normalisation.invert(infer(self.model, "decode", coefficients.astype(np.float32)))

    def _deviation(self, rows: np.ndarray, means: np.ndarray, draws: int, seed: int) -> np.ndarray:
        if draws < 2:
            raise InputError(f"`draws` must be at least 2; got {draws}")
        if not self.interpolant.has_deviation:
            raise InputError(
                "`return_std` needs a method with a standard deviation: gp, or a regressor of scikit-learn whose "
                "`predict` takes `return_std`"
            )
        deviations = interpolate(self.interpolant, self.space.scale(rows), deviation=True)
        noise = np.random.default_rng(seed).standard_normal((draws, means.shape[1]))  # the same for all rows
        return np.stack(
            [
                self._decode(mean + deviation * noise).std(axis=0)
                for mean, deviation in zip(means, deviations, strict=True)
            ]
        )


def fit_interpolant(space: ParameterSpace, coefficients: np.ndarray, method: MethodName | Method | Any) -> Interpolant:
    """Fit the interpolation of coefficients (samples, rank) over the parameters of a training set."""
    if isinstance(method, str):
        if method not in _METHODS:
            raise InputError(
                f"`method` must be one of {', '.join(_METHODS)}, or a regressor of scikit-learn; got {method!r}"
            )
        method = _METHODS[method]()
    is_method = hasattr(method, "fit") and not hasattr(method, "predict")  # which regressors of scikit-learn have
    chosen = method if is_method else Regressor(method)
    return chosen.fit(space.scale(space.training), np.asarray(coefficients, np.float64))
