"""The parameters of a training set: their names and ranges, how they are scaled, and what lies outside of them."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError
from .convex_hull import in_convex_hull

SHOWN = 5  # rows that a message names


class ExtrapolationWarning(UserWarning):
    """Parameters are outside of the convex hull of those of the training set."""


@dataclass(frozen=True)
class ParameterSpace:
    """Names (P,) and values (samples, P) of the parameters of a training set, in their own units.

    Raises:
        InputError: there are fewer than two samples or names than parameters, or values are not finite.
    """

    names: tuple[str, ...]
    training: np.ndarray

    def __post_init__(self) -> None:
        values = np.asarray(self.training, np.float64)
        object.__setattr__(self, "training", values)
        if not self.names:
            object.__setattr__(self, "names", tuple(f"parameter {n + 1}" for n in range(values.shape[1])))
        if values.ndim != 2 or len(values) < 2 or values.shape[1] != len(self.names) or not len(self.names):
            raise InputError(
                f"`parameters` must be (samples, {len(self.names)}), of two samples at least; got {values.shape}"
            )
        if not np.isfinite(values).all():
            raise InputError(
                f"`parameters` of the training set must be finite; those of sample "
                f"{np.flatnonzero(~np.isfinite(values).all(axis=1))[0]} are not"
            )

    @cached_property
    def low(self) -> np.ndarray:
        """The lowest value of each parameter."""
        return self.training.min(axis=0)

    @cached_property
    def high(self) -> np.ndarray:
        """The highest value of each parameter."""
        return self.training.max(axis=0)

    @cached_property
    def span(self) -> np.ndarray:
        """`high - low`; 1 of a parameter that does not vary."""
        return np.where(self.high > self.low, self.high - self.low, 1.0)

    def scale(self, parameters: np.ndarray) -> np.ndarray:
        """Parameters (..., P) with the ranges of the training set at [0, 1]."""
        return (parameters - self.low) / self.span

    def rows(self, parameters: ArrayLike) -> np.ndarray:
        """Parameters as (count, P) float64; one set of them, (P,), is a row.

        Raises:
            InputError: they have another shape, or are not finite numbers.
        """
        try:
            values = np.atleast_2d(np.asarray(parameters, np.float64))
        except (TypeError, ValueError):
            raise InputError(f"`parameters` must be numbers; got {type(parameters).__name__}") from None
        if values.ndim != 2 or values.shape[1] != len(self.names):
            raise InputError(
                f"`parameters` must have shape (count, {len(self.names)}), for {', '.join(self.names)}; got "
                f"{np.shape(parameters)}"
            )
        bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if len(bad):
            raise InputError(f"`parameters` must be finite; row {bad[0]} is {values[bad[0]].tolist()}")
        return values

    def outside(self, parameters: np.ndarray) -> np.ndarray:
        """True for rows (count,) outside of the convex hull of the training parameters."""
        return ~in_convex_hull(self.scale(parameters), self.scale(self.training))

    def warn_outside(self, parameters: np.ndarray) -> None:
        """Warn of rows outside of the hull, by the names and ranges of parameters that are beyond their own."""
        outside = np.flatnonzero(self.outside(parameters))
        if not len(outside):
            return
        beyond = np.any((parameters < self.low) | (parameters > self.high), axis=0, keepdims=True)[0]
        reasons = [
            f"{name} beyond [{low:g}, {high:g}]"
            for name, low, high, out in zip(self.names, self.low, self.high, beyond, strict=True)
            if out
        ]
        combined = f"a combination of {', '.join(self.names)} that is none of theirs"
        warnings.warn(
            f"{len(outside)} of {len(parameters)} rows of parameters (row {_listed(outside)}) are outside of the "
            f"convex hull of the training set, where predictions extrapolate: {'; '.join(reasons) or combined}",
            ExtrapolationWarning,
            stacklevel=3,
        )


def _listed(rows: Sequence[int] | np.ndarray) -> str:
    shown = ", ".join(map(str, rows[:SHOWN]))
    return shown if len(rows) <= SHOWN else f"{shown}, ..."
