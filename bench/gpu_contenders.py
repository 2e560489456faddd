"""The contenders of `gpu.py`: ours, XLA's algorithms and PyTorch's functions, compiled."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from svd import BASELINE, DIFFERENTIABLE
from svd_peers import Factors, torch_device, torch_gradient, torch_svds

from fastrrae_kernels import Randomized, Tracked, truncated_svd

ALGORITHMS = lax.linalg.SvdAlgorithm
IMPLEMENTATIONS = lax.linalg.EighImplementation


@dataclass(frozen=True)
class Contender:
    """A compiled function of matrices, and of matrices and weights for the gradient where there is one."""

    forward: Callable[[Any], Factors]
    gradient: Callable[[Any, Any], Any] | None
    compile_seconds: float | None


def svd_by(algorithm: lax.linalg.SvdAlgorithm) -> Callable[[jax.Array, int], Factors]:
    """XLA's thin SVD by one of its algorithms, sliced."""

    def svd(a: jax.Array, rank: int) -> Factors:
        u, s, vt = lax.linalg.svd(a, full_matrices=False, algorithm=algorithm)
        return u[..., :rank], s[..., :rank], vt[..., :rank, :]

    return svd


def eigh_by(implementation: lax.linalg.EighImplementation | None, *, wide: bool) -> Callable[[jax.Array, int], Factors]:
    """The eigendecomposition of the smaller Gram matrix, in float32 or in float64: no accuracy is promised."""

    def svd(a: jax.Array, rank: int) -> Factors:
        if a.shape[-2] > a.shape[-1]:
            v, s, ut = svd(a.mT, rank)
            return ut.mT, s, v.mT
        with jax.enable_x64(True), jax.default_matmul_precision("highest"):
            b = lax.convert_element_type(a, jnp.float64 if wide else jnp.float32)
            u, w = lax.linalg.eigh(b @ b.mT, implementation=implementation, symmetrize_input=False)
            u, s = u[..., ::-1][..., :rank], jnp.sqrt(jnp.maximum(w[..., ::-1][..., :rank], 1e-30))
            vt = (u.mT @ b) / s[..., None]
            narrow = lambda x: lax.convert_element_type(x, jnp.float32)  # noqa: E731
            return narrow(u), narrow(s), narrow(vt)

    return svd


NEARBY = {  # methods that begin with the right singular vectors of a matrix nearby
    "truncated_svd Randomized(), start nearby": Randomized(),
    "truncated_svd Tracked(), start nearby": Tracked(),
}
FORWARD_ALONE: dict[str, Callable[[jax.Array, int], Factors]] = {
    "lax.linalg.svd QR": svd_by(ALGORITHMS.QR),
    "lax.linalg.svd Jacobi": svd_by(ALGORITHMS.JACOBI),
    "lax.linalg.svd polar": svd_by(ALGORITHMS.POLAR),
    "eigh of the Gram matrix": eigh_by(None, wide=False),
    "eigh of the Gram matrix, QR": eigh_by(IMPLEMENTATIONS.QR, wide=False),
    "eigh of the Gram matrix, Jacobi": eigh_by(IMPLEMENTATIONS.JACOBI, wide=False),
    "eigh of the Gram matrix, QDWH": eigh_by(IMPLEMENTATIONS.QDWH, wide=False),
    "eigh of the Gram matrix, float64": eigh_by(None, wide=True),
    "eigh of the Gram matrix, float64, Jacobi": eigh_by(IMPLEMENTATIONS.JACOBI, wide=True),
}
WITH_GRADIENT = {name: svd for name, svd in DIFFERENTIABLE.items() if name not in FORWARD_ALONE}


def started(method: Randomized | Tracked) -> Callable[[jax.Array, jax.Array, int], Factors]:
    """From a guess of the right singular vectors."""
    return lambda a, start, rank: truncated_svd(a, rank, method=method, start=start)


def rows_of_start(method: Randomized | Tracked, rank: int) -> int:
    """How many vectors its guess has."""
    return method.block(rank) if isinstance(method, Tracked) else rank


WHOLE = (BASELINE, "truncated_svd Exact()", *FORWARD_ALONE)  # decompositions that take all triplets


def weights_of(shape: tuple[int, ...], rank: int) -> tuple[np.ndarray, ...]:
    """Weights of the sum whose gradient is taken, for matrices (..., m, n)."""
    rng, (*stack, m, n) = np.random.default_rng(1), shape
    return tuple(rng.standard_normal((*stack, *size), np.float32) for size in ((m, rank), (rank,), (rank, n)))


def weighted(factors: Factors, weights: Any) -> Any:
    """The weighted sum of all entries."""
    return sum((x * y).sum() for x, y in zip(factors, weights, strict=True))


def compiled(
    svd: Callable[..., Factors], rank: int, arguments: tuple[Any, ...], weights: Any, *, gradient: bool
) -> Contender:
    """Compile a contender of JAX for arrays of these shapes; several threads may do this at the same time."""
    start = time.perf_counter()
    forward = jax.jit(lambda *args: svd(*args, rank)).lower(*arguments).compile()
    both = None
    if gradient:
        function = jax.jit(jax.value_and_grad(lambda a, rest, weights: weighted(svd(a, *rest, rank), weights)))
        program = function.lower(arguments[0], arguments[1:], weights).compile()
        both = lambda args, weights: jax.block_until_ready(program(args[0], args[1:], weights))  # noqa: E731
    # With a cache, this may be the time to read a program.
    seconds = None if os.environ.get("JAX_COMPILATION_CACHE_DIR") else time.perf_counter() - start
    return Contender(lambda args: jax.block_until_ready(forward(*args)), both, seconds)


def torch_contenders(rank: int, iterations: tuple[int, ...]) -> dict[str, Contender]:
    """PyTorch's functions of tensors, on the same device; none where it is not installed.

    `svd_lowrank` takes part with each `niter` of `iterations`, too.
    """
    peers = torch_svds(rank)
    if not peers:
        return {}
    import torch  # pyright: ignore[reportMissingImports]

    on_gpu = torch_device() == "cuda"
    finish = torch.cuda.synchronize if on_gpu else lambda: None
    if on_gpu:
        peers["torch.linalg.svd gesvda"] = partial(peers["torch.linalg.svd"], driver="gesvda")
    for niter in iterations:
        peers[f"torch.svd_lowrank, niter {niter}"] = partial(peers["torch.svd_lowrank"], niter=niter)

    def contender(svd: Callable[[Any], Factors]) -> Contender:
        def forward(args: Any) -> Factors:
            factors = svd(*args)
            finish()
            return factors

        def gradient(args: Any, weights: Any) -> None:
            torch_gradient(lambda a: weighted(svd(a), weights), *args)
            finish()

        return Contender(forward, gradient, None)

    return {name: contender(svd) for name, svd in peers.items()}


def as_tensor(x: np.ndarray) -> Any:
    """A tensor on the device that PyTorch computes on."""
    import torch  # pyright: ignore[reportMissingImports]

    return torch.from_numpy(x).to(torch_device())


def on_host(x: Any) -> np.ndarray:
    """An array of JAX or PyTorch in float64."""
    return np.asarray(x.cpu() if hasattr(x, "cpu") else x, np.float64)
