"""Compiled programs kept on disk between runs: the second start of a run does not compile again."""

import os
import sys
from pathlib import Path

import jax


def enable_compilation_cache() -> Path | None:
    """Let JAX keep compiled programs in the user's cache folder, unless a folder was already chosen.

    `JAX_COMPILATION_CACHE_DIR` chooses another folder. Returns the folder in use, or None where it cannot be made.
    """
    chosen = getattr(jax.config, "jax_compilation_cache_dir")  # noqa: B009 (JAX defines its options at run time)
    folder = Path(chosen) if chosen else _user_cache() / "fastrrae" / "xla"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
    return folder


def _user_cache() -> Path:
    if "XDG_CACHE_HOME" in os.environ:
        return Path(os.environ["XDG_CACHE_HOME"])
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path.home() / ".cache"
