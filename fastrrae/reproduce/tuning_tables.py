"""What better optimisation gains: the VRRAE paper's networks and epochs, with other schedules, rates and batches."""

from ..recipes import RECIPES
from .specification import RowSpec, TableSpec
from .vrrae_paper import REAL_COLUMNS, REAL_REMARKS, published_in_table2


def _tuning(source: str, parts: dict[str, tuple[str, ...]]) -> TableSpec:
    """Each part of the tuned recipe alone, then all of them, for the VRRAE and for its rivals.

    Args:
        source: the data; the recipes are that of the paper, `source`, and `source-tuned`.
        parts: by the name of the row, the fields of `TrainingConfig` that belong together.
    """
    config = RECIPES[f"{source}-tuned"].config.training
    tuned = {row: {name: getattr(config, name) for name in names} for row, names in parts.items()}
    together = {name: value for part in tuned.values() for name, value in part.items()}
    of_vrrae = published_in_table2(source, "vrrae")
    return TableSpec(
        f"vrrae-tuning-{source}",
        f"The VRRAE paper's network and epochs, better optimised: {source}",
        recipe=source,
        columns=REAL_COLUMNS,
        rows=(
            RowSpec("as in the paper", "vrrae", of_vrrae),
            *(RowSpec(row, "vrrae", of_vrrae, training=part) for row, part in tuned.items()),
            RowSpec("all", "vrrae", of_vrrae, training=together),
            *(
                RowSpec(f"all, {model}", model, published_in_table2(source, model), training=together)
                for model in ("rrae", "vae", "ae")
            ),
        ),
        seeds=3,
        remarks=(*REAL_REMARKS, f"All: the recipe {source}-tuned; published: table 2 of the paper"),
    )


TUNING_TABLES = (
    _tuning("mnist", {"cosine": ("schedule",), "batches of 128": ("batch_size",)}),
    _tuning("cifar10", {"rate 3e-4": ("learning_rate",), "cosine": ("schedule", "warm_up")}),
)
