"""Cycles of compiled TPU programs, as the compiler schedules them: added up from a dump of its instruction bundles.

A bundle is a cycle of a core, and one inside loops counts as often as these run. Waiting for memory is not in it. The
flags and the format belong to libtpu (seen in 0.0.52), are documented nowhere, and may be gone with its next version.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

FLAGS = "--xla_jf_dump_to={folder} --xla_jf_dump_llo_text=true --xla_jf_dump_llo_pass_label_regex=.*final_bundles.*"

FILES = "*-final_bundles.txt"

_SMALL_PROGRAM = """
import jax
from fastrrae.plan.topology import Topology
sharding = jax.sharding.SingleDeviceSharding(Topology.parse("v5e:2x4").devices()[0])
a = jax.ShapeDtypeStruct((8, 128), "float32", sharding=sharding)
jax.jit(lambda a: a + a).trace(a).lower(lowering_platforms=("tpu",)).compile()
"""


@lru_cache(maxsize=1)
def dump_of_schedules() -> tempfile.TemporaryDirectory | None:
    """Ask libtpu for its schedules, before it is loaded; None where it knows no such flags, which can end a process.

    They are kept in the folder that is returned, which goes with the process.
    """
    dump = tempfile.TemporaryDirectory(prefix="fastrrae-schedules-")
    flags = " ".join([*os.environ.get("LIBTPU_INIT_ARGS", "").split(), FLAGS.format(folder=dump.name)])
    environment = {**os.environ, "LIBTPU_INIT_ARGS": flags}
    subprocess.run([sys.executable, "-c", _SMALL_PROGRAM], env=environment, capture_output=True, check=False)
    if not any(Path(dump.name).glob(FILES)):
        return None
    os.environ["LIBTPU_INIT_ARGS"] = flags
    clear(Path(dump.name))
    return dump


def clear(folder: Path) -> None:
    """Forget the schedules of the programs before."""
    for path in folder.iterdir():
        path.unlink()


_BUNDLE = re.compile(r"^\s*(0x[0-9a-f]+|0)\s+[A-Z:> ]*?\{(.*)$")
_REGION = re.compile(r"Start region (\d+)")
_BRANCH = re.compile(r"sbr\.rel \((!?)(%p\d+)\S*\) target = \$region(\d+)")
_STEP = re.compile(r"(%s\d+)\S* = sadd\.s32 (?:\([^)]*\), )?(\d+), (%s\d+)")
_LIMIT = re.compile(r"(%p\d+)\S* = scmp\.(ge|lt)\.s32\.totalorder (%s\d+)\S*, (\d+)")
_GUARD = re.compile(r"(%p\d+)\S* = pnand (%p\d+)\S*, (%p\d+)")
_TEST = re.compile(r"(%p\d+)\S* = scmp\.(?:ge|lt|eq|ne)\.s32\.totalorder (?:\([^)]*\), )?(%s\d+)\S*, (\d+)")


@dataclass(frozen=True)
class Loop:
    """Bundles from `first` to `last`, and how often they run: None where the program decides it as it runs."""

    first: int
    last: int
    trips: int | None


@dataclass(frozen=True)
class Kernel:
    """One operation of a program."""

    bundles: tuple[int, ...]  # addresses
    loops: tuple[Loop, ...]

    def cycles(self, trips: float | None = None) -> float:
        """With `trips`, instead of those in the dump, of the loops that end early or at a time that is not known.

        These are the ones without a number; where all have one, those that are inside no other.
        """
        early = [loop for loop in self.loops if loop.trips is None] or self._outermost()
        known = {loop: (trips if trips is not None and loop in early else loop.trips or 1) for loop in self.loops}
        total = 0.0
        for address in self.bundles:
            times = 1.0
            for loop in self.loops:
                if loop.first <= address <= loop.last:
                    times *= known[loop]
            total += times
        return total

    def _outermost(self) -> list[Loop]:
        return [
            loop
            for loop in self.loops
            if not any(other != loop and other.first <= loop.first and loop.last <= other.last for other in self.loops)
        ]


def read_kernel(text: str) -> Kernel:
    """From the text of a dump."""
    rows = [(int(found[1], 0), found[2]) for line in text.splitlines() if (found := _BUNDLE.match(line))]
    starts: dict[int, int] = {}
    for address, row in rows:
        for region in _REGION.findall(row):
            starts.setdefault(int(region), address)
    steps = {found[1]: int(found[2]) for _, row in rows for found in _STEP.finditer(row)}
    loops = []
    for address, row in rows:
        for found in _BRANCH.finditer(row):
            first = starts.get(int(found[3]))
            if first is not None and first <= address:
                loops.append(Loop(first, address, _trips(found[2], first, address, rows, steps)))
    return Kernel(tuple(address for address, _ in rows), tuple(loops))


def _trips(predicate: str, first: int, last: int, rows: list[tuple[int, str]], steps: Mapping[str, int]) -> int | None:
    """How often a loop runs that ends when a counter, from zero, reaches a number in the program."""
    for address, row in reversed(rows):
        if first <= address <= last:
            for name, counter, bound in _TEST.findall(row):
                if name == predicate:
                    return _guarded(max(1, -(-int(bound) // steps.get(counter, 1))), first, rows)
    return None


def _guarded(trips: int, first: int, rows: list[tuple[int, str]]) -> int:
    """Of the runs of a loop, those that do something.

    The loop over the blocks of a kernel's operands fetches one ahead and writes one behind. It skips all else in its
    first and its last run: unless its counter is between two numbers.
    """
    limits: dict[str, tuple[str, str, int]] = {}
    guards: dict[str, tuple[str, str]] = {}
    for address, row in rows:
        if address < first:
            continue
        limits |= {name: (kind, counter, int(bound)) for name, kind, counter, bound in _LIMIT.findall(row)}
        guards |= {name: (low, high) for name, low, high in _GUARD.findall(row)}
        if branch := _BRANCH.search(row):
            low, high = (limits.get(name) for name in guards.get(branch[2], ("", "")))
            if low and high and (low[0], high[0]) == ("ge", "lt") and low[1] == high[1]:
                return min(trips, high[2] - low[2])
            break
    return trips


_COMPUTATION = re.compile(r"^(ENTRY )?%([\w.\-]+) \(.*\{$")
_INSTRUCTION = re.compile(r"^\s+(?:ROOT )?%([\w.\-]+) = (.*?) ([a-z][\w\-]*)\((.*)$")
_CALLED = re.compile(r"(condition|body|to_apply)=%([\w.\-]+)")
_BRANCHES = re.compile(r"branch_computations=\{([^}]*)\}|(?:true|false)_computation=%([\w.\-]+)")
_COUNT = re.compile(r'known_trip_count":\{"n":"(\d+)"')
_ESTIMATE = re.compile(r'"estimated_cycles":"(\d+)"')
_OPERATION = re.compile(r'op_name="([^"]*)"')


@dataclass(frozen=True)
class Part:
    """An operation of a program: what it is, where, how often it runs, and the cycles of all its runs."""

    name: str
    scope: str
    times: float
    cycles: float
    scheduled: bool  # False: the estimate of XLA's own cost model
    origin: str = ""  # the path of functions that it is from


def program_parts(
    hlo: str, folder: Path | None, counts: Mapping[str, float], *, prefer_estimates: bool = False
) -> list[Part]:
    """What a compiled program spends its cycles on.

    Args:
        hlo: its text.
        folder: of its dump, if there is one.
        counts: how often loops and branches run in all, by the names of their `jax.named_scope`s ("polish/turn"), and
            how often, a call, the loop of a kernel that ends early ("jacobi/jacobi_eigh"). Other loops count once, and
            of other conditions all branches.
        prefer_estimates: take the estimate of XLA's cost model, which waits for memory, where an operation has one, and
            the schedule for kernels, which have none. By default the schedule counts, where there is one.
    """
    return list(_Program(hlo, folder, counts, prefer_estimates).parts("", 1.0))


class _Program:
    def __init__(self, hlo: str, folder: Path | None, counts: Mapping[str, float], prefer_estimates: bool) -> None:
        self.computations: dict[str, list[re.Match[str]]] = {}
        for line in hlo.splitlines():
            if found := _COMPUTATION.match(line):
                self.computations[found[2]] = []
                if found[1]:
                    self.computations[""] = self.computations[found[2]]
            elif self.computations and (found := _INSTRUCTION.match(line)):
                self.computations[list(self.computations)[-1]].append(found)
        self.counts, self.prefer_estimates = counts, prefer_estimates
        self.scopes = {name for key in counts for name in key.split("/")}
        self.kernels = {
            re.sub(r"^\d+-|-\d+-final_bundles\.txt$", "", path.name): read_kernel(path.read_text(errors="replace"))
            for path in (folder.glob(FILES) if folder else ())
            if "schedule-analysis" not in path.name
        }
        alike = [found for rows in self.computations.values() for found in rows if found[1] in self.kernels]
        self.alike = {_signature(found): self.kernels[found[1]] for found in alike}

    def parts(self, computation: str, times: float) -> Iterator[Part]:
        """Those of a computation that runs so many times."""
        for found in self.computations[computation]:
            name, opcode, rest = found[1], found[3], found[4]
            scope = self._scope(rest)
            if opcode == "while":
                trips = self.counts.get(scope)
                known = _COUNT.search(rest)
                trips = trips if trips is not None and not known else times * float(known[1] if known else 1)
                for _, called in _CALLED.findall(rest):
                    yield from self.parts(called, trips)
            elif opcode == "conditional":
                yield from self._branches(rest, times, self.counts.get(scope))
            elif opcode == "call":
                for _, called in _CALLED.findall(rest):
                    yield from self.parts(called, times)
            else:
                yield from self._operation(found, name, scope, times)

    def _branches(self, rest: str, times: float, often: float | None) -> Iterator[Part]:
        """What a condition leads to `often`, and what it does not in the rest of the `times`; both where unknown."""
        names = [name for many, one in _BRANCHES.findall(rest) for name in re.findall(r"[\w.\-]+", many or one)]
        if "true_computation" in rest:
            names.reverse()  # as in a list of branches: false comes first
        for name in names:
            yield from self.parts(name, times if often is None else often if name == names[-1] else times - often)

    def _operation(self, found: re.Match[str], name: str, scope: str, times: float) -> Iterator[Part]:
        kernel = self.kernels.get(name) or self.alike.get(_signature(found))
        estimate, origin = _ESTIMATE.search(found[4]), _OPERATION.search(found[4])
        short, path = re.sub(r"\..*", "", name), origin[1] if origin else ""
        scope = scope.removesuffix(short).rstrip("/")  # a kernel's name is a scope as well
        if kernel is not None and not (estimate and self.prefer_estimates):
            early = self.counts.get(f"{scope}/{short}".lstrip("/"))
            yield Part(short, scope, times, times * kernel.cycles(early), True, path)
        elif estimate:
            yield Part(short, scope, times, times * float(estimate[1]), False, path)

    def _scope(self, rest: str) -> str:
        path = _OPERATION.search(rest)
        return "/".join(name for name in (path[1].split("/") if path else []) if name in self.scopes)


def _signature(found: re.Match[str]) -> tuple[str, str, str, str]:
    """Equal for operations that are compiled once: the compiler dumps only the first of them."""
    shapes = re.sub(r"%([\w\-]+)[\w.\-]*", "", found[4].split("), ")[0])
    target = re.search(r'custom_call_target="[^"]*"', found[4])
    return re.sub(r"\..*", "", found[1]), found[2], found[3], shapes + (target[0] if target else "")
