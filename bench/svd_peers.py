"""What people use for a truncated SVD: JAX without this package, NumPy, SciPy, scikit-learn, PyTorch if installed."""

# Before SciPy is loaded, so that its threads sleep when they are idle.
import fastrrae_kernels  # isort: skip  # noqa: F401

import importlib.util
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
import scipy.sparse.linalg
from sklearn.utils.extmath import randomized_svd

Factors = tuple[Any, Any, Any]


def full_svd(a: jax.Array, rank: int) -> Factors:
    """The plain way in JAX: the whole SVD, sliced; differentiated automatically."""
    u, s, vt = jnp.linalg.svd(a, full_matrices=False)
    return u[..., :rank], s[..., :rank], vt[..., :rank, :]


def gram_by_hand(a: jax.Array, rank: int) -> Factors:
    """`eigh` of the small-side Gram matrix in float32; differentiated automatically."""
    if a.shape[-2] > a.shape[-1]:
        v, s, ut = gram_by_hand(a.mT, rank)
        return ut.mT, s, v.mT
    w, u = jnp.linalg.eigh(a @ a.mT)
    u, s = u[..., ::-1][..., :rank], jnp.sqrt(jnp.maximum(w[..., ::-1][..., :rank], 1e-30))
    return u, s, (u.mT @ a) / s[..., None]


def product(factors: Factors) -> Any:
    """The approximation that the factors stand for."""
    u, s, vt = factors
    return (u * s[..., None, :]) @ vt


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def dropping_the_rest(a: jax.Array, rank: int) -> Factors:
    """The whole SVD with the derivative rule found in most code: it ignores the discarded part."""
    return full_svd(a, rank)


@dropping_the_rest.defjvp
def _dropping_the_rest_jvp(rank: int, primals: Any, tangents: Any) -> Any:
    (a,), (da,) = primals, tangents
    u, s, vt = full_svd(a, rank)
    e = u.mT @ da @ vt.mT
    difference = s[..., None, :] ** 2 - s[..., :, None] ** 2
    f = jnp.where(difference == 0, 0, 1 / jnp.where(difference == 0, 1, difference))
    column, row = s[..., None, :], s[..., :, None]
    du = u @ (f * (e * column + row * e.mT)) + (da @ vt.mT - u @ (u.mT @ da @ vt.mT)) / column
    dv = vt.mT @ (f * (row * e + e.mT * column)) + (da.mT @ u - vt.mT @ (vt @ da.mT @ u)) / column
    return (u, s, vt), (du, jnp.diagonal(e, axis1=-2, axis2=-1), dv.mT)


def sparse_svds(a: np.ndarray, rank: int, solver: Any = "arpack") -> Factors:
    """SciPy's iterative solvers on a NumPy matrix, the largest value first.

    ARPACK always starts from the same vector. Where singular values are equal it fails from some vectors, so a random
    one could fail in a later call only.
    """
    start = np.random.default_rng(0).standard_normal(min(a.shape)).astype(a.dtype) if solver == "arpack" else None
    found: Any = scipy.sparse.linalg.svds(a, rank, solver=solver, v0=start)
    u, s, vt = found
    order = np.argsort(-s)
    return u[:, order], s[order], vt[order]


def forward_only(rank: int) -> dict[str, Callable[[np.ndarray], Factors]]:
    """Peers without derivatives, on NumPy matrices."""

    def cut(factors: Any) -> Factors:
        u, s, vt = factors
        return u[:, :rank], s[:rank], vt[:rank]

    return {
        "numpy.linalg.svd": lambda a: cut(np.linalg.svd(a, full_matrices=False)),
        "scipy.linalg.svd gesdd": lambda a: cut(scipy.linalg.svd(a, full_matrices=False, lapack_driver="gesdd")),
        "scipy.sparse.linalg.svds": lambda a: sparse_svds(a, rank),
        "sklearn randomized_svd": lambda a: randomized_svd(a, rank, random_state=0),
    }


def torch_device() -> str:
    """The device that PyTorch computes on: the kind that JAX uses, a GPU or the CPU."""
    return "cuda" if jax.default_backend() == "gpu" else "cpu"


def torch_svds(rank: int) -> dict[str, Callable[..., Factors]]:
    """PyTorch's two ways, on tensors; nothing where PyTorch is not installed."""
    if importlib.util.find_spec("torch") is None:
        return {}
    import torch  # pyright: ignore[reportMissingImports]

    def full(a: Any, driver: str | None = None) -> Factors:
        u, s, vt = torch.linalg.svd(a, full_matrices=False, driver=driver)
        return u[..., :rank], s[..., :rank], vt[..., :rank, :]

    def lowrank(a: Any, niter: int = 2) -> Factors:
        u, s, v = torch.svd_lowrank(a, q=rank, niter=niter)
        return u, s, v.mT

    return {"torch.linalg.svd": full, "torch.svd_lowrank": lowrank}


def torch_gradient(loss: Callable[[Any], Any], a: Any) -> Any:
    """The gradient of a loss at a tensor by PyTorch's own rules."""
    a = a.detach().requires_grad_()
    loss(a).backward()
    return a.grad
