"""RECIPE in `fastrrae COMMAND RECIPE`: a subcommand for each, whose defaults are the recipe's values."""

from collections.abc import Callable
from functools import reduce
from operator import or_
from typing import Annotated, Any

import tyro

from ..config import RunConfig
from ..recipes import RECIPES, Recipe


def recipe_choice(options: Callable[[RunConfig], Any], describe: Callable[[Recipe], str]) -> Any:
    """The type of a RECIPE argument; `options` makes a command's options from a recipe's configuration."""
    choices = (
        Annotated[options, tyro.conf.subcommand(name, default=options(recipe.config), description=describe(recipe))]
        for name, recipe in RECIPES.items()
    )
    return Annotated[reduce(or_, choices), tyro.conf.arg(name="")]
