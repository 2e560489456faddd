"""What every method answers.

Inside the package a matrix lies on its side: `a` (..., p, q), where `p` is the axis whose p x p Gram matrix is formed
and `q` the one that is summed over. `q` is the longer axis, or the one that is sharded over devices.
"""

from typing import NamedTuple

from jax import Array


class Decomposition(NamedTuple):
    """The k leading singular triplets of `a` (..., p, q), and what is known of the discarded ones.

    The derivative rules need the discarded ones to be exact: `rest_u` (..., p, r) holds orthonormal directions outside
    of `u`, `rest_s` (..., r) their singular values. `Exact` and `Gram` know all r = p - k, `Randomized` only some.
    """

    u: Array  # (..., p, k)
    s: Array  # (..., k), descending
    vt: Array  # (..., k, q)
    rest_u: Array  # (..., p, r)
    rest_s: Array  # (..., r), descending
