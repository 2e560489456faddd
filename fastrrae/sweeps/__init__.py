"""Grids of runs over fields of the configuration, as one table with plots."""

from .results import SweepResults as SweepResults
from .sweep import sweep as sweep
