"""The one exception that the command line shows as a message instead of a traceback."""


class InputError(ValueError):
    """Something that was asked for cannot be done as asked: a wrong option, file or value.

    The message names what was wrong, the rule, what was got, and the remedy.
    """


class TrainingDiverged(InputError):
    """The loss or a gradient became NaN or infinite."""
