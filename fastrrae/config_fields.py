"""Checks of configuration values: types, ranges and choices, with errors that name the field.

A section of the configuration is a frozen dataclass whose fields are annotated with their types and, through
`msgspec.Meta`, their ranges. `msgspec` checks each value when the section is made, from Python or from a file.
"""

import dataclasses
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, NoReturn, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
import numpy as np

from .errors import InputError

LARGEST_INT = 2**31 - 1  # of sizes, and of steps, which are counted in int32
PositiveInt = Annotated[int, msgspec.Meta(ge=1, le=LARGEST_INT)]
NonNegativeInt = Annotated[int, msgspec.Meta(ge=0)]
PositiveFloat = Annotated[float, msgspec.Meta(gt=0)]
NonNegativeFloat = Annotated[float, msgspec.Meta(ge=0)]
ShareBelowOne = Annotated[float, msgspec.Meta(ge=0, lt=1)]
Share = Annotated[float, msgspec.Meta(gt=0, le=1)]

Section = TypeVar("Section")

_error: ContextVar[type[Exception]] = ContextVar("error of a value that is refused", default=InputError)


def refuse(message: str) -> NoReturn:
    """Raise an InputError, while a section is made."""
    raise _error.get()(message) from None


@contextmanager
def refusing_with(kind: type[Exception]) -> Iterator[None]:
    """Raise another exception instead: a parser of command lines may mistake a ValueError for its own."""
    token = _error.set(kind)
    try:
        yield
    finally:
        _error.reset(token)


class CheckedFields:
    """A frozen dataclass that checks its values when it is made.

    Lists become tuples and integers become floats where the field's type asks for it. `section` is the name of the
    section in error messages, as in `training.batch_size`.
    """

    section: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):  # pyright: ignore[reportArgumentType]
            value = getattr(self, field.name)
            checked = check_value(self.path(field.name), value, field_types(type(self))[field.name])
            object.__setattr__(self, field.name, checked)

    @classmethod
    def path(cls, field: str) -> str:
        """The full name of a field, as error messages and configuration files have it."""
        return f"{cls.section}.{field}" if cls.section else field


@cache
def field_types(kind: type) -> dict[str, Any]:
    """The annotations of a dataclass's fields."""
    return get_type_hints(kind, include_extras=True)


def check_value(path: str, value: Any, kind: Any) -> Any:
    """`value` as the type `kind`, or an InputError that names `path`, the rule and the value."""
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        if not isinstance(value, kind):
            refuse(f"`{path}` must be a {kind.__name__}{getattr(kind, 'example', '')}; got {value!r}")
        return value
    if get_origin(strip_annotations(kind)) is Mapping and isinstance(value, Mapping):
        _, of_entries = get_args(strip_annotations(kind))
        return {name: check_value(f"{path}.{name}", entry, of_entries) for name, entry in value.items()}
    try:
        checked = msgspec.convert(value.item() if isinstance(value, np.generic) else value, kind)
    except msgspec.ValidationError:
        entries = value if isinstance(value, tuple | list) else (value,)
        if any(isinstance(entry, int) and entry > LARGEST_INT for entry in entries):
            refuse(f"`{path}` must be at most {LARGEST_INT}; got {value!r}")
        refuse(f"`{path}` must be {describe_type(kind)}; got {value!r}")
    if isinstance(checked, float) and not math.isfinite(checked):
        refuse(f"`{path}` must be finite; got {value!r}")
    return checked


def strip_annotations(kind: Any) -> Any:
    """A type without its `Annotated` extras."""
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def decode_section(kind: type[Section], values: Any, path: str) -> Section:
    """The dataclass `kind` from the values of a JSON object; unknown and missing fields are named.

    Args:
        kind: a dataclass whose nested sections are dataclasses too.
        values: what JSON gave.
        path: the name of the section in error messages.
    """
    if not isinstance(values, Mapping):
        raise InputError(f"`{path}` must be an object with named fields; got {values!r}")
    fields = {field.name: field for field in dataclasses.fields(kind)}  # pyright: ignore[reportArgumentType]
    unknown = sorted(set(values) - set(fields))
    if unknown:
        raise InputError(f"`{path}` has unknown fields: {', '.join(unknown)}; known are {', '.join(fields)}")
    required = [name for name, field in fields.items() if _is_required(field) and name not in values]
    if required:
        raise InputError(f"`{path}` lacks the fields {', '.join(required)}")
    return kind(**values)


def describe_type(kind: Any) -> str:
    """The rule that a type states, in words."""
    origin = get_origin(kind)
    if origin is Annotated:
        base, *extras = get_args(kind)
        bounds = [_describe_bounds(extra) for extra in extras if isinstance(extra, msgspec.Meta)]
        return ", ".join([describe_type(base), *filter(None, bounds)])
    if origin is Literal:
        return f"one of {', '.join(map(repr, get_args(kind)))}"
    if origin is Union or type(kind).__name__ == "UnionType":
        return " or ".join(describe_type(part) for part in get_args(kind))
    if origin is tuple:
        return f"a list, each of it {describe_type(get_args(kind)[0])}"
    if origin is dict or origin is Mapping:
        return "a mapping from names to numbers"
    names: dict[Any, str] = {int: "an integer", float: "a number", bool: "true or false", str: "a text"}
    return names.get(kind, "absent" if kind is type(None) else getattr(kind, "__name__", str(kind)))


def _describe_bounds(meta: msgspec.Meta) -> str:
    words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    bounds = [(word, getattr(meta, name)) for name, word in words.items()]
    # The largest integer is said only to those who exceed it.
    return " and ".join(f"{word} {bound:g}" for word, bound in bounds if bound not in (None, LARGEST_INT))


def _is_required(field: dataclasses.Field) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
