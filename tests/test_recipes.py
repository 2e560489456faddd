"""Recipes: complete, and as good as they say."""

import json

import pytest

from fastrrae import RECIPES
from fastrrae.cli import run_command


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_say_what_their_user_should_know(name):
    recipe = RECIPES[name]
    assert recipe.config.recipe == name
    assert (recipe.default_steps is None) != (recipe.default_epochs is None)
    assert set(recipe.betas) == {"vae", "vrrae"}
    assert all((recipe.about, recipe.budget, recipe.expected_time, recipe.expected_figure))


@pytest.mark.slow
@pytest.mark.parametrize("model", ["vrrae", "rrae"])
def test_digits_come_back(tmp_path, model):
    assert run_command(["train", "digits", "--model", model, "--out", str(tmp_path / "run")]) == 0
    assert json.loads((tmp_path / "run" / "evaluation.json").read_text())["reconstruction_error"] < 25
