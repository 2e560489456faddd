# %% [markdown]
# # A surrogate of a simulation
#
# You have run a simulation for some values of its parameters, and want its field for other values, at once and with
# derivatives. This tutorial trains an RRAE on the fields, interpolates its coefficients over the parameters, and
# decodes them. It takes about a minute.
#
# The simulation here is a pulse that moves through a pipe: the field at the end has 128 values, and two parameters
# decide it, the speed and the width. Proper orthogonal decomposition (POD), the usual linear method for
# this, needs many modes for a field that moves.

# %%
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from fastrrae import RRAE, Dataset, NetworkConfig, RunConfig, TrainingConfig, evaluate, load_run, train

rng = np.random.default_rng(0)
x = np.linspace(0, 1, 128)


def simulate(parameters):
    speed, width = np.asarray(parameters).T[..., None]
    return np.exp(-((x - 0.2 - speed) ** 2) / (2 * width**2))


corners = [[0.0, 0.02], [0.0, 0.06], [0.6, 0.02], [0.6, 0.06]]
parameters = np.concatenate([corners, rng.uniform([0.0, 0.02], [0.6, 0.06], (250, 2))])
test = rng.uniform([0.0, 0.02], [0.6, 0.06], (100, 2))

# %% [markdown]
# ## Train
#
# The parameters belong to the data. For files, give a `.npz` file with `parameters`, or a `.csv` table with
# `--parameter-columns`.

# %%
dataset = Dataset.from_arrays(
    simulate(parameters),
    parameters=parameters,
    test=simulate(test),
    test_parameters=test,
    parameter_names=("speed", "width"),
    normalise="standard",
)
model = RRAE(rank=2, latent_size=16)
network = NetworkConfig("mlp", encoder_widths=(128,), decoder_widths=(256, 256, 256))
training = TrainingConfig(steps=1500, batch_size=64, learning_rate=2e-3, schedule="cosine", warm_up=0.1)
out = Path(tempfile.mkdtemp()) / "pulse"
trained = train(RunConfig("pulse", model=model, network=network, training=training), dataset, out)

# %% [markdown]
# ## How good is it?
#
# An evaluation of data with parameters predicts every test field from its parameters alone, and does the same with
# POD of the same rank and of 2, 4 and 8 times as many modes.

# %%
run = load_run(out)
found = evaluate(run, dataset).surrogate
assert found is not None  # None for data without parameters
print(f"RRAE, rank 2: {found.error.overall:.1f} %")
for rank, errors in found.pod.items():
    print(f"POD, rank {rank}: {errors.interpolated:.1f} %")
assert found.error.overall < found.pod["8"].interpolated

# %% [markdown]
# ## Predict
#
# `run.surrogate()` interpolates by radial basis functions; `"gp"` is a Gaussian process, which also has standard
# deviations. Parameters outside of those of the training set are predicted with a warning.

# %%
surrogate = run.surrogate("gp")
new = np.array([[0.15, 0.05], [0.31, 0.03], [0.52, 0.04]])
fields, deviations = surrogate.predict(new, return_std=True)

figure, axes = plt.subplots(figsize=(8, 3))
for field, deviation, true in zip(fields, deviations, simulate(new), strict=True):
    axes.plot(x, true, "k--", lw=1)
    (line,) = axes.plot(x, field)
    axes.fill_between(x, field - 2 * deviation, field + 2 * deviation, color=line.get_color(), alpha=0.3)
axes.set_xlabel("x")
axes.set_title("predicted fields, and the simulation (dashed)")
figure.tight_layout()

# %% [markdown]
# ## Differentiate
#
# The surrogate is a function of JAX, so a gradient says how the parameters change any quantity of the field. Here it
# is the value at x = 0.47, and the simulation's own derivative is next to it. A derivative is less accurate than the
# field that it belongs to.

# %%
field = surrogate.as_jax_function()
gradient = jax.grad(lambda p: field(p)[60])(jnp.asarray(new[1], jnp.float32))
step = 1e-4
by_differences = [(simulate(new[1] + step * d) - simulate(new[1] - step * d))[60] / (2 * step) for d in np.eye(2)]
print("surrogate", np.round(np.asarray(gradient), 1), "simulation", np.round(by_differences, 1))

# %% [markdown]
# ## Recover parameters
#
# The inverse problem is the other way round: which speed and width made this noisy field? `recover` finds them by
# least squares, with a standard deviation for each.

# %%
true = np.array([0.37, 0.041])
measured = simulate(true) * np.ones(128)
noise = rng.standard_normal(128)
measured = measured + 0.05 * np.linalg.norm(measured) / np.linalg.norm(noise) * noise
answer = run.surrogate().recover(measured)
for name, value, deviation, truth in zip(
    surrogate.parameter_names, answer.parameters, answer.deviation, true, strict=True
):
    print(f"{name}: {value:.4f} ± {deviation:.4f}, in truth {truth}")
assert np.all(np.abs(answer.parameters / true - 1) < 0.05)
