# %% [markdown]
# # Your own table of vectors, next to PCA
#
# You have an array with one sample in each row, and you want a few numbers for each sample. Principal component
# analysis (PCA) finds the best linear answer. This tutorial trains an RRAE of the same rank and compares both. It
# takes about half a minute.
#
# The table here has 2000 samples of 30 sensors along a curve. Each sample is a pulse with a position and a width,
# so two numbers describe it. Pulses at different positions are not multiples of each other, so PCA needs many
# components for them.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from fastrrae import RRAE, Dataset, RunConfig, TrainingConfig, evaluate, load_run, train

rng = np.random.default_rng(0)
positions, widths = rng.uniform(0.3, 0.7, 2000), rng.uniform(0.08, 0.16, 2000)
sensors = np.linspace(0, 1, 30)
table = np.exp(-0.5 * ((sensors - positions[:, None]) / widths[:, None]) ** 2)
print(table.shape)

# %% [markdown]
# ## Train
#
# `Dataset.from_arrays` keeps 20 % of the rows for testing and normalises every column by mean and deviation of the
# training rows. For a `.csv` or `.npy` file the command line does the same:
# `fastrrae train array --data table.csv --model rrae --rank 2`.

# %%
dataset = Dataset.from_arrays(table, parameters=np.stack([positions, widths], axis=1))
model = RRAE(rank=2, latent_size=32)
training = TrainingConfig(steps=1500, batch_size=64, learning_rate=2e-3, schedule="cosine")
out = Path(tempfile.mkdtemp()) / "run"
trained = train(RunConfig("pulses", model=model, training=training), dataset, out)

# %% [markdown]
# ## Compare with PCA
#
# An evaluation always has the errors of PCA with as many components, on the same split and in the same normalised
# values.

# %%
run = load_run(out)
results = evaluate(run, dataset)
autoencoder, pca = results.reconstruction_errors["test"].overall, results.pca_errors["test"].overall
print(f"test error of 2 coefficients: RRAE {autoencoder:.1f} %, PCA {pca:.1f} %")
assert autoencoder < pca / 2

# %% [markdown]
# The left picture shows one test sample. The right one shows the two coefficients of all test samples, coloured by
# the position that the model was never told.

# %%
coefficients = run.coefficients(dataset.test[:])
reconstructed = run.reconstruct(dataset.test[:1])[0]

train_rows = np.asarray(dataset.train)
mean, deviation = train_rows.mean(axis=0), train_rows.std(axis=0)
components = np.linalg.svd((train_rows - mean) / deviation, full_matrices=False)[2][:2]
by_pca = ((dataset.test[:1] - mean) / deviation @ components.T @ components)[0] * deviation + mean

figure, axes = plt.subplots(1, 2, figsize=(9, 3.2))
axes[0].plot(sensors, dataset.test[0], "k.", label="test sample")
axes[0].plot(sensors, reconstructed, label="RRAE, rank 2")
axes[0].plot(sensors, by_pca, "--", label="PCA, 2 components")
axes[0].set_xlabel("place of the sensor")
axes[0].legend(fontsize=8)
points = axes[1].scatter(*coefficients.T, c=dataset.parameters["test"][:, 0], s=6)
axes[1].set_xlabel("first coefficient")
axes[1].set_ylabel("second coefficient")
figure.colorbar(points, label="position of the pulse")
figure.tight_layout()

# %% [markdown]
# ## Use the run
#
# A run folder is all that is needed later, on any machine: `load_run(out)` gives an object whose inputs and outputs
# are in the units of your table.

# %%
new = run.sample(5, seed=1)  # five new rows, drawn from a mixture fitted on the training coefficients
print(new.shape, "values between", new.min().round(2), "and", new.max().round(2))
assert new.shape == (5, 30)
assert np.isfinite(new).all()
print(sorted(path.name for path in out.iterdir()))
