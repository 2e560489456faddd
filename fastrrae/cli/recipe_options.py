"""The options of `fastrrae COMMAND RECIPE [--model MODEL]`: those of the recipe's configuration for that model.

A recipe and a model together determine the options: the model's own, and a weight for each of its penalties. So they
are read first, and the type of the options is made from them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, make_dataclass, replace
from functools import reduce
from operator import or_
from typing import Annotated, Any, Literal

import tyro

from ..models import MODELS, Model
from ..recipes import RECIPES, Recipe
from ..run_config import RunConfig

SETTINGS = (tyro.conf.OmitSubcommandPrefixes, tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff)


@dataclass(frozen=True)
class RecipeOptions:
    """What a recipe's options are parsed into.

    `config` has no length of training and no weights: `resolve` fills in those that the user gave, or the recipe's.
    """

    recipe: tyro.conf.Suppress[str]
    config: RunConfig

    def resolve(self) -> RunConfig:
        """The configuration that the options describe."""
        recipe = RECIPES[self.recipe]
        training, usual = self.config.training, recipe.config.training
        if training.steps is None and training.epochs is None:
            training = replace(training, steps=usual.steps, epochs=usual.epochs)
        given = {item.name: getattr(self.weights, item.name) for item in fields(self.weights)}  # pyright: ignore
        weights = {name: weight for name, weight in given.items() if weight is not None}
        objective = self.config.objective
        complete = self.config.model.weights(weights, reconstruction=objective.reconstruction)
        return replace(self.config, training=training, objective=replace(objective, weights=complete))


def recipe_choice(kind: type[RecipeOptions], describe: Callable[[Recipe], str]) -> Any:
    """The type of a RECIPE argument, a subcommand for each recipe with its own model."""
    choices = (
        Annotated[
            options_type(kind, recipe, recipe.config.model.name),
            tyro.conf.subcommand(name, description=describe(recipe)),
        ]
        for name, recipe in RECIPES.items()
    )
    return Annotated[reduce(or_, choices), tyro.conf.arg(name="")]


def options_type(kind: type[RecipeOptions], recipe: Recipe, model: str) -> type[RecipeOptions]:
    """The options of a recipe with a model, with their defaults."""
    config = recipe.config_for(model)
    weights = _weights_type(config.model, {**config.model.default_weights, **config.objective.weights})
    defaults = replace(
        config,
        training=replace(config.training, steps=None, epochs=None),
        objective=replace(config.objective, weights={}),
    )
    chosen = Annotated[Literal[tuple(MODELS)], tyro.conf.arg(help="Which model; its own options follow below.")]  # pyright: ignore
    return make_dataclass(
        f"{kind.__name__}For{type(config.model).__name__}",
        [
            ("recipe", tyro.conf.Suppress[str], field(default=recipe.config.recipe)),
            ("model", chosen, field(default=model)),
            ("config", RunConfig, field(default=defaults)),
            ("weights", weights, field(default_factory=weights)),
        ],
        bases=(kind,),
        frozen=True,
    )


def _weights_type(model: Model, defaults: dict[str, float]) -> type:
    """A field for the weight of each penalty of a model; the main one is also called beta."""
    aliases = {name: ["--beta"] if number == 0 else ["--regulariser"] for number, name in enumerate(model.penalties())}
    return make_dataclass(
        "PenaltyWeights",
        [
            (
                name,
                Annotated[
                    float | None,
                    tyro.conf.arg(
                        name=f"{name}_weight",
                        aliases=alias,
                        help=f"Weight of the penalty {name}." + ("" if name in defaults else " It must be given here."),
                    ),
                ],
                field(default=defaults.get(name)),
            )
            for name, alias in aliases.items()
        ],
        frozen=True,
    )


def model_in(arguments: Sequence[str], recipe: Recipe) -> str:
    """The model that a command line names, or the recipe's where it names none, or none that there is."""
    named = recipe.config.model.name
    for argument, following in zip(arguments, [*arguments, ""][1:], strict=True):
        if argument == "--model":
            named = following
        elif argument.startswith("--model="):
            named = argument.partition("=")[2]
    return named if named in MODELS else recipe.config.model.name
