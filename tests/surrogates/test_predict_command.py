"""`fastrrae predict`, the surrogate's part of an evaluation, and runs and data that have no parameters."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from fastrrae import InputError, RunFolder, load_dataset, load_run
from fastrrae.cli import run_command
from fastrrae.evaluation import load_evaluation, measure
from fastrrae.evaluation.protocol import PROTOCOLS
from fastrrae.evaluation.surrogate_errors import Predictions

from .conftest import waves

INSIDE = np.array([[2.0, 0.5], [1.7, 0.3], [2.2, 0.7]])


def predict(run, parameters, out, *more):
    return run_command(["predict", str(run), "--parameters", str(parameters), "--out", str(out), *more])


def write_csv(path, header, rows, separator=","):
    lines = [separator.join(header), *(separator.join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_fields_of_a_table_in_any_order_of_columns(waves_run, tmp_path, capsys):
    table = write_csv(tmp_path / "new.csv", ["phase", "frequency"], INSIDE[:, ::-1], ";")
    assert predict(waves_run, table, tmp_path / "fields.npy") == 0
    said = capsys.readouterr()
    assert said.out == f"{tmp_path / 'fields.npy'}\n"
    assert said.err == ""
    fields = np.load(tmp_path / "fields.npy")
    np.testing.assert_array_equal(fields, load_run(waves_run).surrogate().predict(INSIDE))
    assert np.linalg.norm(fields - waves(INSIDE)) < 0.2 * np.linalg.norm(waves(INSIDE))
    np.save(tmp_path / "new.npy", INSIDE)
    assert predict(waves_run, tmp_path / "new.npy", tmp_path / "again.npy") == 0
    np.testing.assert_array_equal(np.load(tmp_path / "again.npy"), fields)


def test_deviations_and_extrapolation(waves_run, tmp_path, capsys):
    table = write_csv(tmp_path / "new.csv", ["frequency", "phase"], [[2.0, 0.5], [9.0, 0.5]])
    more = ["--method", "gp", "--std", str(tmp_path / "std.npy")]
    assert predict(waves_run, table, tmp_path / "fields.npy", *more) == 0
    error = capsys.readouterr().err
    assert error.startswith("fastrrae: warning: 1 of 2 rows of parameters (row 1) are outside of the convex hull")
    assert error.count("\n") == 1
    near, far = np.load(tmp_path / "std.npy")
    assert near.mean() < far.mean()


def test_files_that_are_there_are_kept(waves_run, tmp_path, capsys):
    table, out = write_csv(tmp_path / "new.csv", ["frequency", "phase"], INSIDE), tmp_path / "fields.npy"
    out.write_text("mine")
    assert predict(waves_run, table, out) == 1
    assert f"{out} is already there: give --overwrite to replace it" in capsys.readouterr().err
    assert out.read_text() == "mine"
    assert predict(waves_run, table, out, "--overwrite") == 0
    assert np.load(out).shape == (3, 24)


@pytest.mark.parametrize(
    ("header", "rows", "message"),
    [
        (["frequency"], [[2]], "must have the columns frequency, phase, in any order: there is no 'phase'"),
        (["frequency", "phase", "x"], [[2, 0.5, 1]], "the run has no parameter 'x'"),
        (["Frequency", "phase"], [[2, 0.5]], "there is no 'frequency'; the run has no parameter 'Frequency'"),
        (["frequency", "phase"], [[2, "high"]], "column 'phase': must be a number; got 'high'"),
        (["frequency", "phase"], [[2, 0.5], [2, "nan"]], "parameters must be finite; row 2 is"),
        (["frequency", "phase"], [], "has a header and no samples below it"),
        (["2.0", "0.5"], [[2, 0.5]], "must start with a line of column names"),
    ],
)
def test_tables_that_are_refused(waves_run, tmp_path, capsys, header, rows, message):
    table = write_csv(tmp_path / "new.csv", header, rows)
    assert predict(waves_run, table, tmp_path / "fields.npy") == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == [table]


def test_other_input_that_is_refused(waves_run, tmp_path, capsys):
    array, out = tmp_path / "new.npy", tmp_path / "fields.npy"

    def refused(message, *more, run=waves_run, parameters=array, out=out):
        assert predict(run, parameters, out, *more) == 1
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
        assert not (tmp_path / "fields.npy").exists()

    refused("--parameters must be a .csv or .npy file; ")
    np.save(array, INSIDE[:, :1])
    refused("must have shape (count, 2), with columns frequency, phase; got (3, 1)")
    np.save(array, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    refused("is not a readable .npy file of numbers")
    array.write_bytes(b"\x93NUMPY")
    refused("is not a readable .npy file of numbers")
    np.save(array, INSIDE)
    refused("--std needs --method gp", "--std", str(tmp_path / "std.npy"))
    refused("must be different files", "--std", str(out), "--method", "gp")
    refused("--out must end in .npy", out=tmp_path / "fields.csv")
    refused("--out is in the folder", out=tmp_path / "absent" / "fields.npy")
    refused("is not a run folder", run=tmp_path)
    (tmp_path / "new.txt").write_text("2 0.5")
    refused("--parameters must be a .csv or .npy file", parameters=tmp_path / "new.txt")


def test_an_evaluation_compares_the_surrogate_with_pod(waves_run):
    found = load_evaluation(waves_run / "evaluation.json").surrogate
    assert found is not None
    assert found.parameters == ["frequency", "phase"]
    assert list(found.pod) == ["2", "4", "8", "16"]
    run, dataset = load_run(waves_run), load_dataset(RunFolder(waves_run).load_config().data)
    # Both errors once more, by the public parts.
    normalised = run.normalisation.apply
    predicted = normalised(run.surrogate().predict(dataset.parameters["test"]))
    expected = 100 * np.linalg.norm(predicted - normalised(dataset.test)) / np.linalg.norm(normalised(dataset.test))
    np.testing.assert_allclose(found.error.overall, expected, rtol=1e-4)
    train, test = (normalised(x).astype(float) for x in (dataset.train, dataset.test))
    components = np.linalg.svd(train - train.mean(axis=0), full_matrices=False)[2][:4]
    left = (test - train.mean(axis=0)) @ (np.eye(24) - components.T @ components)
    np.testing.assert_allclose(found.pod["4"].projected, 100 * np.linalg.norm(left) / np.linalg.norm(test), rtol=1e-3)
    assert all(errors.interpolated >= errors.projected - 1e-3 for errors in found.pod.values())
    outside = run.surrogate().space.outside(dataset.parameters["test"]).sum()
    assert (found.outside or 0) == outside


def test_the_report_shows_it(waves_run):
    report = (waves_run / "report.html").read_text(encoding="utf-8")
    assert "Fields from parameters" in report
    assert "POD, rank 16" in report
    assert {"predicted_fields.png", "parameters.png"} <= {path.name for path in (waves_run / "figures").iterdir()}


@pytest.mark.slow
def test_evaluating_again_gives_the_same_bytes(waves_run):
    before = (waves_run / "evaluation.json").read_bytes()
    assert run_command(["evaluate", str(waves_run)]) == 0
    assert (waves_run / "evaluation.json").read_bytes() == before


def test_data_that_has_no_parameters_or_is_not_the_runs_own(waves_run):
    run = load_run(waves_run)
    dataset = load_dataset(run.config.data)
    assert Predictions.of(run, dataclasses.replace(dataset, parameters={})) is None
    infinite = {split: np.where(values > 2.5, np.inf, values) for split, values in dataset.parameters.items()}
    assert Predictions.of(run, dataclasses.replace(dataset, parameters=infinite)) is None
    other = dataclasses.replace(dataset, parameters={split: values + 1 for split, values in dataset.parameters.items()})
    assert measure(run, other, PROTOCOLS["brief"], None).surrogate is None


def test_a_run_that_keeps_no_parameters_reads_them_from_its_data(waves_run, tmp_path, capsys):
    """As runs of earlier versions."""
    folder = tmp_path / "run"
    shutil.copytree(waves_run, folder)
    (folder / "SHA256SUMS").unlink()
    with np.load(folder / "latent.npz") as stored:
        kept = {name: stored[name] for name in stored.files if not name.startswith("parameter")}
    np.savez(folder / "latent.npz", **kept)
    assert load_run(folder).training_parameters is None
    np.save(tmp_path / "new.npy", INSIDE)
    assert predict(folder, tmp_path / "new.npy", tmp_path / "fields.npy") == 0
    np.testing.assert_array_equal(np.load(tmp_path / "fields.npy"), load_run(waves_run).surrogate().predict(INSIDE))
    config = json.loads((folder / "config.json").read_text())
    config["data"]["data"] = str(tmp_path / "gone.npz")
    (folder / "config.json").write_text(json.dumps(config))
    capsys.readouterr()
    assert predict(folder, tmp_path / "new.npy", tmp_path / "fields.npy", "--overwrite") == 1
    assert "gone.npz is not a file" in capsys.readouterr().err


def test_names_that_do_not_fit_are_refused(waves_data, tmp_path):
    from fastrrae import DataConfig

    with np.load(waves_data) as stored:
        arrays = dict(stored)
    for names, message in (
        (["frequency"], r"`parameter_names` must name each of the 2 parameters"),
        (["phase", "phase"], r"`parameter_names` must differ from each other"),
    ):
        np.savez(tmp_path / "waves.npz", **{**arrays, "parameter_names": names})
        with pytest.raises(InputError, match=message):
            load_dataset(DataConfig("array", str(tmp_path / "waves.npz")))
