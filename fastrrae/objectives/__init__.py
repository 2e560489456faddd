"""What training minimises: a reconstruction term, and penalties on what a model made of a batch, a file each."""

from .reconstruction import mean_squared_error as mean_squared_error
from .reconstruction import relative_error as relative_error
