"""Bayesian optimisation in the latent space of a finished run: which objects have the best scores."""

from .objective import load_objective as load_objective
from .results import SearchResult as SearchResult
from .search import SearchOptions as SearchOptions
from .search import optimise as optimise
