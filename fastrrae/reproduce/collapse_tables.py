"""Tables of our own on posterior collapse: does the truncated SVD make it less likely, as the VRRAE paper says?"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..config import SourceName
from ..evaluation.collapse_plot import draw_panels
from ..evaluation.results import Evaluation
from ..evaluation.results_table import Column, ResultsTable
from ..evaluation.sweep_plots import Curve
from ..metrics.latent_space import ACTIVE
from ..run import Run
from .specification import RowSpec, TablePicture, TableSpec
from .vrrae_paper import TEST_COLUMN

COLLAPSED = "collapsed coordinates, %"
NO_INFORMATION = 0.01  # nats: a coordinate whose KL term is smaller hardly depends on the sample
RANKS = (2, 8, 32, 64)
BETAS = (1e-6, 1e-4, 1e-2, 1e-1)


def _collapsed(evaluation: Evaluation) -> float | None:
    """The share of coordinates whose posterior is the prior, whatever the sample, in per cent."""
    kl = evaluation.latent.kl_per_dimension
    return None if kl is None else 100 * sum(value < NO_INFORMATION for value in kl) / len(kl)


def _spread(evaluation: Evaluation) -> float | None:
    """The smallest standard deviation of a coordinate's means, in per cent of the largest."""
    deviations = evaluation.latent.deviation_of_means
    return 100 * min(deviations) / max(deviations) if max(deviations) > 0 else None


def _table(source: SourceName, steps: int, network: dict[str, Any], remark: str) -> TableSpec:
    def row(name: str, model: str, beta: float | None, **options: int) -> RowSpec:
        weights = {} if beta is None else {"kl": beta}
        return RowSpec(name, model, weights=weights, options=options, training={"steps": steps}, network=network)

    rows: list[RowSpec] = []
    for rank in RANKS:
        rows.append(row(f"ae, rank {rank}", "ae", None, rank=rank))
        for beta in BETAS:
            rows.append(row(_name("vae", rank, beta), "vae", beta, rank=rank))
            rows.append(row(_name("vrrae", rank, beta), "vrrae", beta, rank=rank, latent_size=max(RANKS)))
    return TableSpec(
        f"collapse-{source}",
        f"Posterior collapse by model, rank and weight of the KL term: {source}",
        recipe=source,
        columns=(
            Column(COLLAPSED, _collapsed, 1),
            Column("KL, nats", lambda evaluation: evaluation.latent.kl, 1),
            Column("active units", lambda evaluation: evaluation.latent.active_units, 1),
            Column("smallest spread of means, %", _spread, 1),
            Column("effective rank", lambda evaluation: evaluation.latent.effective_rank, 1),
            TEST_COLUMN,
        ),
        rows=tuple(rows),
        seeds=5,
        evaluated_by="brief",
        remarks=(
            f"Collapsed: coordinates whose KL term, averaged over the training set, is below {NO_INFORMATION} nats",
            f"Active units: coordinates whose means have a variance above {ACTIVE} over the training set",
            "Smallest spread of means: the smallest standard deviation of a coordinate's means over the training set, "
            "in per cent of the largest",
            f"{remark}; the latent vectors of a VRRAE have {max(RANKS)} values",
        ),
        pictures=(
            TablePicture(
                "collapse",
                "Collapsed coordinates and test error over the weight of the KL term, by rank.",
                _draw,
                ("vae", "vrrae"),
            ),
        ),
    )


def _name(model: str, rank: int, beta: float) -> str:
    return f"{model}, rank {rank}, beta {beta:g}"


def _draw(table: ResultsTable, runs: Mapping[str, Run], path: Path) -> None:
    values = {row.name: row.values for row in table.rows}
    panels: dict[str, dict[str, dict[str, Curve]]] = {}
    for column in (COLLAPSED, TEST_COLUMN.name):
        for rank in RANKS:
            for model in ("vae", "vrrae"):
                points = [
                    (beta, value)
                    for beta in BETAS
                    for value in values.get(_name(model, rank, beta), {}).get(column, [])
                ]
                if points:
                    x, y = zip(*points, strict=True)
                    panels.setdefault(column, {}).setdefault(f"rank {rank}", {})[model.upper()] = Curve(x, y)
    draw_panels(panels, "weight of the KL term", path)


COLLAPSE_TABLES = (
    _table("digits", 1000, {}, "The recipe's network, 1000 steps"),
    _table(
        "gaussians",
        2000,
        {"network": "mlp", "encoder_widths": (256,), "decoder_widths": (256, 256)},
        "An MLP, which trains in a tenth of the time of the paper's convolutions; 2000 steps, 100 samples",
    ),
)
