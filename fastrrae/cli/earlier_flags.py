"""Flags by the names of earlier versions, which still work and are not shown in the help."""

from collections.abc import Sequence

EARLIER_FLAGS = {"interpolate": {"--ways": "--paths"}}  # by command


def with_current_names(arguments: Sequence[str]) -> list[str]:
    """A command line with each earlier flag, as `--flag value` or `--flag=value`, by its current name."""
    renamed = EARLIER_FLAGS.get(arguments[0], {}) if arguments else {}
    current = []
    for argument in arguments:
        flag, separator, value = argument.partition("=")
        current.append(renamed.get(flag, flag) + separator + value)
    return current
