"""Training state as a flat dictionary of NumPy arrays, keyed by path: what checkpoints hold and digests cover."""

import hashlib
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

State = TypeVar("State")


def to_arrays(state: Any) -> dict[str, np.ndarray]:
    """Every leaf of a pytree by its path, copied to the host; random keys as their raw data."""
    leaves, _ = jax.tree.flatten_with_path(state)
    return {_name(path): np.array(_raw(leaf)) for path, leaf in leaves}


def from_arrays(like: State, arrays: dict[str, np.ndarray]) -> State:
    """The pytree `like` with its leaves replaced by `arrays`, as written by `to_arrays`.

    Raises ValueError with the first differences if names or shapes do not match.
    """
    leaves, structure = jax.tree.flatten_with_path(like)
    expected = {_name(path): np.shape(_raw(leaf)) for path, leaf in leaves}
    found = {name: np.shape(array) for name, array in arrays.items()}
    if expected != found:
        names = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
        lines = [f"{name}: {expected.get(name, 'absent')} here, {found.get(name, 'absent')} saved" for name in names]
        raise ValueError(f"saved arrays do not fit ({len(names)} differ): " + "; ".join(lines[:5]))
    return jax.tree.unflatten(structure, [_like(leaf, arrays[_name(path)]) for path, leaf in leaves])


def digest(state: Any) -> str:
    """SHA-256 over the names and bytes of all arrays in `state`, by sorted path: equal only if all bits are."""
    hasher = hashlib.sha256()
    for name, array in sorted(to_arrays(state).items()):
        hasher.update(f"{name} {array.dtype} {array.shape}\n".encode())
        hasher.update(np.ascontiguousarray(array).tobytes())
    return hasher.hexdigest()


def _name(path: tuple[Any, ...]) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")


def _raw(leaf: Any) -> Any:
    return jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf


def _like(leaf: Any, array: np.ndarray) -> Any:
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(jnp.asarray(array), impl=jax.random.key_impl(leaf))
    return jnp.asarray(array, leaf.dtype)
