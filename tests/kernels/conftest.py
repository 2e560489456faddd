import jax
import numpy as np
import pytest
from jax.sharding import AxisType

from fastrrae.plan.topology import Topology


@pytest.fixture(params=["v4:2x2x2", "v5e:2x4", "v6e:4x4"])
def tpu_slice(request):
    """A mesh of TPUs that are not there; its compiler is."""
    pytest.importorskip("libtpu", reason="the TPU compiler is in the wheel `libtpu`")
    return jax.sharding.Mesh(np.array(Topology.parse(request.param).devices()), ("data",), axis_types=(AxisType.Auto,))
