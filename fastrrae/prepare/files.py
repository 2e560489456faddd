"""Image files in a folder or in a zip archive, behind one face."""

import zipfile
from pathlib import Path, PurePosixPath

from ..errors import InputError
from .collection import UnreadableImage

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")


class ImageFiles:
    """Names of image files, sorted, relative to a folder or archive, and their bytes."""

    names: list[str]

    def read(self, name: str) -> bytes:
        """The file's content; UnreadableImage if it cannot be had."""
        raise NotImplementedError


class FolderFiles(ImageFiles):
    """A folder and all below it."""

    def __init__(self, root: Path):
        self._root = root
        found = (path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
        self.names = sorted(path.relative_to(root).as_posix() for path in found)

    def read(self, name: str) -> bytes:
        """The file's content."""
        try:
            return (self._root / name).read_bytes()
        except OSError as error:
            raise UnreadableImage(f"{self._root / name}: {error.strerror}") from None


class ZipFiles(ImageFiles):
    """An archive, never unpacked."""

    def __init__(self, archive: Path):
        self._archive = archive
        try:
            self._zip = zipfile.ZipFile(archive)
        except (zipfile.BadZipFile, OSError) as error:
            raise InputError(
                f"{archive} is not a whole zip archive ({error}): it was cut short, fetch it again"
            ) from None
        self.names = sorted(name for name in self._zip.namelist() if PurePosixPath(name).suffix.lower() in SUFFIXES)

    def read(self, name: str) -> bytes:
        """The file's content; its checksum is verified."""
        try:
            return self._zip.read(name)
        except (zipfile.BadZipFile, EOFError, OSError, KeyError, ValueError) as error:
            raise UnreadableImage(f"{name} in {self._archive}: {error}") from None


def open_files(path: Path) -> ImageFiles:
    """The image files in a folder or zip archive."""
    if path.is_dir():
        return FolderFiles(path)
    if path.suffix.lower() == ".zip" and path.is_file():
        return ZipFiles(path)
    raise InputError(f"{path} must be a folder or a .zip archive of images; it is neither")
