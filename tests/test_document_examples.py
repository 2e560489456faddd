"""The examples of README.md and of the documentation run: the Python blocks of a document in order, in one namespace.

A comment before a block says how it is run where that is not as it stands, and a comment anywhere in a document says
how all of its examples are run. `NOTES` and `PAGE_NOTES` are what such a comment may say.
"""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fastrrae.cli import run_command

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"(?:<!-- example: (.*?) -->\n+)?^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
NOTES = {
    "skipped": re.compile(r"not run, because it needs \w.*"),
    "replaced": re.compile(r"run with (`[^`]+` for `[^`]+`(, )?)+"),
    "shortened": re.compile(r"run with `([^`]+)` added to `fastrrae train`"),
}
PAGE_NOTES = {"slow": re.compile("slow"), "continues": re.compile(r"they continue those of (\S+)")}


@dataclass(frozen=True)
class Document:
    """A document with examples, and what its comments say of them."""

    path: Path
    slow: bool
    continues: Path | None  # the document whose names and files its examples use
    blocks: tuple[tuple[str, str, str], ...]  # the comment, the language, the text

    @classmethod
    def read(cls, path):
        text = path.read_text(encoding="utf-8")
        notes = re.findall(r"<!-- examples: (.*?) -->", text)
        assert all(any(note.fullmatch(found) for note in PAGE_NOTES.values()) for found in notes), (path, notes)
        continued = [match[1] for found in notes if (match := PAGE_NOTES["continues"].fullmatch(found))]
        blocks = tuple((note, language, dedent(body)) for note, language, body in BLOCK.findall(text))
        assert text.count("<!-- example: ") == sum(bool(note) for note, _, _ in blocks), f"{path}: a note of no block"
        return cls(path, "slow" in notes, (path.parent / continued[0]).resolve() if continued else None, blocks)

    def run(self, names):
        """Run the examples in the current folder; returns the names that they leave."""
        for note, language, body in self.blocks:
            if language == "python" and not NOTES["skipped"].fullmatch(note):
                exec(compile(shrunk(body, note), str(self.path), "exec"), names)
            elif language != "python" and note:
                run_commands(body, note)
        return names


def shrunk(text, note):
    """The example with what its comment replaces."""
    if note:
        assert NOTES["replaced"].fullmatch(note), note
    for new, old in re.findall("`([^`]+)` for `([^`]+)`", note):
        assert old in text, f"{old} is not in the example"
        text = text.replace(old, new)
    return text


def run_commands(text, note):
    """The commands of a block, with shorter trainings."""
    added = NOTES["shortened"].fullmatch(note)
    assert added, note
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        assert words[0] == "fastrrae", line
        assert run_command(words[1:] + (shlex.split(added[1]) if words[1] == "train" else [])) == 0, line


PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
DOCUMENTS = {path: Document.read(path) for path in PAGES if "```python" in path.read_text(encoding="utf-8")}
CHECKED = [ROOT / "README.md", ROOT / "docs" / "svd.md"]  # by tests of their own
CHAINS = {
    path: [document, *(other for other in DOCUMENTS.values() if other.continues == path)]
    for path, document in DOCUMENTS.items()
    if document.continues is None and path not in CHECKED
}


def as_parameter(chain):
    marks = [pytest.mark.slow] if any(document.slow for document in chain) else []
    return pytest.param(chain, id=str(chain[0].path.relative_to(ROOT)), marks=marks)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working folder, and an empty cache of feature networks."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def test_every_document_with_examples_is_run():
    run = {document.path for chain in CHAINS.values() for document in chain}
    assert run | set(CHECKED) == set(DOCUMENTS)


@pytest.mark.parametrize("chain", [as_parameter(chain) for chain in CHAINS.values()])
def test_examples_run(chain, folder):
    first, *others = chain
    names = first.run({})
    for document in others:
        document.run(dict(names))


def test_the_readme_is_one_page():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= 900


def test_examples_of_the_readme(folder):
    names = DOCUMENTS[ROOT / "README.md"].run({})
    assert names["u"].shape == (32, 64, 16)
    assert jnp.isfinite(names["gradient"]).all()
    assert names["alpha"].shape == (360, 16)
    assert names["new"].shape == (100, 8, 8, 1)


def test_examples_of_the_page_on_the_svd():
    names = DOCUMENTS[ROOT / "docs" / "svd.md"].run({})
    assert names["gradient"].shape == names["batched"].shape == names["hessian_vector"].shape == (32, 64, 200)
    assert all(jnp.isfinite(names[name]).all() for name in ("gradient", "hessian_vector", "batched"))
    assert names["warm"].vt.shape == (32, 16, 200)
    x = np.asarray(names["x"], np.float64)
    expected = np.linalg.svd(x - x.mean(axis=0), compute_uv=False)[:8]
    np.testing.assert_allclose(names["s"], expected, rtol=1e-3)
    assert names["y"].shape == (64 * jax.device_count(), 200)
    assert np.linalg.matrix_rank(names["y"], tol=1e-3) == 16
