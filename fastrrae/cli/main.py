"""`fastrrae COMMAND`: finds the command, runs it, and turns what a user can mend into a message and an exit code."""

import os
import sys
from functools import reduce
from operator import or_
from typing import Any

import jax
import tyro
from absl import logging

from ..errors import InputError
from ..training.preemption import Preempted
from .finished_runs import Evaluate, Interpolate, Sample
from .plan import Plan
from .prepare import Prepare
from .recipes import Recipes
from .tables import Compare, Reproduce
from .train import Train
from .train_features import TrainFeatures

COMMANDS = (Train, Evaluate, Sample, Interpolate, Compare, Reproduce, TrainFeatures, Prepare, Plan, Recipes)


def main() -> None:
    """Entry point of `fastrrae`."""
    code = run_command(sys.argv[1:])
    if code and jax.distributed.is_initialized():
        # Leaving in order would wait for the other processes, which may be gone or wait for this one.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def run_command(arguments: list[str]) -> int:
    """Run one command line; returns the exit code: 0, 1 after a message, 130 and 143 after SIGINT and SIGTERM."""
    logging.set_verbosity(logging.FATAL)  # of orbax and grain: what goes wrong there is raised too, and said below
    commands: Any = reduce(or_, COMMANDS)
    command = tyro.cli(
        commands,
        args=arguments,
        prog="fastrrae",
        description="Rank-reduction autoencoders. Start with `fastrrae recipes`, then `fastrrae train digits`.",
        config=(tyro.conf.OmitSubcommandPrefixes, tyro.conf.OmitArgPrefixes),
    )
    try:
        command.run()
    except Preempted as error:
        print(f"fastrrae: {error}", file=sys.stderr)
        return 143
    except InputError as error:
        print(f"fastrrae: error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"fastrrae: error: {error.filename or 'a file'}: {error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("fastrrae: interrupted; `train --resume` and `prepare` go on from what is finished", file=sys.stderr)
        return 130
    return 0
