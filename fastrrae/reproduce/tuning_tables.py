"""What better optimisation gains: the VRRAE paper's networks and epochs, with other schedules, rates and batches."""

from dataclasses import fields, replace
from typing import Any

from ..recipes import RECIPES
from .specification import RowSpec, TableSpec
from .vrrae_paper import REAL_COLUMNS, REAL_REMARKS, published_in_table2

_FREE = {"bounded_variance": False}  # variances as in the paper


def _tuning(source: str, parts: dict[str, tuple[str, ...]], also: tuple[RowSpec, ...] = ()) -> TableSpec:
    """Bounded variances and each part of the tuned recipe alone, then all of them, for the VRRAE and for its rivals.

    Args:
        source: the data; the recipes are that of the paper, `source`, and `source-tuned`.
        parts: by the name of the row, the fields of `TrainingConfig` that belong together.
        also: rows of the VRRAE with changes that are no part of the tuned recipe.
    """
    tuned = RECIPES[f"{source}-tuned"]

    def changed(row: str, model: str, *names: str, **options: bool) -> RowSpec:
        config = tuned.config_for(model)
        return RowSpec(
            row,
            model,
            published_in_table2(source, model),
            options={**_values(config.model, names), **options},
            training=_values(config.training, names),
        )

    everything = ("bounded_variance", *(name for names in parts.values() for name in names))
    return TableSpec(
        f"vrrae-tuning-{source}",
        f"The VRRAE paper's network and epochs, better optimised: {source}",
        recipe=source,
        columns=REAL_COLUMNS,
        rows=(
            changed("as in the paper", "vrrae", **_FREE),
            changed("bounded variances", "vrrae"),
            *(changed(row, "vrrae", *names, **_FREE) for row, names in parts.items()),
            *(replace(row, published=published_in_table2(source, row.model)) for row in also),
            changed("all", "vrrae", *everything),
            *(changed(f"all, {model}", model, *everything) for model in ("rrae", "vae", "ae")),
        ),
        seeds=3,
        remarks=(*REAL_REMARKS, f"All: the recipe {source}-tuned; published: table 2 of the paper"),
    )


def _values(section: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """The values of those of the named fields that a section has."""
    return {item.name: getattr(section, item.name) for item in fields(section) if item.name in names}


TUNING_TABLES = (
    _tuning(
        "mnist",
        {"cosine": ("schedule",), "batches of 128": ("batch_size",)},
        also=(
            RowSpec("no KL term", "vrrae", weights={"kl": 0.0}, options=_FREE),
            RowSpec("no KL term, bounded variances", "vrrae", weights={"kl": 0.0}),
        ),
    ),
    _tuning(
        "cifar10",
        {"rate 2e-3": ("learning_rate",), "cosine": ("schedule", "warm_up")},
        also=(RowSpec("averaged weights", "vrrae", options=_FREE, training={"ema_decay": 0.999}),),
    ),
)
