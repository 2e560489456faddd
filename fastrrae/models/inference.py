"""Methods of a model on any number of samples: in batches, compiled once for each structure and batch size."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Protocol

import jax
import numpy as np
from flax import nnx
from jax import Array

BATCH = 512  # samples that are processed at a time

Method = str | Callable[[Any, Array], Any]


class Rows(Protocol):
    """Samples along the first axis: a NumPy array, or files that are read when they are sliced."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any, /) -> Any:
        """The samples of a slice."""
        ...


def infer(
    model: nnx.Module,
    method: Method,
    rows: Rows,
    *,
    prepare: Callable[[Any], np.ndarray] = np.asarray,
    batch_size: int = BATCH,
) -> Any:
    """What `method` of `model` makes of all rows, as NumPy arrays with as many rows: an array, or a tuple of arrays.

    Args:
        model: at inference (`model.eval()`), where the method depends on the mode.
        method: the name of a method ("encode", "coefficients", "decode", "reconstruct"), or a function of the model and
            a batch that is defined once (a new one at each call is compiled at each call). Its results must have a row
            for each sample, which depends on this sample alone.
        rows: the samples, any number of them, also none.
        prepare: what happens to each slice of the rows first, such as `normalisation.apply`.
        batch_size: how many rows are processed at a time.
    """
    starts = range(0, max(len(rows), 1), batch_size)
    batches = (prepare(rows[start : start + batch_size]) for start in starts)
    parts = [result for _, result in infer_batches(model, method, batches)]
    return jax.tree.map(lambda *arrays: np.concatenate(arrays), *parts)


def compile_method(model: nnx.Module, method: str, batch_shape: tuple[int, ...]) -> Callable[[np.ndarray], np.ndarray]:
    """`method` of `model` for float32 batches of one shape, compiled now: for answers that must come at once.

    What `infer` does for each call beyond the program itself takes longer than a small model. Later changes of the
    model's variables are not seen.
    """
    graph, variables = nnx.split(model)

    def call(variables: nnx.State, batch: Array) -> Array:
        return getattr(nnx.merge(graph, variables), method)(batch)

    program = jax.jit(call).lower(variables, jax.ShapeDtypeStruct(batch_shape, np.float32)).compile()
    return lambda batch: np.asarray(program(variables, np.asarray(batch, np.float32)))


def infer_batches(model: nnx.Module, method: Method, batches: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
    """Each batch, and what `method` of `model` makes of it (see `infer`), one after the other.

    Batches are filled up with zeros to a power of two, and later ones to the size of the largest before, so that few
    programs are compiled. The next batch is on its way to the device before a result is waited for.
    """
    graph, variables = nnx.split(model)
    size, waiting = 1, None
    for batch in batches:
        size = max(size, _power_of_two(len(batch)))
        running = batch, _call(graph, method, variables, _filled(np.asarray(batch), size))
        if waiting is not None:
            yield _finished(*waiting)
        waiting = running
    if waiting is not None:
        yield _finished(*waiting)


@partial(jax.jit, static_argnums=(0, 1))
def _call(graph: nnx.GraphDef, method: Method, variables: nnx.State, batch: Array) -> Any:
    model = nnx.merge(graph, variables)
    return getattr(model, method)(batch) if isinstance(method, str) else method(model, batch)


def _finished(batch: Any, result: Any) -> tuple[Any, Any]:
    return batch, jax.tree.map(lambda array: np.asarray(array)[: len(batch)], result)


def _filled(batch: np.ndarray, size: int) -> np.ndarray:
    missing = size - len(batch)
    return batch if not missing else np.concatenate([batch, np.zeros((missing, *batch.shape[1:]), batch.dtype)])


def _power_of_two(count: int) -> int:
    """The least power of two that is not below `count`."""
    return 1 << max(count - 1, 0).bit_length()
