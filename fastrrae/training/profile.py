"""`--profile FIRST:LAST`: a trace of some steps for XProf, and the time of each part of the step on the devices."""

import gzip
import json
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax

from ..atomic_files import write_json
from ..errors import InputError
from ..models.svd_of_batch import SCOPE

SCOPES = ("input", "encoder", SCOPE, "decoder", "objective", "optimiser", "exchange")
_INSTRUCTION = re.compile(r'%?([\w.-]+) = .*?metadata=\{[^}]*op_name="([^"]*)"')
_EXCHANGES = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")


def parse_profile(text: str) -> tuple[int, int]:
    """The first and the last step of FIRST:LAST."""
    first, _, last = text.partition(":")
    if not (first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last)):
        raise InputError(f"`profile` must be FIRST:LAST, two steps such as 100:110; got {text!r}")
    return int(first), int(last)


@dataclass
class Profiler:
    """Traces the steps `first` to `last` into `folder`; call it for each step.

    The folder is that of TensorBoard's profile plugin (`xprof --logdir FOLDER`), with `scopes.json` beside: the seconds
    that the devices spent in each part of the step.
    """

    folder: Path
    first: int
    last: int
    program: str = ""  # the text of the compiled step
    running: bool = False

    def before(self, number: int, step: Any, arguments: tuple[Any, ...]) -> None:
        """Start, before step `first`, or at the first step of a session that begins later."""
        if self.running or not self.first <= number <= self.last:
            return
        # The names of the parts are in the compiled program. Compiling again finds it in JAX's cache, if there is one.
        self.program = step.lower(*arguments).compile().as_text() or ""
        self.folder.mkdir(parents=True, exist_ok=True)
        jax.profiler.start_trace(str(self.folder), create_perfetto_trace=False)
        self.running = True

    def after(self, number: int, results: Any) -> None:
        """Stop, after step `last`."""
        if self.running and number >= self.last:
            jax.block_until_ready(results)
            self.stop()

    def stop(self) -> None:
        """End the trace, and write what is in it by scope."""
        if self.running:
            self.running = False
            jax.profiler.stop_trace()
            write_json(self.folder / "scopes.json", seconds_by_scope(self.folder, self.program))


def seconds_by_scope(folder: Path, program: str) -> dict[str, Any]:
    """The seconds of the newest trace in `folder` by scope, summed over devices, and those of no scope.

    What is within two scopes, as an exchange in the SVD, counts for both.

    Args:
        folder: that of `Profiler`.
        program: the compiled step, whose instructions say which scope they are from.
    """
    scopes = {name: _scopes_of(name, origin) for name, origin in _INSTRUCTION.findall(program)}
    seconds: dict[str, float] = defaultdict(float)
    for event in read_trace(folder):
        if event.get("ph") != "X":
            continue
        arguments = event.get("args", {})
        if event["name"] == "input":
            found: tuple[str, ...] = ("input",)
        elif "hlo_op" in arguments:
            name = arguments["hlo_op"]
            found = scopes.get(name) or _scopes_of(name, arguments.get("tf_op", "")) or ("other",)
        else:
            continue
        for scope in found:
            seconds[scope] += event.get("dur", 0.0) / 1e6
    return {"seconds": dict(sorted(seconds.items()))}


def read_trace(folder: Path) -> list[dict[str, Any]]:
    """The events of the newest trace in a folder, as Chrome's trace viewer takes them."""
    files = sorted(folder.glob("plugins/profile/*/*.trace.json.gz"))
    if not files:
        raise InputError(f"{folder} holds no trace")
    with gzip.open(files[-1], "rt", encoding="utf-8") as file:
        return json.load(file)["traceEvents"]


def _scopes_of(instruction: str, origin: str) -> tuple[str, ...]:
    exchange = ("exchange",) if instruction.startswith(_EXCHANGES) else ()
    return scopes_in(origin) + exchange


def scopes_in(origin: str) -> tuple[str, ...]:
    """The scopes in the path of functions that an instruction is from: jit(step)/transpose(jvp(encoder))/dot."""
    words = set(re.split(r"[/()]", origin))
    return tuple(scope for scope in SCOPES if scope in words and scope != "exchange")
