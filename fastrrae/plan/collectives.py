"""Which data devices exchange in a compiled program, read from its text."""

import math
import re
from typing import NamedTuple

_KINDS = "all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute"
_CALL = re.compile(rf"= (\S.*?) ({_KINDS})(?:-start)?\((.*)")
_ORIGIN = re.compile(r'op_name="([^"]*)"')
_ARRAY = re.compile(r"(pred|[a-z]+\d+)\[([\d,]*)\]")
_SEND = re.compile(r"= \(([a-z]+\d*)\[([\d,]*)\].* send\((.*)")
_TRANSFER = re.compile(r'_xla_megascale_transfer_type="([A-Z_]+)"')
_BYTES = {"pred": 1, "s8": 1, "u8": 1, "bf16": 2, "f16": 2, "f32": 4, "s32": 4, "u32": 4, "f64": 8, "s64": 8, "u64": 8}


class Collective(NamedTuple):
    """One exchange."""

    kind: str
    shapes: tuple[tuple[int, ...], ...]  # of its results
    bytes: int
    between_slices: bool = False  # over the data-centre network
    origin: str = ""  # the path of functions that asked for it; of the first, where the compiler has joined several


def collectives_of(program: str) -> list[Collective]:
    """Every exchange in the text of a compiled program, largest first."""
    found = []
    for result, kind, rest in _CALL.findall(program):
        arrays = [(kind_, tuple(int(d) for d in sizes.split(",") if d)) for kind_, sizes in _ARRAY.findall(result)]
        size = sum(math.prod(shape) * _BYTES.get(dtype, 4) for dtype, shape in arrays)
        origin = _ORIGIN.search(rest)
        found.append(Collective(kind, tuple(shape for _, shape in arrays), size, False, origin[1] if origin else ""))
    return sorted(found + _between_slices(program), key=lambda collective: -collective.bytes)


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
