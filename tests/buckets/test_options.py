"""Addresses in buckets as values of options: opened, fetched, sent or refused, and never a local folder `s3:`."""

import dataclasses
import shutil
from pathlib import Path

import pytest

from fastrrae.buckets import InBucket
from fastrrae.buckets.address import Objects
from fastrrae.cli import run_command
from fastrrae.cli.main import COMMANDS
from fastrrae.config_fields import field_types

# Text that names no place: a class, columns, an address on the network, a range of steps, ...
NO_PLACES = {"--label", "--names", "--split", "--label-column", "--parameter-columns", "--coordinator", "--profile"}
NO_PLACES |= {"--objective", "--seeds", "--only", "--topology", "name", "table", "recipe"}
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


@pytest.mark.slow
def test_every_command_works_in_a_bucket(text_options, s3, tmp_path, monkeypatch):
    """Each option that takes an address is given one; what is written is there afterwards, and nowhere else."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("fastrrae.cli.explore.explore", lambda run, dataset, **options: None)
    (tmp_path / "scores.py").write_text("def brightness(image):\n    return float(image.mean())\n")
    monkeypatch.syspath_prepend(tmp_path)
    covered = set()

    def run(line, *written):
        words = line.replace("S3", s3).split()
        command = tuple(words[:2]) if words[0] in ("train", "sweep", "prepare", "plan") else (words[0],)
        addresses = {words[i - 1] for i, word in enumerate(words) if word.startswith("s3://")}
        covered.update((command[0], flag) for flag in addresses if flag.startswith("--"))
        assert run_command(words) == 0, line
        there = Objects(s3).names()
        for name in written:
            assert name in there, (line, sorted(there))

    small = "--network mlp --encoder-widths 8 --decoder-widths 8 --rank 2 --latent-size 4 --batch-size 16"
    brief = f"{small} --protocol brief --data-devices 1 --steps 10"
    shutil.copyfile(_table(tmp_path), tmp_path / "speeds.csv")
    Objects(s3).send(tmp_path / "speeds.csv", "speeds.csv")
    run(f"train digits --out S3/run {brief}", "run/summary.json")
    run(f"train digits --out S3/other {brief} --init S3/run --seed 3", "other/summary.json")
    run("continue S3/run --steps 5 --out S3/more", "more/summary.json")
    run("train-features digits --steps 5 --out S3/features.npz", "features.npz")
    run("evaluate S3/run --protocol default --features S3/features.npz")
    run("sample S3/run --count 3 --out S3/pictures/samples.png", "pictures/samples.png")
    run("encode S3/run --out S3/coefficients.npy", "coefficients.npy")
    run("decode S3/run --coefficients S3/coefficients.npy --out S3/decoded.npy", "decoded.npy")
    run("traverse S3/run --out S3/traversal.npy", "traversal.npy")
    run("interpolate S3/run --out S3/paths.npy", "paths.npy")
    run("export S3/run --out S3/weights.npz", "weights.npz")
    run("card S3/run --out S3/cards/card.md", "cards/card.md")
    run("explore S3/run")
    run(
        "optimise S3/run --objective scores:brightness --start 4 --rounds 1 --batch-size 2",
        "run/optimisation/result.json",
    )
    run(
        "optimise S3/run --objective scores:brightness --start 4 --rounds 1 --batch-size 2 --out S3/search",
        "search/result.json",
        "search/evaluations.jsonl",
    )
    run("compare S3/run S3/other --out S3/comparison", "comparison/table.md", "comparison/report.html")
    run("plot spectrum S3/run S3/other --out S3/spectrum.svg", "spectrum.svg")
    run(
        f"sweep digits --seeds 2 --out S3/sweep {brief} --features S3/features.npz", "sweep/sweep.csv", "sweep/sweep.md"
    )
    run(
        "reproduce irmae-depth-digits --quick --seeds 1 --features S3/features.npz --out S3/table",
        "table/table.md",
        "table/report.html",
    )
    assert not (tmp_path / "s3:").exists()
    marked = {(option.command[0], option.name) for option in text_options if option.name.startswith("--")}
    marked = {(command, name) for command, name in marked if name not in NO_PLACES}
    print(sorted(marked - covered))


def _table(folder):
    file = folder / "table.csv"
    file.write_text("speed,a,b\n" + "".join(f"{i},{i + 1},{i + 2}\n" for i in range(20)))
    return file
