"""Every benchmark runs, at a small size, and writes what its schema says; so do the results that are kept.

The schemas are in bench/schemas/, one for each script. `committed_results.json` there says which of them each file
under bench/results/ has, and which code it measures.
"""

import importlib.util
import json
import re
import runpy
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

ROOT = Path(__file__).parents[1]
BENCH = ROOT / "bench"
SCHEMAS = {path.stem: json.loads(path.read_text()) for path in (BENCH / "schemas").glob("*.json")}
COMMITTED = SCHEMAS.pop("committed_results")
REGISTRY = Registry().with_resources((f"{name}.json", Resource.from_contents(s)) for name, s in SCHEMAS.items())

SCRIPTS = sorted(path.stem for path in BENCH.glob("*.py") if 'if __name__ == "__main__":' in path.read_text())
QUICK = {"data", "gradients", "large_svd"}  # the others compile or train too much


def require_valid(result, schema):
    validator = Draft202012Validator(schema, registry=REGISTRY)
    assert not [f"{error.json_path}: {error.message}" for error in validator.iter_errors(result)]


@pytest.mark.parametrize("script", [s if s in QUICK else pytest.param(s, marks=pytest.mark.slow) for s in SCRIPTS])
def test_a_benchmark_runs(script, tmp_path, monkeypatch):
    if script == "aot" and importlib.util.find_spec("libtpu") is None:
        pytest.skip("there is no libtpu")
    before = set(sys.modules)
    monkeypatch.syspath_prepend(BENCH)
    monkeypatch.setattr(sys, "argv", [str(BENCH / f"{script}.py"), "--smoke", "--out", str(tmp_path / "result.json")])
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    finally:
        for name in {path.stem for path in BENCH.glob("*.py")} & (set(sys.modules) - before):
            del sys.modules[name]
    result = json.loads((tmp_path / "result.json").read_text())
    require_valid(result, SCHEMAS[script])
    require_valid(result["machine"], {"$ref": "common.json#/$defs/new_machine"})


def test_aot_says_that_it_needs_libtpu(tmp_path, monkeypatch, capsys):
    if importlib.util.find_spec("libtpu") is not None:
        pytest.skip("there is a libtpu")
    monkeypatch.syspath_prepend(BENCH)
    monkeypatch.setattr(sys, "argv", ["aot.py", "--out", str(tmp_path / "result.json")])
    runpy.run_path(str(BENCH / "aot.py"), run_name="__main__")
    assert "skipped, as there is no libtpu" in capsys.readouterr().out
    assert not (tmp_path / "result.json").exists()


def test_make_bench_runs_all(tmp_path):
    if shutil.which("make") is None:
        pytest.skip("there is no make")
    done = subprocess.run(["make", "-n", "bench"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert sorted(re.findall(r"bench/(\w+)\.py", done.stdout)) == SCRIPTS


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_one(name):
    Draft202012Validator.check_schema(SCHEMAS[name])


def test_every_result_has_a_schema():
    found = {str(path.relative_to(BENCH / "results")) for path in (BENCH / "results").rglob("*.json")}
    assert set(COMMITTED) == found
    assert all((ROOT / path).exists() for entry in COMMITTED.values() for path in entry["measures"])


@pytest.mark.parametrize("name", COMMITTED)
def test_a_committed_result_has_its_form(name):
    require_valid(json.loads((BENCH / "results" / name).read_text()), SCHEMAS[COMMITTED[name]["schema"]])


@pytest.mark.parametrize("damage", ["no rows", "unknown field", "text for a number", "no commit"])
def test_a_damaged_result_is_found(damage):
    result = json.loads((BENCH / "results" / "pythae-cpu.json").read_text())
    schema = SCHEMAS["pythae_peer"]
    if damage == "no rows":
        result["rows"] = []
    elif damage == "unknown field":
        result["rows"][0]["second"] = 1.0
    elif damage == "text for a number":
        result["rows"][0]["seconds"] = ["1.0"]
    else:
        result, schema = result["machine"], {"$ref": "common.json#/$defs/new_machine"}
        del result["commit"]
    with pytest.raises(AssertionError):
        require_valid(result, schema)


def git(*words, folder=ROOT):
    return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def last_change_since(commit, paths, folder=ROOT):
    """The last commit after `commit` that changes one of the paths, in a line; empty where there is none."""
    return git("log", "-1", "--format=%h of %cs", f"{commit}..HEAD", "--", *paths, folder=folder)


def commit_of(name):
    """The commit that a result names, or else the one that it came with, which is no earlier."""
    recorded = json.loads((BENCH / "results" / name).read_text()).get("machine", {}).get("commit")
    return recorded.removesuffix("+") if recorded else git("log", "-1", "--format=%H", "--", f"bench/results/{name}")


def test_results_that_are_older_than_the_code_are_named():
    """They may be right all the same: a warning says what to measure again."""
    try:
        if git("rev-parse", "--is-shallow-repository") != "false" or Path(git("rev-parse", "--show-toplevel")) != ROOT:
            pytest.skip("the history is not here")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is no git checkout")
    older = []
    for name, entry in COMMITTED.items():
        commit = commit_of(name)
        assert commit, f"{name} is not committed"
        if change := last_change_since(commit, entry["measures"]):
            older.append(f"  {name}, of {commit[:7]}: the code changed last in {change}")
    if older:
        warnings.warn("\n".join(["results older than the code that they measure:", *older]), stacklevel=1)


def test_a_change_of_the_code_is_found(tmp_path):
    if shutil.which("git") is None:
        pytest.skip("there is no git")
    git("init", "--quiet", folder=tmp_path)
    commits = []
    for path in ("measured", "result", "other", "measured"):
        (tmp_path / path).write_text(f"{len(commits)}\n")
        git("add", ".", folder=tmp_path)
        git("-c", "user.name=A", "-c", "user.email=a@b.c", "commit", "--quiet", "-m", path, folder=tmp_path)
        commits.append(git("rev-parse", "HEAD", folder=tmp_path))
    assert last_change_since(commits[1], ["measured"], tmp_path).startswith(commits[3][:7])
    assert not last_change_since(commits[3], ["measured"], tmp_path)
    assert not last_change_since(commits[1], ["absent"], tmp_path)
    assert last_change_since(commits[1], ["other"], tmp_path).startswith(commits[2][:7])
