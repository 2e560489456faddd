"""The ways to compute a truncated SVD, a file each: its options, its checks, its algorithm."""

from .auto import AUTO as AUTO
from .auto import Auto
from .exact import Exact
from .gram import Gram
from .randomized import Randomized
from .tracked import Tracked

METHODS = (Auto, Exact, Gram, Randomized, Tracked)
