"""Compiled programs kept on disk between runs: the second start of a run does not compile again."""

import sys
import warnings
from pathlib import Path

import jax

from .cache_folder import cache_folder, is_writable


def enable_compilation_cache() -> Path | None:
    """Let JAX keep compiled programs in the user's cache folder, unless a folder was already chosen.

    `JAX_COMPILATION_CACHE_DIR` chooses another folder. Returns the folder in use, or None where nothing can be written:
    then programs are compiled at each start, which one line on the standard error stream says.
    """
    chosen = getattr(jax.config, "jax_compilation_cache_dir")  # noqa: B009 (JAX defines its options at run time)
    folder = Path(chosen) if chosen else cache_folder("xla")
    if folder is None or (not _is_remote(chosen) and not is_writable(folder)):
        jax.config.update("jax_compilation_cache_dir", None)
        print("compiled programs are not kept: no cache folder can be written to", file=sys.stderr)
        return None
    jax.config.update("jax_compilation_cache_dir", chosen or str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
    # A cache that fails later (a full disk) costs time only, and JAX would warn of each program.
    warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation cache")
    return folder


def _is_remote(chosen: str | None) -> bool:
    """Whether the folder is in a bucket, which JAX reaches by its own means."""
    return chosen is not None and "://" in chosen
