# %% [markdown]
# # Why repeated singular values are the normal case
#
# Matrices with equal singular values are an exception in textbooks. In a trained rank-reduction autoencoder they are
# common, for three reasons.
#
# **Symmetry.** Suppose that a transformation maps the data onto itself and mixes the coefficients of a group by an
# orthogonal matrix. Then the covariance of these coefficients must stay the same under that matrix. If no single
# direction is left alone by all such transformations, the covariance is a multiple of the identity (Schur's lemma),
# and the singular values of the group are equal. Images of a bump at any place of a square are an example: swapping
# the axes swaps the two coordinates of the place.
#
# **Penalties.** A KL term pulls the coefficients towards a standard normal, in which all directions have the same
# deviation.
#
# **Zeros.** A latent matrix whose rank is below $k$ has the singular value zero several times. This happens at the
# start of training, with dead units, and with repeated samples in a batch.
#
# ## Seen in a run
#
# The data set has one bump on a 16 x 16 grid, at the 100 places of a 10 x 10 mesh. It is a small version of the
# shifted Gaussians of the RRAE papers. The model is an RRAE of rank 2.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from fastrrae import RRAE, Callback, Dataset, RunConfig, TrainingConfig, load_run, train

axis = np.linspace(-1, 1, 16)
mesh = np.stack(np.meshgrid(np.linspace(-0.5, 0.5, 10), np.linspace(-0.5, 0.5, 10)), axis=-1).reshape(-1, 2)


def bumps(centres):
    """Images (count, 16, 16, 1) with a Gaussian bump of deviation 0.3 at each centre."""
    across = (axis[None, None, :] - centres[:, 0, None, None]) ** 2
    down = (axis[None, :, None] - centres[:, 1, None, None]) ** 2
    return np.exp(-(across + down) / (2 * 0.3**2))[..., None]


places = np.random.default_rng(0).uniform(-0.5, 0.5, (100, 2))
dataset = Dataset.from_arrays(bumps(mesh).reshape(100, -1), test=bumps(places).reshape(100, -1))
flat = np.asarray(dataset.train, np.float64)
values = np.linalg.svd(flat - flat.mean(axis=0), compute_uv=False)[:5]
print("singular values of the centred images, relative to the largest:", (values / values[0]).round(3))
print(f"first and second differ by {(values[0] - values[1]) / values[0]:.0e} of their size")

# %% [markdown]
# Already the data has a repeated value, to rounding: the first two principal components belong together. Now the
# training. The callback records the two kept singular values of the whole latent matrix at every checkpoint.

# %%
history = []


class RecordValues(Callback):
    """Keeps the steps at which checkpoints were written."""

    def on_checkpoint(self, step):
        """A checkpoint is being written."""
        history.append(step)


config = RunConfig(
    "bumps",
    model=RRAE(rank=2, latent_size=32),
    training=TrainingConfig(steps=1000, batch_size=100, checkpoint_every=100, keep_last=10, learning_rate=2e-3),
)
out = Path(tempfile.mkdtemp()) / "run"
train(config, dataset, out, quiet=True, callbacks=[RecordValues()])
kept = np.array([load_run(out, step=step, dataset=dataset).singular_values[:2] for step in history])
ratios = kept[:, 1] / kept[:, 0]
print("second value / first value:", ratios.round(3))

figure, axes = plt.subplots(figsize=(6, 3))
axes.plot(history, ratios, "o-")
axes.set_ylim(0, 1.05)
axes.axhline(1, color="k", linewidth=0.5)
axes.set_xlabel("step")
axes.set_ylabel("second singular value / first")
figure.tight_layout()

# %% [markdown]
# The encoder is not exactly symmetric, so the two values of the whole training set come close and stay a few per cent
# apart. But training sees batches, and in a random batch the two values are close by chance, too. The next cell draws
# 2000 batches of 32 samples and looks at the distance of their two singular values.

# %%
run = load_run(out)
draws = np.random.default_rng(1).integers(len(run.training_coefficients), size=(2000, 32))
of_batches = np.linalg.svd(run.training_coefficients[draws].astype(np.float64), compute_uv=False)
distances = 1 - of_batches[:, 1] / of_batches[:, 0]
print(f"distance relative to the larger value: median {np.median(distances):.2f}, smallest {distances.min():.0e}")
print(f"batches whose values agree to 1 %: {100 * np.mean(distances < 0.01):.1f} %")

# %% [markdown]
# A gradient rule that divides by the distance of two kept values loses as many digits in float32 as that distance is
# small. A run of some thousand steps meets such batches again and again, and one NaN ends it. This is why the models
# of this package decode `low_rank(z)`, whose gradient has no such division: see [the derivative](derivative.py).
