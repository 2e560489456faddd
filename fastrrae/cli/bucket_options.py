"""Addresses in buckets as values of options: opened by the library, or files that are fetched before and sent after."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, get_args

import tyro

from ..buckets import InBucket, WrittenFile, as_address, fetch_file, with_addresses
from ..config_fields import field_types
from ..errors import InputError

_POSITIONAL = get_args(tyro.conf.Positional[str])[1]


@contextmanager
def in_buckets(command: Any) -> Iterator[Any]:
    """`command` with local files in the place of addresses of files; those that it writes are sent at the end.

    Files are sent only if the command has not failed, each of them whole. Options that are annotated as
    `InBucket.OPENED` keep their addresses.

    Raises:
        InputError: an option that takes no address has one, a file is not there, or the bucket cannot be reached.
    """
    written: list[WrittenFile] = []
    yield _with_local_files(command, written)
    for file in written:
        file.send()


def print_path(path: str | Path) -> None:
    """Print where something was written: the address, where it is in a bucket."""
    print(with_addresses(str(as_address(path) or path)))


def _with_local_files(options: Any, written: list[WrittenFile]) -> Any:
    changes = {}
    for field in fields(options):
        value = getattr(options, field.name)
        if is_dataclass(value):
            local = _with_local_files(value, written)
        elif isinstance(value, str | Path) and (address := as_address(value)) is not None:
            local = _local(address, field.name, field_types(type(options))[field.name], written) or value
        else:
            continue
        if local is not value:
            changes[field.name] = local
    return replace(options, **changes) if changes else options


def _local(address: str, name: str, kind: Any, written: list[WrittenFile]) -> str | None:
    """The local file that stands for an address; None where the address stays."""
    marks = get_args(kind)[1:]
    if InBucket.OPENED in marks:
        return None
    if InBucket.READ in marks:
        return str(fetch_file(address))
    if InBucket.WRITTEN in marks:
        written.append(WrittenFile(address))
        return str(written[-1].local)
    option = name.upper() if _POSITIONAL in marks else f"--{name.replace('_', '-')}"
    raise InputError(
        f"{option} takes no address in a bucket; got {address}: copy it to a local disk (`gcloud storage cp -r`, "
        f"`aws s3 cp --recursive`), and give the path of the copy"
    )
