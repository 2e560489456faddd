"""The command lines in documents are ones that the parser takes: names, options and their values."""

import re
import shlex
from pathlib import Path

import pytest

from fastrrae.cli import run_command
from fastrrae.cli.main import COMMANDS

ROOT = Path(__file__).parents[1]
GENERATED = ("command-line.md", "recipes.md", "fastrrae.md", "fastrrae_kernels.md")
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "BUILD.md", "CONTRIBUTING.md", "bench/README.md")),
    ROOT / "bench" / "results" / "RESULTS.md",
    *(path for path in sorted((ROOT / "docs").rglob("*.md")) if path.name not in GENERATED),
    *sorted([*(ROOT / "docs" / "tutorials").glob("*.py"), *(ROOT / "docs" / "explanations").glob("*.py")]),
]
FIRST_READ = [ROOT / "README.md", ROOT / "docs" / "guide.md"]
# Words in capitals stand for what a user gives. Most are texts, which the parser takes as they are.
STAND_FOR = {"RECIPE": "digits", "MODEL": "vrrae", "N": "3", "P": "brief", "TABLE": "vrrae-table1", "...": ""}
FENCED = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)


def command_lines(document):
    """Command lines `fastrrae COMMAND ...` of a document, in fenced blocks and in inline code."""
    text = document.read_text(encoding="utf-8")
    if document.suffix == ".py":
        text = re.sub(r"^# ?", "", text, flags=re.MULTILINE)
    blocks = [block for language, block in FENCED.findall(text) if language != "python"]
    fenced = "\n".join(blocks).replace("\\\n", " ").splitlines()
    inline = [code.replace("\n", " ") for code in re.findall(r"`(fastrrae [^`]+)`", FENCED.sub("", text))]
    for line in [*fenced, *inline]:
        command = re.search(r"(?:^ *|srun |bin/|')fastrrae ([a-z][^']*)", line)
        if command:
            yield command[1]


def arguments_of(line):
    """The arguments of a command line, as a user may give them: optional ones too, and the first of alternatives."""
    plain = line.replace("\\|", "|").replace("[", "").replace("]", "").replace("RUN...", "RUN")
    words = [word.partition("|")[0] for word in shlex.split(plain, comments=True)]
    meaning = {**STAND_FOR, "NAME": "spectrum"} if words[0] == "plot" else STAND_FOR
    return [word for word in (meaning.get(word, word) for word in words) if word]


@pytest.fixture
def parsed_only(monkeypatch):
    """Commands are parsed, and not run."""
    for command in COMMANDS:
        monkeypatch.setattr(command, "run", lambda self: None)


def is_taken(arguments):
    """Whether the parser takes a command line; a command without arguments is only mentioned, and has to exist."""
    try:
        return run_command(arguments if len(arguments) > 1 else [*arguments, "--help"]) == 0
    except SystemExit as end:
        return end.code == 0


def test_every_command_is_in_a_document():
    named = {line.split()[0] for document in DOCUMENTS for line in command_lines(document)}
    assert len(named) == len(COMMANDS)


@pytest.mark.parametrize(
    "documents", [FIRST_READ, pytest.param(DOCUMENTS, marks=pytest.mark.slow)], ids=["first", "all"]
)
def test_commands_in_documents_are_taken_by_the_parser(parsed_only, capsys, documents):
    lines = {line: document for document in documents for line in command_lines(document)}
    assert len(lines) >= 5
    for line, document in lines.items():
        assert is_taken(arguments_of(line)), f"{document.name}: fastrrae {line}: {capsys.readouterr()}"


@pytest.mark.parametrize("arguments", ["--count many", "--density box", "--component first"])
def test_what_the_parser_refuses_is_noticed(parsed_only, capsys, arguments):
    assert not is_taken(arguments_of(f"sample RUN {arguments}"))
