"""`Gram`: eigendecomposition of `a a^T`, then singular values and the other side from `a` itself.

A Gram matrix squares the spectrum: in float32 it knows nothing of singular values under sqrt(eps) = 3e-4 s_1. Where
that would show, the same is done in float64; TPUs have no float64 eigensolver, and see `gram_in_float32`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import DTypeLike

from ..cholesky_qr import orthonormal_rows
from ..decomposition import Backend, Decomposition, Method, Options
from ..matrices import gram_matrix, sum_over
from ..operands import Operand
from ..tpu.deferred_tracing import KernelRunner, traced_now, traced_when_lowered
from ..tpu.eigenbasis import eigenbasis
from ..tpu.gram_in_float32 import gram_in_float32
from ..tpu.jacobi import MOST_COLUMNS
from .native_batching import natively_batched

# float32 is trusted where s_k > s_1 / 4. Its eigenvectors leave off-diagonal entries of about eps s_1^2 in u^T a a^T u;
# as cosines between the rows of vt = u^T a / s these are eps (s_1 / s_k)^2: 2e-6 at the limit, against 1e-5 promised.
TRUSTED_IN_FLOAT32 = 0.25

# Up to this size, float64 costs so little more that trying float32 first does not pay. 2 cores: 0.13 ms against 0.08.
# On an H100 a tenth more, where trying float32 in vain doubles the time (bench/results/svd-gpu.json).
ALWAYS_FLOAT64 = 32
ALWAYS_FLOAT64_ON_GPU = 1024


@dataclass(frozen=True)
class Gram(Method):
    """Eigendecomposition of the Gram matrix of the smaller side.

    The singular values are then computed from `a` itself.

    For float32 input, the Gram matrix is decomposed in float32 where the kept
    singular values are of one magnitude (s_k > s_1 / 4), and in float64 where
    they are not. So squaring loses nothing: singular values are accurate to
    rounding of the largest one, as with `Exact`. TPUs have no float64; there, a
    kernel of this package reaches the same up to 512 x 512.

    In two cases, singular vectors of small values are not resolved: values
    below 1.5e-8 s_1 for float64 input, and below 3e-4 s_1 on TPUs for larger or
    sharded matrices.
    """

    def check(self, options: Options, size: int, dtype: DTypeLike) -> None:
        """Refuse what the kernels cannot do, where they are asked for by name: nothing falls back silently."""
        if options.backend != "pallas":
            return
        if jnp.dtype(dtype) != jnp.float32:
            raise ValueError(f'`backend="pallas"` computes in float32; got {jnp.dtype(dtype)}. Use "auto" or "xla"')
        if size > MOST_COLUMNS:
            raise ValueError(
                f'`backend="pallas"` takes matrices whose smaller (sharded: other) side is at most {MOST_COLUMNS}; got '
                f'{size}. Use "auto" or "xla"'
            )

    def decompose(self, a: Operand, start: Array | None, options: Options) -> Decomposition:
        """Decompose `a` (..., p, q), where q may be sharded over a mesh axis."""
        del start
        return gram(options.rank, options.axis_name, options.backend, a.dense())


def gram(rank: int, axis_name: str | None, backend: Backend, a: Array) -> Decomposition:
    """Decompose an array `a` (..., p, q), p <= q or q sharded."""
    return natively_batched(partial(_gram, rank, axis_name, backend))(a)


Eigh = Callable[[Array], tuple[Array, Array]]


def _gram(rank: int, axis_name: str | None, backend: Backend, a: Array) -> Decomposition:
    alone = partial(_in_own_precision, rank, axis_name)
    if a.dtype == jnp.float64:
        return alone(a)
    if backend == "pallas":
        return _on_tpu(traced_now, rank, axis_name, a)
    later = partial(_on_tpu, traced_when_lowered, rank, axis_name)
    on_tpu = alone if backend == "xla" or a.shape[-2] > MOST_COLUMNS else later
    on_cpu, on_gpu = (
        partial(_in_sufficient_precision, rank, axis_name, always_float64=size)
        for size in (ALWAYS_FLOAT64, ALWAYS_FLOAT64_ON_GPU)
    )
    return lax.platform_dependent(a, tpu=on_tpu, cuda=on_gpu, rocm=on_gpu, default=on_cpu)


def _on_tpu(run: KernelRunner, rank: int, axis_name: str | None, a: Array) -> Decomposition:
    """By the kernels: on the matrix itself for full accuracy, or on its Gram matrix where devices have to sum that."""
    *stack, p, q = a.shape

    def with_stack(*shapes: tuple[int, ...]) -> list[tuple[int, ...]]:
        return [(*stack, *shape) for shape in shapes]

    def eigh(gram: Array) -> tuple[Array, Array]:
        w, basis = run(_eigh_by_kernels, with_stack((p,), (p, p)), gram)
        return w, basis

    with jax.enable_x64(False):  # a TPU has no 64-bit types; enabled, they would turn up in loops
        if axis_name is not None:
            return _in_own_precision(rank, axis_name, a, eigh=eigh)
        shapes = with_stack((p, rank), (rank,), (rank, q), (p, p - rank), (p - rank,))
        return Decomposition(*run(partial(gram_in_float32, rank), shapes, a))


def _in_sufficient_precision(rank: int, axis_name: str | None, a: Array, *, always_float64: int) -> Decomposition:
    if axis_name is not None or a.shape[-2] <= always_float64:  # sharded: one all-reduce, whatever the spectrum
        return _in_float64(rank, axis_name, a)
    gram = gram_matrix(a)
    w, basis = lax.cond(_float32_is_plausible(rank, gram), _eigh, lambda g: (g[..., 0, :] * 0, g), gram)
    trusted = jnp.all(w[..., -rank] > w[..., -1] * TRUSTED_IN_FLOAT32**2)
    return lax.cond(
        trusted,
        lambda a, w, basis: _from_eigenvectors(rank, None, a, w, basis),
        lambda a, w, basis: _in_float64(rank, None, a),
        *(a, w, basis),
    )


def _in_float64(rank: int, axis_name: str | None, a: Array) -> Decomposition:
    with jax.enable_x64(True):
        wide = lax.convert_element_type(a, jnp.float64)
        d = _in_own_precision(rank, axis_name, wide, visible=float(jnp.finfo(a.dtype).eps))
        return jax.tree.map(lambda x: lax.convert_element_type(x, a.dtype), d)


def _in_own_precision(
    rank: int, axis_name: str | None, a: Array, *, visible: float | None = None, eigh: Eigh | None = None
) -> Decomposition:
    d = _from_eigenvectors(rank, axis_name, a, *(eigh or _eigh)(gram_matrix(a, axis_name)))
    return _completed(d, axis_name, visible or float(jnp.finfo(a.dtype).eps) ** 0.75)


def _float32_is_plausible(rank: int, gram: Array) -> Array:
    """Whether the k leading eigenvalues w can be of one magnitude: a test without them, to save a wasted `eigh`.

    If they are, the trace is at least `w_1 (1 + (k - 1) t^2)`, with the t of `TRUSTED_IN_FLOAT32`; and w_1 is at least
    the squared Frobenius norm over the trace.
    """
    trace = jnp.trace(gram, axis1=-2, axis2=-1)
    return jnp.all(trace**2 >= jnp.sum(gram**2, axis=(-2, -1)) * (1 + (rank - 1) * TRUSTED_IN_FLOAT32**2))


def _eigh(gram: Array) -> tuple[Array, Array]:
    w, basis = jnp.linalg.eigh(gram, symmetrize_input=False)
    return w, basis


def _eigh_by_kernels(gram: Array) -> tuple[Array, Array]:
    """In the order of `_eigh`: ascending, eigenvectors as columns."""
    in_basis = lambda basis: basis @ gram @ basis.mT  # noqa: E731
    basis = jnp.flip(eigenbasis(gram, in_basis, floor=1.0), -2)
    return jnp.sum(basis @ gram * basis, axis=-1), basis.mT


def _from_eigenvectors(rank: int, axis_name: str | None, a: Array, w: Array, basis: Array) -> Decomposition:
    """With `a a^T = basis diag(w) basis^T`: `s = |u^T a|`, `v^T = u^T a / s`, orthonormal only as far as s is large."""
    ut = jnp.flip(basis.mT[..., -rank:, :], -2)  # LAPACK's columns are rows in memory already
    vt = ut @ a
    s = jnp.sqrt(sum_over(axis_name, jnp.sum(vt * vt, axis=-1)))
    # Rounding can swap neighbours that are tied; the running minimum keeps the order descending.
    s = lax.cummin(s, axis=s.ndim - 1)
    vt = vt / jnp.where(s > 0, s, jnp.inf)[..., :, None]
    discarded_s = jnp.sqrt(jnp.maximum(jnp.flip(w[..., :-rank], -1), 0))
    return Decomposition(ut.mT, s, vt, jnp.flip(basis[..., :-rank], -1), discarded_s)


def _completed(d: Decomposition, axis_name: str | None, visible: float) -> Decomposition:
    """Make the rows of `vt` orthonormal where dividing by a small singular value has left errors above `visible`.

    Those errors, eps (s_1 / s)^2, lie along the rows with large singular values, which come first and stay as they
    are. A row whose singular value is below rounding has no direction: it becomes some unit vector outside the others.
    """
    eps = float(jnp.finfo(d.s.dtype).eps)
    weak = d.s <= d.s[..., :1] * (eps / visible) ** 0.5
    lost = d.s <= d.s[..., :1] * eps**0.5
    vt = lax.cond(
        jnp.any(weak), lambda vt, lost: orthonormal_rows(vt, lost, axis_name), lambda vt, lost: vt, d.vt, lost
    )
    return d._replace(vt=vt)
