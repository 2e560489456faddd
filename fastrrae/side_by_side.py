"""Several Python modules at a time as separate processes, each on its share of the cores of this machine."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple, NoReturn

from .errors import InputError, first_line

STOP_SECONDS = 30  # in which a process that was told to stop saves what it has


class Job(NamedTuple):
    """A process: `python -m MODULE ARGUMENTS`. The module calls `stop_with_parent` first."""

    name: str  # of its log
    module: str
    arguments: list[str]


def run_side_by_side(jobs: Sequence[Job], logs: Path, count: int, report: Callable[[str], None]) -> dict[str, str]:
    """Run all jobs, `count` at a time, each as a separate process on `1 / count` of the cores that this one may use.

    A job that fails does not stop the others. If this process is stopped, it stops all jobs that are running.

    Args:
        jobs: what is run.
        logs: the folder for the output of each, made if it is not there.
        count: processes at a time.
        report: called with a message that says where the logs are.

    Returns:
        Why jobs have failed, by name; empty where all went well.

    Raises:
        InputError: there are fewer cores.
    """
    shares = require_cores(count)
    started: list[subprocess.Popen[bytes]] = []
    stopping = threading.Event()

    def run(job: Job) -> tuple[str, str | None]:
        share = shares.pop()
        try:
            return job.name, _run(job, logs / f"{job.name}.log", share, report, started, stopping)
        finally:
            shares.append(share)

    logs.mkdir(parents=True, exist_ok=True)
    with _ended_by_sigterm(), ThreadPoolExecutor(count) as pool:
        try:
            results = [future.result() for future in [pool.submit(run, job) for job in jobs]]
        except BaseException:
            stopping.set()
            _stop(started)
            raise
    return {name: reason for name, reason in results if reason is not None}


def require_cores(count: int) -> list[set[int]]:
    """The cores of each of `count` processes.

    Raises:
        InputError: there are fewer cores, or the system does not say which there are.
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if count < 1:
        raise InputError(f"`jobs` must be at least 1; got {count}")
    if count > max(len(cores), 1):
        raise InputError(f"`jobs` must be at most the number of cores, {len(cores) or 'unknown here'}; got {count}")
    return [set(cores[number::count]) for number in range(count)]


def stop_with_parent() -> None:
    """Send SIGTERM to this process when the one that started it by `run_side_by_side` has ended, however it ended."""

    def wait() -> None:
        os.read(0, 1)  # returns at the end of the pipe, which no one else holds open
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def _run(
    job: Job,
    log: Path,
    cores: set[int],
    report: Callable[[str], None],
    started: list[subprocess.Popen[bytes]],
    stopping: threading.Event,
) -> str | None:
    if stopping.is_set():
        return None
    report(f"{job.name}: log in {log}")
    with log.open("w", encoding="utf-8") as file:
        command = [sys.executable, "-m", job.module, *job.arguments]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=file, stderr=subprocess.STDOUT)
        started.append(process)
        os.sched_setaffinity(process.pid, cores)  # before it has started any thread
        if stopping.is_set():  # since it was asked above
            process.terminate()
        code = process.wait()
        if process.stdin is not None:
            process.stdin.close()
    if not code:
        return None
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["it printed nothing"]
    return f"{first_line(lines[-1].removeprefix('fastrrae: error: '))} (exit code {code}; log in {log})"


def _stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        if process.poll() is None:
            process.terminate()
    for process in processes:
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM raise SystemExit, so that what was started is stopped first; in the main thread, which gets it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    before: Any = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
