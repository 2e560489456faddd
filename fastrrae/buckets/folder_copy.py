"""The local copy of a folder in a bucket: read from there, written to here, and sent back when it has changed."""

import shutil
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from ..errors import InputError, StartAgain
from .address import Objects, as_address, remember_copy
from .lease import LOCK, Lease, leased

CHECKPOINTS = "checkpoints/"
_NOT_COPIED = (CHECKPOINTS, "tensorboard/", "profile/", "damaged-checkpoint-", LOCK)
_OF_A_RUN = ("/config.json", "/UNFINISHED", f"/{LOCK}")  # a folder inside that has one of these is a run
_FINISHED = "summary.json"  # that it is there says that a run is finished: last to be sent, first to be deleted
_UNFINISHED = "UNFINISHED"

_copies: dict[Path, "FolderCopy"] = {}


class FolderCopy:
    """A folder of a bucket, copied to a temporary folder of this process that goes when the process ends.

    The folder is that of a run, or one with runs in it, as a sweep makes. Checkpoints are not part of the copy: they
    are sent and fetched one by one. Runs inside are copies of their own. Attributes: `local`, the folder, and
    `objects`, those of the bucket.
    """

    def __init__(self, address: str):
        self.objects = Objects(address)
        self.local = temporary_place(address)
        self._lease: Lease | None = None
        self._sent: dict[str, tuple[int, int]] = {}  # size and time of the local files that the bucket has
        self._fetched: dict[str, str] = {}  # versions of the objects that are here
        self._publishing = threading.Lock()

    @staticmethod
    def open(address: str) -> "FolderCopy":
        """The copy of an address, brought up to date unless this process holds the run's lock."""
        found = next((copy for copy in _copies.values() if copy.objects.address == address), None)
        if found is None:
            found = FolderCopy(address)
            _copies[found.local] = found
            remember_copy(found.local, address)
        if found._lease is None:
            found.update()
        return found

    @staticmethod
    def at(local: Path) -> "FolderCopy | None":
        """The copy that lies in a local folder, if one does."""
        return _copies.get(local)

    def update(self) -> None:
        """Fetch what has changed in the bucket, and delete what is not there any more."""
        names = self.objects.names()
        runs = tuple(f"{name.rpartition('/')[0]}/" for name in names if name.endswith(_OF_A_RUN))
        found = {name: version for name, version in names.items() if not name.startswith((*_NOT_COPIED, *runs))}
        for name in self._fetched.keys() - found.keys():
            (self.local / name).unlink(missing_ok=True)
            self._sent.pop(name, None)
        for name, version in found.items():
            if self._fetched.get(name) != version and ".." not in name.split("/"):
                self.objects.fetch(name, self.local / name)
                self._sent[name] = _state(self.local / name)
        self._fetched = found

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the lock of the run in the bucket; what has changed there since it was opened is fetched first."""
        with leased(self.objects) as lease:
            self.update()
            self.local.mkdir(parents=True, exist_ok=True)
            self._lease = lease
            try:
                yield
            finally:
                if lease.held:
                    self.publish()
                self._lease = None

    def clear(self) -> None:
        """Delete everything in the bucket but the lock; that the run is finished is forgotten first."""
        names = self.objects.names()
        for name in sorted(names, key=lambda name: name != _FINISHED):
            if name != LOCK:
                self.objects.remove(name)
        self._sent, self._fetched = {}, {}

    def publish(self) -> None:
        """Send the files that have changed, and delete in the bucket those that are not here any more.

        At every moment, the objects in the bucket are those of a folder that a process has left when it was killed: a
        run that is not whole never looks finished.

        Raises:
            InputError: the bucket cannot be written.
            StartAgain: another process has taken the lock.
        """
        if self._lease is not None and not self._lease.held:
            raise StartAgain(
                f"another process has taken the lock of {self.objects.address}, since this one did not renew it in "
                f"time: this process stops. `resume` continues the run"
            )
        with self._publishing:
            here = {name: _state(self.local / name) for name in self._files()}
            gone = {name for name in self._sent if name not in here}
            changed = sorted(name for name, state in here.items() if self._sent.get(name) != state)
            self._forget(gone & {_FINISHED})
            self._send([name for name in changed if name != _FINISHED], here)
            self._forget(gone - {_FINISHED, _UNFINISHED})
            self._send([name for name in changed if name == _FINISHED], here)
            self._forget(gone & {_UNFINISHED})

    def publish_in_background(self) -> None:
        """Send what has changed without waiting for it; what fails is sent by the next `publish`, which says so."""
        if not self._publishing.locked():
            threading.Thread(target=self._publish_if_possible, name="bucket-publish", daemon=True).start()

    def _publish_if_possible(self) -> None:
        with suppress(InputError):
            self.publish()

    def _send(self, names: Iterable[str], states: dict[str, tuple[int, int]]) -> None:
        for name in names:
            self.objects.send(self.local / name, name)
            self._sent[name] = states[name]
            self._fetched.pop(name, None)

    def _forget(self, names: Iterable[str]) -> None:
        for name in names:
            self.objects.remove(name)
            del self._sent[name]
            self._fetched.pop(name, None)

    def _files(self) -> list[str]:
        inner = {local for local in _copies if self.local in local.parents}
        files = [path for path in self.local.rglob("*") if path.is_file() and not path.name.endswith(".partial")]
        names = [path.relative_to(self.local).as_posix() for path in files if inner.isdisjoint(path.parents)]
        return [name for name in names if not name.startswith((CHECKPOINTS, LOCK))]

    def discard_checkpoints(self) -> None:
        """Delete the local files of checkpoints, which are fetched again when they are needed."""
        shutil.rmtree(self.local / CHECKPOINTS, ignore_errors=True)


def local_folder(path: str | Path) -> Path:
    """The folder to work in: `path`, or the copy of an address, up to date. What is written there is sent by `publish`.

    Example:
        >>> out = local_folder("gs://bucket/comparison")
    """
    address = as_address(path)
    return Path(path) if address is None else FolderCopy.open(address).local


def inside(folder: Path, name: str) -> Path | str:
    """A folder in another one: an address where that one is the copy of an address."""
    copy = FolderCopy.at(folder)
    return folder / name if copy is None else f"{copy.objects.address}/{name}"


def place_of(folder: Path) -> str:
    """The folder as other processes find it: its path, or the address that it is the copy of."""
    copy = FolderCopy.at(folder)
    return str(folder) if copy is None else copy.objects.address


def publish(folder: Path) -> None:
    """Send what has changed in a folder to the bucket, if it is the copy of an address."""
    copy = FolderCopy.at(folder)
    if copy is not None:
        copy.publish()


def _state(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def temporary_place(address: str) -> Path:
    """Where the local copy of an address is; next to that of another as they are in the bucket."""
    scheme, path = address.split("://")
    return Path(_temporary_folder(), scheme, *path.split("/"))


@cache
def _temporary_folder() -> str:
    """One for this process, deleted at its end."""
    _folders.append(tempfile.TemporaryDirectory(prefix="fastrrae-", ignore_cleanup_errors=True))
    return _folders[-1].name


_folders: list[tempfile.TemporaryDirectory[str]] = []
