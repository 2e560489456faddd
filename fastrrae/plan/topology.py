"""Descriptions of TPU slices, such as v5e:4x4, and the devices that the TPU compiler makes of them."""

import importlib.util
import math
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from jax.experimental import topologies

from ..chips import CHIPS, Chip
from ..errors import InputError

# There is no metadata server to ask which TPU this is, and no other host.
_NO_TPU_HERE = {
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_ACCELERATOR_TYPE": "v5litepod-1",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_WORKER_ID": "0",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "true",  # several plans at a time: there is no TPU to fight for
}


@dataclass(frozen=True)
class Topology:
    """One or several equal slices: their chip, and how many there are along each axis of a slice."""

    chip: Chip
    shape: tuple[int, ...]
    slices: int = 1

    @classmethod
    def parse(cls, text: str) -> "Topology":
        """From a text such as v5e:4x4, v4:2x2x4 or, for two slices, 2xv5e:4x4."""
        several = re.fullmatch(r"([1-9]\d*)x(v.*)", text)
        name, _, sizes = (several[2] if several else text).partition(":")
        chip = CHIPS.get(name)
        if chip is None:
            raise InputError(f"`topology` must start with one of {', '.join(CHIPS)}; got {text!r}")
        shape = tuple(int(size) for size in sizes.split("x") if size.isdigit())
        if len(shape) != chip.axes or "x".join(map(str, shape)) != sizes or min(shape) < 1:
            example = "2x2x4" if chip.axes == 3 else "4x4"
            raise InputError(f"a topology of {name} has {chip.axes} sizes, as in {name}:{example}; got {text!r}")
        return cls(chip, shape, int(several[1]) if several else 1)

    def __str__(self) -> str:
        return self.of_slice if self.slices == 1 else f"{self.slices}x{self.of_slice}"

    @property
    def of_slice(self) -> str:
        """One slice, as the TPU compiler calls it."""
        return f"{self.chip.name}:{'x'.join(map(str, self.shape))}"

    @property
    def chips(self) -> int:
        """How many there are, of all slices."""
        return self.slices * math.prod(self.shape)

    def devices(self) -> list[Any]:
        """The devices, for compiling only; needs the TPU compiler, not a TPU."""
        if importlib.util.find_spec("libtpu") is None:
            raise InputError(
                'the TPU compiler is not installed: pip install "fastrrae[tpu-aot]" (Linux, Python 3.12 or newer)'
            )
        with _environment(_NO_TPU_HERE):
            try:
                options: dict[str, Any] = {"num_slices": self.slices} if self.slices > 1 else {}
                if self.chip.compiler_config is not None:
                    options["chip_config_name"] = self.chip.compiler_config
                found = topologies.get_topology_desc(topology_name=self.of_slice, platform="tpu", **options)
                return list(found.devices)
            except (RuntimeError, ValueError) as error:
                raise InputError(f"the TPU compiler does not know the topology {self}: {error}") from None


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Environment variables that are set while the TPU compiler starts, unless they have values."""
    added = {name: value for name, value in variables.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


def scaling_series(chip: Chip) -> list[Topology]:
    """Slices from 8 to 256 chips, each twice the one before."""
    planes = [(2, 4), (4, 4), (4, 8), (8, 8), (8, 16), (16, 16)]
    tori = [(2, 2, 2), (2, 2, 4), (2, 4, 4), (4, 4, 4), (4, 4, 8), (4, 8, 8)]
    return [Topology(chip, shape) for shape in (planes if chip.axes == 2 else tori)]
