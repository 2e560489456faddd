"""`fastrrae COMMAND`: finds the command, runs it, and turns what a user can change into a message and an exit code."""

import os
import re
import sys
from collections.abc import Iterable
from difflib import get_close_matches
from functools import reduce
from io import TextIOWrapper
from logging import CRITICAL, getLogger
from operator import or_
from typing import Any

import jax
import tyro
from absl import logging

from ..buckets import with_addresses
from ..config_fields import refusing_with
from ..errors import InputError, StartAgain
from ..recipes import RECIPES
from ..training.preemption import Preempted
from ..versions import __version__
from .bucket_options import in_buckets
from .coefficients import Decode, Encode, Interpolate, Traverse
from .compare import Compare
from .earlier_flags import with_current_names
from .explore import Explore
from .export import Card, Export
from .finished_runs import Attributes, Evaluate, Sample
from .messages import missing_platform, with_options
from .optimise import Optimise
from .plan import Plan, parse_plan
from .plot import Plot
from .predict import Predict
from .prepare import Prepare
from .recipe_options import SETTINGS, model_in, options_type
from .recipes import Recipes
from .reproduce import Reproduce
from .sweep import Sweep, parse_sweep
from .train import Continue, Train
from .train_features import TrainFeatures

COMMANDS = (
    Train,
    Continue,
    Evaluate,
    Sample,
    Attributes,
    Encode,
    Decode,
    Traverse,
    Interpolate,
    Explore,
    Export,
    Card,
    Predict,
    Optimise,
    Compare,
    Sweep,
    Plot,
    Reproduce,
    TrainFeatures,
    Prepare,
    Plan,
    Recipes,
)


START_AGAIN = 75  # EX_TEMPFAIL of sysexits.h: nothing is wrong but that another process or the bucket was lost


class _Refused(Exception):
    """A value of an option that its section of the configuration refuses."""


_OF_SEVERAL = {"plan": parse_plan, "sweep": parse_sweep}  # whose options take several values
_OF_RECIPES = ("train", *_OF_SEVERAL)


def main() -> None:
    """Entry point of `fastrrae`."""
    _silence_abandoned_reads()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a locale that is not UTF-8 must not end a run
    code = run_command(sys.argv[1:])
    if code and jax.distributed.is_initialized():
        # Leaving in order would wait for the other processes, which may be gone or wait for this one.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _silence_abandoned_reads() -> None:
    """Where one array of a checkpoint is damaged, reads of the others fail later, in threads that print tracebacks."""
    report, report_unraisable = sys.excepthook, sys.unraisablehook

    def is_abandoned(error: BaseException | None) -> bool:
        return isinstance(error, RuntimeError) and str(error) == "Event loop is closed"

    sys.excepthook = lambda kind, error, trace: None if is_abandoned(error) else report(kind, error, trace)
    sys.unraisablehook = lambda args: None if is_abandoned(args.exc_value) else report_unraisable(args)
    getLogger("asyncio").setLevel(CRITICAL)


def run_command(arguments: list[str]) -> int:
    """Run one command line; returns the exit code.

    0: done. 1: something is wrong that starting again does not change. 75: start all processes again with `resume`.
    130 and 143: stopped by SIGINT or SIGTERM; after SIGTERM with a checkpoint, to be resumed.
    """
    logging.set_verbosity(logging.FATAL)  # of orbax and grain: what goes wrong there is raised too, and said below
    if arguments[:1] == ["--version"]:
        print(f"fastrrae {__version__}")
        return 0
    command = None
    try:
        with refusing_with(_Refused):
            command = _parse(with_current_names(arguments))
        with in_buckets(command) as local:
            local.run()
    except Preempted as error:
        print(f"fastrrae: {with_options(str(error), command)}", file=sys.stderr)
        return 143
    except StartAgain as error:
        print(f"fastrrae: error: {with_addresses(with_options(str(error), command))}", file=sys.stderr)
        return START_AGAIN
    except (InputError, _Refused) as error:
        print(f"fastrrae: error: {with_addresses(with_options(str(error), command))}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of a pipe has stopped, as `| head` does
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (Python flushes it at exit)
        return 1
    except OSError as error:
        print(f"fastrrae: error: {error.filename or 'a file'}: {error.strerror or error}", file=sys.stderr)
        return 1
    except (AssertionError, RuntimeError):
        message = missing_platform()
        if not message:
            raise
        print(f"fastrrae: error: {message}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("fastrrae: interrupted; `train --resume` and `prepare` continue from what is finished", file=sys.stderr)
        return 130
    return 0


def _parse(arguments: list[str]) -> Any:
    """The command that the arguments say, with its options."""
    name, recipe = [*arguments[:2], "", ""][:2]
    known = {re.sub(r"(?<!^)(?=[A-Z])", "-", command.__name__).lower(): command for command in COMMANDS}
    _refuse_unknown("command", name, known, "`fastrrae --help` lists them")
    if name in _OF_RECIPES:
        _refuse_unknown("recipe", recipe, RECIPES, "`fastrrae recipes` lists them")
    if name == "train" and recipe in RECIPES:
        rest = _with_resume_auto(arguments[2:])
        options = options_type(Train.options, RECIPES[recipe], model_in(rest, RECIPES[recipe]))
        description = Train.describe(RECIPES[recipe])
        return Train(
            tyro.cli(options, args=rest, prog=f"fastrrae train {recipe}", description=description, config=SETTINGS)
        )
    if name in _OF_SEVERAL and recipe in RECIPES:
        return _OF_SEVERAL[name](recipe, arguments[2:])
    if name in known and name not in _OF_RECIPES:  # alone: a message about its options need not look at all others
        return tyro.cli(known[name], args=arguments[1:], prog=f"fastrrae {name}", config=SETTINGS)
    commands: Any = reduce(or_, COMMANDS)
    return tyro.cli(
        commands,
        args=arguments,
        prog="fastrrae",
        description="Rank-reduction autoencoders. Start with `fastrrae recipes`, then `fastrrae train digits`.",
        config=SETTINGS,
    )


def _refuse_unknown(kind: str, name: str, known: Iterable[str], remedy: str) -> None:
    """End with usage, as the parser does, if `name` is not an option and none of the known commands or recipes."""
    if name and not name.startswith("-") and name not in known:
        similar = get_close_matches(name, known, 1)
        meant = f"; did you mean {similar[0]}?" if similar else "."
        print(f"fastrrae: error: there is no {kind} {name!r}{meant} {remedy}", file=sys.stderr)
        sys.exit(2)


def _with_resume_auto(arguments: list[str]) -> list[str]:
    """`--resume auto` as the one option that it means."""
    joined = "\0".join(arguments).replace("--resume\0auto", "--resume-auto")
    return joined.split("\0") if arguments else []
