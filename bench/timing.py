"""How every benchmark measures, and what it says about the machine."""

import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

from fastrrae.versions import describe_environment


def median_ms(function: Callable[..., Any], *args: Any, repeats: int = 9) -> float:
    """Median wall time of a call in milliseconds, results waited for, after one call to warm up."""
    jax.block_until_ready(function(*args))
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(function(*args))
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


def describe_machine() -> dict[str, Any]:
    """Processor, cores and versions, as JSON values."""
    return {"processor": _processor(), "cores": os.cpu_count(), **describe_environment()}


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
