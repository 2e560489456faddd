"""Where a search may go: where the coefficients of the training set are."""

from dataclasses import dataclass

import numpy as np

from ..densities import GaussianMixture
from ..run import Run

LEAST_DENSITY = 0.01  # the share of training samples that lie where the density is lower than all that is searched
MOST_SAMPLES = 20_000
STEPS = (0.05, 0.15, 0.4)  # lengths of steps from good points, in standard deviations of the training coefficients
GOOD = 10  # points that steps start from


@dataclass(frozen=True)
class Region:
    """Coefficients within the range of those of the training set, where their density is not lower than of nearly all.

    Attributes:
        density: fitted on the training coefficients.
        low, high: their range, (rank,).
        deviation: their standard deviation, (rank,).
        least: the logarithm of the density at its edge.
    """

    density: GaussianMixture
    low: np.ndarray
    high: np.ndarray
    deviation: np.ndarray
    least: float

    @classmethod
    def of(cls, run: Run) -> "Region":
        """The region of a run."""
        codes = run.training_coefficients
        logarithms = run.density.log_density(codes[:MOST_SAMPLES])
        deviation = np.maximum(codes.std(axis=0), 1e-12)
        return cls(
            run.density, codes.min(axis=0), codes.max(axis=0), deviation, float(np.quantile(logarithms, LEAST_DENSITY))
        )

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Draws from the density, those outside of the region moved to the range: (count, rank) float32."""
        draws = self.density.sample(count, int(rng.integers(2**31)))
        return np.clip(draws, self.low, self.high).astype(np.float32)

    def candidates(self, good: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
        """Points of the region: random steps from good points (n, rank), best first, and points between two of them.

        Half of `count` of each; those that are outside of the region are left out. None are drawn from all of the
        region: what is known of a latent space of strings does not reach far, so that the least known points, at
        which the improvement that is expected is large by their deviation alone, would be chosen most.
        """
        half = count // 2
        good = good[:GOOD]
        start = good[rng.integers(len(good), size=half)]
        steps = start + rng.choice(STEPS, size=(half, 1)) * self.deviation * rng.standard_normal(start.shape)
        a, b = good[rng.integers(len(good), size=(2, half))]
        between = a + rng.uniform(0, 1, size=(half, 1)) * (b - a)
        points = np.clip(np.concatenate([steps, between]), self.low, self.high)
        return points[self.density.log_density(points) >= self.least].astype(np.float32)
