"""Published figures of TPU chips, from the system architecture pages of the Cloud TPU documentation."""

from dataclasses import dataclass

SOURCE = "https://cloud.google.com/tpu/docs/system-architecture-tpu-vm"


@dataclass(frozen=True)
class Chip:
    """One chip: peak rates, in units a second, and memory."""

    name: str
    bfloat16_flops: float
    hbm_bytes: float
    hbm_bytes_per_second: float
    link_bytes_per_second: float  # of all its links to other chips together
    axes: int  # of a topology: 2 in a plane, 3 in a torus
    slice_network_bytes_per_second: float | None  # between slices, a chip's share; None: not published
    # Of its matrix units in bfloat16. The TPU compiler expects 70 to 97 % of it from products of 4096 or 8192 squared.
    flops_a_cycle: int
    compiler_config: str | None = None  # for one device a chip, as JAX has; None: the compiler needs none for that

    @property
    def clock(self) -> float:
        """Cycles a second: the published peak rate over the arithmetic of a cycle."""
        return self.bfloat16_flops / self.flops_a_cycle


_GIB = 2**30
_OF_CORE = 2 * 4 * 128 * 128  # multiplications and additions of four matrix units

CHIPS = {
    chip.name: chip
    for chip in (
        Chip("v4", 275e12, 32 * _GIB, 1228e9, 2400e9 / 8, 3, None, 2 * _OF_CORE, "megacore"),
        Chip("v5e", 197e12, 16 * _GIB, 819e9, 1600e9 / 8, 2, 6.4e12 / 8 / 256, _OF_CORE),
        Chip("v5p", 459e12, 95 * _GIB, 2765e9, 4800e9 / 8, 3, None, 2 * _OF_CORE, "megacore"),
        Chip("v6e", 918e12, 32 * _GIB, 1640e9, 3584e9 / 8, 2, 25.6e12 / 8 / 256, 4 * _OF_CORE),
    )
}

# What JAX calls the devices.
_KINDS = {
    "TPU v4": "v4",
    "TPU v5 lite": "v5e",
    "TPU v5e": "v5e",
    "TPU v5": "v5p",
    "TPU v5p": "v5p",
    "TPU v6 lite": "v6e",
    "TPU v6e": "v6e",
}


def peak_flops(device_kind: str) -> float | None:
    """The published bfloat16 rate of a device by JAX's name of its kind; None where it is not in the table."""
    name = _KINDS.get(device_kind)
    return None if name is None else CHIPS[name].bfloat16_flops
