"""Distributions over coefficients that are fitted on a training set, to draw new samples from."""

from .flow import Flow as Flow
from .gaussian_mixture import GaussianMixture as GaussianMixture
from .multivariate_normal import MultivariateNormal as MultivariateNormal
from .one_component import OneComponent as OneComponent
from .second_stage import SecondStage as SecondStage
