"""The truncated singular value decomposition for JAX.

Its derivatives are exact, also at repeated (degenerate) singular values.

>>> import jax
>>> from fastrrae_kernels import low_rank, truncated_svd
>>> a = jax.random.normal(jax.random.key(0), (32, 64, 200))
>>> u, s, vt = truncated_svd(a, rank=16)  # (32, 64, 16), ...
>>> y = low_rank(a, rank=16)  # the best approximation of rank 16

- `truncated_svd`: the factors; `low_rank`: their product, whose gradient is
  exact at repeated values too; `low_rank_and_svd`: both.
- Methods: `Auto()`, `Exact()`, `Gram()`, `Randomized(...)`.
- Of a slowly changing sequence: `tracked_low_rank_and_svd`, `Tracked(...)`.
- A rank that is traced: `active_rank_for`. Signs that do not depend on the
  platform: `fixed_signs`.
- Matrices known by their products: `centred`, `sparse`, `LinearOperator`.

The package needs nothing but JAX, and jaxtyping for its annotations.
Import it before SciPy: on a CPU, decompositions are faster then (see
`lapack_threads`).
"""

from .active_rank import active_rank_for as active_rank_for
from .decomposition import Backend as Backend
from .decomposition import Method as Method
from .lapack_threads import sleep_when_idle
from .low_rank import low_rank as low_rank
from .low_rank import low_rank_and_svd as low_rank_and_svd
from .methods import Auto as Auto
from .methods import Exact as Exact
from .methods import Gram as Gram
from .methods import Randomized as Randomized
from .methods import Tracked as Tracked
from .operators import LinearOperator as LinearOperator
from .operators import centred as centred
from .operators import sparse as sparse
from .svd import TruncatedSVD as TruncatedSVD
from .svd import fixed_signs as fixed_signs
from .svd import residual as residual
from .svd import truncated_svd as truncated_svd
from .tracking import TrackedResults as TrackedResults
from .tracking import tracked_low_rank_and_svd as tracked_low_rank_and_svd

sleep_when_idle()

__all__ = [
    "Auto",
    "Backend",
    "Exact",
    "Gram",
    "LinearOperator",
    "Method",
    "Randomized",
    "Tracked",
    "TrackedResults",
    "TruncatedSVD",
    "active_rank_for",
    "centred",
    "fixed_signs",
    "low_rank",
    "low_rank_and_svd",
    "residual",
    "sparse",
    "tracked_low_rank_and_svd",
    "truncated_svd",
]
