"""Addresses in buckets as values of options: opened, fetched, sent or refused, and never a local folder `s3:`."""

import dataclasses
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from fastrrae.buckets import InBucket
from fastrrae.buckets.address import Objects
from fastrrae.cli import run_command
from fastrrae.cli.main import COMMANDS
from fastrrae.config_fields import field_types

PLAN = Path(__file__).parents[2] / "bench" / "results" / "plan-celeba-v5e.json"

# Text that names no place: a class, columns, an address on the network, a range of steps, ...
NO_PLACES = {"--label", "--names", "--split", "--label-column", "--parameter-columns", "--coordinator", "--profile"}
NO_PLACES |= {"--objective", "--seeds", "--only", "--rows", "--topology", "name", "table", "recipe"}
FIXED = {"name": "spectrum", "table": "irmae-depth-digits", "recipe": "digits", "--out": "x.npy", "--steps": "1"}


def value_of(command, name):
    """The value that an option has in a command object, wherever it is in there."""
    for field in dataclasses.fields(command):
        value = getattr(command, field.name)
        if dataclasses.is_dataclass(value):
            found = value_of(value, name)
            if found is not None:
                return found
        elif field.name == name:
            return value, field_types(type(command))[name]
    return None


def command_line(options, option, value):
    """The command of an option with this value, and some value of each other one that it needs."""
    line = list(option.command)
    for other in options:
        if other.command == option.command and (other.required or other == option):
            given = value if other == option else FIXED.get(other.name, "there-is-none")
            line += [other.name, given] if other.name.startswith("--") else [given]
    if option.command == ("continue",):
        line += ["--steps", "1"]
    return line


@pytest.fixture
def commands_seen(monkeypatch):
    """The command objects that would have been run."""
    seen = []
    for kind in COMMANDS:
        monkeypatch.setattr(kind, "run", lambda command: seen.append(command))
    return seen


def test_every_place_may_be_in_a_bucket_or_is_refused(text_options, s3, commands_seen, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    address = s3 + "/folder/file.npy"
    Objects(s3).write("folder/file.npy", b"content")
    places = [option for option in text_options if option.name not in NO_PLACES]
    assert {option.command[0] for option in places} == {*_names(), "prepare"} - {"recipes"}
    refused = set()
    for option in places:
        commands_seen.clear()
        code = run_command(command_line(text_options, option, address))
        said = capsys.readouterr().err
        if code:
            shown = option.name if option.name.startswith("--") else option.name.upper()
            assert f"{shown} takes no address in a bucket; got {address}" in said, option
            assert "give the path of the copy" in said
            refused.add(option.name)
            continue
        (command,) = commands_seen
        value, kind = value_of(command, option.name.strip("-").replace("-", "_"))
        value = value[0] if isinstance(value, tuple) else value
        if InBucket.OPENED in kind.__metadata__:
            assert value == address
        else:
            assert Path(value).is_absolute()
            assert Path(value).name == "file.npy"
            assert Path(value).is_file()
    assert refused == {"source"}
    assert not list(tmp_path.iterdir())
    assert Objects(s3).read("folder/file.npy") == b"content"  # nothing was written, and nothing sent


def _names():
    names = {kind.__name__: kind for kind in COMMANDS}
    return {"train-features" if name == "TrainFeatures" else name.lower() for name in names} - {"prepare"}


SMALL = "--network mlp --encoder-widths 8 --decoder-widths 8 --latent-size 4 --batch-size 16"
BRIEF = f"{SMALL} --rank 2 --protocol brief --data-devices 1 --steps 10"
SEARCH = "--objective scores:brightness --start 4 --rounds 1 --batch-size 2"

# Command lines, with S3 for the bucket, and some of what must be there afterwards.
FILES = {
    f"train digits --out S3/run {BRIEF}": ["run/summary.json"],
    "train-features digits --steps 5 --out S3/features.npz": ["features.npz"],
    "evaluate S3/run --protocol default --features S3/features.npz": ["run/evaluation.json", "run/report.html"],
    "sample S3/run --count 3 --out S3/pictures/samples.png": ["pictures/samples.png"],
    "encode S3/run --out S3/coefficients.npy": ["coefficients.npy"],
    "decode S3/run --coefficients S3/coefficients.npy --out S3/decoded.npy": ["decoded.npy"],
    "traverse S3/run --out S3/traversal.npy": ["traversal.npy"],
    "interpolate S3/run --out S3/paths.npy": ["paths.npy"],
    "export S3/run --out S3/weights.npz": ["weights.npz"],
    "card S3/run --out S3/cards/card.md": ["cards/card.md"],
}
FOLDERS = {
    f"train digits --out S3/run {BRIEF}": ["run/summary.json"],
    f"train digits --out S3/other {BRIEF} --init S3/run --seed 3": ["other/summary.json"],
    f"optimise S3/run {SEARCH}": ["run/optimisation/result.json"],
    f"optimise S3/run {SEARCH} --out S3/search": ["search/result.json", "search/evaluations.jsonl"],
    "compare S3/run S3/other --out S3/comparison": ["comparison/table.md", "comparison/report.html"],
    "plot spectrum S3/run S3/other --out S3/spectrum.svg": ["spectrum.svg"],
    "reproduce vrrae-table1 --quick --seeds 1 --out S3/table": ["table/table.md", "table/report.html"],
}
TABLE = {
    f"train array --data S3/speeds.csv --parameter-columns speed --out S3/run --plan S3/plan.json {BRIEF}": [
        "run/summary.json",
        "run/plan.json",
    ],
    "continue S3/run --steps 5 --data S3/speeds.csv --out S3/more --plan S3/plan.json": ["more/summary.json"],
    "evaluate S3/run --protocol brief --data S3/speeds.csv": ["run/evaluation.json"],
    "evaluate S3/run --protocol brief --other-data S3/speeds.csv --out S3/other.json": ["other.json"],
    "encode S3/run --data S3/samples.npy --out S3/coefficients.csv": ["coefficients.csv"],
    "interpolate S3/run --pairs 0 1 --data S3/speeds.csv --out S3/paths.npy": ["paths.npy"],
    "predict S3/run --parameters S3/wanted.csv --data S3/speeds.csv --method gp --out S3/a.npy --std S3/b.npy": [
        "a.npy",
        "b.npy",
    ],
    "plot spectrum S3/run --data S3/speeds.csv --out S3/spectrum.png": ["spectrum.png"],
    "explore S3/run --data S3/speeds.csv": [],
    f"sweep array --data S3/speeds.csv --parameter-columns speed --out S3/sweep {BRIEF}": ["sweep/sweep.csv"],
}
# Those that need other data, or the compiler for TPUs: their marks are tested above.
NOT_RUN = {*((command, "--grammar") for command in ("train", "sweep", "plan")), ("plan", "--data"), ("plan", "--json")}
NOT_RUN |= {(command, "--data") for command in ("attributes", "reproduce", "train-features")}
NOT_RUN |= {("attributes", "--out"), ("sweep", "--features"), ("reproduce", "--features")}


def test_nearly_every_option_is_run(text_options):
    """By the slow tests below."""
    flags = {(option.command[0], option.name) for option in text_options if option.name.startswith("--")}
    places = {(command, name) for command, name in flags if name not in NO_PLACES}
    run = set()
    for line in (*FILES, *FOLDERS, *TABLE):
        words = line.split()
        run |= {(words[0], before) for before, word in pairwise(words) if word.startswith("S3/")}
    assert places - run == NOT_RUN


@pytest.mark.slow
@pytest.mark.parametrize("lines", [FILES, FOLDERS, TABLE], ids=["files", "folders", "table"])
def test_commands_work_in_a_bucket(s3, tmp_path, monkeypatch, lines):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("fastrrae.cli.explore.explore", lambda run, dataset, **options: None)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "scores.py").write_text("def brightness(image):\n    return float(image.mean())\n")
    rows = np.random.default_rng(0).normal(size=(40, 6))
    lines_of_table = [",".join(map(str, [number, *row])) for number, row in enumerate(rows)]
    Objects(s3).write("speeds.csv", "\n".join(["speed,a,b,c,d,e,f", *lines_of_table]).encode())
    Objects(s3).write("wanted.csv", b"speed\n0.5\n1.5\n")
    np.save(tmp_path / "samples.npy", rows)
    Objects(s3).send(tmp_path / "samples.npy", "samples.npy")
    Objects(s3).send(PLAN, "plan.json")
    before = set(tmp_path.iterdir())
    for line, written in lines.items():
        assert run_command(line.replace("S3", s3).split()) == 0, line
        assert set(written) <= Objects(s3).names().keys(), line
    assert set(tmp_path.iterdir()) - before <= {tmp_path / "staging", tmp_path / "__pycache__"}
