"""The cache helps where it can be used, and is never in the way."""

import jax
import pytest

from fastrrae.cache_folder import cache_folder
from fastrrae.compilation_cache import enable_compilation_cache


@pytest.fixture
def working_folder(tmp_path, monkeypatch):
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def compilation_cache():
    """What a test sets is taken back."""
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    kept = {name: getattr(jax.config, name) for name in names}
    yield
    for name, value in kept.items():
        jax.config.update(name, value)


def test_it_is_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder("features") == tmp_path / "fastrrae" / "features"
    assert (tmp_path / "fastrrae" / "features").is_dir()


@pytest.mark.parametrize("value", ["", " ", "relative"])
def test_nothing_is_written_into_the_working_folder(tmp_path, working_folder, monkeypatch, value):
    monkeypatch.setenv("XDG_CACHE_HOME", value)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    folder = cache_folder("features")
    assert folder is None or folder.is_relative_to(tmp_path / "home")
    assert not list(working_folder.iterdir())


def test_no_home_folder(working_folder, monkeypatch):
    def no_entry(uid):
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", no_entry)
    assert cache_folder("features") is None
    assert not list(working_folder.iterdir())


def test_a_place_that_cannot_be_written(tmp_path, monkeypatch, compilation_cache, capsys):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    jax.config.update("jax_compilation_cache_dir", None)
    assert cache_folder("features") is None
    assert enable_compilation_cache() is None
    assert capsys.readouterr().err.count("\n") == 1
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "file" / "xla"))
    assert enable_compilation_cache() is None
    assert jax.config.jax_compilation_cache_dir is None  # pyright: ignore[reportAttributeAccessIssue]


def test_programs_are_kept_where_it_was_said(tmp_path, compilation_cache):
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "xla"))
    assert enable_compilation_cache() == tmp_path / "xla"
    assert (tmp_path / "xla").is_dir()
