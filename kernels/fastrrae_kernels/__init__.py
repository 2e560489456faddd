"""The truncated singular value decomposition for JAX: batched, exactly differentiable, safe at ties.

>>> from fastrrae_kernels import low_rank, truncated_svd
>>> svd = truncated_svd(a, rank=16)     # svd.u (..., m, 16), svd.s (..., 16), svd.vt (..., 16, n)
>>> y = low_rank(a, rank=16)            # the best approximation of rank 16, (..., m, n)

This package knows arrays only: it needs nothing but JAX, and jaxtyping for its annotations.
"""

from .backends import Backend as Backend
from .low_rank import low_rank as low_rank
from .low_rank import low_rank_and_svd as low_rank_and_svd
from .methods import Auto as Auto
from .methods import Exact as Exact
from .methods import Gram as Gram
from .methods import Method as Method
from .methods import Randomized as Randomized
from .residual import residual as residual
from .svd import TruncatedSVD as TruncatedSVD
from .svd import truncated_svd as truncated_svd
