"""Single files in buckets: fetched before they are read, and sent when they are written."""

from pathlib import Path

from ..errors import InputError
from .address import Objects, remember_copy
from .folder_copy import temporary_place


def fetch_file(address: str) -> Path:
    """A temporary local copy of a file in a bucket.

    Raises:
        InputError: there is no such file.
    """
    objects, name = _parent(address)
    file = temporary_place(address)
    try:
        objects.fetch(name, file)
    except FileNotFoundError:
        raise InputError(f"there is no file at {address}") from None
    remember_copy(file, address)
    return file


class WrittenFile:
    """A file that is written to a temporary local place, `local`, and sent to its address when it is whole.

    Where there is such a file in the bucket, an empty one is put into the local place, so that a command that
    overwrites nothing notices it.
    """

    def __init__(self, address: str):
        self._objects, self._name = _parent(address)
        self.local = temporary_place(address)
        self.local.parent.mkdir(parents=True, exist_ok=True)
        self.local.unlink(missing_ok=True)
        if self._objects.holds(self._name):
            self.local.touch()
        remember_copy(self.local, address)

    def send(self) -> None:
        """Send the file, if it was written."""
        if self.local.is_file() and self.local.stat().st_size:
            self._objects.send(self.local, self._name)


def _parent(address: str) -> tuple[Objects, str]:
    folder, _, name = address.rpartition("/")
    if folder.endswith(":/"):
        raise InputError(f"{address} is a bucket: a file needs a name in it")
    return Objects(folder), name
