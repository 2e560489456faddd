"""What a run makes by a protocol: samples, interpolations, reconstructions, in blocks of raw values."""

from collections.abc import Iterator
from functools import cached_property

import numpy as np

from ..data import Dataset, Samples
from ..errors import InputError
from ..models.priors import Density, MixturePrior, StandardNormal
from ..run import Run
from .density import MOST_ITERATIONS, Gaussian
from .interpolation import points_between, random_pairs
from .protocol import DensityName, Protocol
from .second_stage import BATCH, STEPS, WIDTH, SecondStage

BLOCK = 500  # samples that are made at a time

Block = Iterator[np.ndarray]


class Draws:
    """What a run makes, in blocks of raw values, cut to the range of the training set."""

    def __init__(self, run: Run, dataset: Dataset, protocol: Protocol):
        self._run, self._protocol = run, protocol
        self.seed = run.config.evaluation.evaluation_seed
        self.reference: Samples = dataset.train if protocol.reference == "train" else dataset.test
        self.test = dataset.test
        self.has_generation_error = run.config.data.source == "gaussians"
        self._train = dataset.train
        self._fitted: dict[DensityName, Density] = {}
        has_prior = run.model.bottleneck.prior is not None
        self.densities: tuple[DensityName, ...] = tuple(
            name for name in protocol.densities if name != "prior" or has_prior
        )

    @cached_property
    def value_range(self) -> tuple[float, float]:
        """The least and greatest value of the training set, which is read where it is needed only."""
        return value_range(self._train)

    def describe_density(self, name: DensityName) -> str:
        """In words."""
        found = self.density(name)
        if isinstance(found, StandardNormal):
            return "standard normal"
        if isinstance(found, MixturePrior):
            return f"the prior, {found.components} Gaussians of unit variance, {found.distance:g} from the origin"
        fitted = "fitted on the coefficients of the training set"
        if isinstance(found, SecondStage):
            return f"a second, small VAE (2 layers of {WIDTH}, {STEPS} steps of {BATCH}), {fitted}"
        if isinstance(found, Gaussian):
            return f"one Gaussian, full covariance, {fitted}"
        settings = self._run.config.evaluation
        return (
            f"Gaussian mixture of {len(self._run.density.weights)}, full covariances, {fitted} (scikit-learn, at most "
            f"{MOST_ITERATIONS} iterations, seed {settings.evaluation_seed})"
        )

    def density(self, name: DensityName) -> Density:
        """The distribution of that name over this run's coefficients."""
        if name not in self._fitted:
            self._fitted[name] = density_of(self._run, name)
        return self._fitted[name]

    def samples(self, name: DensityName) -> Block:
        """Draws from a density, decoded."""
        return self._decoded(self.density(name).sample(self._protocol.samples, self.seed))

    def interpolations(self) -> Block:
        """Points between pairs of test samples, decoded."""
        ways = self._protocol.interpolations
        assert ways is not None
        pairs = random_pairs(len(self.test), ways.pairs, self.seed)
        chosen, position = np.unique(pairs, return_inverse=True)
        ends = np.concatenate([self._run.coefficients(self.test[rows]) for rows in _blocks(chosen)])
        start, end = np.moveaxis(ends[position.reshape(pairs.shape)], 1, 0)
        weights = np.linspace(0, 1, ways.points + 2)[1:-1]
        points = points_between(start, end, weights, ways.way)
        return self._decoded(points.reshape(-1, points.shape[-1]))

    def reconstructions(self) -> Block:
        """Test samples, as many as are drawn, encoded and decoded."""
        rows = np.arange(min(self._protocol.samples, len(self.test)))
        return (np.clip(self._run.reconstruct(self.test[block]), *self.value_range) for block in _blocks(rows))

    def _decoded(self, coefficients: np.ndarray) -> Block:
        return (np.clip(self._run.decode(block), *self.value_range) for block in _blocks(coefficients))


def density_of(run: Run, name: DensityName) -> Density:
    """A distribution over the coefficients of a run: fitted on its training set, or what it was trained towards."""
    prior = run.model.bottleneck.prior
    match name:
        case "mixture":
            return run.density
        case "second-stage":
            return SecondStage.fit(run.training_coefficients, run.config.evaluation.evaluation_seed)
        case "prior" | "single" if prior is not None:
            return prior
        case "gaussian" | "single":
            return Gaussian.fit(run.training_coefficients)
        case "prior":
            raise InputError(
                f"{run.config.model.model} is not trained towards a prior: draw from mixture, gaussian or second-stage"
            )


def value_range(samples: Samples) -> tuple[float, float]:
    """The least and greatest of all values, read in blocks."""
    extremes = np.array([(block.min(), block.max()) for block in _blocks(samples)], np.float64)
    return float(extremes[:, 0].min()), float(extremes[:, 1].max())


def _blocks(rows: Samples) -> Block:
    return (rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK))
