"""Training with our convolutions is training with Flax's: the same losses, step by step, to rounding."""

import numpy as np
import optax
import pytest

from bench.plain_networks import plain_twin
from fastrrae import ModelConfig, ObjectiveConfig, build_model, make_objective
from fastrrae.config import ModelName
from fastrrae.training.step import start_training


def losses(model, batches):
    state, step = start_training(model, optax.adabelief(1e-3), make_objective(ObjectiveConfig(beta=1e-3)))
    out = []
    for x in batches:
        state, metrics = step(state, x)
        out.append(float(metrics["loss"]))
    return out


@pytest.mark.parametrize("model_name", ["ae", "vrrae"])
@pytest.mark.parametrize("shape", [(12, 12, 1), (20, 3)], ids=str)
def test_fifty_steps_are_those_of_the_plain_network(shape, model_name: ModelName):
    config = ModelConfig(model=model_name, rank=3, latent_size=8, decoder_widths=(16, 8))
    model = build_model(config, shape)
    rng = np.random.default_rng(0)
    pattern = rng.standard_normal((3, *shape))
    batches = [np.einsum("bk,k...->b...", rng.standard_normal((16, 3)), pattern).astype(np.float32) for _ in range(50)]
    np.testing.assert_allclose(losses(plain_twin(model), batches), losses(model, batches), rtol=1e-3)
