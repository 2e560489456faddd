"""Addresses in buckets, and the calls to object stores: repeated where they fail, with one message where they stay so.

The stores are reached through fsspec: `gcsfs` for gs://, `s3fs` for s3://. Who may do what there is the business of
these libraries, which read the usual environment variables and files of credentials.
"""

import os
import re
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import InputError, first_line

_ADDRESS = re.compile(r"(gs|s3):/+([^/].*)")  # a `Path` of an address has lost one slash
_EXTRAS = {"gs": ("gcsfs", "gcs"), "s3": ("s3fs", "s3")}
ATTEMPTS = 3  # of ours; the libraries try each request several times themselves
FIRST_PAUSE = 1.0  # seconds, doubled after each attempt

_local: dict[str, str] = {}  # the addresses of local copies


def as_address(path: str | Path) -> str | None:
    """`path` as an address gs://BUCKET/NAME or s3://BUCKET/NAME, or None where it is not one."""
    match = _ADDRESS.fullmatch(str(path))
    return f"{match[1]}://{match[2].rstrip('/')}" if match else None


@cache
def store_of(scheme: str) -> Any:
    """The fsspec file system of a scheme. Listings are never cached: other hosts write to the same bucket.

    Raises:
        InputError: the library that speaks to this store is not installed.
    """
    import fsspec

    module, extra = _EXTRAS[scheme]
    try:
        return fsspec.filesystem(scheme, use_listings_cache=False, skip_instance_cache=True)
    except ImportError:
        raise InputError(f'{scheme}:// needs {module}; install it with `pip install "fastrrae[{extra}]"`') from None


class Objects:
    """The objects below one address, by their names relative to it.

    Every call is repeated when it fails, for what may pass: an object store answers a few requests in a million with
    an error. `FileNotFoundError` and `FileExistsError` are answers, and raised at once.
    """

    def __init__(self, address: str):
        self.address = address
        scheme, self._root = address.split("://")
        self._store = store_of(scheme)

    def below(self, name: str) -> "Objects":
        """The objects in a folder of this one."""
        return Objects(f"{self.address}/{name}")

    def names(self) -> dict[str, str]:
        """All names, each with a version that changes with the object."""
        keys = ("ETag", "etag", "generation", "size", "LastModified", "updated")
        return {name: "/".join(str(entry.get(key)) for key in keys) for name, entry in self._found().items()}

    def sizes(self) -> dict[str, int]:
        """All names with their sizes in bytes."""
        return {name: int(entry["size"]) for name, entry in self._found().items()}

    def _found(self) -> dict[str, dict[str, Any]]:
        try:
            found = self._call("list", lambda: self._store.find(self._root, detail=True))
        except FileNotFoundError:
            raise InputError(
                f"{self.address} cannot be listed: there is no such bucket, or you may not read it"
            ) from None
        prefix = self._root + "/"
        return {
            path.removeprefix(prefix): entry
            for path, entry in found.items()
            if path.startswith(prefix) and entry["type"] == "file"
        }

    def holds(self, name: str) -> bool:
        """Whether there is an object of this name."""
        return self._call(f"find {name}", lambda: self._store.isfile(self._path(name)))

    def read(self, name: str) -> bytes:
        """The content of an object; FileNotFoundError where there is none."""
        return self._call(f"read {name}", lambda: self._store.cat_file(self._path(name)))

    def write(self, name: str, content: bytes) -> None:
        """Write an object, which appears whole or not at all."""
        self._call(f"write {name}", lambda: self._store.pipe_file(self._path(name), content))

    def create(self, name: str, content: bytes) -> bool:
        """Write an object that is not there yet; false where it is, even if another host has written it just now."""
        try:
            self._call(f"write {name}", lambda: self._store.pipe_file(self._path(name), content, mode="create"))
        except FileExistsError:
            return False
        return True

    def send(self, file: Path, name: str) -> None:
        """Write a local file as an object."""
        self._call(f"write {name}", lambda: self._store.put_file(str(file), self._path(name)))

    def fetch(self, name: str, file: Path) -> None:
        """Write an object to a local file, which appears when it is whole, whoever fetches it at the same time."""
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_name(f".{file.name}.{os.getpid()}-{threading.get_ident()}.partial")
        try:
            self._call(f"read {name}", lambda: self._store.get_file(self._path(name), str(partial)))
            partial.replace(file)
        finally:
            partial.unlink(missing_ok=True)

    def remove(self, name: str) -> None:
        """Delete an object, if it is there."""
        try:
            self._call(f"delete {name}", lambda: self._store.rm_file(self._path(name)))
        except FileNotFoundError:
            return

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _call(self, what: str, action: Callable[[], Any]) -> Any:
        for attempt in range(ATTEMPTS):
            try:
                return action()
            except (FileNotFoundError, FileExistsError):
                raise
            except Exception as error:  # each library raises its own types
                if attempt == ATTEMPTS - 1 or isinstance(error, PermissionError):
                    raise InputError(
                        f"cannot {what} in {self.address} ({first_line(error)}): check the address, the credentials "
                        f"and the connection"
                    ) from None
                time.sleep(FIRST_PAUSE * 2**attempt)


def remember_copy(local: Path, address: str) -> None:
    """Note that a local folder is the copy of an address, for messages."""
    _local[str(local)] = address


def with_addresses(text: str) -> str:
    """`text` with addresses in the place of the local copies that this process has made of them."""
    for local, address in _local.items():
        text = text.replace(local, address)
    return text
