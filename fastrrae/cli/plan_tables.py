"""The tables of `fastrrae plan`."""

from collections.abc import Sequence

from rich.table import Table

from ..models.svd_of_batch import SCOPE
from ..plan import StepPlan
from ..plan.plan import GIB
from ..plan.step_estimate import LIKE_TRAINED, StepEstimate
from ..run_config import RunConfig

_TITLES = {SCOPE: "SVD of the batch"}


def plan_table(plan: StepPlan, config: RunConfig) -> Table:
    """Of one step on one slice: a row for each figure."""
    title = f"{config.recipe}, {config.model.name}, on {plan.topology}"
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    share = f"{plan.hbm_bytes / GIB:.2f} of {plan.hbm_available / GIB:.0f} GiB"
    rows = {
        "batch": f"{plan.batch_size}",
        "compiled in": f"{plan.compile_seconds:.0f} s",
        "memory on each chip": share if plan.fits else f"{share}: does not fit",
    }
    if plan.seconds:
        rows |= {
            "arithmetic on each chip, a step": f"{plan.flops / 1e9:.1f} GFLOP",
            "bytes accessed on each chip, a step": f"{plan.bytes_accessed / GIB:.2f} GiB",
            "exchanged, a step": f"{plan.collective_bytes / 2**20:.2f} MiB",
            "sent by each chip for it, at least": f"{plan.moved_bytes / 2**20:.2f} MiB",
            **_parts_of_the_exchange(plan),
            **{f"at least, by {name}": f"{1e3 * seconds:.2f} ms" for name, seconds in plan.seconds.items()},
            "a step takes at least": f"{1e3 * plan.bound:.2f} ms",
            f"an epoch ({plan.steps_per_epoch} steps) takes at least": f"{plan.bound * plan.steps_per_epoch:.3g} s",
            **({} if plan.estimate is None else _estimated(plan, plan.estimate)),
        }
        for collective in plan.collectives:
            arrays = ", ".join("x".join(map(str, shape)) or "scalar" for shape in collective.shapes[:3])
            more = f" and {len(collective.shapes) - 3} more" if len(collective.shapes) > 3 else ""
            where = ", between slices" if collective.between_slices else ""
            rows[f"{collective.kind} of {arrays}{more}{where}"] = f"{collective.bytes / 2**20:.3f} MiB"
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def _parts_of_the_exchange(plan: StepPlan) -> dict[str, str]:
    if plan.svd_bytes is None:
        return {"of it between slices": f"{plan.slice_network_bytes / 2**20:.2f} MiB"}
    return {"of it for the SVD of the batch": f"{plan.svd_bytes / 2**20:.2f} MiB"}


def _estimated(plan: StepPlan, estimate: StepEstimate) -> dict[str, str]:
    by = "estimate of the TPU compiler"
    without = "" if estimate.kernels_scheduled else ", without the SVD's kernels"
    rows = {f"a step, {by}{without}": f"{1e3 * estimate.seconds:.2f} ms"}
    for part, cycles in estimate.cycles.items():
        missing = part == SCOPE and not estimate.kernels_scheduled
        text = "no schedule" if missing else f"{1e3 * cycles / estimate.clock:.2f} ms"
        rows[f"of it {_TITLES.get(part, part)}"] = text
    rows["of it exchanges, at the published bandwidth"] = f"{1e3 * estimate.exchange_seconds:.2f} ms"
    rows[f"an epoch, {by}{without}"] = f"{estimate.seconds * plan.steps_per_epoch:.3g} s"
    rows[f"samples per second, {by}{without}"] = f"{plan.samples_per_second:,.0f}"
    return rows


def comparison_table(title: str, plans: Sequence[tuple[dict[str, str], StepPlan]]) -> Table:
    """Several plans, each with its settings: a row for each."""
    estimated = f'step, epoch, samples per second: estimates of the TPU compiler, singular values "{LIKE_TRAINED}"'
    table = Table(title=title, title_justify="left", caption=estimated, caption_justify="left")
    settings = list(plans[0][0])
    figures = ("memory, GiB", "GFLOP", "sent, MiB", "SVD sums, MiB", "step, ms", "of it SVD", "epoch, s", "samples/s")
    for column in ("topology", "chips", *settings, "batch", *figures):
        table.add_column(column, justify="right")
    for chosen, plan in plans:
        named = (plan.topology, str(plan.chips), *chosen.values(), str(plan.batch_size))
        table.add_row(*named, *_figures(plan))
    return table


def _figures(plan: StepPlan) -> list[str]:
    memory = f"{plan.hbm_bytes / GIB:.2f}"
    estimate = plan.estimate
    if estimate is None:
        return [f"{memory}: does not fit"]
    svd_bytes = "" if plan.svd_bytes is None else f"{plan.svd_bytes / 2**20:.2f}"
    exchanged = (f"{plan.flops / 1e9:.1f}", f"{plan.moved_bytes / 2**20:.2f}", svd_bytes)
    share = "unknown" if estimate.svd_share is None else f"{100 * estimate.svd_share:.0f} %"
    epoch = f"{estimate.seconds * plan.steps_per_epoch:.3g}"
    return [memory, *exchanged, f"{1e3 * estimate.seconds:.2f}", share, epoch, f"{plan.samples_per_second:,.0f}"]
