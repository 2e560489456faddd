"""Which data devices exchange in a compiled program, read from its text."""

import math
import re
from typing import Any, NamedTuple

_KINDS = "all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute"
_CALL = re.compile(rf"= (\S.*?) ({_KINDS})(?:-start)?\((.*)")
_COMPUTATION = re.compile(r"(?:ENTRY )?%?([\w.-]+) .*\{$")
_FUSED_SCATTER = "all-reduce-scatter"  # how the TPU compiler calls a sum of which each chip keeps its part
_GROUP = re.compile(r"replica_groups=(?:\{\{([\d,]*)\}|\[\d+,(\d+)\]|mesh\[(.*?)\] \{(.*?)\})")
_AXIS = re.compile(r"'(\w+)'(?:=(\d+))?")
_DIMENSION = re.compile(r" dimensions=\{(\d+)\}")
_CHANNEL = re.compile(r"channel_id=(\d+)")
_ORIGIN = re.compile(r'op_name="([^"]*)"')
_ARRAY = re.compile(r"(pred|[a-z]+\d+)\[([\d,]*)\]")
_SEND = re.compile(r"= \(([a-z]+\d*)\[([\d,]*)\].* send\((.*)")
_TRANSFER = re.compile(r'_xla_megascale_transfer_type="([A-Z_]+)"')
_BYTES = {"pred": 1, "s8": 1, "u8": 1, "bf16": 2, "f16": 2, "f32": 4, "s32": 4, "u32": 4, "f64": 8, "s64": 8, "u64": 8}


class Collective(NamedTuple):
    """One exchange."""

    kind: str
    shapes: tuple[tuple[int, ...], ...]  # of its results; of a reduce-scatter, of the whole sums
    bytes: int
    between_slices: bool = False  # over the data-centre network
    origin: str = ""  # the path of functions that asked for it; of the first, where the compiler has joined several

    @property
    def moved(self) -> int:
        """Bytes that a chip of many sends at least: a sum takes two passes, to add parts up and to share them."""
        return 2 * self.bytes if self.kind == "all-reduce" else self.bytes


def collectives_of(program: str) -> list[Collective]:
    """Every exchange in the text of a compiled program, largest first.

    An asynchronous exchange appears in every computation that it overlaps with, with the same channel, and counts once.
    """
    found: dict[Any, Collective] = {}
    scattered = False
    for line in program.splitlines():
        if (computation := _COMPUTATION.match(line)) is not None:
            scattered = computation[1].startswith(_FUSED_SCATTER)
        elif (call := _CALL.search(line)) is not None:
            collective = _collective(*call.groups(), scattered=scattered)
            channel = _CHANNEL.search(call[3])
            found[len(found) if channel is None else (channel[1], collective[:3])] = collective
    return sorted([*found.values(), *_between_slices(program)], key=lambda collective: -collective.bytes)


def _collective(result: str, kind: str, rest: str, *, scattered: bool) -> Collective:
    arrays = [(dtype, [int(d) for d in sizes.split(",") if d]) for dtype, sizes in _ARRAY.findall(result)]
    if kind == "reduce-scatter":
        cut = int(_DIMENSION.search(rest)[1])  # pyright: ignore[reportOptionalSubscript]
        for _, shape in arrays:
            shape[cut] *= _group_size(rest)
    size = sum(math.prod(shape) * _BYTES.get(dtype, 4) for dtype, shape in arrays)
    origin = _ORIGIN.search(rest)
    shapes = tuple(tuple(shape) for _, shape in arrays)
    return Collective("reduce-scatter" if scattered else kind, shapes, size, False, origin[1] if origin else "")


def _group_size(call: str) -> int:
    """How many devices exchange with each other: the groups are listed, counted, or named by axes of the mesh."""
    listed, counted, axes, names = _GROUP.search(call).groups()  # pyright: ignore[reportOptionalMemberAccess]
    if axes is None:
        return int(counted) if listed is None else len(listed.split(","))
    sizes = dict(_AXIS.findall(axes))
    return math.prod(int(sizes[name]) for name, _ in _AXIS.findall(names))


def _between_slices(program: str) -> list[Collective]:
    """What each chip sends to its partners in other slices; the compiler writes it as a transfer to its host."""
    found = []
    for dtype, sizes, rest in _SEND.findall(program):
        kind, origin = _TRANSFER.search(rest), _ORIGIN.search(rest)
        if kind is not None:
            shape = tuple(int(d) for d in sizes.split(",") if d)
            size = math.prod(shape) * _BYTES.get(dtype, 4)
            name = kind[1].lower().replace("_", "-")
            found.append(Collective(name, (shape,), size, True, origin[1] if origin else ""))
    return found
