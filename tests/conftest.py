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
