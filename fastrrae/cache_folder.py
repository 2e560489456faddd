"""Where the package keeps what it can make again: compiled programs, classifiers for features."""

import os
import sys
from pathlib import Path


def cache_folder(name: str) -> Path | None:
    """The folder `name` in the user's cache, made if it is not there; None where it cannot be made."""
    folder = _user_cache() / "fastrrae" / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder


def _user_cache() -> Path:
    if "XDG_CACHE_HOME" in os.environ:
        return Path(os.environ["XDG_CACHE_HOME"])
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path.home() / ".cache"
