"""Options of a recipe that have several values each, as in `--rank 2 4 8`: a configuration, and what varies."""

from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, get_origin

import tyro

from ..config_fields import field_types, strip_annotations
from ..errors import InputError
from ..recipe import Recipe
from ..run_config import RunConfig
from ..sweeps.grid import values_of
from .recipe_options import SETTINGS, RecipeOptions, model_in, options_type


def parse_several(
    base: type[RecipeOptions], command: str, recipe: Recipe, describe: Callable[[Recipe], str], arguments: Sequence[str]
) -> tuple[Any, dict[str, list[Any]]]:
    """The options of `fastrrae COMMAND RECIPE ARGUMENTS`, and the values of fields that have several, by full name.

    The first values make the configuration that all have in common. Each other value is parsed in the place of the
    first, and the field that changes is the one that varies.
    """
    kind: Any = options_type(base, recipe, model_in(arguments, recipe))
    groups = options_in(arguments)
    of_lists = _options_of_lists(kind, recipe.config_for(model_in(arguments, recipe)))
    varied = [number for number, group in enumerate(groups) if len(group) > 2 and group[0] not in of_lists]

    def parse(values: dict[int, str]) -> Any:
        chosen = [[group[0], values.get(i, group[1])] if i in varied else group for i, group in enumerate(groups)]
        rest = [argument for group in chosen for argument in group]
        prog = f"fastrrae {command} {recipe.config.recipe}"
        return tyro.cli(kind, args=rest, prog=prog, description=describe(recipe), config=SETTINGS)

    options = parse({})
    found: dict[str, list[Any]] = {}
    for number in varied:
        flag, *texts = groups[number]
        configs = [parse({number: text}).resolve() for text in texts]
        path = _changed_field(flag, texts, configs)
        found[path] = [values_of(config)[path] for config in configs]
    return options, found


def options_in(arguments: Sequence[str]) -> list[list[str]]:
    """Each option with the values that follow it; `--rank=2` is split."""
    groups: list[list[str]] = []
    for argument in arguments:
        if argument.startswith("--"):
            flag, equals, value = argument.partition("=")
            groups.append([flag.replace("_", "-"), *([value] if equals else [])])
        elif groups:
            groups[-1].append(argument)
        else:
            groups.append([argument])  # for the parser to refuse
    return groups


def _options_of_lists(kind: type, config: RunConfig) -> set[str]:
    """The options whose value is a list: several values are one value of theirs."""
    sections = [type(getattr(config, item.name)) for item in fields(config)]
    kinds = [kind, *(section for section in sections if is_dataclass(section))]
    return {
        f"--{name.replace('_', '-')}"
        for section in kinds
        for name, annotation in field_types(section).items()
        if _is_list(annotation)
    }


def _is_list(annotation: Any) -> bool:
    kind = strip_annotations(annotation)
    return tuple in (get_origin(kind), *(get_origin(part) for part in getattr(kind, "__args__", ())))


def _changed_field(flag: str, texts: Sequence[str], configs: Sequence[RunConfig]) -> str:
    """The one field that differs between the configurations."""
    all_values = [values_of(config) for config in configs]
    paths = [path for path in all_values[0] if any(values.get(path) != all_values[0][path] for values in all_values)]
    if len(paths) != 1:
        listed = ", ".join(texts)
        raise InputError(f"{flag} must have several different values that a sweep can take; got {listed}")
    return paths[0]
