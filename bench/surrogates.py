"""How wrong are fields predicted from parameters, next to POD of the same and of larger ranks, and what does it cost?

The recipes `pulse` (ranks 2 and 4) and `diffusion` (rank 3), three seeds each. All coefficients, those of POD as well,
are interpolated by the same radial basis functions. Then the inverse problem: the parameters of test fields with 5 %
noise.

    python bench/surrogates.py [--smoke] [--seeds 3] [--out FILE]
"""

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from timing import describe_machine

from fastrrae import RECIPES, Dataset, Run, RunConfig, load_dataset, load_run, train
from fastrrae.evaluation.surrogate_errors import Predictions, surrogate_errors
from fastrrae.host_memory import keep_freed_memory
from fastrrae.surrogates import Surrogate

CASES = (("pulse", 2), ("pulse", 4), ("diffusion", 3))
METHODS = ("rbf", "linear", "gp")
NOISE = 0.05  # relative to the norm of the field


def config_of(recipe: str, rank: int, seed: int, *, smoke: bool) -> RunConfig:
    """The recipe with another rank and seed; three steps for a quick look."""
    config = RECIPES[recipe].config
    training = replace(config.training, seed=seed, steps=3 if smoke else config.training.steps)
    return replace(config, model=replace(config.model, rank=rank), training=training)


def measure(recipe: str, rank: int, seed: int, *, smoke: bool) -> dict[str, Any]:
    """One row: seconds from nothing to a trained run, errors in per cent, and how near parameters are recovered."""
    config, dataset = config_of(recipe, rank, seed, smoke=smoke), load_dataset(RECIPES[recipe].config.data)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter(), time.process_time()
        train(config, dataset, Path(folder) / "run", quiet=True)
        seconds, processor_seconds = time.perf_counter() - start[0], time.process_time() - start[1]
        run = load_run(Path(folder) / "run")
        predictions = Predictions.of(run, dataset)
        assert predictions is not None
        errors = surrogate_errors(predictions, dataset)
        return {
            "recipe": recipe,
            "rank": rank,
            "seed": seed,
            "training_seconds": seconds,
            "processor_seconds": processor_seconds,
            "reconstruction_error": error_of(run, dataset, run.reconstruct(np.asarray(dataset.test))),
            "predicted": errors.error.overall,
            "predicted_by_method": {name: error_by(run, dataset, name) for name in METHODS[: 1 if smoke else None]},
            "pod": {rank: {"predicted": e.interpolated, "projected": e.projected} for rank, e in errors.pod.items()},
            "recovered": recovered(predictions.surrogate, dataset, 2 if smoke else 20),
        }


def error_by(run: Run, dataset: Dataset, method: str) -> float:
    """The error of the fields that a method predicts for the test parameters, in per cent."""
    return error_of(run, dataset, run.surrogate(method).predict(dataset.parameters["test"]))


def error_of(run: Run, dataset: Dataset, fields: np.ndarray) -> float:
    """Of fields in the place of the test samples, in normalised values and per cent."""
    given, found = run.normalisation.apply(dataset.test[:]), run.normalisation.apply(fields)
    return 100 * float(np.linalg.norm(found - given) / np.linalg.norm(given))


def recovered(surrogate: Surrogate, dataset: Dataset, count: int) -> dict[str, Any]:
    """Errors of parameters found from noisy test fields, in per cent of their ranges: median and largest."""
    rng = np.random.default_rng(0)
    errors, seconds = [], []
    for field, parameters in zip(dataset.test[:count], dataset.parameters["test"][:count], strict=True):
        noise = rng.standard_normal(field.shape)
        noisy = field + NOISE * np.linalg.norm(field) / np.linalg.norm(noise) * noise
        start = time.perf_counter()
        found = surrogate.recover(noisy).parameters
        seconds.append(time.perf_counter() - start)
        errors.append(100 * np.abs(found - parameters) / surrogate.space.span)
    names = surrogate.parameter_names
    return {
        "fields": count,
        "noise_percent": 100 * NOISE,
        "median_seconds": float(np.median(seconds)),
        "median": dict(zip(names, np.median(errors, axis=0).tolist(), strict=True)),
        "largest": dict(zip(names, np.max(errors, axis=0).tolist(), strict=True)),
    }


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="three steps, one recipe and one seed: does it run")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "surrogates-cpu.json")
    options = parser.parse_args()
    keep_freed_memory()
    pod = "POD of 1, 2, 4, 8 times the rank"
    print(f"{'recipe':10} rank seed {'predicted':>10}  {pod:34} {'recovered':>10} {'time':>7}")
    rows = []
    for recipe, rank in CASES[: 1 if options.smoke else None]:
        for seed in range(1 if options.smoke else options.seeds):
            row = measure(recipe, rank, seed, smoke=options.smoke)
            rows.append(row)
            pod = ", ".join(f"{errors['predicted']:.1f}" for errors in row["pod"].values())
            worst = max(row["recovered"]["median"].values())
            print(
                f"{recipe:10} {rank:4} {seed:4} {row['predicted']:8.2f} %  {pod + ' %':34} {worst:8.2f} % "
                f"{row['training_seconds']:5.0f} s",
                flush=True,
            )
    options.out.parent.mkdir(exist_ok=True)
    result = {"machine": describe_machine(), "rows": rows}
    options.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
