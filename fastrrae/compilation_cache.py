"""Compiled programs kept on disk between runs: the second start of a run does not compile again."""

from pathlib import Path

import jax

from .cache_folder import cache_folder


def enable_compilation_cache() -> Path | None:
    """Let JAX keep compiled programs in the user's cache folder, unless a folder was already chosen.

    `JAX_COMPILATION_CACHE_DIR` chooses another folder. Returns the folder in use, or None where it cannot be made.
    """
    chosen = getattr(jax.config, "jax_compilation_cache_dir")  # noqa: B009 (JAX defines its options at run time)
    folder = Path(chosen) if chosen else cache_folder("xla")
    try:
        if folder is None:
            return None
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
    return folder
