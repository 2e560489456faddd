"""Image files in a folder or in a zip archive, behind one face."""

import os
import zipfile
from collections import deque
from pathlib import Path, PurePosixPath

from ..data.text_files import printable
from ..errors import InputError, first_line
from .collection import UnreadableImage

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
_ENCRYPTED = 0x1  # a flag of a member

_NO_IMAGE = "not images by their ending"
_HIDDEN = "hidden"
_MAC = "left by macOS"
_BROKEN_LINK = "links to nothing"
_SECOND_FOLDER = "links to folders that are read by another path"
_SECOND_FILE = "links to files that are read by another path"


class ImageFiles:
    """Names of image files, sorted, relative to a folder or archive; their bytes; and what else is there, by reason."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.unused: dict[str, list[str]] = {}

    def read(self, name: str) -> bytes:
        """The file's content; UnreadableImage if it cannot be had."""
        raise NotImplementedError

    def folders(self, name: str) -> tuple[str, ...]:
        """The folders that a file is in, from the outermost."""
        return PurePosixPath(name).parts[:-1]

    def _leave_out(self, name: str, reason: str) -> None:
        self.unused.setdefault(reason, []).append(name)

    def _refused(self, name: str) -> bool:
        """Whether a file or folder is left out for its own name."""
        last = PurePosixPath(name).name
        if last == "__MACOSX" or last.startswith("._") or last == ".DS_Store":
            self._leave_out(name, _MAC)
        elif last.startswith("."):
            self._leave_out(name, _HIDDEN)
        else:
            return False
        return True

    def _take(self, name: str) -> None:
        if PurePosixPath(name).suffix.lower() in SUFFIXES:
            self.names.append(name)
        else:
            self._leave_out(name, _NO_IMAGE)


class FolderFiles(ImageFiles):
    """A folder and all below it, linked folders too; each real folder and file once, first by a path without links."""

    def __init__(self, root: Path):
        super().__init__()
        self._root = root
        self._folders: set[tuple[int, int]] = set()  # device and inode of what has been visited
        self._files: set[tuple[int, int]] = set()
        self._linked: deque[str] = deque()
        self._visit("")
        while self._linked:
            self._follow(self._linked.popleft())
        self.names.sort()
        for names in self.unused.values():
            names.sort()

    def read(self, name: str) -> bytes:
        """The file's content."""
        try:
            return (self._root / name).read_bytes()
        except OSError as error:
            raise UnreadableImage(f"{self._root / name}: {error.strerror}") from None

    def _visit(self, start: str) -> None:
        """Take the files of a folder and of all real folders below; links are remembered."""
        below = [start]
        while below:
            name = below.pop()
            path = self._root / name
            try:
                place = path.stat()
                entries = sorted(os.scandir(path), key=lambda entry: entry.name)
            except OSError as error:
                raise InputError(f"the folder {path} cannot be read: {error.strerror}") from None
            if (place.st_dev, place.st_ino) in self._folders:
                self._leave_out(f"{name}/", _SECOND_FOLDER)
                continue
            self._folders.add((place.st_dev, place.st_ino))
            for entry in entries:
                inner = f"{name}/{entry.name}" if name else entry.name
                if entry.is_symlink():
                    self._linked.append(inner)
                elif entry.is_dir():
                    if not self._refused(inner):
                        below.append(inner)
                elif not self._refused(inner):
                    self._files.add((place.st_dev, entry.inode()))
                    self._take(inner)

    def _follow(self, name: str) -> None:
        if self._refused(name):
            return
        path = self._root / name
        try:
            place = path.stat()
        except OSError:  # RuntimeError of a loop is an OSError here
            self._leave_out(name, _BROKEN_LINK)
            return
        if path.is_dir():
            self._visit(name)
        elif (place.st_dev, place.st_ino) in self._files:
            self._leave_out(name, _SECOND_FILE)
        else:
            self._files.add((place.st_dev, place.st_ino))
            self._take(name)


class ZipFiles(ImageFiles):
    """An archive, never unpacked."""

    def __init__(self, archive: Path):
        super().__init__()
        self._archive = archive
        try:
            self._zip = zipfile.ZipFile(archive)
            members = self._zip.infolist()
        except Exception as error:  # zipfile raises nearly anything on damaged bytes
            raise InputError(
                f"{archive} is not a whole zip archive ({first_line(error)}): it was cut short, fetch it again"
            ) from None
        self._encrypted = {member.filename for member in members if member.flag_bits & _ENCRYPTED}
        for name in sorted({member.filename for member in members if not member.is_dir()}):
            levels = [*self.folders(name), _plain(name).name]
            refused = next((level for level in levels if level.startswith(".") or level == "__MACOSX"), None)
            if refused is None:
                self._take(name)
            else:
                own = refused.startswith("._") or refused in ("__MACOSX", ".DS_Store")
                self._leave_out(name, _MAC if own else _HIDDEN)

    def read(self, name: str) -> bytes:
        """The file's content; its checksum is verified."""
        if name in self._encrypted:
            raise UnreadableImage(
                f"{printable(name)} in {self._archive} is encrypted: unpack the archive with its password, and give "
                f"the folder"
            )
        try:
            return self._zip.read(name)
        except NotImplementedError as error:
            raise UnreadableImage(
                f"{printable(name)} in {self._archive} is compressed in a way that is not read ({first_line(error)}): "
                f"unpack the archive, and give the folder"
            ) from None
        except Exception as error:  # zipfile and its decoders raise nearly anything on damaged bytes
            reason = first_line(error) if str(error) else type(error).__name__
            raise UnreadableImage(f"{printable(name)} in {self._archive}: {reason}") from None

    def folders(self, name: str) -> tuple[str, ...]:
        """The folders that a file is in, from the outermost."""
        return _plain(name).parts[:-1]


def _plain(name: str) -> PurePosixPath:
    return PurePosixPath(name.replace("\\", "/"))  # some programs of Windows write those into archives


def open_files(path: Path) -> ImageFiles:
    """The image files in a folder or zip archive."""
    if path.is_dir():
        return FolderFiles(path)
    if path.suffix.lower() == ".zip" and path.is_file():
        return ZipFiles(path)
    raise InputError(f"{path} must be a folder or a .zip archive of images; it is neither")
