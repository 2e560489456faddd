"""What training minimises: a reconstruction loss, and penalties on what a model made of a batch, a file each."""

from .objective import make_objective as make_objective
from .reconstruction import cross_entropy as cross_entropy
from .reconstruction import gaussian_misfit as gaussian_misfit
from .reconstruction import mean_squared_error as mean_squared_error
from .reconstruction import relative_error as relative_error
