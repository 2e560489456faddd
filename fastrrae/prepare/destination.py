"""Where prepared data goes: a folder on a disk, or one in a bucket, to which shards are sent as they are complete."""

import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from ..buckets import as_address
from ..buckets.address import Objects, remember_copy
from ..buckets.lease import LOCK, Lease, leased
from ..checksums import file_digest
from ..data.manifest import MANIFEST
from ..errors import StartAgain
from ..folder_lock import exclusive
from .output_folder import UNFINISHED
from .shards import ShardFacts, note_path


class Destination:
    """A folder on a disk. `folder` is where files are written."""

    def __init__(self, folder: Path):
        self.folder = folder

    def claimed(self) -> None:
        """`claim_folder` has found the folder to be the caller's, and deleted what is not to stay."""

    def holds(self, facts: ShardFacts) -> bool:
        """Whether a shard is there, and of the size that it should have."""
        return facts.fit(self.folder)

    def is_intact(self, facts: ShardFacts) -> bool:
        """Whether a shard is there, and what was written."""
        return self.holds(facts) and file_digest(self.folder / facts.file) == facts.sha256

    def take(self, facts: ShardFacts) -> None:
        """A shard and its note are in `folder`."""

    def wait(self) -> None:
        """Return when all shards are where they belong; what went wrong on the way is raised here."""

    def complete(self) -> None:
        """Everything is in `folder`, the manifest too."""


class BucketDestination(Destination):
    """A folder in a bucket, of which the small files are in a temporary local folder.

    A shard is sent while the next one is written, then its note, and its local file is deleted: the disk holds two
    shards at most. The manifest is sent when all else is there, so that a folder without it is not finished. Files of
    the bucket that are not fetched have an empty one of the same name in `folder`.
    """

    def __init__(self, objects: Objects, lease: Lease, folder: Path):
        super().__init__(folder)
        self._objects, self._lease = objects, lease
        self._sizes = objects.sizes()
        self._sizes.pop(LOCK, None)
        self._sender = ThreadPoolExecutor(1, "shards")
        self._sending: Future[None] | None = None
        for name in self._sizes:
            first, *rest = name.split("/")
            if not rest and first.endswith((".json", ".npy")):
                objects.fetch(first, folder / first)
            else:
                (folder / first).touch()

    def claimed(self) -> None:
        """Delete in the bucket what was deleted here, the manifest first."""
        gone = [name for name in self._sizes if not (self.folder / name.split("/")[0]).exists()]
        for name in sorted(gone, key=lambda name: name != MANIFEST):
            self._objects.remove(name)
            del self._sizes[name]
        self._send_if_new(UNFINISHED)

    def holds(self, facts: ShardFacts) -> bool:
        """As on a disk."""
        return self._sizes.get(facts.file) == facts.bytes

    def is_intact(self, facts: ShardFacts) -> bool:
        """As on a disk: the shard is fetched for it."""
        if not self.holds(facts):
            return False
        file = self.folder / facts.file
        self._objects.fetch(facts.file, file)
        intact = file_digest(file) == facts.sha256
        file.unlink()
        return intact

    def take(self, facts: ShardFacts) -> None:
        """Send it in the background, after the one before."""
        self.wait()
        self._sending = self._sender.submit(self._send_shard, facts)

    def wait(self) -> None:
        """As on a disk: shards are sent in the background."""
        sending, self._sending = self._sending, None
        if sending is not None:
            sending.result()

    def complete(self) -> None:
        """Send the other files, then the manifest, and delete what is not needed any more."""
        self._require_lock()
        here = {path.name for path in self.folder.iterdir() if path.is_file() and path.suffix in (".json", ".npy")}
        for name in sorted(here - {MANIFEST}):
            self._objects.send(self.folder / name, name)
        self._objects.send(self.folder / MANIFEST, MANIFEST)
        for name in self._objects.names():
            if "/" not in name and name.endswith(".json") and name not in here:
                self._objects.remove(name)

    def _send_shard(self, facts: ShardFacts) -> None:
        self._require_lock()
        for path in (self.folder / facts.file, note_path(self.folder, facts.file)):
            self._objects.send(path, path.name)
        (self.folder / facts.file).unlink()

    def _send_if_new(self, name: str) -> None:
        if (self.folder / name).is_file():
            self._objects.send(self.folder / name, name)

    def _require_lock(self) -> None:
        if not self._lease.held:
            raise StartAgain(
                f"another process has taken the lock of {self._objects.address}, since this one did not renew it in "
                f"time: start again"
            )

    def close(self) -> None:
        """Wait for a shard that is being sent, whatever becomes of it."""
        self._sender.shutdown()


@contextmanager
def destination(out: str | Path) -> Iterator[Destination]:
    """The destination at a path or an address, with its lock held.

    Raises:
        InputError: another process holds it, or it cannot be written.
    """
    address = as_address(out)
    if address is None:
        with exclusive(Path(out)):
            yield Destination(Path(out))
        return
    objects = Objects(address)
    with leased(objects) as lease, tempfile.TemporaryDirectory(prefix="fastrrae-", ignore_cleanup_errors=True) as local:
        remember_copy(Path(local), address)
        found = BucketDestination(objects, lease, Path(local))
        try:
            yield found
        finally:
            found.close()
