"""The pictures of a surrogate: predicted fields next to those of POD, and coefficients over parameters."""

import numpy as np

from ..data import Dataset
from ..run import Run
from . import plots
from .html_page import PictureSection
from .surrogate_errors import METHOD, Predictions

SHOWN = 10  # fields in a row
MOST_POINTS = 2000


def draw_surrogate(run: Run, dataset: Dataset, predictions: Predictions | None) -> list[PictureSection]:
    """Draw `predicted_fields.png` and `parameters.png` into the run's `figures/`; nothing without predictions."""
    if predictions is None:
        return []
    folder = run.folder.figures
    shown = np.asarray(dataset.test[:SHOWN])
    ranks = predictions.ranks
    compared = sorted({ranks[0], ranks[min(2, len(ranks) - 1)]})
    rows = {"simulated": shown, f"rank {run.rank}": predictions.fields(SHOWN)}
    rows |= {f"POD {rank}": predictions.pod_fields(SHOWN, rank, run.sample_shape) for rank in compared}
    plots.draw_rows(rows, folder / "predicted_fields.png")
    space = predictions.surrogate.space
    points, coefficients = space.training[:MOST_POINTS], run.training_coefficients[:MOST_POINTS]
    plots.draw_over_parameters(points, coefficients, folder / "parameters.png", names=space.names)
    return [
        PictureSection(
            "Predicted fields",
            folder / "predicted_fields.png",
            f"Test samples; what the run predicts from their parameters alone; and what POD of rank "
            f"{' and '.join(map(str, compared))} predicts, with the same interpolation ({METHOD}).",
        ),
        PictureSection(
            "Coefficients over parameters", folder / "parameters.png", "Of the training set, which is interpolated."
        ),
    ]
