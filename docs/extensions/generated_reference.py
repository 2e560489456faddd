"""Pages of the reference that are made from the program itself, before each build: commands, recipes, the API."""

import contextlib
import io
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import fastrrae
import fastrrae_kernels
from fastrrae import MODELS, RECIPES
from fastrrae.cli.main import COMMANDS, run_command

if TYPE_CHECKING:
    from sphinx.application import Sphinx

REFERENCE = Path(__file__).parents[1] / "reference"

CONSTANTS = {
    "Backend": 'The implementation: `"auto"`, `"xla"` or `"pallas"`.',
    "MODELS": 'The models by name: `MODELS["vrrae"]` is `VRRAE`.',
    "RECIPES": 'The recipes by name: `RECIPES["digits"].config` is a finished `RunConfig`.',
    "__version__": "The version of the package.",
}


def help_text(*arguments: str) -> str:
    """What `fastrrae ARGUMENTS --help` prints on a terminal of 80 columns."""
    screen = io.StringIO()
    plain = {"COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb"}
    with patch.dict(os.environ, plain), contextlib.redirect_stdout(screen), contextlib.suppress(SystemExit):
        run_command([*arguments, "--help"])
    return "\n".join(line.rstrip() for line in screen.getvalue().splitlines()).strip()


def command_name(command: type) -> str:
    """The name on the command line: `TrainFeatures` is `train-features`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", command.__name__).lower()


def command_line_page() -> str:
    """The help text of every command, and of `train` with one recipe."""
    lines = [
        "# Command line",
        "",
        "Made from the parser: each block is what the command prints with `--help`. `fastrrae train RECIPE --model "
        "MODEL --help` lists the options of a recipe with a model; that of `digits` stands here as an example.",
        "",
    ]
    for arguments in ([], *([command_name(command)] for command in COMMANDS), ["train", "digits"]):
        title = " ".join(["fastrrae", *arguments])
        lines += [f"## {title}", "", "```text", help_text(*arguments), "```", ""]
    return "\n".join(lines)


def recipes_page() -> str:
    """A table of the recipes, and the configuration of each as JSON."""
    lines = [
        "# Recipes",
        "",
        "A recipe is a finished configuration with a name. Times and results were measured on 2 cores of an AMD EPYC "
        "with `fastrrae train RECIPE`.",
        "",
        "| recipe | data | model | training | time | result |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, recipe in RECIPES.items():
        cells = (recipe.about, recipe.config.model.name, recipe.budget, recipe.expected_time, recipe.expected_figure)
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    lines += ["", "## Models", "", "| `--model` | what it is |", "| --- | --- |"]
    lines += [f"| `{name}` | {model.title} |" for name, model in MODELS.items()]
    return "\n".join([*lines, ""])


def api_page(module: Any, title: str, introduction: str) -> str:
    """Every public name of a module, with its docstring."""
    lines = [f"# {title}", "", introduction, "", "```{eval-rst}", f".. currentmodule:: {module.__name__}", ""]
    for name in sorted(module.__all__, key=str.lower):
        value = getattr(module, name)
        if isinstance(value, type):
            hidden = issubclass(value, (fastrrae_kernels.Method, tuple))  # what their users do not call
            lines += [f".. autoclass:: {name}", *([] if hidden else ["   :members:"]), ""]
        elif name not in CONSTANTS:
            lines += [f".. autofunction:: {name}", ""]
        else:
            lines += [f".. py:data:: {name}", "", f"   {CONSTANTS[name]}", ""]
    return "\n".join([*lines, "```", ""])


def write_pages(app: "Sphinx") -> None:
    """Write the pages that have changed."""
    kernels = "Every public name of `fastrrae_kernels`. [The guide to the SVD](../svd.md) shows them at work."
    library = "Every public name of `fastrrae`. [The guide](../guide.md) shows them at work."
    pages = {
        "command-line.md": command_line_page(),
        "recipes.md": recipes_page(),
        "fastrrae_kernels.md": api_page(fastrrae_kernels, "API of fastrrae_kernels", kernels),
        "fastrrae.md": api_page(fastrrae, "API of fastrrae", library),
    }
    for name, text in pages.items():
        path = REFERENCE / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def setup(app: "Sphinx") -> dict[str, Any]:
    """Write the pages when a build starts."""
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
