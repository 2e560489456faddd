"""How fast is the truncated SVD of a large matrix with a rank far below its smaller side, at which error?

Ours and torch.svd_lowrank (where PyTorch is installed), scikit-learn and SciPy run in the same process on the same
float32 matrices, one after the other in each round; times are medians. The error is the largest difference of a kept
singular value from the true one, over the largest; and the excess of the approximation's error over the optimum.

    python bench/large_svd.py [--repeats 5] [--shapes tall,square] [--decays harmonic] [--smoke] [--out FILE]
"""

import argparse
import importlib.util
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.fft
import scipy.sparse.linalg
from sklearn.utils.extmath import randomized_svd
from timing import describe_machine, interleaved_ms

from fastrrae_kernels import Randomized, low_rank, truncated_svd

SHAPES = {
    "tall": (20000, 500, 20),
    "very tall": (100000, 512, 16),
    "square": (4096, 4096, 32),
    "wide": (2000, 8000, 50),
}
SMALL = {"small": (60, 40, 4)}

DECAYS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "0.8^i": lambda i: 0.8**i,
    "harmonic": lambda i: 1 / (1 + i),
    "exp(-i/20)": lambda i: np.exp(-i / 20),
    "1/sqrt(i)": lambda i: (1 + i) ** -0.5,
    "rank and noise": lambda i: np.where(i < 20, 1.0, 1e-3),
}


def with_spectrum(values: np.ndarray, m: int, n: int) -> np.ndarray:
    """A float32 matrix with given singular values; its vectors are cosine transforms with random signs."""
    rng, d = np.random.default_rng(0), len(values)
    a: Any = np.zeros((m, n), np.float32)
    a[np.arange(d), np.arange(d)] = values
    for axis in (0, 1):
        signs = rng.choice([-1.0, 1.0], a.shape[axis]).astype(np.float32)
        a = scipy.fft.dct(a * np.expand_dims(signs, 1 - axis), norm="ortho", axis=axis)
        a = scipy.fft.dct(a * np.expand_dims(signs[::-1], 1 - axis), norm="ortho", axis=axis)
    return np.ascontiguousarray(a, np.float32)


def contenders(a: np.ndarray, k: int) -> dict[str, Callable[[], Any]]:
    """Calls that return (u, s, vt)."""
    on_device = jnp.asarray(a)
    calls: dict[str, Callable[[], Any]] = {}
    for name, options in {"Randomized()": {"method": Randomized()}, "Auto()": {}}.items():
        run = jax.jit(lambda a, options=options: truncated_svd(a, k, **options))
        calls[name] = lambda run=run: run(on_device)
    gradient = jax.jit(jax.grad(lambda a: jnp.sum(low_rank(a, k, method=Randomized()) ** 3)))
    calls["Randomized(), low_rank and gradient"] = lambda: gradient(on_device)
    calls["sklearn randomized_svd"] = lambda: randomized_svd(a, k, random_state=0)

    def svds() -> Any:
        found: Any = scipy.sparse.linalg.svds(a, k)
        u, s, vt = found
        return u[:, ::-1], s[::-1], vt[::-1]

    calls["scipy svds"] = svds
    if importlib.util.find_spec("torch") is not None:
        import torch  # pyright: ignore[reportMissingImports]

        tensor = torch.from_numpy(a)
        for niter in (1, 2, 4):

            def lowrank(niter: int = niter) -> Any:
                u, s, v = torch.svd_lowrank(tensor, q=k, niter=niter)
                return u.numpy(), s.numpy(), v.numpy().T

            calls[f"torch.svd_lowrank(niter={niter})"] = lowrank
    return calls


def measure(shape: str, decay: str, repeats: int) -> list[dict[str, Any]]:
    """One row a contender."""
    m, n, k = (SHAPES | SMALL)[shape]
    values = DECAYS[decay](np.arange(min(m, n), dtype=np.float64))
    a = with_spectrum(values, m, n)
    calls = contenders(a, k)
    rows = []
    for name, ms in interleaved_ms(calls, repeats).items():
        row = {"shape": shape, "m": m, "n": n, "k": k, "decay": decay, "contender": name, "ms": ms}
        if "gradient" not in name:
            u, s, vt = (np.asarray(x) for x in calls[name]())
            row["singular_value_error"] = float(np.abs(s - values[:k]).max() / values[0])
            row["excess_over_optimum"] = float(np.linalg.norm(a - (u * s) @ vt) / np.linalg.norm(values[k:]) - 1)
        rows.append(row)
        print(json.dumps(row), flush=True)
    return rows


def main() -> None:
    """Measure, print a line a result, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "large-svd-cpu.json")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--shapes", default=",".join(SHAPES))
    parser.add_argument("--decays", default=",".join(DECAYS))
    parser.add_argument("--smoke", action="store_true", help="one small matrix, each call once: does it run")
    args = parser.parse_args()
    if args.smoke:
        args.shapes, args.decays, args.repeats = ",".join(SMALL), "harmonic", 1
    load = os.getloadavg()[0]
    rows = [r for s in args.shapes.split(",") for d in args.decays.split(",") for r in measure(s, d, args.repeats)]
    about = describe_machine() | {"load_average_at_start": load, "load_average_at_end": os.getloadavg()[0]}
    args.out.write_text(json.dumps({"machine": about, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
