"""Densities over coefficients, and what a finished run is judged by."""

from ..models.priors import MixturePrior as MixturePrior
from ..models.priors import StandardNormal as StandardNormal
from .density import Gaussian as Gaussian
from .density import GaussianMixture as GaussianMixture
from .second_stage import SecondStage as SecondStage
