from typing import Any

import numpy as np
import pytest

from fastrrae.sklearn import RRAE

SMALL: dict[str, Any] = {
    "latent_size": 8,
    "encoder_widths": (16,),
    "decoder_widths": (16,),
    "batch_size": 16,
    "steps": 30,
}


@pytest.fixture(scope="session")
def small():
    """Parameters of a small network; all tests share its compiled program."""
    return SMALL


@pytest.fixture(scope="session")
def table():
    """(100, 6), a curved surface with two parameters."""
    rng = np.random.default_rng(0)
    return 3 * np.tanh(rng.standard_normal((100, 2)) @ rng.standard_normal((2, 6))) + 5


@pytest.fixture(scope="session")
def fitted(table):
    return RRAE(rank=2, random_state=0, learning_rate=1e-2, **{**SMALL, "steps": 300}).fit(table)
