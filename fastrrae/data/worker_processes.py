"""What has to hold before grain starts processes that read: each of them imports the script that was started."""

import ast
import multiprocessing
import sys
from pathlib import Path

from ..errors import InputError

_REMEDY = 'put what the script does under `if __name__ == "__main__":`, or set `workers` to 0: threads read then'


def require_importable_main() -> None:
    """Refuse worker processes that would run the script again, and wait for each other for ever.

    A worker imports the script that was started, by another name. Without the usual guard it would start to train too,
    which Python refuses in a process that is being started: the worker ends, and nobody reads.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise InputError(f"this is a worker process that runs the script again as it imports it: {_REMEDY}")
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    if script is None or not Path(script).is_file():  # a notebook or -c: workers import nothing of it
        return
    try:
        statements = ast.parse(Path(script).read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return
    if not any(isinstance(statement, ast.If) and _reads_name(statement.test) for statement in statements):
        raise InputError(f"`workers` above 0 starts processes that import {script}, which would train again: {_REMEDY}")


def _reads_name(test: ast.expr) -> bool:
    return any(isinstance(node, ast.Name) and node.id == "__name__" for node in ast.walk(test))


def make_flags_of_grain_readable() -> None:
    """Let grain read its own flags (their defaults) where nobody has parsed those of absl, which stay unparsed."""
    from absl import flags

    for name in flags.FLAGS:
        if name.startswith("grain_") and not flags.FLAGS[name].present:
            flags.FLAGS[name].present = 1  # as grain itself does in its worker processes
