"""Look at a finished run: errors on its test sets, pictures, and the report."""

import json
from dataclasses import asdict
from typing import Any

import numpy as np

from ..data import Dataset
from ..run import Run
from ..run_folder import write_json
from ..training.metrics import read_metrics
from . import figures
from .interpolation import distant_pairs, interpolate
from .reconstruction import reconstruction_error
from .report import Picture, write_report

SHOWN = 10  # samples in a row of a picture
SAMPLES = 50
WAYS = 5


def evaluate(run: Run, dataset: Dataset) -> dict[str, Any]:
    """Write `evaluation.json`, `figures/*.png` and `report.html` of a run, and return what the first one holds."""
    results = measure(run, dataset)
    write_json(run.folder.evaluation, results)
    _report(run, results["reconstruction_errors"], _draw(run))
    return results


def measure(run: Run, dataset: Dataset) -> dict[str, Any]:
    """The errors of a run on all splits, and the protocol by which they were measured."""
    tests = {"test" if name == "test" else f"test ({name})": samples for name, samples in dataset.tests.items()}
    splits = {"train": dataset.train, **tests}
    errors = {
        name: reconstruction_error(run.model, samples, run.normalisation)._asdict() for name, samples in splits.items()
    }
    main = next(iter(tests))
    settings = run.config.evaluation
    return {
        "reconstruction_error": errors[main]["overall"],
        "reconstruction_errors": errors,
        "protocol": {
            "reconstruction_error": f"100 ||x' - x||_F / ||x||_F over all samples of {main}, in normalised values",
            "density": f"Gaussian mixture, {settings.mixture_components} components, full covariance, on the "
            f"coefficients of the training set, seed {settings.evaluation_seed}",
        },
    }


def draw_interpolations(run: Run, path, *, ways: int = WAYS, steps: int = SHOWN) -> None:
    """Straight ways in the space of coefficients between pairs of test samples that are far from each other."""
    coefficients = run.coefficients(run.examples)
    rows = {}
    for number, (i, j) in enumerate(distant_pairs(coefficients, ways), start=1):
        rows[f"{number}"] = run.decode(interpolate(coefficients[i], coefficients[j], steps))
    figures.draw_rows(rows, path)


def _draw(run: Run) -> list[Picture]:
    folder = run.folder.figures
    folder.mkdir(exist_ok=True)
    shown = run.examples[:SHOWN]
    config = run.config
    figures.draw_rows({"input": shown, "output": run.reconstruct(shown)}, folder / "reconstructions.png")
    figures.draw_grid(run.sample(SAMPLES), folder / "samples.png")
    draw_interpolations(run, folder / "interpolations.png")
    figures.draw_coefficients(run.training_coefficients, run.training_labels, folder / "coefficients.png")
    figures.draw_singular_values(run.singular_values, config.model.rank, folder / "singular_values.png")
    figures.draw_losses(read_metrics(run.folder.metrics), folder / "losses.png")
    components = min(config.evaluation.mixture_components, len(run.training_coefficients))
    return [
        Picture("Reconstructions", folder / "reconstructions.png", "Test samples, and what the model makes of them."),
        Picture(
            "Random samples",
            folder / "samples.png",
            f"Decoded draws from a Gaussian mixture ({components} components) fitted on the training coefficients.",
        ),
        Picture(
            "Interpolations",
            folder / "interpolations.png",
            "Straight lines between the coefficients of two test samples, far from each other.",
        ),
        Picture("Coefficients", folder / "coefficients.png", "The first two coefficients of every training sample."),
        Picture(
            "Latent singular values",
            folder / "singular_values.png",
            f"Of the latent matrix of the whole training set, before it is cut to rank {config.model.rank}.",
        ),
        Picture("Training", folder / "losses.png", "Each logged step is one batch."),
    ]


def _report(run: Run, errors: dict[str, dict[str, float]], pictures: list[Picture]) -> None:
    main = next(split for split in errors if split != "train")
    summary = json.loads(run.folder.summary.read_text())
    config = run.config
    latent = config.model.latent_size if config.model.model in ("rrae", "vrrae") else config.model.rank
    facts = {
        "reconstruction error, test": f"{errors[main]['overall']:.2f} %",
        "reconstruction error, train": f"{errors['train']['overall']:.2f} %",
        "coefficients per sample": f"{config.model.rank} of {int(np.prod(run.sample_shape))}",
        "parameters": f"{summary['parameters']:,}",
        "training steps": f"{summary['steps']:,}",
        "training time": f"{summary['seconds']:.0f} s",
    }
    write_report(
        run.folder.report,
        title=f"{config.model.model.upper()} on {config.recipe}",
        subtitle=f"rank {config.model.rank}, latent size {latent}, beta {config.objective.beta:g}, "
        f"batch size {config.training.batch_size}, seed {config.training.seed}",
        facts=facts,
        errors=errors,
        pictures=pictures,
        details={"Configuration": asdict(config), "Run": summary},
    )
