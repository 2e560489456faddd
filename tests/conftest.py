import gc
import importlib
import os
from contextlib import contextmanager
from pathlib import Path

# The suite is about arithmetic, not about one accelerator; eight host devices let sharding be tested anywhere.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=8")
if "PYTEST_XDIST_WORKER" in os.environ:
    # A worker for each core: k-means on several threads in each would spend its time waiting for a free one.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Programs that take long to compile are kept, for the other worker, for the processes that tests start, and for the
# next time. JAX reads this when it is imported.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / ".pytest_cache" / "compiled"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.3")

import jax
import numpy as np
import pytest

if jax.__version_info__ < (0, 11):
    # Halves the time to compile programs with derivatives; later versions know this flag no more.
    os.environ["XLA_FLAGS"] += " --xla_cpu_use_fusion_emitters=false"


def pytest_configure(config):
    """`make test` runs many small programs once each: compiling them with care takes longer than all that it saves."""
    gc.freeze()  # what is imported stays
    gc.set_threshold(50_000, 20, 50)  # a worker holds millions of objects of programs: looking through them takes long
    once = config.option.markexpr == "not slow"
    jax.config.update("jax_disable_most_optimizations", once)
    os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = str(int(once))  # in the processes that tests start, too


@pytest.fixture(autouse=True)
def own_draws(request):
    """Reset a module's random generators before each test, so that no input depends on the order of the tests."""
    for name, value in vars(request.module).items():
        if isinstance(value, np.random.Generator):
            value.bit_generator.state = first_states.setdefault((request.module, name), value.bit_generator.state)


@pytest.fixture(autouse=True, scope="module")
def dropped_programs():
    """Drop a module's compiled programs: a worker that keeps all of them grows to 6 GB."""
    yield
    jax.clear_caches()


first_states = {}  # of each generator, as the first test of its module found it


@contextmanager
def nothing_drawn():
    """Evaluations in this block leave out the pictures of the run, which take longer than the rest of a small one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.import_module("fastrrae.evaluation.evaluate"), "draw_run", lambda *arguments: [])
        yield


@pytest.fixture
def without_pictures():
    """For a test that looks at no picture of a run."""
    with nothing_drawn():
        yield


@pytest.fixture(scope="module")
def module_without_pictures():
    """For a module whose tests look at none."""
    with nothing_drawn():
        yield


@pytest.fixture
def float64():
    """64-bit types enabled for one test."""
    with jax.enable_x64(True):
        yield
