"""Parametric surrogates: from parameters to coefficients by interpolation, and from there to fields by the decoder."""

from .gaussian_process import GaussianProcess as GaussianProcess
from .interpolant import Interpolant as Interpolant
from .interpolant import Method as Method
from .inverse_problem import Recovered as Recovered
from .parameter_space import ExtrapolationWarning as ExtrapolationWarning
from .piecewise_linear import PiecewiseLinear as PiecewiseLinear
from .radial_basis import RadialBasis as RadialBasis
from .regressors import Regressor as Regressor
from .surrogate import Surrogate as Surrogate
