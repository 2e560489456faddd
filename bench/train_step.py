"""Where does a training step's time go, and how far is it from the machine's limit and from a plain implementation?

Synthetic samples of the right shape, VRRAE, the recipes' networks, Adam; all implementations in one process, in turns.
"plain" is the same network from Flax's own layers (`plain_networks.py`) with the SVD of `jnp.linalg`; "PyTorch" is the
same network with the same weights in PyTorch (`torch_networks.py`), where installed: `pip install fastrrae[bench]`.

    python bench/train_step.py [--recipes gaussians,mnist] [--out FILE] [--precision bfloat16] [--smoke]
"""

import argparse
import copy
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
import torch_networks
from flax import nnx
from plain_networks import plain_twin
from svd_peers import full_svd, product, torch_device
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
KL_WEIGHT = 1e-3
PEERS = "plain,eager,compiled"  # plain Flax, and PyTorch in two ways
DEFAULT = "digits,gaussians,mnist,cifar10"  # celeba needs an accelerator, or patience and 16 GiB


def plain_low_rank_and_svd(
    a: jax.Array, rank: int, active_rank: jax.Array | None = None
) -> tuple[jax.Array, TruncatedSVD]:
    """The whole SVD, sliced, and multiplied: what automatic differentiation then goes through."""
    assert active_rank is None
    factors = full_svd(a, rank)
    return product(factors), TruncatedSVD(*factors)


def steps_ms(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median wall time of a step of each contender, in turns of four steps of which the first is not counted.

    Turns, since the load of a shared machine then hits all; the first step of a turn refills caches, and waits for
    the idle threads of the contender before it, which spin for a while.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(rounds + 1):
        for name, call in calls.items():
            for counted in (False, True, True, True):
                start = time.perf_counter()
                call()
                if counted and turn:  # the first turn compiles
                    times[name].append(time.perf_counter() - start)
    return {name: 1e3 * float(np.median(taken)) for name, taken in times.items()}


def jax_step(step: Step, state: TrainState, x: Any) -> Callable[[], Any]:
    """A call that takes one step and waits for it; the state is donated from step to step."""

    def call() -> None:
        nonlocal state
        state, metrics = step(state, x)
        jax.block_until_ready(metrics)

    return call


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


def measure(name: str, case: Case, repeats: int, *, bfloat16: bool, peers: str = PEERS) -> list[dict[str, Any]]:
    """A row for each contender."""
    options = VRRAE(rank=case.rank, latent_size=case.latent_size)
    x = jnp.asarray(np.random.default_rng(0).standard_normal((case.batch_size, *case.sample_shape)), jnp.float32)
    what = StepOptions(
        optax.adam(1e-3), make_objective(options.penalties(), {"kl": KL_WEIGHT}), make_forward(bfloat16=bfloat16)
    )
    calls: dict[str, Callable[[], Any]] = {}
    facts: dict[str, dict[str, Any]] = {}
    models = {"fastrrae": make_model(case, low_rank_and_svd_of_batch)}
    if "plain" in peers:
        models["plain"] = plain_twin(make_model(case, plain_low_rank_and_svd))
    for implementation, model in models.items():
        state, step = start_training(model, what)
        facts[implementation] = compiled_facts(step, state, x)
        calls[implementation] = jax_step(step, state, x)
    ways = [way for way in ("eager", "compiled")[: 1 + torch_networks.can_compile()] if way in peers]
    if ways and torch_networks.is_installed() and not bfloat16:
        loss_of = lambda model: what.objective(model, x, what.forward(model, x))[0]  # noqa: E731
        require_same_loss(models["fastrrae"], loss_of, x)
        for way in ways:
            twin = torch_networks.TorchTwin(models["fastrrae"], KL_WEIGHT)
            implementation = "PyTorch" if way == "eager" else "PyTorch, compiled"
            calls[implementation] = torch_networks.torch_step(twin, np.asarray(x), compiled=way == "compiled")
    milliseconds = steps_ms(calls, repeats)
    rows = []
    for implementation, ms in milliseconds.items():
        row = {"recipe": name, "implementation": implementation, "batch_size": case.batch_size, "median_ms": ms}
        row |= {"precision": "bfloat16" if bfloat16 else "float32", **facts.get(implementation, {})}
        if implementation in models:
            model = models[implementation]
            state, step = start_training(model, what)
            row["samples_per_second"] = throughput(step, state, case, max(3, min(100, round(3000 / ms))))
            truncate = low_rank_and_svd_of_batch if implementation == "fastrrae" else plain_low_rank_and_svd
            row |= parts_ms(model, x, case, truncate)
            row["svd_share"] = row["svd_ms"] / ms
        rows.append(row)
    return rows


def make_model(case: Case, truncate: Callable) -> Autoencoder:
    """A VRRAE with the recipe's networks, and a truncated SVD of choice."""
    return build_model(
        VRRAE(rank=case.rank, latent_size=case.latent_size),
        case.sample_shape,
        network=NetworkConfig(decoder_widths=case.decoder_widths),
        bottleneck=lambda rngs: VariationalRankReduction(case.latent_size, case.rank, svd=truncate, rngs=rngs),
    )


def compiled_facts(step: Step, state: TrainState, x: jax.Array) -> dict[str, float]:
    """What the compiler says of a step, and how long it took to say so."""
    start = time.perf_counter()
    compiled = step.lower(state, x).compile()  # pyright: ignore[reportFunctionMemberAccess]
    memory, flops = compiled.memory_analysis(), compiled.cost_analysis().get("flops", 0.0)
    return {
        "compile_seconds": time.perf_counter() - start,
        "xla_gflop": flops / 1e9,
        "peak_mebibytes": (memory.temp_size_in_bytes + memory.argument_size_in_bytes) / 2**20,
    }


def require_same_loss(model: Autoencoder, loss_of: Callable[[Autoencoder], jax.Array], x: jax.Array) -> None:
    """PyTorch's twin computes the same loss to rounding, where the noise is made too small to matter.

    On a GPU both multiply in TF32, whose rounding is a thousand times coarser.
    """
    quiet = copy.deepcopy(model)
    head = quiet.bottleneck.posterior.logvar_head  # pyright: ignore[reportAttributeAccessIssue]
    head.kernel.set_value(jnp.zeros_like(head.kernel[...]))
    head.bias.set_value(jnp.full_like(head.bias[...], -60))
    ours = float(nnx.jit(loss_of)(quiet))
    theirs = torch_networks.TorchTwin(quiet, KL_WEIGHT).loss(torch_networks.as_tensor(np.asarray(x))).item()
    tolerance = 1e-4 if torch_device() == "cpu" else 1e-2
    assert np.isclose(ours, theirs, rtol=tolerance), (ours, theirs)


def main() -> None:
    """Measure, print a table, write JSON."""
    keep_freed_memory()  # before JAX starts its threads
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", default=DEFAULT, help=f"of {', '.join(CASES)}, separated by commas")
    default = Path(__file__).parent / "results" / f"train-step-{jax.default_backend()}.json"
    parser.add_argument("--out", type=Path, default=default)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument(
        "--peers", default=PEERS, help="what fastrrae is compared with; compiled takes minutes on a GPU"
    )
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--smoke", action="store_true", help="the digits alone, each call a few times: does it run")
    options = parser.parse_args()
    if options.smoke:
        options.recipes, options.repeats = "digits", 1
    a = jnp.asarray(np.random.default_rng(0).standard_normal((4096, 4096)), jnp.float32)
    gemm_ms = median_ms(jax.jit(lambda a: a @ a), a, repeats=5)
    print(f"4096^3 float32 product: {gemm_ms:.0f} ms, {2 * 4096**3 / gemm_ms / 1e6:.0f} GFLOP/s")
    print(f"{'recipe':10} {'implementation':17} {'step':>10} {'/ gemm':>7} {'SVD':>6} {'samples/s':>10} {'compile':>8}")
    result: dict[str, Any] = {"gemm_4096_ms": gemm_ms, "machine": describe_machine(), "rows": []}
    options.out.parent.mkdir(exist_ok=True)
    for name in options.recipes.split(","):
        bfloat16 = options.precision == "bfloat16"
        for row in measure(name, CASES[name], options.repeats, bfloat16=bfloat16, peers=options.peers):
            result["rows"].append(row)
            print(
                f"{name:10} {row['implementation']:17} {row['median_ms']:7.1f} ms {row['median_ms'] / gemm_ms:7.2f}",
                f"{row['svd_share']:6.1%} {row['samples_per_second']:10.0f} {row['compile_seconds']:6.1f} s"
                if "svd_share" in row
                else "",
                flush=True,
            )
        options.out.write_text(json.dumps(result, indent=2) + "\n")  # after each recipe: the next one can take long


if __name__ == "__main__":
    main()
