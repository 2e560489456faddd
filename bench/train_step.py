"""Where does a training step's time go, and how far is it from the machine's limit and from a plain implementation?

Synthetic samples of the right shape, VRRAE, the recipes' networks; both implementations in one process, threads as JAX
sets them. "plain" is the same network from Flax's own layers (`plain_networks.py`) with the SVD of `jnp.linalg`.

    python bench/train_step.py [--recipes gaussians,mnist] [--out FILE] [--precision bfloat16]
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from plain_networks import plain_twin
from svd_peers import full_svd, product
from timing import describe_machine, median_ms

from fastrrae import VRRAE, NetworkConfig, build_model, make_objective
from fastrrae.data import training_batches
from fastrrae.host_memory import keep_freed_memory
from fastrrae.models import Autoencoder, VariationalRankReduction
from fastrrae.models.svd_of_batch import low_rank_and_svd_of_batch
from fastrrae.training.forward import make_forward
from fastrrae.training.step import Step, StepOptions, TrainState, start_training
from fastrrae_kernels import TruncatedSVD


@dataclass(frozen=True)
class Case:
    """A recipe's shapes."""

    sample_shape: tuple[int, ...]
    batch_size: int
    rank: int
    latent_size: int
    decoder_widths: tuple[int, ...] | None = None


CASES = {
    "digits": Case((8, 8, 1), 64, 16, 32, (128, 64, 32)),
    "gaussians": Case((64, 64, 1), 64, 2, 200),
    "mnist": Case((28, 28, 1), 576, 16, 100),
    "cifar10": Case((32, 32, 3), 64, 60, 512),
    "celeba": Case((160, 160, 3), 576, 186, 512),
}
DEFAULT = "digits,gaussians,mnist,cifar10"  # celeba needs an accelerator, or patience and 16 GiB


def plain_low_rank_and_svd(
    a: jax.Array, rank: int, active_rank: jax.Array | None = None
) -> tuple[jax.Array, TruncatedSVD]:
    """The whole SVD, sliced, and multiplied: what automatic differentiation then goes through."""
    assert active_rank is None
    factors = full_svd(a, rank)
    return product(factors), TruncatedSVD(*factors)


def step_ms(step: Step, state: TrainState, x: Any, repeats: int) -> float:
    """Median wall time of a step, results waited for; the state is donated from step to step."""
    times = []
    for _ in range(repeats + 2):
        start = time.perf_counter()
        state, metrics = step(state, x)
        jax.block_until_ready(metrics)
        times.append(time.perf_counter() - start)
    return 1e3 * float(np.median(times[2:]))


def throughput(step: Step, state: TrainState, case: Case, steps: int) -> float:
    """Samples a second of a training loop with its input pipeline."""
    samples = np.random.default_rng(0).standard_normal((2 * case.batch_size, *case.sample_shape), np.float32)
    batches = training_batches(samples, batch_size=case.batch_size, seed=0, steps=steps + 1)
    state, metrics = step(state, next(batches))
    jax.block_until_ready(metrics)
    start = time.perf_counter()
    for x in batches:
        state, metrics = step(state, x)
    jax.block_until_ready(metrics)
    return steps * case.batch_size / (time.perf_counter() - start)


def parts_ms(model: Autoencoder, x: jax.Array, case: Case, truncate: Callable) -> dict[str, float]:
    """Milliseconds of the parts, each compiled alone: they add up to more than a step, which overlaps them."""
    run = nnx.jit(lambda module, x: module(x))
    z = run(model.encoder, x)

    def both(z: jax.Array) -> jax.Array:
        y, svd = truncate(z, case.rank, None)
        return jnp.sum(jnp.sin(y)) + jnp.sum(jnp.sin(svd.s))

    gradient = jax.jit(jax.grad(both))
    pipeline = training_batches(np.asarray(x), batch_size=case.batch_size, seed=0, steps=20)
    return {
        "encoder_ms": median_ms(run, model.encoder, x),
        "svd_ms": median_ms(gradient, z, repeats=25) - median_ms(jax.jit(jnp.copy), z, repeats=25),  # less a bare call
        "decoder_ms": median_ms(run, model.decoder, z),
        "input_ms": median_ms(lambda: next(pipeline)),
    }


def measure(name: str, case: Case, implementation: str, repeats: int, *, bfloat16: bool) -> dict[str, Any]:
    """One row of the table."""
    options = VRRAE(rank=case.rank, latent_size=case.latent_size)
    truncate = low_rank_and_svd_of_batch if implementation == "fastrrae" else plain_low_rank_and_svd
    model = build_model(
        options,
        case.sample_shape,
        network=NetworkConfig(decoder_widths=case.decoder_widths),
        bottleneck=lambda rngs: VariationalRankReduction(case.latent_size, case.rank, svd=truncate, rngs=rngs),
    )
    if implementation == "plain":
        model = plain_twin(model)
    x = jnp.asarray(np.random.default_rng(0).standard_normal((case.batch_size, *case.sample_shape)), jnp.float32)
    what = StepOptions(
        optax.adabelief(1e-3), make_objective(options.penalties(), {"kl": 1e-3}), make_forward(bfloat16=bfloat16)
    )
    state, step = start_training(model, what)
    start = time.perf_counter()
    compiled = step.lower(state, x).compile()  # pyright: ignore[reportFunctionMemberAccess]
    compile_seconds = time.perf_counter() - start
    memory, flops = compiled.memory_analysis(), compiled.cost_analysis().get("flops", 0.0)
    ms = step_ms(step, state, x, repeats)
    state, step = start_training(model, what)
    samples_per_second = throughput(step, state, case, max(3, min(100, round(3000 / ms))))
    parts = parts_ms(model, x, case, truncate)
    return {
        "recipe": name,
        "implementation": implementation,
        "precision": "bfloat16" if bfloat16 else "float32",
        "batch_size": case.batch_size,
        "median_ms": ms,
        "svd_share": parts["svd_ms"] / ms,
        "samples_per_second": samples_per_second,
        **parts,
        "compile_seconds": compile_seconds,
        "xla_gflop": flops / 1e9,
        "peak_mebibytes": (memory.temp_size_in_bytes + memory.argument_size_in_bytes) / 2**20,
    }


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", default=DEFAULT, help=f"of {', '.join(CASES)}, separated by commas")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "train-step-cpu.json")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    options = parser.parse_args()
    keep_freed_memory()
    a = jnp.asarray(np.random.default_rng(0).standard_normal((4096, 4096)), jnp.float32)
    gemm_ms = median_ms(jax.jit(lambda a: a @ a), a, repeats=5)
    print(f"4096^3 float32 product: {gemm_ms:.0f} ms, {2 * 4096**3 / gemm_ms / 1e6:.0f} GFLOP/s")
    print(f"{'recipe':10} {'implementation':15} {'step':>10} {'/ gemm':>7} {'SVD':>6} {'samples/s':>10} {'compile':>8}")
    rows = []
    for name in options.recipes.split(","):
        for implementation in ("fastrrae", "plain"):
            row = measure(name, CASES[name], implementation, options.repeats, bfloat16=options.precision == "bfloat16")
            rows.append(row)
            print(
                f"{name:10} {implementation:15} {row['median_ms']:7.1f} ms {row['median_ms'] / gemm_ms:7.2f} "
                f"{row['svd_share']:6.1%} {row['samples_per_second']:10.0f} {row['compile_seconds']:6.1f} s",
                flush=True,
            )
    options.out.parent.mkdir(exist_ok=True)
    result = {"gemm_4096_ms": gemm_ms, "machine": describe_machine(), "rows": rows}
    options.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
