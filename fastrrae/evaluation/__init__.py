"""Densities over coefficients, and what a finished run is judged by."""

from .density import Gaussian as Gaussian
from .density import GaussianMixture as GaussianMixture
from .density import StandardNormal as StandardNormal
