# %% [markdown]
# # Comparing models fairly
#
# A difference between two models means little unless the data, the network, the length of training and the protocol
# are the same, and unless it is larger than the difference between two seeds. This tutorial compares an autoencoder,
# a VAE and a VRRAE on handwritten digits, with two seeds each. The runs are short, so the numbers are not those of a
# finished study. It takes about a minute.

# %%
import tempfile
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from fastrrae import RECIPES, NetworkConfig, compare, evaluate, load_dataset, load_run, train

recipe = RECIPES["digits"]
dataset = load_dataset(recipe.config.data)

# %% [markdown]
# ## One recipe, several models, several seeds
#
# `config_for` keeps everything of a recipe but the model: the same network, optimiser, batch size and steps. The
# options that models share, such as the rank, stay the same as well.
#
# The protocol `brief` measures reconstruction and the latent space. It draws no samples, so that this page builds
# fast; `default` adds FID, KID, precision and recall.

# %%
folder = Path(tempfile.mkdtemp())
runs = []
for model in ("ae", "vae", "vrrae"):
    for seed in (0, 1):
        config = recipe.config_for(model)
        config = replace(
            config,
            network=NetworkConfig("mlp"),
            training=replace(config.training, steps=300, seed=seed),
            evaluation=replace(config.evaluation, protocol="brief"),
        )
        out = folder / f"{model}-{seed}"
        train(config, dataset, out, quiet=True)
        evaluate(load_run(out), dataset)
        runs.append(out)

# %% [markdown]
# ## The table
#
# Runs that differ in their seeds alone make one row, of mean and deviation. `fastrrae compare RUN RUN ... --out
# FOLDER` does the same. Runs on other data, with another protocol or other features are refused.

# %%
table = compare(runs, folder / "comparison")
print(table.to_markdown())

# %% [markdown]
# Read the deviation first: two rows whose means differ by less than their deviations are not different. Two seeds
# give a rough idea; the tables of [the results](../results.md) say how many seeds each has.

# %%
figure, axis = plt.subplots(figsize=(5, 3))
names = [row.name for row in table.rows]
errors = [row.values["test error, %"] for row in table.rows]
for number, values in enumerate(errors):
    axis.plot(values, [number] * len(values), "o")
axis.set_yticks(range(len(names)), names)
axis.set_xlabel("test error, % (a point for each seed)")
figure.tight_layout()
assert len(names) == 3
assert np.isfinite(errors).all()

# %% [markdown]
# ## What else must be equal
#
# - **Tuning.** A model whose learning rate was tried ten times has an advantage over one that was tried once.
# - **The number of coefficients.** An error at rank 16 says nothing about one at rank 8.
# - **Features and counts of an FID.** See [which FIDs can be compared](../explanations/comparing-fids.md).
# - **The data.** Every run folder has a fingerprint of its data, and `compare` checks it.
