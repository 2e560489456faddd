"""Recipes: complete, and as good as they say."""

import json
from dataclasses import replace

import pytest

from fastrrae import RECIPES, InputError
from fastrrae.cli import run_command
from fastrrae.family import FAMILY
from fastrrae.resolve import resolve_config


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_say_what_their_user_should_know(name):
    recipe = RECIPES[name]
    assert recipe.config.recipe == name
    assert (recipe.default_steps is None) != (recipe.default_epochs is None)
    own = FAMILY[recipe.config.model.model]
    assert set(recipe.betas) >= ({recipe.config.model.model} if own.penalties else set())
    assert set(recipe.betas) | set(recipe.regularisers) <= set(FAMILY)
    assert resolve_config(recipe.config, 1000).objective.beta == recipe.betas.get(recipe.config.model.model, 0.0)
    assert all((recipe.about, recipe.budget, recipe.expected_time, recipe.expected_figure))


def test_weights_that_belong_to_another_loss_are_not_guessed():
    config = RECIPES["rae-mnist"].config
    with pytest.raises(InputError, match=r"--beta must be given for wae with this recipe: its usual weight, 50,"):
        resolve_config(replace(config, model=replace(config.model, model="wae")), 1000)
    with pytest.raises(InputError, match="--regulariser is the weight of a second penalty, which rae has not"):
        resolve_config(replace(config, objective=replace(config.objective, regulariser=1.0)), 1000)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["vrrae", "rrae"])
def test_digits_come_back(tmp_path, model):
    assert run_command(["train", "digits", "--model", model, "--out", str(tmp_path / "run")]) == 0
    assert json.loads((tmp_path / "run" / "evaluation.json").read_text())["reconstruction_error"] < 25
