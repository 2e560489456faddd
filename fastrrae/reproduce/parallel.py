"""Several commands at a time, each on its share of the cores of this machine."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from ..errors import InputError


class Job(NamedTuple):
    """A command line of `fastrrae`."""

    name: str  # of its log
    arguments: list[str]


def run_side_by_side(jobs: Sequence[Job], logs: Path, count: int, report: Callable[[str], None]) -> None:
    """Run all jobs, `count` at a time, each as a separate process on `1 / count` of the cores that this one may use.

    Args:
        jobs: what is run.
        logs: the folder for the output of each, made if it is not there.
        count: processes at a time.
        report: is told where the logs are.

    Raises:
        InputError: there are fewer cores, or a job has failed.
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) < count:
        raise InputError(f"`jobs` must be at most the number of cores, {len(cores) or 'unknown here'}; got {count}")
    shares = [set(cores[number::count]) for number in range(count)]

    def run(job: Job) -> None:
        share = shares.pop()
        try:
            _run(job, logs / f"{job.name}.log", share, report)
        finally:
            shares.append(share)

    logs.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(count) as pool:
        for finished in [pool.submit(run, job) for job in jobs]:
            finished.result()


def _run(job: Job, log: Path, cores: set[int], report: Callable[[str], None]) -> None:
    report(f"{job.name}: log in {log}")
    with log.open("w", encoding="utf-8") as file:
        command = [sys.executable, "-m", "fastrrae", *job.arguments]
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
        os.sched_setaffinity(process.pid, cores)  # before it has started any thread
        code = process.wait()
    if code:
        raise InputError(f"{job.name} ended with exit code {code}: see {log}")
