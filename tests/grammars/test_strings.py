"""Strings of a user's own grammar, from files to a report, and from Python."""

from dataclasses import replace

import numpy as np
import pytest

from fastrrae import (
    Callback,
    DataConfig,
    InputError,
    NetworkConfig,
    RunFolder,
    ShardingConfig,
    evaluate,
    load_dataset,
    train,
)
from fastrrae.cli.main import run_command
from fastrrae.data import dataset_of_strings, expressions
from fastrrae.evaluation import load_evaluation
from fastrrae.grammars import EXPRESSIONS, Grammar, parse
from fastrrae.grammars.expressions import evaluate_expression, expression_score
from fastrrae.latent_optimisation import SearchOptions, optimise
from fastrrae.latent_optimisation.decoding import decode_objects


def test_samples_are_the_derivations_of_the_strings(files, dataset):
    strings = (files / "strings.txt").read_text().split()
    found = [*dataset.codec.decode(dataset.train[:]), *dataset.codec.decode(dataset.test[:])]
    assert sorted(found) == sorted(strings)
    assert dataset.sample_shape == (8, 7)
    assert (dataset.train[:].sum(axis=-1) == 1).all()


def test_the_configuration_keeps_the_rules_and_needs_no_grammar_file(run, dataset, files):
    assert (
        Grammar.from_text(run.config.data.grammar).text == Grammar.from_text((files / "grammar.txt").read_text()).text
    )
    again = load_dataset(run.config.data)
    assert again.fingerprint == dataset.fingerprint


def test_whatever_a_run_returns_is_a_string_of_the_grammar(run):
    samples = [run.sample(40), run.interpolate(0, 1), run.traverse(0), run.reconstruct(run.examples)]
    grammar = run.codec.grammar
    for string in run.strings(np.concatenate(samples)):
        parse(grammar, string)


@pytest.mark.slow
def test_an_interrupted_training_resumes_to_the_same_bits(run, config, dataset, tmp_path):
    folder = RunFolder(tmp_path / "resumed")
    with pytest.raises(KeyboardInterrupt):
        train(config, dataset, folder, callbacks=[_Interrupt()], quiet=True)
    train(config, dataset, folder, resume=True, quiet=True)
    assert folder.load_summary()["parameters_sha256"] == run.folder.load_summary()["parameters_sha256"]


class _Interrupt(Callback):
    def on_checkpoint(self, step):
        raise KeyboardInterrupt


@pytest.mark.slow
def test_eight_devices_train_like_one(run, config, dataset, tmp_path):
    sharded = replace(config, sharding=ShardingConfig(data_devices=8))
    train(sharded, dataset, tmp_path / "eight", quiet=True)
    losses = [
        RunFolder(folder).load_summary()["final"]["reconstruction"] for folder in (run.folder.root, tmp_path / "eight")
    ]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-3)


def test_an_evaluation_counts_strings_and_the_report_shows_them(run, dataset):
    found = evaluate(run, dataset).strings
    assert found is not None
    assert found == load_evaluation(run.folder.evaluation).strings
    x = dataset.test[:]
    exact = (run.reconstruct(x).argmax(-1) == x.argmax(-1)).all(axis=1).mean()
    assert found.exact["test"] == pytest.approx(100 * exact)
    assert found.valid == 100
    page = run.folder.report.read_text()
    for title in ("Strings", "Random strings", "Interpolations", "Reconstructions"):
        assert f"<h2>{title}</h2>" in page
    assert run.strings(run.examples[:1])[0] in page
    assert not (run.folder.figures / "samples.png").exists()


def test_commands_write_strings_as_text(run, files, tmp_path, capsys):
    folder, out = str(run.folder.root), tmp_path / "out.txt"
    assert run_command(["sample", folder, "--count", "7", "--out", str(out)]) == 0
    assert [run.codec.is_valid(line) for line in out.read_text().splitlines()] == [True] * 7
    assert run_command(["interpolate", folder, "--paths", "2", "--steps", "3", "--out", str(out)]) == 0
    assert [len(line.split("\t")) for line in out.read_text().splitlines()] == [4, 4]
    codes = tmp_path / "codes.npy"
    assert run_command(["encode", folder, "--data", str(files / "strings.txt"), "--out", str(codes)]) == 0
    assert run_command(["decode", folder, "--coefficients", str(codes), "--out", str(out)]) == 0
    assert len(out.read_text().splitlines()) == 120
    assert run_command(["sample", folder, "--out", str(tmp_path / "samples.png")]) == 1
    assert "--out must end in .txt or .npy" in capsys.readouterr().err
    assert run_command(["explore", folder]) == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("x+y", "line 3: 'x+y' is not a string of the grammar, from position 3 ('y') on"),
        ("x+", "line 3: 'x+' is not a string of the grammar: it ends too early"),
        ("x+x+x+x+x", "has 10 rules, more than --longest = 8"),
    ],
)
def test_a_string_outside_the_grammar_is_named_with_its_line_and_position(files, tmp_path, capsys, line, message):
    bad = tmp_path / "bad.txt"
    bad.write_text(f"x\n\n{line}\n1\n")
    command = ["train", "strings", "--data", str(bad), "--grammar", str(files / "grammar.txt"), "--longest", "8"]
    assert run_command([*command, "--out", str(tmp_path / "run")]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_wrong_options_are_named(files, config, dataset, tmp_path, capsys):
    strings = str(files / "strings.txt")
    assert run_command(["train", "strings", "--data", strings, "--out", str(tmp_path / "run")]) == 1
    assert "--grammar" in capsys.readouterr().err
    (tmp_path / "bad.txt").write_text("S -> S")
    assert run_command(["train", "strings", "--data", strings, "--grammar", str(tmp_path / "bad.txt")]) == 1
    assert "S derives no string" in capsys.readouterr().err
    with pytest.raises(InputError, match=r"`objective.reconstruction` must be rules"):
        train(replace(config, objective=replace(config.objective, reconstruction="mse")), dataset, tmp_path / "run")
    with pytest.raises(InputError, match=r"`network.network`|grammar network"):
        train(
            replace(config, data=DataConfig("digits"), network=NetworkConfig("grammar")),
            load_dataset(DataConfig("digits")),
            tmp_path / "run",
        )


def test_a_search_scores_each_string_once_and_draws_are_strings_too(run, tmp_path):
    scored = []

    def longest(string):
        scored.append(string)
        return len(string)

    options = SearchOptions(rounds=2, batch_size=3, start=5, maximise=True)
    found = optimise(run, longest, tmp_path, options=options)
    assert len(scored) == len(set(scored)) <= 5 + 2 * 6
    assert (tmp_path / "best.txt").read_text().splitlines()[0].endswith(f"\t{found.best[0].text}")
    codes = run.training_coefficients[:6]
    once, again = (decode_objects(run, codes, decodings=3, seed=1) for _ in range(2))
    assert once == again
    assert all(run.codec.is_valid(string) for string in once)


def test_strings_in_memory_become_a_data_set():
    grammar = Grammar.from_text("S -> S '+' T | T\nT -> 'x' | '1'")
    data = dataset_of_strings(["x", "1", "x+1", "1+x", "x+x", "1+1"], grammar, test_fraction=0.4)
    assert (data.sample_shape, len(data.train), len(data.test)) == ((4, 5), 4, 2)
    with pytest.raises(InputError, match="string 2: 'y'"):
        dataset_of_strings(["x", "y"], grammar)


def test_expressions_are_distinct_and_within_their_limits(monkeypatch):
    for name, count in {"TRAIN_COUNT": 300, "TEST_COUNT": 50, "CANDIDATES": 400}.items():
        monkeypatch.setattr(expressions, name, count)
    found = []
    for tokens in ("rules", "characters"):
        data = load_dataset(DataConfig("expressions", tokens=tokens))
        assert data.codec is not None
        found.append([*data.codec.decode(data.train[:]), *data.codec.decode(data.test[:])])
        assert (len(data.train), len(data.test)) == (300, 50)
    assert found[0] == found[1]
    assert len(set(found[0])) == 350
    assert max(map(len, found[0])) <= 19


def test_expressions_are_evaluated_like_python_does(recwarn):
    x = np.linspace(-2, 2, 9)
    strings = EXPRESSIONS.derive(parse(EXPRESSIONS, "1/3+x*x")), "(1+2)*sin(x)/3", "exp(x)+2*x/x"
    for string in strings:
        expected = eval(string, {"x": x, "sin": np.sin, "exp": np.exp})
        np.testing.assert_allclose(evaluate_expression(string, x), expected)
    assert expression_score("1/3+x+sin(x*x)") == 0
    assert expression_score("exp(exp(exp(x)))") == float("inf")
    for bad in ("x+", "1if(x)", "__import__('os')", "x-1", "4", "True", "cos(x)", "(" * 500):
        assert expression_score(bad) == float("inf")
        with pytest.raises(InputError):
            evaluate_expression(bad, x)
    assert not [found for found in recwarn if "literal" in str(found.message)]  # Python warns of 1if(x)
