"""Every file of a run folder and of a prepared folder, damaged in turn: the right result or a message."""

import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fastrrae.cli import run_command

QUICK = ["--network", "mlp", "--rank", "4", "--steps", "20", "--checkpoint-every", "10", "--protocol", "brief"]
QUICK = [
    *QUICK,
    "--batch-size",
    "16",
    "--data-devices",
    "1",
    "--encoder-widths",
    "16",
    "--decoder-widths",
    "16",
    "--quiet",
]

# Pictures and pages are for people, and the note and the lock say nothing of results.
NOT_READ = ("figures", "report.html", ".lock", ".lock-holder")


def cut(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.choice([0, len(content) // 2])]


def flipped(content: bytes, chance: random.Random) -> bytes:
    changed = bytearray(content)
    if changed:
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def files_in(folder: Path) -> list[Path]:
    found = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return [path for path in found if path.parts[0] not in NOT_READ]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "run"
    assert run_command(["train", "digits", "--out", str(out), *QUICK, "--latent-size", "8"]) == 0
    return out


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    source, out = tmp_path_factory.mktemp("images"), tmp_path_factory.mktemp("prepared") / "records"
    rng = np.random.default_rng(0)
    for number in range(40):
        Image.fromarray(rng.integers(0, 255, (8, 8, 3), np.uint8)).save(source / f"{number:02d}.png")
    assert run_command(["prepare", "images", str(source), str(out), "--size", "8"]) == 0
    return out


def samples_of(run: Path, out: Path):
    """The samples of a run; None where the command refuses."""
    code = run_command(["sample", str(run), "--count", "5", "--density", "gaussian", "--out", str(out)])
    assert code in (0, 1)
    return np.load(out) if code == 0 else None


def evaluation_of(run: Path):
    code = run_command(["evaluate", str(run)])
    assert code in (0, 1)
    return (run / "evaluation.json").read_bytes() if code == 0 else None


@pytest.fixture(scope="module")
def whole(run, tmp_path_factory):
    """What the commands give of the run as it is."""
    return samples_of(run, tmp_path_factory.mktemp("samples") / "whole.npy"), (run / "evaluation.json").read_bytes()


def check_run(run: Path, whole, tmp_path: Path, capsys, name: Path, damage, seed: int) -> None:
    """Damage one file of a copy; each command works as on the whole run, or says that something is damaged."""
    broken = tmp_path / "broken"
    shutil.copytree(run, broken)
    content = (broken / name).read_bytes()
    (broken / name).write_bytes(damage(content, random.Random(seed)))
    capsys.readouterr()
    found = samples_of(broken, tmp_path / "broken.npy"), evaluation_of(broken)
    errors = capsys.readouterr().err
    assert "Traceback" not in errors
    for result, expected in zip(found, whole, strict=True):
        if result is None:
            assert "damaged" in errors or name.name in errors, errors
        else:
            assert np.array_equal(np.asarray(result), np.asarray(expected))
    shutil.rmtree(broken)


@pytest.mark.parametrize("damage", [cut, flipped])
def test_small_files_of_a_run(run, whole, tmp_path, capsys, damage):
    names = [name for name in files_in(run) if len(name.parts) == 1]
    assert {"config.json", "data.json", "latent.npz", "metrics.jsonl", "summary.json"} <= {str(name) for name in names}
    for name in names:
        check_run(run, whole, tmp_path, capsys, name, damage, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("damage", [cut, flipped])
def test_every_file_of_a_run(run, whole, tmp_path, capsys, damage):
    for name in files_in(run):
        for seed in range(3):
            check_run(run, whole, tmp_path, capsys, name, damage, seed)


@pytest.mark.slow
@pytest.mark.parametrize("damage", [cut, flipped])
def test_every_file_of_a_prepared_folder(prepared, tmp_path, capsys, damage):
    """The same bits are trained, or it is said what is damaged; and `prepare` would say so too."""

    def summary(folder, out):
        command = ["train", "images", "--data", str(folder), "--out", str(out), *QUICK, "--latent-size", "8"]
        code = run_command([*command, "--overwrite"] if out.exists() else command)
        assert code in (0, 1)
        return (out / "latent.npz").read_bytes() if code == 0 else None

    expected = summary(prepared, tmp_path / "whole")
    for number, name in enumerate(files_in(prepared)):
        for seed in range(3):
            broken = tmp_path / "broken"
            shutil.copytree(prepared, broken)
            (broken / name).write_bytes(damage((broken / name).read_bytes(), random.Random(seed)))
            capsys.readouterr()
            found = summary(broken, tmp_path / f"run-{number}-{seed}")
            errors = capsys.readouterr().err
            assert found == expected if found is not None else name.name in errors or "damaged" in errors, (
                name,
                errors,
            )
            shutil.rmtree(broken)
