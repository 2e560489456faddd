# %% [markdown]
# # Your own images with labels
#
# This tutorial trains a VRRAE on labelled images, samples new ones of a chosen class, and interpolates between two
# images. It takes less than a minute. The images are scikit-learn's handwritten digits, handed over as an array:
# replace the first cell by your own `(N, H, W, C)` array and its labels.

# %%
import tempfile
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from fastrrae import VRRAE, Dataset, NetworkConfig, ObjectiveConfig, RunConfig, TrainingConfig, load_run, train

digits: Any = load_digits()
images, labels = digits.images[..., None], digits.target
print(images.shape, images.dtype, "values from", images.min(), "to", images.max())

# %% [markdown]
# ## Train
#
# `rank` is the number of coefficients of an image. `latent_size` is the width of the latent space whose rank is
# reduced, and should be larger. The weight of the KL term says how much the coefficients are pushed towards a
# standard normal: a larger weight gives smoother samples and blurrier reconstructions.

# %%
dataset = Dataset.from_arrays(images, labels=labels)
config = RunConfig(
    "my-images",
    model=VRRAE(rank=16, latent_size=32),
    network=NetworkConfig(decoder_widths=(128, 64, 32)),
    objective=ObjectiveConfig(weights={"kl": 1e-3}),
    training=TrainingConfig(steps=1000, learning_rate=2e-3, schedule="cosine"),
)
out = Path(tempfile.mkdtemp()) / "run"
train(config, dataset, out)
run = load_run(out)

# %% [markdown]
# ## Reconstruct, sample, interpolate
#
# Samples of one class are decoded draws from a Gaussian mixture, fitted on the coefficients of that class in the
# training set. An interpolation decodes points on the straight line between the coefficients of two images.

# %%
originals = dataset.test[:8]
start, end = run.coefficients(dataset.test[:2])
steps = np.linspace(0, 1, 8)[:, None]
rows = {
    "test images": originals,
    "reconstructions": run.reconstruct(originals),
    "samples of class 3": run.sample(8, seed=0, label=3),
    "samples of any class": run.sample(8, seed=0),
    "interpolation": run.decode((1 - steps) * start + steps * end),
}
figure, axes = plt.subplots(len(rows), 8, figsize=(8, 5.6))
for line, (name, pictures) in zip(axes, rows.items(), strict=True):
    line[3].set_title(name, fontsize=9)
    for axis, picture in zip(line, pictures, strict=True):
        axis.imshow(picture[..., 0], cmap="gray", vmin=0, vmax=16)
        axis.axis("off")
figure.tight_layout()

# %% [markdown]
# ## How much the coefficients know of the labels
#
# The model has never seen a label. Still, the nearest neighbour in the space of coefficients mostly has the same one.

# %%
train_codes, test_codes = run.training_coefficients, run.coefficients(dataset.test[:])
distances = np.linalg.norm(test_codes[:, None] - train_codes[None], axis=-1)
found = dataset.labels["train"][distances.argmin(axis=1)]
accuracy = np.mean(found == dataset.labels["test"])
print(f"label of the nearest training image: right for {100 * accuracy:.1f} % of the test images")
assert accuracy > 0.8
assert rows["samples of class 3"].shape == (8, 8, 8, 1)

# %% [markdown]
# For many image files, `fastrrae prepare images FOLDER OUT --size 64` writes records that are read in any order
# without being in memory; `fastrrae train images --data OUT` trains on them. `fastrrae evaluate RUN` adds FID, KID,
# precision and recall: see [which FIDs can be compared](../explanations/comparing-fids.md).
