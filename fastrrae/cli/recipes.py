"""`fastrrae recipes`."""

from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from ..models import RRAE
from ..recipes import RECIPES, Recipe


@dataclass(frozen=True)
class Recipes:
    """List the recipes: data, model, budget, expected time and figure."""

    def run(self) -> None:
        """Print the list."""
        print("fastrrae train RECIPE (times on 2 cores)\n")
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True)
        for name, recipe in RECIPES.items():
            budget = f"{_model(recipe)}; {recipe.budget}, {recipe.expected_time}"
            table.add_row(name, f"{recipe.about}\n{budget}\n-> {recipe.expected_figure}\n")
        Console().print(table)


def _model(recipe: Recipe) -> str:
    model = recipe.config.model
    latent = f", L={model.latent_size}" if isinstance(model, RRAE) else ""
    return f"{model.name}, k={model.rank}{latent}"
