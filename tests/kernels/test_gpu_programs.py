"""What the programs for GPUs call: lowered here, and run where there is one."""

import jax
import jax.numpy as jnp
import pytest

from fastrrae_kernels import Exact, Gram, truncated_svd


def calls_of(method, shape, platform="cuda"):
    """The text of the program that is sent to the compiler of a platform."""
    a = jax.ShapeDtypeStruct(shape, jnp.float32)
    svd = jax.jit(lambda a: truncated_svd(a, 4, method=method))
    return str(jax.export.export(svd, platforms=[platform])(a).mlir_module())


@pytest.mark.parametrize("shape", [(64, 100), (3, 64, 100)])
def test_exact_uses_the_algorithm_that_is_accurate(shape):
    """XLA's default on a GPU is a Jacobi iteration, whose vectors are orthonormal to 3e-5 only."""
    text = calls_of(Exact(), shape)
    assert "gesvd_ffi" in text
    assert "gesvdj" not in text


def test_gram_is_decomposed_in_float64_at_once():
    """Nothing is decided on the device: a branch costs more than float64 does."""
    text = calls_of(Gram(), (64, 100))
    assert "tensor<64x64xf64>" in text
    on_cpu = calls_of(Gram(), (64, 100), "cpu")
    decompositions = text.count("@cusolver_syev"), on_cpu.count("@lapack_ssyev"), on_cpu.count("@lapack_dsyev")
    assert decompositions == (1, 1, 1)
