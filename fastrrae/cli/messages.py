"""Messages in the words of the command line: names of fields become names of options, a missing device is named."""

import re
from dataclasses import fields, is_dataclass
from typing import Any

import jax

_NAME = re.compile(r"`((?:[a-z]+\.)*)([a-z_]+)`")
_SECTIONS = ("data.", "model.", "network.", "objective.", "training.", "sharding.", "evaluation.")
_WEIGHTS = "objective.weights."


def with_options(message: str, command: Any) -> str:
    """`message` with `training.batch_size` as --batch-size, and names of the command's own options likewise."""
    own = _option_names(command)

    def option(match: re.Match[str]) -> str:
        section, name = match.groups()
        if section == _WEIGHTS:
            return f"--{name}-weight".replace("_", "-")
        if section in _SECTIONS or (not section and name in own):
            return f"--{name}".replace("_", "-")
        if name == "resume" and not section:
            return "`fastrrae train ... --resume`"  # of another command than this one
        return match[0]

    return _NAME.sub(option, message)


def _option_names(command: Any) -> set[str]:
    """The names of a command's fields, and of the options inside them."""
    if not is_dataclass(command):
        return set()
    names = {item.name for item in fields(command)}
    return names.union(*(_option_names(getattr(command, name)) for name in names))


def missing_platform() -> str:
    """Why JAX cannot start on the platform that JAX_PLATFORMS asks for, and the remedy; empty if it can."""
    try:
        jax.devices()
    except (AssertionError, RuntimeError):
        asked = getattr(jax.config, "jax_platforms", None) or ""
        extras = {"cuda": "cuda", "gpu": "cuda", "tpu": "tpu"}
        extra = next((extras[name] for name in asked.split(",") if name in extras), None)
        install = f'`pip install "fastrrae[{extra}]"` on a machine that has one, or ' if extra else ""
        return (
            f"JAX finds no device of the platform {asked!r} that JAX_PLATFORMS asks for: {install}unset JAX_PLATFORMS"
        )
    return ""
