"""Your own residual network, penalty and optimiser, on your own array and four devices. Killed, start it again."""

import os
import sys
from typing import Any

os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=4")  # four devices of one CPU

import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from fastrrae import RRAE, Dataset, ObjectiveConfig, RunConfig, TrainingConfig, evaluate, load_run, train


class Residual(nnx.Module):
    def __init__(self, size_in: int, size_out: int, rngs: nnx.Rngs):
        self.first, self.last = nnx.Linear(size_in, 64, rngs=rngs), nnx.Linear(64, size_out, rngs=rngs)
        self.middle = nnx.Linear(64, 64, rngs=rngs)

    def __call__(self, x):
        x = nnx.gelu(self.first(x))
        return self.last(x + nnx.gelu(self.middle(x)))


def roughness(model, x, output):
    return jnp.mean(jnp.diff(output.reconstruction, axis=1) ** 2)


phase = np.random.default_rng(0).uniform(0, 6, (1000, 1))
dataset = Dataset.from_arrays(np.sin(np.linspace(0, 6, 40) + phase))
networks: Any = {"encoder": lambda rngs: Residual(40, 16, rngs), "decoder": lambda rngs: Residual(16, 40, rngs)}
optimiser = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(2e-3))
config = RunConfig("curves", model=RRAE(rank=2, latent_size=16), objective=ObjectiveConfig(weights={"roughness": 10}),
                   training=TrainingConfig(steps=600, checkpoint_every=50))  # fmt: skip
out = sys.argv[1] if len(sys.argv) > 1 else "runs/curves"
train(config, dataset, out, resume="auto", penalties={"roughness": roughness}, optimiser=optimiser, **networks)
results = evaluate(load_run(out, **networks), dataset)
print(f"test error {results.reconstruction_error:.2f} %, report: {out}/report.html")
