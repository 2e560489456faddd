"""How fast is the truncated SVD with its derivative, and how accurate, beside what people write without it?

Every contender runs in the same process, on the same matrices (float32, standard normal, `specs.SHAPES`), with threads
as JAX sets them. The error of singular values is relative to the largest, against float64 LAPACK.

    python bench/svd.py [--out bench/results/svd-cpu.json]
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from timing import describe_machine, median_ms

from fastrrae_kernels import Exact, Gram, low_rank, reference, specs, truncated_svd

Factors = tuple[jax.Array, jax.Array, jax.Array]


def full_svd(a: jax.Array, rank: int) -> Factors:
    """The plain way: the whole SVD, sliced."""
    u, s, vt = jnp.linalg.svd(a, full_matrices=False)
    return u[:, :rank], s[:rank], vt[:rank]


def gram_by_hand(a: jax.Array, rank: int) -> Factors:
    """`eigh` of the small-side Gram matrix in float32."""
    if a.shape[0] > a.shape[1]:
        v, s, ut = gram_by_hand(a.T, rank)
        return ut.T, s, v.T
    w, u = jnp.linalg.eigh(a @ a.T)
    u, s = u[:, ::-1][:, :rank], jnp.sqrt(jnp.maximum(w[::-1][:rank], 1e-30))
    return u, s, (u.T @ a) / s[:, None]


SVDS: dict[str, Callable[[jax.Array, int], Factors]] = {
    "jnp.linalg.svd": full_svd,
    "eigh of the Gram matrix": gram_by_hand,
    "truncated_svd Exact()": lambda a, rank: truncated_svd(a, rank, method=Exact()),
    "truncated_svd Gram()": lambda a, rank: truncated_svd(a, rank, method=Gram()),
}


def measure(shape: specs.Shape) -> list[dict[str, Any]]:
    """One row per contender: milliseconds forward, and forward with the gradient of a weighted product."""
    exact = specs.gaussian_matrix(shape.m, shape.n)
    a, w = jnp.asarray(exact, jnp.float32), jnp.asarray(specs.gaussian_matrix(shape.m, shape.n, 1), jnp.float32)
    values = reference.truncated_svd(np.asarray(a, np.float64), shape.k)[1]

    def row(name: str, forward: Callable[[jax.Array], Any], product: Callable[[jax.Array], jax.Array], s: Any) -> dict:
        error = None if s is None else float(np.abs(np.asarray(s, np.float64) - values).max() / values[0])
        return {
            "shape": shape.name,
            "contender": name,
            "forward_ms": median_ms(jax.jit(forward), a),
            "forward_and_gradient_ms": median_ms(jax.jit(jax.grad(lambda a: jnp.sum(w * product(a)))), a),
            "singular_value_error": error,
        }

    rows = []
    for name, svd in SVDS.items():

        def product(a: jax.Array, svd=svd) -> jax.Array:
            u, s, vt = svd(a, shape.k)
            return (u * s) @ vt

        rows.append(row(name, lambda a, svd=svd: svd(a, shape.k), product, svd(a, shape.k)[1]))
    rows.append(row("low_rank", lambda a: low_rank(a, shape.k), lambda a: low_rank(a, shape.k), None))
    return rows


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "svd-cpu.json")
    out = parser.parse_args().out
    rows = [row for shape in specs.SHAPES for row in measure(shape)]
    print(f"{'shape':10} {'contender':26} {'forward':>10} {'+ gradient':>11} {'error of s':>11}")
    for row in rows:
        error = "" if row["singular_value_error"] is None else f"{row['singular_value_error']:.1e}"
        print(
            f"{row['shape']:10} {row['contender']:26} {row['forward_ms']:7.2f} ms "
            f"{row['forward_and_gradient_ms']:8.2f} ms {error:>11}"
        )
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps({"machine": describe_machine(), "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
