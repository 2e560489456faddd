import importlib.util
import os

import jax
import numpy as np
import pytest
from jax.experimental import topologies
from jax.sharding import AxisType

# There is no metadata server to ask which TPU this is, and no other host.
NO_TPU_HERE = {
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_ACCELERATOR_TYPE": "v5litepod-1",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_WORKER_ID": "0",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "true",
}


@pytest.fixture(params=["v4:2x2x2", "v5e:2x4", "v6e:4x4"])
def tpu_slice(request):
    """A mesh of TPUs that are not there; its compiler is."""
    if importlib.util.find_spec("libtpu") is None:
        pytest.skip("the TPU compiler is in the wheel `libtpu`")
    for name, value in NO_TPU_HERE.items():
        os.environ.setdefault(name, value)
    devices = topologies.get_topology_desc(topology_name=request.param, platform="tpu").devices
    return jax.sharding.Mesh(np.array(devices), ("data",), axis_types=(AxisType.Auto,))
