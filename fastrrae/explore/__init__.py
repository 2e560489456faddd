"""The explorer: a page in the browser, served to this machine alone, in which the coefficients of a run are moved."""

from .serve import explore as explore
