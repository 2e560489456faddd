"""Documents: links lead somewhere, the reference is complete, tutorials run, the site builds."""

import ast
import inspect
import os
import pydoc
import re
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

import fastrrae
import fastrrae_kernels
from fastrrae.cli import run_command

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
# Written when the site is built, and not in the repository.
GENERATED = {DOCS / "reference" / f"{name}.md" for name in ("fastrrae", "fastrrae_kernels", "command-line", "recipes")}
SCRIPTS = sorted([*DOCS.glob("tutorials/*.py"), *DOCS.glob("explanations/*.py")])
PAGES = sorted(set(DOCS.rglob("*.md")) - GENERATED)
OTHERS = [
    ROOT / name for name in ("README.md", "BUILD.md", "CONTRIBUTING.md", "bench/README.md", "bench/results/RESULTS.md")
]
DOCUMENTS = [*OTHERS, *PAGES, *SCRIPTS]


def name_of(path):
    return str(path.relative_to(ROOT))


def prose_of(path):
    """The Markdown of a document; of a script, that of its text cells."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        cells = re.findall(r"^# %% \[markdown\]\n((?:#.*\n)+)", text, re.MULTILINE)
        text = "\n".join(re.sub(r"^# ?", "", cell, flags=re.MULTILINE) for cell in cells)
    return text


def reference_extension():
    """The module that writes the generated pages; it needs no Sphinx."""
    spec = spec_from_file_location("generated_reference", DOCS / "extensions" / "generated_reference.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_lead_somewhere(document):
    text = re.sub(r"```.*?```", "", prose_of(document), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path = target.partition("#")[0]
        if path and not path.startswith(("http", "mailto")):
            found = (document.parent / path).resolve()
            assert found.exists() or found in GENERATED, target


def test_every_page_is_in_a_table_of_contents():
    text = (DOCS / "index.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```\{toctree\}\n(.*?)```", text, re.DOTALL)
    entries = [line for block in blocks for line in block.splitlines() if line and not line.startswith(":")]
    pages = {str(path.relative_to(DOCS).with_suffix("")) for path in [*PAGES, *SCRIPTS, *GENERATED]} - {"index"}
    assert set(entries) == pages
    assert len(entries) == len(pages)


@pytest.mark.parametrize("package", [fastrrae, fastrrae_kernels], ids=lambda package: package.__name__)
def test_every_public_name_is_documented(package):
    extension = reference_extension()
    page = extension.api_page(package, "API", "")
    for name in package.__all__:
        assert re.search(rf"^\.\. \S+:: {re.escape(name)}$", page, re.MULTILINE), name
        if name in extension.CONSTANTS:
            continue
        documentation = inspect.getdoc(getattr(package, name))
        assert documentation, name
        assert not documentation.startswith(f"{name}("), f"{name} has the docstring that a dataclass makes by itself"


def test_exported_names_are_public():
    """What the face of each package re-exports is what its `__all__` lists."""
    for package in (fastrrae, fastrrae_kernels):
        assert package.__file__
        tree = ast.parse(Path(package.__file__).read_text(encoding="utf-8"))
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level]
        exported = {alias.asname for node in imports for alias in node.names if alias.asname}
        assert exported == set(package.__all__)


@pytest.mark.parametrize("name", fastrrae_kernels.__all__)
def test_help_of_the_svd_fits_into_80_columns(name):
    if name not in reference_extension().CONSTANTS:
        documentation = inspect.getdoc(getattr(fastrrae_kernels, name)) or ""
        assert max(map(len, documentation.splitlines())) + 4 <= 80  # `help` indents it


@pytest.mark.parametrize("package", [fastrrae, fastrrae_kernels], ids=lambda package: package.__name__)
def test_help_of_the_packages_fits_into_80_columns(package):
    shown = pydoc.plain(pydoc.render_doc(package)).partition("PACKAGE CONTENTS")[0]
    assert "DESCRIPTION" in shown
    assert max(map(len, shown.splitlines())) <= 80


def imports_of(script):
    tree = ast.parse(script.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]


@pytest.mark.parametrize("script", SCRIPTS, ids=name_of)
def test_scripts_import_public_names(script):
    for node in imports_of(script):
        assert node.module
        if node.module in ("fastrrae", "fastrrae_kernels"):
            public = import_module(node.module).__all__
            assert {alias.name for alias in node.names} <= set(public)
        else:
            assert not node.module.startswith("fastrrae"), node.module


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=name_of)
def test_scripts_run(script, tmp_path):
    environment = {**os.environ, "MPLBACKEND": "agg", "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "kernels")])}
    environment.pop("XLA_FLAGS", None)
    environment.pop("JAX_DISABLE_MOST_OPTIMIZATIONS", None)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.skipif(find_spec("myst_nb") is None or find_spec("furo") is None, reason="needs fastrrae[docs]")
def test_the_site_builds_without_warnings(tmp_path):
    """Without running the tutorials, whose cells then have no language: that is the one warning that is expected."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "kernels")])}
    options = ["-b", "html", "-W", "--keep-going", "-D", "nb_execution_mode=off"]
    options += ["-D", "suppress_warnings=myst.header,misc.highlighting_failure,myst-nb.lexer"]
    command = [sys.executable, "-m", "sphinx", *options, "-d", tmp_path / "doctrees", DOCS, tmp_path / "site"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > len(SCRIPTS) + len(PAGES)
    for page in pages:
        assert not re.findall(r'(?:src|href)="https?://[^"]*\.(?:js|css|woff2?)', page.read_text(encoding="utf-8")), (
            page
        )


@pytest.mark.slow
def test_a_strict_type_checker_sees_the_public_api(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(TYPED_PROGRAM, encoding="utf-8")
    (tmp_path / "pyrightconfig.json").write_text(
        f'{{"typeCheckingMode": "strict", "extraPaths": ["{ROOT}", "{ROOT / "kernels"}"]}}', encoding="utf-8"
    )
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "-p", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout


TYPED_PROGRAM = '''"""Uses the public names as a typed program does."""

from typing import assert_type

import jax
import numpy as np

from fastrrae import RRAE, Autoencoder, Dataset, Run, RunConfig, TrainingConfig, load_run, train
from fastrrae_kernels import Gram, TruncatedSVD, low_rank, truncated_svd


def program(a: jax.Array, x: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> None:
    assert_type(truncated_svd(a, 2, method=Gram()), TruncatedSVD)
    assert_type(low_rank(a, 2), jax.Array)
    config = RunConfig("mine", model=RRAE(rank=2, latent_size=8), training=TrainingConfig(steps=5))
    assert_type(train(config, Dataset.from_arrays(x), "out"), Autoencoder)
    run = load_run("out")
    assert_type(run, Run)
    assert_type(run.rank, int)
    run.coefficients(Dataset.from_arrays(x).test)
'''


def test_both_packages_are_typed():
    for package in (fastrrae, fastrrae_kernels):
        assert package.__file__
        assert (Path(package.__file__).parent / "py.typed").is_file()


def test_a_completion_script_can_be_printed(capsys):
    with pytest.raises(SystemExit) as done:
        run_command(["--tyro-print-completion", "bash"])
    assert not done.value.code
    printed = capsys.readouterr().out
    assert "fastrrae" in printed
    assert "train-features" in printed
