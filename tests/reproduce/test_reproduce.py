"""The paper's tables: what is in them, and one made small, interrupted, and made again."""

import dataclasses
import json

import msgspec
import pytest

from fastrrae import MODELS, VRRAE, InputError, NetworkConfig, ShardingConfig
from fastrrae.cli import run_command
from fastrrae.data import load_dataset
from fastrrae.evaluation.results import Evaluation, LatentMetrics
from fastrrae.evaluation.results_table import Column, of_draws
from fastrrae.features import FeatureTraining, train_features
from fastrrae.features.storage import save_classifier
from fastrrae.recipes import RECIPES
from fastrrae.reproduce import TABLES, Reproduction, RowSpec, TableSpec, reproduce, reproduction, run_config
from fastrrae.reproduce.collapse_tables import COLLAPSED
from fastrrae.reproduce.specification import TablePicture
from fastrrae.reproduce.vrrae_paper import BUMPS, RANDOM, TEST, TEST_COLUMN
from fastrrae.training.resolve import resolve_config


def test_the_tables_are_the_papers():
    assert {name.rsplit("-", 1)[0] for name in TABLES if name.startswith("vrrae-") and name != "vrrae-table1"} == {
        "vrrae-table2",
        "vrrae-table3",
        "vrrae-beta",
        "vrrae-tuning",
    }
    assert {row.model for row in TABLES["family-digits"].rows} == set(MODELS)
    table = TABLES["vrrae-table1"]
    assert [row.name for row in table.rows] == ["ae", "vae", "rrae", "vrrae"]
    assert table.rows[-1].published == {TEST: "10.03 ± 8.96", BUMPS: "5.88 ± 2.94"}
    assert table.seeds == 5


@pytest.mark.parametrize("source", ["mnist", "cifar10"])
def test_the_tuning_has_the_settings_of_the_paper_and_of_the_tuned_recipe_at_its_ends(source):
    table = TABLES[f"vrrae-tuning-{source}"]
    runs = {row.name: run_config(table, row, 0, None) for row in table.rows}
    model, training = runs["as in the paper"].model, runs["as in the paper"].training
    assert isinstance(model, VRRAE)
    bounded = dataclasses.replace(model, bounded_variance=True)
    assert (training, bounded) == (runs["bounded variances"].training, runs["bounded variances"].model)
    assert not model.bounded_variance
    ends = {"bounded variances": (source, "vrrae"), "all": (f"{source}-tuned", "vrrae")}
    ends |= {f"all, {model}": (f"{source}-tuned", model) for model in ("rrae", "vae", "ae")}
    for row, (recipe, model) in ends.items():
        expected = RECIPES[recipe].config_for(model)
        assert (runs[row].training, runs[row].model) == (expected.training, expected.model)


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_every_run_of_every_table_has_a_configuration(table):
    settings = []
    for row in table.rows:
        config = run_config(table, row, 3, None)
        resolved = resolve_config(config, 1000)
        assert config.training.seed == 3
        usual = {**MODELS[row.model].default_weights, **RECIPES[table.recipe].config_for(row.model).objective.weights}
        assert resolved.objective.weights == (usual if row.weights is None else row.weights)
        assert set(resolved.objective.weights) == set(resolved.model.penalties())
        assert set(row.published) <= {column.name for column in table.columns}
        settings.append(repr((resolved.data, resolved.model, resolved.objective, resolved.training)))
    assert len(set(settings)) == len(settings)  # no row twice


@pytest.fixture
def small(tmp_path, monkeypatch, without_pictures):
    """A table of digits with so little to do that it takes seconds."""
    monkeypatch.setattr(reproduction, "QUICK_STEPS", 2)
    monkeypatch.setattr(reproduction, "QUICK_SAMPLES", 30)
    recipe = RECIPES["digits"]
    tiny = VRRAE(rank=4, latent_size=8)
    config = dataclasses.replace(
        recipe.config, model=tiny, network=NetworkConfig("mlp"), sharding=ShardingConfig(data_devices=1)
    )
    monkeypatch.setitem(RECIPES, "digits", dataclasses.replace(recipe, config=config))
    digits = load_dataset(recipe.config.data)
    features = tmp_path / "features.npz"
    save_classifier(features, train_features(digits, "digits", FeatureTraining(steps=2)))
    rows = (
        RowSpec("ae", "ae", {TEST: "1 ± 2"}),
        RowSpec("vae, f=I", "vae", {TEST: "3"}, options={"mean": "identity"}),
    )
    columns = (TEST_COLUMN, Column(RANDOM, of_draws(lambda metrics: metrics.fid, "mixture")))
    table = TableSpec("small", "Small", "digits", columns, rows, 2, remarks=("Differs: digits are not there",))
    return Reproduction(table, tmp_path / "out", features=str(features), seeds=1, quick=True)


def test_a_table_is_made_interrupted_and_made_again(small, monkeypatch):
    trained = []
    train = reproduction.train

    def interrupted_train(config, dataset, folder, **options):
        trained.append(folder.root.name)
        if len(trained) == 2:
            raise KeyboardInterrupt
        return train(config, dataset, folder, **options)

    monkeypatch.setattr(reproduction, "train", interrupted_train)
    with pytest.raises(KeyboardInterrupt):
        reproduce(small)
    assert not (small.out / "table.md").exists()
    first = (small.out / "ae-seed0" / "summary.json").read_bytes()
    table = reproduce(small)
    assert table is not None
    assert (small.out / "ae-seed0" / "summary.json").read_bytes() == first  # not trained again
    assert [row.name for row in table.rows] == ["ae", "vae, f=I"]
    assert all(len(row.values[name]) == 1 for row in table.rows for name in (TEST, RANDOM))
    text = (small.out / "table.md").read_text()
    assert "# Small (quick: not a result)" in text
    assert "1 ± 2" in text
    assert "- Differs: digits are not there" in text
    stored = json.loads((small.out / "table.json").read_text())
    assert stored["rows"][0]["published"] == {TEST: "1 ± 2"}
    evaluated = (small.out / "vae-f-I-seed0" / "evaluation.json").stat().st_mtime_ns
    assert reproduce(small, only="vae-f-I-seed0") is None
    assert (small.out / "vae-f-I-seed0" / "evaluation.json").stat().st_mtime_ns == evaluated  # nor evaluated


def test_some_rows_of_a_table_are_made_alone_and_the_table_says_so(small):
    with pytest.raises(InputError, match="`rows` must be rows of small, which are ae, vae, f=I; got rrae"):
        dataclasses.replace(small, rows=("rrae",))
    table = reproduce(dataclasses.replace(small, rows=("ae",)))
    assert table is not None
    assert [row.name for row in table.rows] == ["ae"]
    assert table.notes[-1] == "Left out: vae, f=I"
    assert [path.name for path in small.out.iterdir() if path.is_dir()] == ["ae-seed0"]


def test_a_table_has_pictures_of_its_own_where_it_has_their_models(small):
    asked = []

    def draw(table, runs, path):
        asked.append((table.title, list(runs)))
        path.write_bytes(b"picture")

    spec = dataclasses.replace(small.table, pictures=(TablePicture("errors", "Errors by model.", draw, ("vae",)),))
    reproduce(dataclasses.replace(small, table=spec))
    assert asked == [("Small (quick: not a result)", ["ae", "vae, f=I"])]
    assert "Errors by model." in (small.out / "report.html").read_text()
    reproduce(dataclasses.replace(small, table=spec, rows=("ae",)))
    assert len(asked) == 1


def test_collapsed_coordinates_are_those_without_information():
    (collapsed,) = (column for column in TABLES["collapse-digits"].columns if column.name == COLLAPSED)
    latent = LatentMetrics(4, 2, [1.0, 1.0, 0.0, 0.0], 0.0, 2.0, 2.0, kl=3.0, kl_per_dimension=[2.0, 1.0, 0.009, 0.0])
    assert collapsed.of(Evaluation(1.0, {}, latent)) == 50
    assert collapsed.of(Evaluation(1.0, {}, msgspec.structs.replace(latent, kl_per_dimension=None))) is None


def test_seeds_may_start_anywhere(small):
    later = dataclasses.replace(small, seeds=2, first_seed=3)
    assert [run.folder.root.name for run in later.runs()] == [
        "ae-seed3",
        "vae-f-I-seed3",
        "ae-seed4",
        "vae-f-I-seed4",
    ]
    assert [run.config.training.seed for run in later.runs()] == [3, 3, 4, 4]


def test_a_run_with_other_settings_is_refused(small, monkeypatch):
    reproduce(small, only="ae-seed0")
    monkeypatch.setattr(reproduction, "QUICK_STEPS", 3)
    with pytest.raises(InputError, match="the configuration differs: training"):
        reproduce(small, only="ae-seed0")
    with pytest.raises(InputError, match="small has no xy"):
        reproduce(small, only="xy")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["reproduce", "vrrae-table2-mnist"], "mnist needs --data, the folder that holds its IDX files"),
        (["reproduce", "vrrae-table1", "--seeds", "0"], "--seeds must be at least 1; got 0"),
        (["reproduce", "vrrae-table1", "--first-seed", "-1"], "--first-seed must not be negative; got -1"),
        (["reproduce", "vrrae-table1", "--jobs", "1000", "--out", "x"], "must be at most the number of cores"),
        (["reproduce", "vrrae-table1", "--features", "absent.npz"], "absent.npz is not"),
        (["reproduce", "vrrae-table1", "--rows", "ae", "x"], "--rows must be rows of vrrae-table1, which are ae, vae"),
        (["compare", "one"], "at least two runs; got 1"),
        (["compare", "one", "two"], "one is not a run folder"),
        (["compare", "one", "two", "./one"], "must be different runs; got one and one, which are the same"),
        (["train-features", "gaussians"], "no labels of its split 'train'"),
        (["train-features", "digits", "--steps", "0"], "--steps must be at least 1; got 0"),
        (
            ["train-features", "digits", "--out", "a.pkl"],
            "--out must be a .npz file in a folder that exists; got a.pkl",
        ),
    ],
)
def test_one_message_for_each_mistake(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert run_command(arguments) == 1
    assert message in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.json"))


@pytest.mark.slow
def test_runs_side_by_side_in_processes_of_their_own(tmp_path):
    arguments = ["reproduce", "vrrae-table1", "--quick", "--seeds", "1", "--jobs", "2", "--out", str(tmp_path / "out")]
    assert run_command(arguments) == 0
    logs = sorted(path.name for path in (tmp_path / "out").glob("*.log"))
    assert logs == ["ae-seed0.log", "rrae-seed0.log", "vae-seed0.log", "vrrae-seed0.log"]
    assert "quick: not a result" in (tmp_path / "out" / "table.md").read_text()
