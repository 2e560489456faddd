"""The truncated singular value decomposition for JAX: batched, exactly differentiable, safe at ties.

>>> from fastrrae_kernels import low_rank, truncated_svd
>>> svd = truncated_svd(a, rank=16)     # svd.u (..., m, 16), svd.s (..., 16), svd.vt (..., 16, n)
>>> y = low_rank(a, rank=16)            # the best approximation of rank 16, (..., m, n)

This package knows arrays only: it needs nothing but JAX, and jaxtyping for its annotations.
"""

from .active_rank import active_rank_for as active_rank_for
from .decomposition import Backend as Backend
from .decomposition import Method as Method
from .low_rank import low_rank as low_rank
from .low_rank import low_rank_and_svd as low_rank_and_svd
from .methods import Auto as Auto
from .methods import Exact as Exact
from .methods import Gram as Gram
from .methods import Randomized as Randomized
from .operators import LinearOperator as LinearOperator
from .operators import centred as centred
from .operators import sparse as sparse
from .svd import TruncatedSVD as TruncatedSVD
from .svd import residual as residual
from .svd import truncated_svd as truncated_svd
