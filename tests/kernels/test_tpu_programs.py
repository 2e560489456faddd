"""The TPU kernels without a TPU: on a simulated memory, which knows races, and through the real compiler."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.pallas import tpu as pltpu
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from fastrrae_kernels import Gram, low_rank, specs, truncated_svd
from fastrrae_kernels.tpu.gram_in_float32 import gram_in_float32

KERNELS = (
    "product",
    "gram",
    "tridiagonalise",
    "tridiagonal_eigenvectors",
    "transform_back",
    "rotations",
    "jacobi_eigh",
)


def test_nothing_races_or_is_read_out_of_bounds_or_before_it_is_written():
    """The simulator raises at the first two, and fills memory with NaN for the third."""
    a = np.stack([specs.gaussian_matrix(9, 12, seed) for seed in range(2)]).astype(np.float32)
    checked = pltpu.InterpretParams(detect_races=True, out_of_bounds_reads="raise", uninitialized_memory="nan")
    d = jax.jit(lambda a: gram_in_float32(3, a, interpret=checked))(a)
    expected = np.linalg.svd(a.astype(np.float64), compute_uv=False)
    np.testing.assert_allclose(d.s, expected[:, :3], rtol=1e-5)
    np.testing.assert_allclose(d.discarded_s, expected[:, 3:], rtol=1e-5)


def compiled(tpu_slice, function, shape):
    """Forward and gradient, for one device of a slice."""

    def with_gradient(a):
        result, pull = jax.vjp(function, a)
        return result, pull(jax.tree.map(jnp.cos, result))

    one = Mesh(tpu_slice.devices[:1], tpu_slice.axis_names, axis_types=tpu_slice.axis_types)
    a = jax.ShapeDtypeStruct(shape, jnp.float32, sharding=NamedSharding(one, PartitionSpec()))
    with jax.set_mesh(one):
        return jax.jit(with_gradient).trace(a).lower(lowering_platforms=("tpu",)).compile()


SMALL = [(64, 24), (4, 64, 24)]
LARGE = [(576, 100), (32, 576, 100), (64, 512), (576, 512)]


@pytest.mark.parametrize("shape", [*SMALL, *(pytest.param(shape, marks=pytest.mark.slow) for shape in LARGE)])
def test_the_kernels_compile_and_fit_the_memory_of_every_generation(tpu_slice, shape):
    k = min(shape[-2:]) // 3
    program = compiled(tpu_slice, lambda a: low_rank(a, k, method=Gram()), shape)
    text = re.sub(r"[\w+/=]{200,}", "", program.as_text() or "")  # the kernels themselves, as any letters
    for kernel in KERNELS:
        assert kernel in text
    assert "tpu_custom_call" in text
    assert not any(word in text for word in ("all-reduce", "all-gather", "QDWH", "Qr"))
    memory = program.memory_analysis()
    assert memory is not None
    assert memory.temp_size_in_bytes <= 2**20 + 4 * 4 * np.prod(shape)  # some copies, none for each rotation


def test_xla_can_be_asked_for(tpu_slice):
    program = compiled(tpu_slice, lambda a: truncated_svd(a, 3, method=Gram(), backend="xla"), (40, 24))
    text = program.as_text() or ""
    assert "ENTRY" in text
    assert not any(kernel in text for kernel in KERNELS[2:])
