"""What `fastrrae plan` said of a run, next to what was measured."""

from statistics import median

from ..run_folder import RunFolder
from ..training.metrics_log import read_metrics
from ..training.watch import PLAN, read_plan
from .html_page import TableSection


def plan_tables(folder: RunFolder) -> list[TableSection]:
    """One table, where the run was started with a plan and has logged its speed; else none."""
    path = folder.root / PLAN
    if not path.is_file():
        return []
    plan = read_plan(path)
    rates = [row["steps_per_second"] for row in read_metrics(folder.metrics)[1:] if row.get("steps_per_second")]
    if not rates:
        return []
    times = {"at least": float(plan["seconds_per_step_at_least"])}
    if plan.get("estimate"):
        times["estimated"] = float(plan["estimate"]["seconds"])
    times["measured"] = 1 / median(rates)
    batch = int(plan["batch_size"])
    rows = [
        ["a step, ms", *(f"{1e3 * seconds:.2f}" for seconds in times.values())],
        ["samples per second", *(f"{batch / seconds:.0f}" if seconds else "" for seconds in times.values())],
    ]
    explanation = (
        f"The least time that `fastrrae plan` found for a step on {plan['topology']}, the TPU compiler's estimate of "
        f"it, the samples that readers have to deliver for these, and the medians of what was measured, on whatever "
        f"the run ran on."
    )
    return [TableSection("Plan", explanation, ["", *times], rows)]
