"""Rank-reduction autoencoders, and their linear counterparts, as scikit-learn estimators: arrays in, arrays out.

>>> from fastrrae.sklearn import RRAE
>>> coefficients = RRAE(rank=4).fit_transform(x)  # x (n_samples, n_features)

They train in memory, on one device, and leave no folder. `fastrrae.train` is for what does not fit in memory, for
several devices, checkpoints and reports; `fastrrae.RRAE` (without `sklearn`) are the options of its models.
"""

from .autoencoders import RRAE as RRAE
from .autoencoders import VRRAE as VRRAE
from .linear import PCA as PCA
from .linear import TruncatedSVD as TruncatedSVD
