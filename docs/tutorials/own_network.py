# %% [markdown]
# # Your own network and loss
#
# The encoder, the decoder, the reconstruction loss, the penalties and the optimiser are yours to replace. Your parts
# get what the built-in ones get: several devices, checkpoints, exact resuming, evaluation and the report. This
# tutorial replaces all of them, interrupts the training, and resumes it. It takes less than a minute.

# %%
import tempfile
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from flax import nnx

from fastrrae import RRAE, Callback, Dataset, ObjectiveConfig, RunConfig, TrainingConfig, evaluate, load_run, train

time = np.linspace(0, 6, 40)
phases = np.random.default_rng(0).uniform(0, 6, (1000, 1))
dataset = Dataset.from_arrays(np.sin(time + phases))

# %% [markdown]
# ## A network is a Flax NNX module
#
# The encoder maps `(batch, *sample_shape)` to `(batch, latent_size)`. The decoder maps it back. Hand over a module,
# or a function that takes `rngs` and makes one, so that the configured seed initialises it.


# %%
class Residual(nnx.Module):
    """Two linear layers with a residual block between them."""

    def __init__(self, size_in: int, size_out: int, rngs: nnx.Rngs):
        self.first = nnx.Linear(size_in, 64, rngs=rngs)
        self.middle = nnx.Linear(64, 64, rngs=rngs)
        self.last = nnx.Linear(64, size_out, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = nnx.gelu(self.first(x))
        return self.last(x + nnx.gelu(self.middle(x)))


networks: Any = {"encoder": lambda rngs: Residual(40, 16, rngs), "decoder": lambda rngs: Residual(16, 40, rngs)}

# %% [markdown]
# ## Losses are functions of arrays
#
# A reconstruction loss takes the samples and their reconstructions. A penalty takes the model, the samples and the
# model's output, and needs a weight in the configuration.


# %%
def absolute_error(x, reconstruction):
    """The mean absolute error."""
    return jnp.mean(jnp.abs(x - reconstruction))


def roughness(model, x, output):
    """The mean squared difference between neighbouring values."""
    return jnp.mean(jnp.diff(output.reconstruction, axis=1) ** 2)


config = RunConfig(
    "curves",
    model=RRAE(rank=2, latent_size=16),
    objective=ObjectiveConfig(reconstruction="own", weights={"roughness": 0.01}),
    training=TrainingConfig(steps=600, checkpoint_every=100),
)
own_parts: Any = {
    **networks,
    "reconstruction": absolute_error,
    "penalties": {"roughness": roughness},
    "optimiser": optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(2e-3)),
}

# %% [markdown]
# ## Interrupt and resume
#
# The callback stops the training after step 300, as a crash would. `resume="auto"` starts a run if there is none and
# continues it if there is one, so a script can simply be started again. The resumed run ends with the same bits as
# one that was never interrupted; the digest of the final parameters shows it.


# %%
class Crash(Callback):
    """Stops the training in the middle."""

    def on_log(self, row):
        """Called at every logged step."""
        if row["step"] >= 300:
            raise RuntimeError("the power is gone")


folder = Path(tempfile.mkdtemp())
try:
    train(config, dataset, folder / "interrupted", callbacks=[Crash()], quiet=True, **own_parts)
except RuntimeError as error:
    print("stopped:", error)
train(config, dataset, folder / "interrupted", resume="auto", quiet=True, **own_parts)
train(config, dataset, folder / "whole", quiet=True, **own_parts)

runs = [load_run(folder / name, **networks) for name in ("interrupted", "whole")]
digests = [run.folder.load_summary()["parameters_sha256"] for run in runs]
print("same bits:", digests[0] == digests[1])
assert digests[0] == digests[1]

# %% [markdown]
# ## Look at the result
#
# A run that was trained with your networks needs them again to be loaded. A different network is refused.

# %%
run = runs[1]
results = evaluate(run, dataset)
print(f"test error {results.reconstruction_error:.2f} %")
figure, axis = plt.subplots(figsize=(6, 3))
axis.plot(time, dataset.test[:3].T, "k.", markersize=3)
axis.plot(time, run.reconstruct(dataset.test[:3]).T)
axis.set_xlabel("time")
axis.set_title("three test curves and their reconstructions from two coefficients")
assert results.reconstruction_error < 20
