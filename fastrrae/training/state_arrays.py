"""Training state as a flat dictionary of arrays, keyed by path: what checkpoints hold and digests cover."""

import hashlib
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

State = TypeVar("State")


def flatten(state: Any) -> dict[str, Any]:
    """Every leaf of a pytree by its path, where it lies; random keys as their raw data."""
    leaves, _ = jax.tree.flatten_with_path(state)
    return {_name(path): raw(leaf) for path, leaf in leaves}


def layout_of(state: Any) -> dict[str, jax.ShapeDtypeStruct]:
    """Names, shapes and shardings of every leaf, as `flatten` names them: what a checkpoint is read into."""
    return {
        name: jax.ShapeDtypeStruct(array.shape, array.dtype, sharding=array.sharding)
        for name, array in flatten(state).items()
    }


def unflatten(like: State, arrays: dict[str, Any]) -> State:
    """The pytree `like` with its leaves replaced by `arrays`, as given by `flatten`.

    Raises ValueError with the first differences if names or shapes do not match.
    """
    leaves, structure = jax.tree.flatten_with_path(like)
    require_same_shapes({_name(path): np.shape(raw(leaf)) for path, leaf in leaves}, arrays)
    return jax.tree.unflatten(structure, [from_raw(arrays[_name(path)], leaf) for path, leaf in leaves])


def require_same_shapes(expected: dict[str, tuple[int, ...]], arrays: dict[str, Any]) -> None:
    """Raise ValueError with the first differences if `arrays` do not have these names and shapes."""
    found = {name: tuple(array.shape) for name, array in arrays.items()}
    if expected != found:
        names = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
        lines = [f"{name}: {expected.get(name, 'absent')} here, {found.get(name, 'absent')} saved" for name in names]
        raise ValueError(f"saved arrays do not fit ({len(names)} differ): " + "; ".join(lines[:5]))


def digest(state: Any) -> str:
    """SHA-256 over the names and bytes of all arrays in `state`, by sorted path: equal only if all bits are."""
    hasher = hashlib.sha256()
    for name, leaf in sorted(flatten(state).items()):
        array = np.ascontiguousarray(leaf)
        hasher.update(f"{name} {array.dtype} {leaf.shape}\n".encode())
        hasher.update(array.tobytes())
    return hasher.hexdigest()


def raw(leaf: Any) -> Any:
    """The numbers of a leaf: a random key's data."""
    return jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf


def from_raw(values: Any, like: Any) -> Any:
    """An array of the kind of `like` from its numbers."""
    if jnp.issubdtype(like.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(jnp.asarray(values), impl=jax.random.key_impl(like))
    return jnp.asarray(values, like.dtype)


def _name(path: tuple[Any, ...]) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")
