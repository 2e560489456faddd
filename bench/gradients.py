"""How wrong are the gradients of a truncated SVD, by rule, near a closing gap, at ties, and in float32?

The loss weighs every entry of the approximation `(u * s) @ vt` of rank k, so it has a derivative wherever
s_k > s_{k+1}. The truth is a central difference in float64 of the approximation by LAPACK; the error is that of the
directional derivative, relative, the largest over a few random directions.

    python bench/gradients.py [--smoke] [--out FILE]
"""

import argparse
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from svd_peers import dropping_the_rest, full_svd, gram_by_hand, product, torch_gradient, torch_svds
from timing import describe_machine

from fastrrae_kernels import Exact, Gram, Randomized, low_rank, reference, truncated_svd

M, N, RANK, DIRECTIONS = 30, 50, 4, 5
PRECISE = Randomized(tolerance=1e-10, iterations=2000)


RULES: dict[str, Callable[[jax.Array], jax.Array]] = {
    "low_rank Exact()": lambda a: low_rank(a, RANK, method=Exact()),
    "low_rank Gram()": lambda a: low_rank(a, RANK, method=Gram()),
    "low_rank Randomized(tolerance=1e-10)": lambda a: low_rank(a, RANK, method=PRECISE),
    "truncated_svd Exact()": lambda a: product(truncated_svd(a, RANK, method=Exact())),
    "jnp.linalg.svd, sliced": lambda a: product(full_svd(a, RANK)),
    "eigh of the Gram matrix": lambda a: product(gram_by_hand(a, RANK)),
    "rule without the discarded part": lambda a: product(dropping_the_rest(a, RANK)),
}


def spectrum(gap: float, kept_gap: float) -> np.ndarray:
    """Kept values from 2 down to 1, the last two `kept_gap` apart; the first discarded one is `1 - gap`."""
    kept = np.concatenate([np.linspace(2, 1.4, RANK - 2), [1 + kept_gap, 1]])
    return np.concatenate([kept, (1 - gap) * np.linspace(1, 0.3, min(M, N) - RANK)])


def cases() -> dict[str, np.ndarray]:
    """Matrices by name: the boundary gap closing, two kept values meeting, rank k exactly."""
    rng = np.random.default_rng(0)
    left = np.linalg.qr(rng.standard_normal((M, M)))[0]
    right = np.linalg.qr(rng.standard_normal((N, M)))[0]
    spectra = {f"boundary gap {gap:.0e}": spectrum(gap, 0.2) for gap in (0.5, 1e-1, 1e-2, 1e-3)}
    spectra |= {f"kept values {gap:.0e} apart": spectrum(0.5, gap) for gap in (1e-3, 1e-6, 1e-9)}
    spectra["kept values tied"] = spectrum(0.5, 0.0)
    spectra["rank k exactly"] = np.where(np.arange(M) < RANK, spectrum(0.5, 0.2), 0)
    return {name: (left * s) @ right.T for name, s in spectra.items()}


def slopes(a: np.ndarray, weights: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """The truth: central differences in float64, with a step far below the gap."""
    values = np.linalg.svd(a, compute_uv=False)
    step = 1e-5 * min(1.0, max(values[RANK - 1] - values[RANK], 1e-3))

    def loss(a: np.ndarray) -> float:
        return float(np.sum(weights * reference.low_rank(a, RANK)))

    return np.array([(loss(a + step * d) - loss(a - step * d)) / (2 * step) for d in directions])


def error(gradient: Any, directions: np.ndarray, truth: np.ndarray) -> float:
    """The largest error of a directional derivative, relative to the largest of them; NaN where it is not finite."""
    found = np.einsum("dmn,mn->d", directions, np.asarray(gradient, np.float64))
    return float(np.abs(found - truth).max() / np.abs(truth).max())


def torch_errors(a: np.ndarray, weights: np.ndarray, directions: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """The same for PyTorch's rules, where it is installed."""
    out = {}
    for name, svd in torch_svds(RANK).items():
        import torch  # pyright: ignore[reportMissingImports]

        towards = torch.from_numpy(weights)
        gradient = torch_gradient(lambda a, svd=svd, w=towards: (w * product(svd(a))).sum(), torch.from_numpy(a))
        out[name] = error(gradient.numpy(), directions, truth)
    return out


def _gradient(approximate: Callable[[jax.Array], jax.Array], weights: np.ndarray, a: np.ndarray) -> jax.Array:
    return jax.jit(jax.grad(lambda a: jnp.sum(weights * approximate(a))))(jnp.asarray(a))


def measure(cases: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """One row per case, type and rule."""
    rng = np.random.default_rng(1)
    weights, directions = rng.standard_normal((M, N)), rng.standard_normal((DIRECTIONS, M, N))
    rows = []
    for case, exact in cases.items():
        for dtype in ("float64", "float32"):
            a = np.asarray(exact, dtype)
            truth = slopes(np.asarray(a, np.float64), weights, directions)
            scale = weights.astype(dtype)
            found = {rule: error(_gradient(f, scale, a), directions, truth) for rule, f in RULES.items()}
            found |= torch_errors(a, scale, directions, truth)
            rows += [{"case": case, "dtype": dtype, "rule": rule, "error": value} for rule, value in found.items()]
    return rows


def show(rows: list[dict[str, Any]]) -> None:
    """Print a table: a line for each rule and type, a column for each case."""
    names = list(dict.fromkeys(r["case"] for r in rows))
    print(f"{'':46}" + "".join(f"{name.replace('kept values', 'kept').replace('boundary ', ''):>17}" for name in names))
    for dtype in ("float64", "float32"):
        for rule in dict.fromkeys(r["rule"] for r in rows):
            chosen = {r["case"]: r["error"] for r in rows if (r["rule"], r["dtype"]) == (rule, dtype)}
            print(f"{dtype} {rule:38}" + "".join(f"{chosen[name]:17.0e}" for name in names))


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Errors by case; what is not finite is drawn on the upper edge."""
    names = list(dict.fromkeys(r["case"] for r in rows))
    figure, axes = plt.subplots(1, 2, figsize=(13, 4.6), sharey=True)
    for axis, dtype in zip(axes, ("float64", "float32"), strict=True):
        for rule in dict.fromkeys(r["rule"] for r in rows):
            chosen = {r["case"]: r["error"] for r in rows if (r["rule"], r["dtype"]) == (rule, dtype)}
            heights = [min(max(chosen[n], 1e-16), 1e4) if np.isfinite(chosen[n]) else 1e4 for n in names]
            axis.semilogy(names, heights, "o-" if "low_rank" in rule else "x--", label=rule, alpha=0.8)
        axis.set_title(dtype)
        axis.tick_params(axis="x", rotation=60)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("relative error of the gradient")
    axes[1].legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    """Measure, print a table, write JSON and a plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "gradients.json")
    parser.add_argument("--smoke", action="store_true", help="one case: does it run")
    options = parser.parse_args()
    out = options.out
    measured = dict(itertools.islice(cases().items(), 1 if options.smoke else None))
    with jax.enable_x64(True):
        rows = measure(measured)
    show(rows)
    out.parent.mkdir(exist_ok=True)
    finite = [row | {"error": row["error"] if np.isfinite(row["error"]) else None} for row in rows]
    out.write_text(json.dumps({"machine": describe_machine(), "rows": finite}, indent=2) + "\n")
    plot(rows, out.with_suffix(".png"))


if __name__ == "__main__":
    main()
