"""Recipes: complete, and as good as they say."""

import json
from dataclasses import replace

import pytest

from fastrrae import MODELS, RECIPES, InputError
from fastrrae.cli import run_command
from fastrrae.training.resolve import resolve_config


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_say_what_their_user_should_know(name):
    recipe = RECIPES[name]
    assert recipe.config.recipe == name
    training = recipe.config.training
    assert (training.steps is None) != (training.epochs is None)
    weights = recipe.config.objective.weights
    assert set(weights) == set(recipe.config.model.penalties())  # a finished configuration
    assert resolve_config(recipe.config, 1000).objective.weights == weights
    for model, others in recipe.other_weights.items():
        assert set(others) == set(MODELS[model]().penalties())
    assert all((recipe.about, recipe.budget, recipe.expected_time, recipe.expected_figure))


def test_weights_that_belong_to_another_loss_are_not_guessed():
    with pytest.raises(InputError, match=r"`objective.weights.mmd` must be given for wae here: its usual value, 50,"):
        resolve_config(RECIPES["irmae-mnist"].config_for("wae"), 1000)


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("model", ["vae", "vrrae", "info-vae"])
def test_no_recipe_trains_a_variational_model_without_its_kl_term_in_silence(name, model):
    """Either the recipe knows the weight of the KL term, or it must be given: it is never 0 by default."""
    config = RECIPES[name].config_for(model)
    if "kl" in config.objective.weights:
        of_the_paper = model == "vrrae" and name in ("cifar10", "cifar10-tuned")
        assert resolve_config(config, 10_000).objective.weights["kl"] > 0 or of_the_paper
    else:
        with pytest.raises(InputError, match=r"`objective.weights.kl` must be given: it is the weight of a penalty"):
            resolve_config(config, 10_000)


def test_a_weight_of_no_penalty_is_refused():
    config = RECIPES["digits"].config_for("ae")
    with pytest.raises(InputError, match=r"names kl, not a penalty of ae: it has none"):
        resolve_config(replace(config, objective=replace(config.objective, weights={"kl": 1.0})), 1000)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["vrrae", "rrae"])
def test_digits_come_back(tmp_path, model):
    assert run_command(["train", "digits", "--model", model, "--out", str(tmp_path / "run")]) == 0
    assert json.loads((tmp_path / "run" / "evaluation.json").read_text())["reconstruction_error"] < 25
