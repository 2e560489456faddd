"""From values of fields to runs, and from a command line to values of fields."""

import pytest

from fastrrae import RECIPES, InputError
from fastrrae.cli.sweep import parse_sweep
from fastrrae.sweeps.folder import SweepFolder
from fastrrae.sweeps.grid import run_name, runs_of_grid, values_of

DIGITS = RECIPES["digits"].config


def test_a_run_for_each_combination_with_a_readable_name():
    grid = {"model.rank": [2, 4], "objective.weights.kl": [1e-4, 0.5]}
    runs = list(runs_of_grid(DIGITS, grid, [0, 7]))
    assert [run.name for run in runs[:4]] == [
        "rank=2_kl=0.0001_seed=0",
        "rank=2_kl=0.5_seed=0",
        "rank=4_kl=0.0001_seed=0",
        "rank=4_kl=0.5_seed=0",
    ]
    assert len({run.name for run in runs}) == 8
    values = values_of(runs[-1].config)
    assert (values["model.rank"], values["objective.weights.kl"], values["training.seed"]) == (4, 0.5, 7)
    changed = {name for name, value in values_of(DIGITS).items() if values[name] != value}
    assert changed == {"model.rank", "objective.weights.kl", "training.seed"}


def test_names_are_safe_and_numbers_exact():
    config = next(runs_of_grid(DIGITS, {"data.label_column": ["../a b/é"]}, [0])).config
    assert run_name(config, ["data.label_column"]) == "label_column=..-a-b-é_seed=0"
    close = [0.1, 0.1 + 1e-12]
    assert len({run.name for run in runs_of_grid(DIGITS, {"training.learning_rate": close}, [0])}) == 2
    widths = runs_of_grid(DIGITS, {"network.encoder_widths": [(8, 16), None]}, [0])
    assert [run.name for run in widths] == ["encoder_widths=8x16_seed=0", "encoder_widths=none_seed=0"]


def test_steps_take_the_place_of_epochs():
    base = RECIPES["mnist"].config
    assert base.training.epochs
    (run,) = runs_of_grid(base, {"training.steps": [5]}, [0])
    assert (run.config.training.steps, run.config.training.epochs) == (5, None)


@pytest.mark.parametrize(
    ("values", "seeds", "message"),
    [
        ({"model.ranks": [2]}, [0], "must name fields of the configuration .*model.rank,.*got model.ranks"),
        ({"model.rank": [0]}, [0], "`model.rank` must be an integer, at least 1; got 0"),
        ({"model.rank": []}, [0], "`model.rank` must have a list of at least one value"),
        ({"model.rank": 4}, [0], "`model.rank` must have a list of at least one value; got 4"),
        ({"model.rank": [2, 4, 2]}, [0], "`model.rank` must have each value once; got 2, 4, 2"),
        ({"objective.weights.mmd": [1.0]}, [0], "names mmd, not a penalty of vrrae"),
        ({"training.seed": [1, 2]}, [0], "give `seeds`"),
        ({"model.rank": [2]}, [1, 1], "`seeds` must be at least one seed, and none twice"),
        ({"model.rank": [2]}, [], "`seeds` must be at least one seed"),
    ],
)
def test_what_a_grid_refuses(values, seeds, message):
    with pytest.raises(InputError, match=message):
        list(runs_of_grid(DIGITS, values, seeds))


def test_options_with_several_values_are_swept():
    arguments = "--rank=2 4 --beta 1e-4 1e-3 --encoder-widths 8 16 --batch_size 32 64 --seeds 3 --steps 5 --jobs 2"
    command = parse_sweep("digits", arguments.split())
    assert command.values == {
        "model.rank": [2, 4],
        "objective.weights.kl": [1e-4, 1e-3],
        "training.batch_size": [32, 64],
    }
    config = command.recipe.resolve()
    assert config.network.encoder_widths == (8, 16)
    assert (config.training.steps, command.recipe.seeds, command.recipe.jobs) == (5, (3,), 2)
    assert parse_sweep("digits", ["--seed", "3", "4"]).recipe.seeds == (3, 4)
    assert parse_sweep("digits", ["--seeds", "0", "5"]).recipe.seeds == (0, 5)
    other = parse_sweep("digits", ["--model", "vae", "--kl-weight", "1", "2"])
    assert other.values == {"objective.weights.kl": [1.0, 2.0]}


def test_runs_keep_their_names_when_a_grid_is_added(tmp_path):
    sweep = SweepFolder(tmp_path, DIGITS)
    first = sweep.add(DIGITS, {"model.rank": [2, 4]}, [0])
    kl = DIGITS.objective.weights["kl"]
    second = sweep.add(DIGITS, {"model.rank": [4], "objective.weights.kl": [kl, 1.0]}, [0])
    assert [run.name for run in first] == ["rank=2_seed=0", "rank=4_seed=0"]
    assert [run.name for run in second] == ["rank=4_seed=0", "rank=4_kl=1_seed=0"]
    sweep.save()
    stored = SweepFolder.open(tmp_path, DIGITS)
    assert (stored.runs, stored.fields) == (sweep.runs, sweep.fields)
    (tmp_path / "sweep.json").write_text("{}")
    with pytest.raises(InputError, match=r"sweep.json is damaged"):
        SweepFolder.open(tmp_path, DIGITS)
