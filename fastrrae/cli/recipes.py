"""`fastrrae recipes`."""

from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from ..family import FAMILY
from ..recipes import RECIPES


@dataclass(frozen=True)
class Recipes:
    """List the recipes: data, model, budget, expected time and figure."""

    def run(self) -> None:
        """Print the table."""
        table = Table(title="fastrrae train RECIPE", title_justify="left")
        table.add_column("recipe", no_wrap=True)
        for column in ("data", "model", "budget, time on 2 cores", "expect"):
            table.add_column(column)
        for name, recipe in RECIPES.items():
            model = recipe.config.model
            latent = f" L={model.latent_size}" if FAMILY[model.model].reduces_rank else ""
            settings = f"{model.model}\nk={model.rank}{latent}"
            budget = f"{recipe.budget}\n{recipe.expected_time}"
            table.add_row(name, recipe.about, settings, budget, recipe.expected_figure)
        Console().print(table)
