"""How often do loops run whose end a TPU program decides as it runs? Counted by the interpreter, on named matrices.

JAX_PLATFORMS=cpu python bench/loop_counts.py [--shapes gaussians,mnist] [--smoke] [--out FILE]
"""

import argparse
import json
from pathlib import Path

from timing import describe_machine

from fastrrae.plan.svd_loops import NAMES, loop_counts
from fastrrae_kernels import specs


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
            for matrix in NAMES:
                counts = loop_counts(matrix, shape.m, shape.n, shape.k, sharded=sharded)
                rows.append({"shape": shape.name, "sharded": sharded, "matrix": matrix, "counts": counts})
                print(f"{shape.name:10} {'sharded' if sharded else '':7} {matrix:18} {json.dumps(counts)}", flush=True)
    options.out.write_text(json.dumps({"machine": describe_machine(), "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
