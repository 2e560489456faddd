"""What a run generates by a protocol: samples, interpolations, reconstructions, in blocks of raw values."""

from collections.abc import Iterator
from functools import cached_property

import numpy as np

from ..data import Dataset, Samples
from ..densities import Flow, MultivariateNormal, SecondStage
from ..errors import InputError
from ..interpolation import points_between, random_pairs
from ..models.priors import Density
from ..run import Run
from .protocol import DensityName, Protocol

BLOCK = 500  # samples that are made at a time

Blocks = Iterator[np.ndarray]


class GeneratedSamples:
    """What a run generates, in blocks of raw values, cut to the range of the training set."""

    def __init__(self, run: Run, dataset: Dataset, protocol: Protocol):
        self._run, self._protocol = run, protocol
        self.seed = run.config.evaluation.evaluation_seed
        self.test = dataset.test
        self._train = dataset.train
        self._fitted: dict[DensityName, Density] = {}
        has_prior = run.model.prior is not None
        self.densities: tuple[DensityName, ...] = tuple(
            name for name in protocol.densities if name != "prior" or has_prior
        )

    @cached_property
    def value_range(self) -> tuple[float, float]:
        """The least and greatest value of the training set, which is read where it is needed only."""
        return value_range(self._train)

    def density(self, name: DensityName) -> Density:
        """The distribution of that name over this run's coefficients."""
        if name not in self._fitted:
            self._fitted[name] = fit_density(self._run, name)
        return self._fitted[name]

    def samples(self, name: DensityName) -> Blocks:
        """Draws from a density, decoded."""
        return self._decoded(self.density(name).sample(self._protocol.samples, self.seed))

    def interpolations(self) -> Blocks:
        """Points between pairs of test samples, decoded."""
        paths = self._protocol.interpolations
        assert paths is not None
        pairs = random_pairs(len(self.test), paths.pairs, self.seed)
        chosen, position = np.unique(pairs, return_inverse=True)
        ends = np.concatenate([self._run.coefficients(self.test[rows]) for rows in blocks(chosen)])
        start, end = np.moveaxis(ends[position.reshape(pairs.shape)], 1, 0)
        weights = np.linspace(0, 1, paths.points + 2)[1:-1]
        points = points_between(start, end, weights, paths.kind)
        return self._decoded(points.reshape(-1, points.shape[-1]))

    def reconstructions(self) -> Blocks:
        """Test samples, as many as are drawn, encoded and decoded."""
        rows = np.arange(min(self._protocol.samples, len(self.test)))
        return (np.clip(self._run.reconstruct(self.test[block]), *self.value_range) for block in blocks(rows))

    def _decoded(self, coefficients: np.ndarray) -> Blocks:
        return (np.clip(self._run.decode(block), *self.value_range) for block in blocks(coefficients))


def fit_density(run: Run, name: DensityName, label: int | str | None = None) -> Density:
    """A distribution over the coefficients of a run: fitted on its training set, or what it was trained towards.

    With a `label`, the distribution of that class: a mixture or one Gaussian.
    """
    if label is not None:
        return _fit_density_of(run, name, label)
    prior = run.model.prior
    match name:
        case "mixture":
            return run.density
        case "second-stage":
            seed = run.config.evaluation.evaluation_seed
            return SecondStage.fit(run.training_coefficients, seed, logvars=run.training_logvars)
        case "flow":
            return Flow.fit(run.training_coefficients, run.config.evaluation.evaluation_seed)
        case "prior" | "single" if prior is not None:
            return prior
        case "gaussian" | "single":
            return MultivariateNormal.fit(run.training_coefficients)
        case "prior":
            raise InputError(
                f"`density` must not be the prior for {run.name}, which is not trained towards one: draw "
                f"from mixture, gaussian, second-stage or flow"
            )


def _fit_density_of(run: Run, name: DensityName, label: int | str) -> Density:
    match name:
        case "mixture":
            return run.density_of(label)
        case "gaussian":
            return MultivariateNormal.fit(run.coefficients_of(label))
        case _:
            raise InputError(f"`density` must be mixture or gaussian with a `label`; got {name}")


def value_range(samples: Samples) -> tuple[float, float]:
    """The least and greatest of all values, read in blocks."""
    extremes = np.array([(block.min(), block.max()) for block in blocks(samples)], np.float64)
    return float(extremes[:, 0].min()), float(extremes[:, 1].max())


def blocks(rows: Samples, count: int | None = None) -> Blocks:
    """The first `count` rows, by default all, in blocks that fit into memory."""
    end = len(rows) if count is None else count
    return (rows[start : min(start + BLOCK, end)] for start in range(0, end, BLOCK))
