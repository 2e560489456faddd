"""One process at a time writes to a folder: a run that trains, a sweep, a data set that is prepared."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from .buckets import FolderCopy
from .errors import InputError

_LOCK, _HOLDER = ".lock", ".lock-holder"
LOCK_FILES = frozenset({_LOCK, _HOLDER})


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, which is made if it is not there.

    The lock is the operating system's: it ends with the process that holds it, however that ends. A note next to it
    says who the holder is. Of the local copy of a folder in a bucket, it is the lock there (`buckets.lease`), and what
    has changed is sent at the end.

    Raises:
        InputError: another process holds it, or the folder cannot be written.
    """
    copy = FolderCopy.at(folder)
    if copy is not None:
        with copy.exclusive():
            yield
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / _LOCK)
        lock.acquire(timeout=0)
    except Timeout:
        raise InputError(
            f"{folder} is in use by {_holder(folder)}: wait until it has finished, or choose another folder"
        ) from None
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error.strerror}. Choose another folder") from None
    try:
        (folder / _HOLDER).write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")
        yield
    finally:
        for name in (_HOLDER, _LOCK):
            (folder / name).unlink(missing_ok=True)
        lock.release()


def _holder(folder: Path) -> str:
    try:
        return (folder / _HOLDER).read_text(encoding="utf-8") or "another process"
    except OSError:
        return "another process"
