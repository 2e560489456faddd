"""Which speed and width made this noisy pulse? A surrogate is trained once, and answers in a fraction of a second."""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from fastrrae import RECIPES, RunFolder, load_dataset, load_run, train
from fastrrae.data.pulse import pulses

out = RunFolder(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/pulse"))
config = RECIPES["pulse"].config
if not out.summary.exists():
    train(config, load_dataset(config.data), out)
surrogate = load_run(out.root).surrogate()

# A measurement that the surrogate has not seen: a pulse of the simulation itself, with 5 % noise.
true = np.array([0.37, 0.041])  # speed, width
field = pulses(true[None])[0]
noise = np.random.default_rng(0).standard_normal(field.shape)
measured = field + 0.05 * np.linalg.norm(field) / np.linalg.norm(noise) * noise
found = surrogate.recover(measured)
for name, value, deviation, expected in zip(
    surrogate.parameter_names, found.parameters, found.deviation, true, strict=True
):
    print(f"{name}: {value:.4f} +- {deviation:.4f}, in truth {expected} ({100 * abs(value / expected - 1):.2f} % off)")
print(f"what the surrogate does not explain: {found.residual:.1f} % of the measurement")

# The field is a function of JAX: its gradient says how the parameters move, for instance, the value at one point.
at_the_middle = jax.grad(lambda parameters: surrogate.as_jax_function()(parameters)[64, 0])
print(f"derivatives of u(x = 0.5): {np.round(at_the_middle(jnp.asarray(found.parameters)), 2)}")
