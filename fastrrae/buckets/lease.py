"""The lock of a folder in a bucket: an object that its holder renews while it lives."""

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import InputError
from .address import Objects

LOCK = ".lock"
RENEWED_EVERY = 10.0  # seconds
EXPIRES_AFTER = 45.0  # seconds without a renewal, by the clock of whoever waits for it


class Lease:
    """What a process holds that writes to a folder in a bucket; `held` turns false when another has taken it."""

    def __init__(self, objects: Objects):
        self._objects = objects
        self._id = uuid.uuid4().hex
        self._stop = threading.Event()
        self._renewal = threading.Thread(target=self._renew, name="bucket-lock", daemon=True)
        self._renewed = 0
        self.held = False

    def take(self) -> None:
        """Take the lock.

        An object store has no locks that end with their holder, so a lock is an object that is only written where none
        is, and is renewed every few seconds. One that a killed process has left is waited for until it has not been
        renewed for `EXPIRES_AFTER`; where the process was one of this host, it is known at once.

        Raises:
            InputError: its holder is alive.
        """
        # A write whose answer was lost is repeated, and then finds the lock that it has written itself.
        if not self._objects.create(LOCK, self._note()) and self._read().get("id") != self._id:
            self._wait_for_end()
            self._objects.write(LOCK, self._note())
            if self._read().get("id") != self._id:
                raise self._in_use(self._read())
        self.held = True
        self._renewal.start()

    def release(self) -> None:
        """Give it back, unless another has taken it."""
        self._stop.set()
        if self._renewal.is_alive():
            self._renewal.join(EXPIRES_AFTER)  # a renewal under way would write the lock again after its removal
        if self.held and self._read().get("id") == self._id:
            self._objects.remove(LOCK)
        self.held = False

    def _renew(self) -> None:
        while not self._stop.wait(RENEWED_EVERY):
            try:
                if self._read().get("id") != self._id:
                    self.held = False
                    return
                self._renewed += 1
                self._objects.write(LOCK, self._note())
            except InputError:
                continue  # the store does not answer: the next renewal may be in time

    def _wait_for_end(self) -> None:
        first = self._read()
        if first.get("host") == socket.gethostname() and not _is_alive(first.get("process")):
            return
        until = time.monotonic() + EXPIRES_AFTER
        while time.monotonic() < until:
            time.sleep(min(1.0, EXPIRES_AFTER / 10))
            now = self._read()
            if not now:
                return
            if now != first:
                raise self._in_use(now)

    def _in_use(self, holder: dict[str, Any]) -> InputError:
        return InputError(
            f"{self._objects.address} is in use by process {holder.get('process')} on {holder.get('host')}: wait until "
            f"it has finished, or choose another folder"
        )

    def _note(self) -> bytes:
        values = {"id": self._id, "process": os.getpid(), "host": socket.gethostname(), "renewed": self._renewed}
        return json.dumps(values).encode()

    def _read(self) -> dict[str, Any]:
        """What the lock says; empty where there is none."""
        try:
            values = json.loads(self._objects.read(LOCK))
        except FileNotFoundError:
            return {}
        except ValueError:
            return {"id": "damaged"}
        return values if isinstance(values, dict) else {"id": "damaged"}


@contextmanager
def leased(objects: Objects) -> Iterator[Lease]:
    """Hold the lock of a folder in a bucket."""
    lease = Lease(objects)
    lease.take()
    try:
        yield lease
    finally:
        lease.release()


def _is_alive(process: Any) -> bool:
    if not isinstance(process, int) or process < 1:
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
