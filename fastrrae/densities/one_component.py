"""A single component of a mixture, as a density."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from ..errors import InputError


@runtime_checkable
class Mixture(Protocol):
    """A density whose components can be drawn from one by one: a fitted mixture, or a prior that is one."""

    @property
    def components(self) -> int:
        """How many there are."""
        ...

    def sample_component(self, component: int, count: int, seed: int) -> np.ndarray:
        """Draw `count` coefficient vectors, (count, rank)."""
        ...


@dataclass(frozen=True)
class OneComponent:
    """One component of `mixture`, counted from 0.

    Raises:
        InputError: the density is no mixture, or has no such component.

    Example:
        >>> run.sample(10, density=OneComponent(run.density, 3))
    """

    mixture: Any
    component: int

    def __post_init__(self) -> None:
        if not isinstance(self.mixture, Mixture):
            raise InputError(
                "`component` needs a density that is a mixture: the fitted one, or that of gm-vae or gmm-dae"
            )
        if not 0 <= self.component < self.mixture.components:
            raise InputError(
                f"`component` must be from 0 to {self.mixture.components - 1}, a component of the mixture; got "
                f"{self.component}"
            )

    def sample(self, count: int, seed: int) -> np.ndarray:
        """Draw `count` coefficient vectors, (count, rank), float32."""
        return self.mixture.sample_component(self.component, count, seed)
