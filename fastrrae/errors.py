"""The one exception that the command line shows as a message instead of a traceback."""


class InputError(ValueError):
    """Something that was asked for cannot be done as asked: a wrong option, file or value.

    The message names what was wrong, the rule, what was got, and the remedy.
    """


class TrainingDiverged(InputError):
    """The loss or a gradient became NaN or infinite."""


def first_line(error: object) -> str:
    """What an error of a library says, shortened in the middle: the cause is often at its end."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return line if len(line) <= 200 else f"{line[:60]} ... {line[-130:]}"
