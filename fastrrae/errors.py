"""The exceptions that users meet."""


class InputError(ValueError):
    """An option, a file or a value is wrong, so that what was requested cannot be done.

    The message names what was wrong (arguments and configuration fields in backticks), the rule, what was got, and the
    remedy. The command line shows it without a traceback, with the names of its options.
    """


class TrainingDiverged(InputError):
    """The loss or a gradient became NaN or infinite."""


class StartAgain(InputError):
    """Something outside this process was lost; nothing else is wrong, and the same command with `resume` goes on."""


class BasisNotFitted(RuntimeError):
    """Inference with a rank-reducing model whose basis has not been fitted."""


def first_line(error: object) -> str:
    """What an error of a library says, in at most 200 characters; shortened in the middle, since causes come last."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return line if len(line) <= 200 else f"{line[:60]} ... {line[-130:]}"
