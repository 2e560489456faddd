import os

# The suite is about arithmetic, not about one accelerator; eight host devices let sharding be tested anywhere.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=8")
if "PYTEST_XDIST_WORKER" in os.environ:
    # A worker for each core: k-means on several threads in each would spend its time waiting for a free one.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import jax
import pytest


def pytest_configure(config):
    """`make test` runs many small programs once each: compiling them with care takes longer than all that it saves."""
    jax.config.update("jax_disable_most_optimizations", config.option.markexpr == "not slow")


@pytest.fixture
def float64():
    """64-bit types enabled for one test."""
    with jax.enable_x64(True):
        yield
