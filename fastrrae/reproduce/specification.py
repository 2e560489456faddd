"""What a table consists of: its columns, its rows, and the runs whose results stand in them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from ..config import ProtocolName
from ..evaluation.protocol import PROTOCOLS, Protocol
from ..evaluation.results_table import Column, ResultsTable
from ..recipes import RECIPES
from ..run import Run
from ..run_config import RunConfig
from .search_trials import SearchTrials


@dataclass(frozen=True)
class RowSpec:
    """A row: a model with its settings, and the published numbers by column."""

    name: str  # of the row, and in the names of its run folders
    model: str
    published: dict[str, str] = field(default_factory=dict)
    weights: dict[str, float] | None = None  # of the penalties by name; by default the recipe's for the model
    options: dict[str, Any] = field(default_factory=dict)  # of the model, other than the recipe's
    training: dict[str, Any] = field(default_factory=dict)  # likewise, of `TrainingConfig`
    recipe: str | None = None  # other than the table's: data of its own, which is compared with itself alone
    data: dict[str, Any] = field(default_factory=dict)  # likewise, of `DataConfig`
    network: dict[str, Any] = field(default_factory=dict)  # likewise, of `NetworkConfig`


class TablePicture(NamedTuple):
    """A figure drawn from the results of a table."""

    name: str  # of its file
    caption: str
    draw: Callable[[ResultsTable, Mapping[str, Run], Path], None]  # the first run of each row, by its name
    models: tuple[str, ...]  # it is drawn if there is a row of one of these


@dataclass(frozen=True)
class TableSpec:
    """A table."""

    name: str
    title: str
    recipe: str
    columns: tuple[Column, ...]
    rows: tuple[RowSpec, ...]
    seeds: int
    evaluated_by: ProtocolName = "vrrae"
    samples: int | None = None  # by default the protocol's
    search: SearchTrials | None = None  # in the latent space of each run
    train_count: int | None = None  # to train on the first samples only, this many
    pictures: tuple[TablePicture, ...] = ()
    remarks: tuple[str, ...] = ()  # under the table: above all, how the paper's protocol differs from ours

    @property
    def protocol(self) -> Protocol:
        """How its runs are evaluated."""
        protocol = PROTOCOLS[self.evaluated_by]
        if self.samples is None:
            return protocol
        return replace(protocol, name=f"{protocol.name}, {self.samples} samples", samples=self.samples)


def run_config(table: TableSpec, row: RowSpec, seed: int, data: str | None, *, steps: int | None = None) -> RunConfig:
    """The configuration of one run: the one place where a row becomes one.

    Args:
        table: whose recipe is the base.
        row: what differs from the recipe.
        seed: the seed of the run.
        data: where the data is, if it is read from files.
        steps: how many, other than the recipe's.
    """
    config = RECIPES[row.recipe or table.recipe].config_for(row.model)
    budget = {} if steps is None else {"steps": steps, "epochs": None}
    return replace(
        config,
        data=replace(config.data, data=data, train_count=table.train_count, **row.data),
        model=replace(config.model, **row.options),
        network=replace(config.network, **row.network),
        objective=config.objective if row.weights is None else replace(config.objective, weights=row.weights),
        training=replace(config.training, seed=seed, **row.training, **budget),
        evaluation=replace(config.evaluation, protocol=table.evaluated_by),
    )
