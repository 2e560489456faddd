"""The local copy of a run folder in a bucket: read from there, written to here, and sent back when it has changed."""

import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from ..errors import InputError, StartAgain
from .address import Objects, remember_copy
from .lease import LOCK, Lease, leased

CHECKPOINTS = "checkpoints/"
_NOT_COPIED = (CHECKPOINTS, "tensorboard/", "profile/", "damaged-checkpoint-", LOCK)
_FINISHED = "summary.json"  # that it is there says that a run is finished: last to be sent, first to be deleted
_UNFINISHED = "UNFINISHED"

_copies: dict[Path, "RunCopy"] = {}


class RunCopy:
    """A run folder of a bucket, copied to a temporary folder of this process that goes when the process ends.

    Checkpoints are not part of the copy: they are sent and fetched one by one. Attributes: `local`, the folder, and
    `objects`, those of the bucket.
    """

    def __init__(self, address: str):
        self.objects = Objects(address)
        scheme, path = address.split("://")
        self.local = Path(_temporary_folder(), scheme, *path.split("/"))
        self._lease: Lease | None = None
        self._sent: dict[str, tuple[int, int]] = {}  # size and time of the local files that the bucket has
        self._fetched: dict[str, str] = {}  # versions of the objects that are here
        self._publishing = threading.Lock()

    @staticmethod
    def open(address: str) -> "RunCopy":
        """The copy of an address, brought up to date unless this process holds the run's lock."""
        found = next((copy for copy in _copies.values() if copy.objects.address == address), None)
        if found is None:
            found = RunCopy(address)
            _copies[found.local] = found
            remember_copy(found.local, address)
        if found._lease is None:
            found.update()
        return found

    @staticmethod
    def at(local: Path) -> "RunCopy | None":
        """The copy that lies in a local folder, if one does."""
        return _copies.get(local)

    def update(self) -> None:
        """Fetch what has changed in the bucket, and delete what is not there any more."""
        found = {name: version for name, version in self.objects.names().items() if not name.startswith(_NOT_COPIED)}
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
            gone = [name for name in self._sent if name not in here]
            for name in sorted(gone, key=lambda name: name != _FINISHED):
                if name != _UNFINISHED:
                    self._forget(name)
            changed = [name for name, state in here.items() if self._sent.get(name) != state]
            for name in sorted(changed, key=lambda name: (name == _FINISHED, name)):
                self.objects.send(self.local / name, name)
                self._sent[name] = here[name]
                self._fetched.pop(name, None)
            if _UNFINISHED in gone:
                self._forget(_UNFINISHED)

    def publish_in_background(self) -> None:
        """Send what has changed without waiting for it; what fails is sent by the next `publish`, which says so."""
        if not self._publishing.locked():
            threading.Thread(target=self._publish_if_possible, name="bucket-publish", daemon=True).start()

    def _publish_if_possible(self) -> None:
        with suppress(InputError):
            self.publish()

    def _forget(self, name: str) -> None:
        self.objects.remove(name)
        del self._sent[name]
        self._fetched.pop(name, None)

    def _files(self) -> list[str]:
        files = [path for path in self.local.rglob("*") if path.is_file() and not path.name.endswith(".partial")]
        names = [path.relative_to(self.local).as_posix() for path in files]
        return [name for name in names if not name.startswith((CHECKPOINTS, LOCK))]

    def discard_checkpoints(self) -> None:
        """Delete the local files of checkpoints, which are fetched again when they are needed."""
        shutil.rmtree(self.local / CHECKPOINTS, ignore_errors=True)


def _state(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


@cache
def _temporary_folder() -> str:
    """One for this process, deleted at its end."""
    _folders.append(tempfile.TemporaryDirectory(prefix="fastrrae-", ignore_cleanup_errors=True))
    return _folders[-1].name


_folders: list[tempfile.TemporaryDirectory[str]] = []
