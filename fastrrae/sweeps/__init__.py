"""Grids of runs over fields of the configuration, as one table with plots."""

from .results import SweepResults as SweepResults
from .run_sweep import sweep as sweep
