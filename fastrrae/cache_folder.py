"""Where the package keeps what it can make again: compiled programs, classifiers for features."""

import tempfile
from pathlib import Path

import platformdirs


def cache_folder(name: str) -> Path | None:
    """The folder `name` in the user's cache, made if it is not there; None where nothing can be written to it.

    That is so without a home folder, or where the cache is read-only, full, or somebody else's: the caller goes on
    without it.
    """
    try:
        folder = platformdirs.user_cache_path("fastrrae", appauthor=False) / name
    except (OSError, RuntimeError, KeyError):  # no home folder
        return None
    # Without a home folder the path may also stay relative ("~/.cache"): nothing is written into the working folder.
    return folder if folder.is_absolute() and is_writable(folder) else None


def is_writable(folder: Path) -> bool:
    """Whether files can be written to `folder`, which is made if it is not there. Tried, not asked for."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"tried")
        return True
    except OSError:
        return False
