import os

# The suite is about arithmetic, not about one accelerator; eight host devices let sharding be tested anywhere.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=8")

import jax
import pytest


@pytest.fixture
def float64():
    """64-bit types enabled for one test."""
    with jax.enable_x64(True):
        yield


@pytest.fixture(autouse=True)
def little_optimisation(request):
    """Most tests run many small programs once: compiling them with care would take longer than all that it saves."""
    quick = request.node.get_closest_marker("slow") is None
    jax.config.update("jax_disable_most_optimizations", quick)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
