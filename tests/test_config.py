"""Configuration: every wrong value is refused with its field, the rule and the value, in Python and from a file."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from fastrrae import (
    MODELS,
    RECIPES,
    RRAE,
    VRRAE,
    DataConfig,
    EvaluationConfig,
    InputError,
    NetworkConfig,
    ObjectiveConfig,
    RunConfig,
    ShardingConfig,
    TrainingConfig,
)
from fastrrae.cli.messages import with_options
from fastrrae.run_config import decode_config, encode_config, flat_fields, load_config, save_config


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        (TrainingConfig, {"batch_size": 1.5}, "`training.batch_size` must be an integer, at least 1; got 1.5"),
        (TrainingConfig, {"batch_size": True}, "`training.batch_size` must be an integer, at least 1; got True"),
        (TrainingConfig, {"schedule": "exponential"}, "must be one of 'constant', 'cosine', 'plateau', 'valid"),
        (TrainingConfig, {"precision": "fp16"}, "must be one of 'float32', 'bfloat16'; got 'fp16'"),
        (TrainingConfig, {"optimiser": "lion"}, "`training.optimiser` must be one of 'adabelief', 'adam'"),
        (TrainingConfig, {"seed": -1}, "`training.seed` must be an integer, at least 0; got -1"),
        (
            TrainingConfig,
            {"learning_rate": float("nan")},
            "`training.learning_rate` must be a number, above 0",
        ),
        (TrainingConfig, {"learning_rate": float("inf")}, "`training.learning_rate` must be finite; got inf"),
        (TrainingConfig, {"steps": 3, "epochs": 2.0}, "give `training.steps` or `training.epochs`, not both"),
        (ObjectiveConfig, {"reconstruction": "bce"}, "'gaussian', 'rules', 'own'; got 'bce'"),
        (ObjectiveConfig, {"weights": {"kl": "much"}}, "`objective.weights.kl` must be a number, at least 0"),
        (EvaluationConfig, {"protocol": "bogus"}, "`evaluation.protocol` must be one of 'default'"),
        (NetworkConfig, {"network": "resnet"}, "`network.network` must be one of 'auto'"),
        (NetworkConfig, {"encoder_widths": ()}, "`network.encoder_widths` must have at least one width"),
        (NetworkConfig, {"encoder_widths": (3, 0)}, "must be a list, each of it an integer, at least 1 or absent"),
        (
            NetworkConfig,
            {"encoder_widths": (3, 10**20)},
            "`network.encoder_widths` must be at most 2147483647; got (3, 1000",
        ),
        (TrainingConfig, {"steps": 2**31}, "`training.steps` must be at most 2147483647; got 2147483648"),
        (DataConfig, {"test_fraction": 1.0}, "`data.test_fraction` must be a number, above 0 and below 1; got 1.0"),
        (ShardingConfig, {"data_devices": 0}, "`sharding.data_devices` must be an integer, at least 1 or absent"),
        (VRRAE, {"rank": "sixteen"}, "`model.rank` must be an integer, at least 1; got 'sixteen'"),
        (VRRAE, {"rank": 9, "latent_size": 8}, "`model.rank` must be at most `model.latent_size` = 8; got 9"),
        (RunConfig, {"model": "vrrae"}, "`model` must be a Model, such as VRRAE(rank=16); got 'vrrae'"),
    ],
)
def test_a_wrong_value_is_refused_with_its_field(section, values, message):
    with pytest.raises(InputError) as error:
        section(**values)
    assert message in str(error.value)


def test_values_are_of_the_types_that_they_should_have():
    count: Any = np.int64(8)
    assert isinstance(TrainingConfig(learning_rate=1).learning_rate, float)
    assert TrainingConfig(batch_size=count).batch_size == 8
    assert type(TrainingConfig(batch_size=count).batch_size) is int
    assert NetworkConfig(encoder_widths=[3, 4]).encoder_widths == (3, 4)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("model", MODELS)
def test_a_configuration_comes_back_from_its_file(tmp_path, name, model):
    config = RECIPES[name].config_for(model)
    save_config(config, tmp_path / "config.json")
    assert load_config(tmp_path / "config.json") == config
    assert decode_config(json.loads(json.dumps(encode_config(config)))) == config


def test_a_label_is_free_and_no_registry_is_needed():
    config = RunConfig("my-experiment", model=RRAE(rank=2, latent_size=5), training=TrainingConfig(steps=3))
    assert decode_config(encode_config(config)) == config
    assert flat_fields(config)["training.steps"] == 3
    assert flat_fields(config)["model.name"] == "rrae"


def test_every_field_has_a_description():
    """They are the help texts of the command line and of `help(TrainingConfig)`."""
    import inspect

    for section in (DataConfig, NetworkConfig, ObjectiveConfig, TrainingConfig, ShardingConfig, *MODELS.values()):
        source = "".join(inspect.getsource(kind) for kind in section.__mro__ if dataclasses.is_dataclass(kind))
        for item in dataclasses.fields(section):
            declared = source.index(f"\n    {item.name}: ")
            assert '"""' in source[declared:].split("\n")[2] or '"""' in source[declared:].split("\n")[3], item.name


def test_messages_name_options_on_the_command_line():
    text = "`training.batch_size` must fit `model.rank`; `objective.weights.kl` or `rank` of `basis`"
    assert with_options("continue it with `resume`", VRRAE()) == "continue it with `fastrrae train ... --resume`"
    assert with_options(text, VRRAE()) == "--batch-size must fit --rank; --kl-weight or --rank of `basis`"
