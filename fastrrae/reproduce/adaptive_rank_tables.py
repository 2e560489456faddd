"""Tables of our own on the adaptive rank: does it find the rank at which the error stops falling?"""

from ..config import SourceName
from ..evaluation.results_table import Column, of_model
from .specification import RowSpec, TableSpec
from .vrrae_paper import TEST_COLUMN

FOUND = "rank found"
FIXED = (4, 8, 16)


def _table(source: SourceName, ranks: tuple[int, ...]) -> TableSpec:
    """The VRRAE of a recipe at fixed ranks, and with a rank that starts at the highest of them."""
    start = max(ranks)
    return TableSpec(
        f"adaptive-rank-{source}",
        f"The adaptive rank compared with fixed ranks: {source}",
        recipe=source,
        columns=(
            Column(FOUND, of_model("rank_found"), 1),
            Column("train error, %", lambda evaluation: evaluation.reconstruction_errors["train"].overall),
            TEST_COLUMN,
        ),
        rows=(
            *(RowSpec(f"rank {rank}", "vrrae", options={"rank": rank}) for rank in ranks),
            RowSpec(f"adaptive, from rank {start}", "vrrae", options={"rank": start, "adaptive_rank": True}),
        ),
        seeds=5,
        evaluated_by="brief",
        remarks=("All other settings are those of the recipe; the search for the rank has its default options",),
    )


ADAPTIVE_RANK_TABLES = (_table("gaussians", (2, *FIXED)), _table("mnist", FIXED))
