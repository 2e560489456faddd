"""Normalising flows: invertible networks whose change of volume is known, between vectors and a standard normal."""

from .flow import NormalisingFlow as NormalisingFlow
from .inverse_autoregressive import InverseAutoregressiveStep as InverseAutoregressiveStep
from .spline_coupling import SplineCouplings as SplineCouplings
