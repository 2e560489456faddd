# %% [markdown]
# # From a laptop to a pod
#
# The same configuration trains on one device, on eight, and on a TPU pod. This tutorial trains it on one device and
# on eight, and compares. No accelerator is needed: the next line makes eight devices of one CPU, on which JAX runs
# the same partitioned programs with the same exchanges as on a pod. It takes about a minute.

# %%
import json
import os

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"

import tempfile
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np

from fastrrae import RRAE, Dataset, RunConfig, ShardingConfig, TrainingConfig, load_run, train

print(jax.device_count(), "devices")
curves = np.sin(np.linspace(0, 6, 32) + np.random.default_rng(0).uniform(0, 6, (512, 1)))
dataset = Dataset.from_arrays(curves)

# %% [markdown]
# ## One device, then eight
#
# `data_devices` says how many devices share each batch. Left out, it is all of them. `model_devices` says how many
# share large weights.

# %%
one = RunConfig(
    "curves",
    model=RRAE(rank=2, latent_size=16),
    training=TrainingConfig(steps=200, batch_size=64, log_every=1),
    sharding=ShardingConfig(data_devices=1),
)
eight = replace(one, sharding=ShardingConfig(data_devices=8))


def read_rows(path):
    """The lines of a metrics file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


folder = Path(tempfile.mkdtemp())
for name, config in (("one", one), ("eight", eight)):
    train(config, dataset, folder / name, quiet=True)

# %% [markdown]
# The order of the samples depends on the seed alone, and the SVD is that of the *whole* batch on any number of devices.
# So a step computes the same thing, in another order of summation. The first losses agree to rounding. Training
# magnifies rounding, so the two runs drift apart and end with similar errors, not with the same numbers.

# %%
losses = {name: [row["loss"] for row in read_rows(folder / name / "metrics.jsonl")] for name in ("one", "eight")}
for step in (1, 2, 10, 50, 200):
    print(
        f"step {step:4}: loss {losses['one'][step - 1]:9.5f} on one device, {losses['eight'][step - 1]:9.5f} on eight"
    )
assert np.isclose(losses["one"][0], losses["eight"][0], rtol=1e-4)

for name in ("one", "eight"):
    error = load_run(folder / name).reconstruct(dataset.test[:]) - dataset.test[:]
    share = 100 * np.linalg.norm(error) / np.linalg.norm(dataset.test[:])
    print(f"{name:6} test error {share:.2f} %")
    assert share < 10

# %% [markdown]
# ## The same on a pod
#
# Every host of a pod runs the same command; nothing in the configuration changes:
#
# ```
# fastrrae train celeba --data /mnt/shared/celeba160 --out /mnt/shared/runs/celeba --distributed
# ```
#
# Before you rent one, ask the TPU compiler whether the step fits and what bounds it. This needs the extra
# `fastrrae[tpu-aot]` and no TPU:
#
# ```
# fastrrae plan celeba --topology v5e:16x16 --weak-scaling
# ```
#
# For 72 images of 160 x 160 on each chip, it counts 1.16 GiB of 16 GiB of memory, 132 GFLOP and 211 MiB of exchanges
# for one step and chip, the same on 8 and on 256 chips; 2.75 MiB of the exchanges are for the SVD.
# [Planning](../how-to/plan.md) has the table, and [TPU pods](../how-to/tpu-pods.md) has all steps.
#
# ## A checkpoint moves between them
#
# A run that was interrupted on eight devices may continue on one, and a run on one device may continue on eight:
# `train(one, dataset, out, resume=True)` reads each array into the layout of the devices at hand.
