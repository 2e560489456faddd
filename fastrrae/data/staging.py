"""Data in a bucket as local files: each host copies what it reads, ahead of use, and within a bound."""

import hashlib
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from ..buckets import as_address
from ..buckets.address import Objects, remember_copy
from ..cache_folder import cache_folder, is_writable
from ..checksums import file_digest
from ..errors import InputError
from .manifest import MANIFEST

FOLDER_VARIABLE = "FASTRRAE_STAGING"
FETCHERS = 4  # shards that are fetched at the same time
GIB = 2**30
SHARD_SUFFIX = ".arrayrecord"
PARTIAL = ".partial"
LEFT_OVER = 3600  # seconds after which nobody writes to a partial file any more


def staging_folder(address: str) -> Path:
    """Where the local copy of an address lies: below FASTRRAE_STAGING, or in the user's cache."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    base = Path(chosen) if chosen else cache_folder("staging")
    if base is None or not is_writable(base):
        raise InputError(
            f"data in a bucket is copied to a local disk, and {base} cannot be written: set {FOLDER_VARIABLE}"
        )
    folder = base / hashlib.sha256(address.encode()).hexdigest()[:16] / address.rsplit("/", 1)[1]
    folder.mkdir(parents=True, exist_ok=True)
    remember_copy(folder, address)
    return folder


def local_data(path: str | None) -> str | None:
    """The file or folder of `data`, copied from the bucket if it is an address; shards stay there until they are read.

    Raises:
        InputError: there is nothing at the address.
    """
    address = as_address(path) if path else None
    if address is None:
        return path
    folder, objects = staging_folder(address), Objects(address)
    found = objects.names()
    if not found:  # one file
        parent, name = address.rsplit("/", 1)
        found, objects, file = Objects(parent).names(), Objects(parent), folder / name
        if name not in found:
            raise InputError(f"`data` must be a folder or a file; there is nothing at {address}")
        _copy(objects, name, file, found[name])
        remember_copy(file, address)
        return str(file)
    shards = MANIFEST in found
    for name, version in found.items():
        if "/" not in name and not (shards and name.endswith(SHARD_SUFFIX)):
            _copy(objects, name, folder / name, version)
    return str(folder)


def _copy(objects: Objects, name: str, file: Path, version: str) -> None:
    """Fetch an object, unless this version of it is here."""
    note = file.with_name(f".{name}.version")
    if not (file.is_file() and _text_of(note) == version):
        note.unlink(missing_ok=True)
        objects.fetch(name, file)
        note.write_text(version, encoding="utf-8")


def _text_of(note: Path) -> str | None:
    try:
        return note.read_text(encoding="utf-8")
    except FileNotFoundError:  # or another process of this host is fetching the file
        return None


class StagedShards:
    """The shards of a prepared folder in a bucket, as local files; picklable.

    A shard is fetched when it is read or announced, compared with its digest in the manifest, and kept until the files
    take more than `limit` bytes: then those go that were not read for longest. Several processes of a host share the
    files.

    Args:
        address: the address of the prepared folder.
        folder: where the files are.
        shards: name, size in bytes and SHA-256 of each.
        limit: bytes; None keeps all.
    """

    def __init__(self, address: str, folder: Path, shards: list[tuple[str, int, str]], limit: float | None):
        self._address, self._folder, self._shards, self._limit = address, folder, shards, limit
        largest = max(size for _, size, _ in shards)
        if limit is not None and limit < 2 * largest:
            raise InputError(
                f"`staging_gib` must hold two shards at least, {2 * largest / GIB:.3g} GiB; got {limit / GIB:.3g}"
            )
        self._start()

    def _start(self) -> None:
        self._objects = self._open_store()
        # As many at a time as fit into half of the room, so that those that are read stay.
        largest = max(size for _, size, _ in self._shards)
        at_a_time = FETCHERS if self._limit is None else min(FETCHERS, int(self._limit // (2 * largest)))
        self._fetchers = ThreadPoolExecutor(at_a_time, "staging")
        self._fetching = 0  # bytes
        self._coming: dict[int, Future[Path]] = {}
        self._lock = threading.Lock()
        self._delete_partial()

    def _delete_partial(self) -> None:
        """Delete what processes that were killed have left."""
        for path in self._folder.glob(f".*{PARTIAL}"):
            found = _stat(path)
            if found is not None and time.time() - found.st_mtime > LEFT_OVER:
                path.unlink(missing_ok=True)

    def _open_store(self) -> Objects:
        """Where shards are fetched from."""
        return Objects(self._address)

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("_address", "_folder", "_shards", "_limit")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._start()

    def announce(self, shard: int) -> "Future[Path]":
        """Fetch a shard in the background, if it is not here."""
        with self._lock:
            coming = self._coming.get(shard)
            failed = coming is not None and coming.done() and coming.exception() is not None
            if coming is None or failed or (coming.done() and not self.is_here(shard)):
                coming = self._coming[shard] = self._fetchers.submit(self._fetch, shard)
            return coming

    def path(self, shard: int) -> Path:
        """The local file of a shard, waited for.

        Raises:
            InputError: it cannot be fetched, or is not what the manifest says.
        """
        path = self.announce(shard).result()
        os.utime(path)  # read last: the last to go
        return path

    def is_here(self, shard: int) -> bool:
        """Whether the file of a shard is still there."""
        name, size, _ = self._shards[shard]
        found = _stat(self._folder / name)
        return found is not None and found.st_size == size

    def _fetch(self, shard: int) -> Path:
        name, size, sha256 = self._shards[shard]
        path = self._folder / name
        with suppress(FileNotFoundError):  # another process may delete it at any time
            if self.is_here(shard) and file_digest(path) == sha256:
                return path
        with self._room_for(size):
            return self._fetch_whole(name, sha256, path)

    def _fetch_whole(self, name: str, sha256: str, path: Path) -> Path:
        fetched = path.with_name(f".{name}.{uuid4().hex}{PARTIAL}")  # of this call alone
        try:
            for _ in range(2):
                self._objects.fetch(name, fetched)
                if file_digest(fetched) == sha256:
                    fetched.replace(path)
                    return path
        except FileNotFoundError:
            raise InputError(f"{self._address}/{name} is missing: copy the folder to the bucket again") from None
        finally:
            fetched.unlink(missing_ok=True)
        raise InputError(
            f"{self._address}/{name} is not what its manifest says: run `fastrrae prepare` again, and copy the folder "
            f"to the bucket again"
        )

    @contextmanager
    def _room_for(self, size: int) -> Iterator[None]:
        """Delete files until this number of bytes fits, with those that other threads are fetching."""
        with self._lock:
            self._delete_oldest(size + self._fetching)
            self._fetching += size
        try:
            yield
        finally:
            with self._lock:
                self._fetching -= size

    def _delete_oldest(self, size: int) -> None:
        if self._limit is not None:
            found = [(path, _stat(path)) for path in self._folder.glob(f"*{SHARD_SUFFIX}")]  # of all splits
            files = sorted(((s.st_mtime, s.st_size, path) for path, s in found if s is not None))
            taken = sum(bytes_ for _, bytes_, _ in files)
            for _, bytes_, path in files:
                if taken + size <= self._limit:
                    return
                taken -= bytes_
                path.unlink(missing_ok=True)


def _stat(path: Path) -> os.stat_result | None:
    """None where there is no such file, or no more: several processes share the folder."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None
