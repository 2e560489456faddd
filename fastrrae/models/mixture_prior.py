"""The prior of the GMM-DAE: a mixture of Gaussians that is chosen before training (Saseendran et al. 2021)."""

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import jax
import jax.numpy as jnp
import jax.scipy.special
import numpy as np
from jax import Array

from ..errors import InputError

Matrix = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class MixturePrior:
    """Gaussians centred at `distance` from the origin, in directions that are as different as can be.

    The directions are the first coordinate axes, or, for more components than coordinates, well spread points of the
    sphere (`spread_directions`).

    Args:
        rank: the number of coefficients.
        components: how many Gaussians.
        distance: the distance of their centres from the origin.
        weights: the weights of the components, positive; divided by their sum. By default all are equally likely.
        covariances: the covariances of the components, each (rank, rank), symmetric and positive definite; by default
            identities.

    Example:
        >>> prior = MixturePrior(rank=2, components=3, distance=4.0, weights=(2, 1, 1))
        >>> prior.sample(100, seed=0).shape, prior.log_prob(jnp.zeros((1, 2)))
    """

    rank: int
    components: int
    distance: float
    weights: tuple[float, ...] = ()
    covariances: tuple[Matrix, ...] = ()

    def __post_init__(self) -> None:
        if self.components < 1:
            raise InputError(f"`components` must be at least 1; got {self.components}")
        for name in ("weights", "covariances"):
            given = getattr(self, name)
            if given and len(given) != self.components:
                raise InputError(f"`{name}` must be as many as `components`, {self.components}; got {len(given)}")
        if not all(math.isfinite(weight) and weight > 0 for weight in self.weights):
            raise InputError(f"`weights` must be positive; got {self.weights}")
        for covariance in self.covariances:
            self._check(np.array(covariance, np.float64))

    def _check(self, covariance: np.ndarray) -> None:
        if covariance.shape != (self.rank, self.rank):
            raise InputError(
                f"each of `covariances` must have the shape {(self.rank, self.rank)}; got {covariance.shape}"
            )
        if not np.allclose(covariance, covariance.T) or not np.all(np.linalg.eigvalsh(covariance) > 0):
            raise InputError(
                f"each of `covariances` must be symmetric and positive definite; got {covariance.tolist()}"
            )

    def describe(self) -> str:
        """In words, for protocols."""
        if not self.weights and not self.covariances:
            return f"the prior, {self.components} Gaussians of unit variance, {self.distance:g} from the origin"
        return f"the prior, {self.components} Gaussians, {self.distance:g} from the origin"

    @cached_property
    def centres(self) -> np.ndarray:
        """(components, rank)."""
        if self.components <= self.rank:
            return self.distance * np.eye(self.components, self.rank)
        return self.distance * spread_directions(self.components, self.rank)

    @cached_property
    def shares(self) -> np.ndarray:
        """The probability of each component, (components,)."""
        weights = np.array(self.weights or (1.0,) * self.components, np.float64)
        return weights / weights.sum()

    @cached_property
    def component_covariances(self) -> np.ndarray:
        """(components, rank, rank)."""
        if self.covariances:
            return np.array(self.covariances, np.float64)
        return np.broadcast_to(np.eye(self.rank), (self.components, self.rank, self.rank))

    @property
    def covariance(self) -> np.ndarray:
        """Of the whole mixture, (rank, rank): equation 6, with the mean of the mixture, weighted like all else."""
        between = self.centres - self.shares @ self.centres
        within = np.tensordot(self.shares, self.component_covariances, axes=1)
        return within + (between * self.shares[:, None]).T @ between

    @cached_property
    def factors(self) -> np.ndarray:
        """Lower triangular factors of the components' covariances, (components, rank, rank)."""
        return np.linalg.cholesky(self.component_covariances)

    def marginal_cdf(self, z: Array) -> Array:
        """The cumulative distribution function of each coordinate at `z` (..., rank).

        Equation 5, which divides by the root of the diagonal of a covariance where it prints the diagonal.
        """
        deviations = np.sqrt(np.diagonal(self.component_covariances, axis1=1, axis2=2))
        standardised = (z[..., None, :] - jnp.asarray(self.centres, z.dtype)) / jnp.asarray(deviations, z.dtype)
        return jnp.tensordot(jax.scipy.special.ndtr(standardised), jnp.asarray(self.shares, z.dtype), axes=[[-2], [0]])

    def log_prob_of_components(self, z: Array) -> Array:
        """The logarithm of weight times density of each component at `z` (batch, rank): (batch, components)."""
        inverses = jnp.asarray(np.linalg.inv(self.factors), z.dtype)
        white = jnp.einsum("kij,bkj->bki", inverses, z[:, None] - jnp.asarray(self.centres, z.dtype))
        log_size = np.sum(np.log(np.diagonal(self.factors, axis1=1, axis2=2)), axis=1)
        constant = np.log(self.shares) - log_size - 0.5 * self.rank * math.log(2 * math.pi)
        return jnp.asarray(constant, z.dtype) - 0.5 * jnp.sum(white**2, axis=-1)

    def log_prob(self, z: Array) -> Array:
        """The logarithm of the density at `z` (batch, rank): (batch,), in nats."""
        return jax.scipy.special.logsumexp(self.log_prob_of_components(z), axis=-1)

    def sample(self, count: int, seed: int) -> np.ndarray:
        """Draw `count` coefficient vectors, (count, rank), float32."""
        rng = np.random.default_rng(seed)
        if self.weights:
            component = rng.choice(self.components, size=count, p=self.shares)
        else:
            component = rng.integers(self.components, size=count)
        noise = rng.standard_normal((count, self.rank))
        return (self.centres[component] + np.einsum("nij,nj->ni", self.factors[component], noise)).astype(np.float32)

    def sample_component(self, component: int, count: int, seed: int) -> np.ndarray:
        """Draw `count` coefficient vectors from one component alone, (count, rank), float32."""
        noise = np.random.default_rng([seed, component]).standard_normal((count, self.rank))
        return (self.centres[component] + noise @ self.factors[component].T).astype(np.float32)

    def assign(self, coefficients: np.ndarray) -> np.ndarray:
        """The most likely component of each of (count, rank): (count,)."""
        return np.asarray(self.log_prob_of_components(jnp.asarray(coefficients, jnp.float32))).argmax(axis=1)


@lru_cache
def spread_directions(count: int, rank: int, steps: int = 500) -> np.ndarray:
    """`count` unit vectors (count, rank) that repel one another: a local minimum of the sum of 1 / distance^2.

    Always the same ones. One coordinate has two directions only, which are then taken in turn.
    """
    if rank == 1:
        return np.where(np.arange(count) % 2, -1.0, 1.0)[:, None]
    points = np.random.default_rng(0).standard_normal((count, rank))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    for step in range(steps):
        between = points[:, None] - points
        squares = np.sum(between**2, axis=-1) + np.eye(count)
        force = np.sum(between / squares[..., None] ** 2, axis=1)
        force -= np.sum(force * points, axis=1, keepdims=True) * points
        longest = max(float(np.linalg.norm(force, axis=1).max()), 1e-12)
        points = points + (1 - step / steps) * 0.1 / longest * force
        points /= np.linalg.norm(points, axis=1, keepdims=True)
    return points
