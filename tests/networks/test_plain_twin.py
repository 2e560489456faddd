"""Training with our convolutions is training with Flax's: the same losses, step by step, to rounding."""

import numpy as np
import optax
import pytest

from bench.plain_networks import plain_twin
from fastrrae import AE, VRRAE, NetworkConfig, build_model, make_objective
from fastrrae.training.step import StepOptions, start_training


def losses(options, model, batches):
    penalties = options.penalties()
    objective = make_objective(penalties, dict.fromkeys(penalties, 1e-3))
    state, step = start_training(model, StepOptions(optax.adabelief(1e-3), objective))
    out = []
    for x in batches:
        state, metrics = step(state, x)
        out.append(float(metrics["loss"]))
    return out


@pytest.mark.parametrize(
    "options",
    [pytest.param(AE(rank=3), marks=pytest.mark.slow), VRRAE(rank=3, latent_size=8)],
    ids=lambda options: options.name,
)
@pytest.mark.parametrize("shape", [pytest.param((12, 12, 1), marks=pytest.mark.slow), (20, 3)], ids=str)
def test_fifty_steps_are_those_of_the_plain_network(shape, options):
    model = build_model(options, shape, network=NetworkConfig(decoder_widths=(16, 8)))
    rng = np.random.default_rng(0)
    pattern = rng.standard_normal((3, *shape))
    batches = [np.einsum("bk,k...->b...", rng.standard_normal((16, 3)), pattern).astype(np.float32) for _ in range(50)]
    np.testing.assert_allclose(losses(options, plain_twin(model), batches), losses(options, model, batches), rtol=1e-3)
