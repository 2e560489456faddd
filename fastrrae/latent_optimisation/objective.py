"""The function that scores objects: a user's own, also by its name."""

import importlib
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np

from ..errors import InputError, first_line

Objective = Callable[[Any], float | None]
"""`object -> score`: of a string, or of a sample (*sample_shape) in the units of the data; None of one without any."""


def load_objective(name: str) -> Objective:
    """The function that `module:function` names, from the Python path or the current folder.

    Raises:
        InputError: there is no such module or function, or the module fails when it is imported.

    Example:
        >>> load_objective("fastrrae.grammars.expressions:expression_score")("x+1/3")
        0.3911335709216967
    """
    module_name, colon, function = name.partition(":")
    if not (module_name and colon and function):
        raise InputError(f"`objective` must be module:function, as scores:thickness; got {name!r}")
    here = str(Path.cwd())
    added = here not in sys.path
    if added:
        sys.path.insert(0, here)
    try:
        found = getattr(importlib.import_module(module_name), function)
    except Exception as error:  # a module of the user's own may raise anything
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise InputError(f"`objective` {name!r} cannot be loaded: {reason}") from None
    finally:
        if added:
            sys.path.remove(here)
    if not callable(found):
        raise InputError(f"`objective` must name a function of one object; {name!r} is a {type(found).__name__}")
    return cast(Objective, found)


def score(objective: Objective, candidate: str | np.ndarray) -> float:
    """The score of one object; NaN of one that has none (the objective gave infinity, NaN or None).

    Raises:
        InputError: the objective fails, gives something else than a number, or lacks a package of ours.
    """
    try:
        value = objective(candidate)
        number = math.nan if value is None else float(value)
    except InputError:  # one of ours lacks a package
        raise
    except Exception as error:
        shown = repr(candidate) if isinstance(candidate, str) else f"a sample of shape {candidate.shape}"
        raise InputError(
            f"`objective` failed on {shown}: {type(error).__name__}: {first_line(error)}. Return None or NaN for "
            f"objects without a score"
        ) from error
    return number if math.isfinite(number) else math.nan
