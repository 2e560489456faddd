from dataclasses import replace

import pytest

from fastrrae import RECIPES, VRRAE, DataConfig, NetworkConfig, ShardingConfig, load_dataset, load_run, train
from fastrrae.grammars import Derivations, Grammar

RULES = "S -> S '+' T | S '*' T | T\nT -> '(' S ')' | 'x' | '1'\n"


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """A user's own grammar and strings, in files."""
    folder = tmp_path_factory.mktemp("strings")
    grammar = Grammar.from_text(RULES)
    (folder / "grammar.txt").write_text(RULES)
    strings = [grammar.derive(rules) for rules in Derivations(grammar).sample(120, 8, seed=0)]
    (folder / "strings.txt").write_text("\n".join(strings) + "\n")
    return folder


@pytest.fixture(scope="session")
def config(files):
    """A VRRAE on the strings, of the networks of the papers, small."""
    recipe = RECIPES["strings"].config
    return replace(
        recipe,
        data=DataConfig("strings", str(files / "strings.txt"), grammar=str(files / "grammar.txt")),
        model=VRRAE(rank=3, latent_size=6, kl_reduction="mean"),
        network=NetworkConfig("grammar", encoder_widths=(3, 4), decoder_widths=(8, 8)),
        training=replace(recipe.training, steps=6, epochs=None, batch_size=16, checkpoint_every=3, log_every=2),
        sharding=ShardingConfig(data_devices=1),
        evaluation=replace(recipe.evaluation, protocol="brief", mixture_components=2),
    )


@pytest.fixture(scope="session")
def dataset(config):
    return load_dataset(config.data)


@pytest.fixture(scope="session")
def run(config, dataset, tmp_path_factory):
    """A finished run of six steps."""
    folder = tmp_path_factory.mktemp("run") / "run"
    train(config, dataset, folder, quiet=True)
    return load_run(folder)
