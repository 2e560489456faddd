"""How often do loops run whose end a TPU program decides as it runs? Counted by the interpreter, on named matrices.

JAX_PLATFORMS=cpu python bench/loop_counts.py [--shapes gaussians,mnist] [--smoke] [--out FILE]
"""

import argparse
import json
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from timing import describe_machine

from fastrrae_kernels import specs
from fastrrae_kernels.matrices import matmul
from fastrrae_kernels.tpu.eigenbasis import Effort, eigenbasis_and_effort
from fastrrae_kernels.tpu.gram_in_float32 import ROTATED
from fastrrae_kernels.tpu.products import gram, product


def singular_values(p: int, k: int) -> dict[str, np.ndarray]:
    """Spectra of p values with the rank k, by name."""
    i = np.arange(p)
    return {
        "1/i": 1 / (1.0 + i),
        "0.97^i": 0.97**i,
        "1e-3 at the rank": 10 ** (-3.0 * i / max(1, k - 1)),
        "knee at the rank": np.where(i < k, 1 - 0.5 * i / k, 0.01 * (1 - 0.5 * i / p)),
        "uneven power law": (1.0 + i) ** -1.257 * np.exp(0.1 * np.sin(1.7 * i)),
    }


def named_matrices(p: int, q: int, k: int, seed: int = 7) -> dict[str, np.ndarray]:
    """Matrices (p, q), p <= q, float32, of entries around one."""
    left = np.linalg.qr(specs.gaussian_matrix(p, p, seed))[0]
    right = np.linalg.qr(specs.gaussian_matrix(q, p, seed + 1))[0]
    found = {name: (left * s) @ right.T for name, s in singular_values(p, k).items()}
    found = {"random": specs.gaussian_matrix(p, q, seed), **found}
    return {name: (a / 2 ** np.floor(np.log2(np.abs(a).max()))).astype(np.float32) for name, a in found.items()}


def loop_counts(shape: specs.Shape, sharded: bool = False) -> dict[str, dict[str, float]]:
    """For each named matrix of a shape, how often each loop runs, by the names that `program_parts` takes.

    Where rows are sharded, the sum of their Gram matrices is all that is decomposed.
    """
    p, q = sorted((shape.m, shape.n))
    multiply = partial(product, interpret=True)

    @jax.jit
    def effort(a: jax.Array) -> Effort:
        own = gram(a, interpret=True)

        def in_basis(basis: jax.Array) -> jax.Array:
            if sharded:
                return matmul(matmul(basis, own), basis.T)
            return gram(multiply(basis, a), interpret=True)

        if sharded:
            return eigenbasis_and_effort(own, in_basis, floor=1.0, interpret=True)[1]
        return eigenbasis_and_effort(own, in_basis, floor=ROTATED**2, rank=shape.k, interpret=True)[1]

    matrices = named_matrices(p, q, shape.k)
    return {name: _by_scope(effort(jnp.asarray(a))) for name, a in matrices.items()}


def _by_scope(effort: Effort) -> dict[str, float]:
    counts = {
        "polish": effort.polishes,
        "polish/orthonormalise": effort.newton_schulz,
        "polish/turn": effort.turns,
        "polish/turn/resolve": effort.resolved,
        "polish/turn/resolve/orthonormalise": effort.newton_schulz_resolved,
        "tridiagonal_eigenvectors": effort.passes,
        "polish/turn/resolve/tridiagonal_eigenvectors": effort.passes_resolved / max(1, int(effort.resolved)),
        "jacobi": effort.jacobi,
        "jacobi/jacobi_eigh": effort.sweeps / max(1, int(effort.jacobi)),
        "gram_schmidt": 1,  # whether rows are straight up to first order: these matrices are not rank deficient
    }
    return {name: float(count) for name, count in counts.items()}


def main() -> None:
    """Count, print a line for each matrix, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", default=",".join(shape.name for shape in specs.SHAPES))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "loop-counts.json")
    parser.add_argument("--smoke", action="store_true", help="one small shape: does it run")
    options = parser.parse_args()
    shapes = [shape for shape in specs.SHAPES if shape.name in options.shapes.split(",")]
    if options.smoke:
        shapes = [specs.Shape("small", 9, 12, 3)]
    rows = []
    for shape in shapes:
        for sharded in (False, True):
            for matrix, counts in loop_counts(shape, sharded).items():
                rows.append({"shape": shape.name, "sharded": sharded, "matrix": matrix, "counts": counts})
                print(f"{shape.name:10} {'sharded' if sharded else '':7} {matrix:18} {json.dumps(counts)}", flush=True)
    options.out.write_text(json.dumps({"machine": describe_machine(), "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
