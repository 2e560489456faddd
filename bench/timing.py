"""How every benchmark measures, and what it says about the machine."""

import os
import platform
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

if "scipy.linalg" in sys.modules and "fastrrae_kernels" not in sys.modules:
    raise ImportError("import fastrrae_kernels before SciPy: idle threads of its LAPACK otherwise slow all else down")

from fastrrae.versions import describe_environment


def median_ms(function: Callable[..., Any], *args: Any, repeats: int = 9) -> float:
    """Median wall time of a call in milliseconds, results waited for, after one call to warm up."""
    return interleaved_ms({"call": lambda: function(*args)}, repeats)["call"]


def interleaved_ms(calls: dict[str, Callable[[], Any]], repeats: int = 9) -> dict[str, float]:
    """Median wall time of each call in milliseconds, one after the other in every round, so that noise hits all."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        jax.block_until_ready(call())
    for _ in range(repeats):
        for name, call in calls.items():
            start = time.perf_counter()
            jax.block_until_ready(call())
            times[name].append(time.perf_counter() - start)
    return {name: 1e3 * statistics.median(taken) for name, taken in times.items()}


def describe_machine() -> dict[str, Any]:
    """Processor, cores, versions, the commit that was measured and the command that did it, as JSON values."""
    about = {"processor": _processor(), "cores": os.cpu_count(), "commit": _commit(), "command": _command()}
    return about | describe_environment()


def _command() -> str:
    return shlex.join(["python", f"bench/{Path(sys.argv[0]).name}", *sys.argv[1:]])


def _commit() -> str | None:
    """The commit of the checkout, with a plus if something is changed in it; None outside a checkout."""
    here = Path(__file__).parent

    def ask(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=here, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return ask("rev-parse", "HEAD") + ("+" if ask("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
