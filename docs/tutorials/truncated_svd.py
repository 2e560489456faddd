# %% [markdown]
# # The SVD in your own JAX code
#
# This tutorial uses the truncated singular value decomposition (SVD) alone, without any autoencoder. You will choose
# between its two functions, check a gradient at repeated singular values, and use batches, sharded rows and a rank
# that is traced. It runs in a few seconds on a CPU.
#
# The next line makes four devices of one CPU, for the section on shards. It must come before `import jax`.

# %%
import os

os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=4")

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

from fastrrae_kernels import Gram, Randomized, active_rank_for, low_rank, residual, truncated_svd

# %% [markdown]
# ## Factors, or their product
#
# `truncated_svd` returns the `rank` largest singular values with their vectors. `low_rank` returns the best
# approximation of that rank, which is the product of the factors. Both take any number of leading batch dimensions.

# %%
a = jax.random.normal(jax.random.key(0), (32, 64, 200))  # a batch of 32 matrices
u, s, vt = truncated_svd(a, rank=16)
y = low_rank(a, rank=16)
print("u", u.shape, "s", s.shape, "vt", vt.shape, "y", y.shape)

reference = np.linalg.svd(np.asarray(a, np.float64), compute_uv=False)[:, :16]
print(
    f"largest error of a singular value, relative to the largest: {np.abs(s - reference).max() / reference.max():.1e}"
)
assert np.abs(s - reference).max() < 2e-6 * reference.max()

# %% [markdown]
# ## Gradients at repeated singular values
#
# Take a matrix whose two largest singular values are both 2. The loss below depends on the rank-2 approximation
# alone. That approximation is a smooth function of the matrix, because the second and the third singular value
# differ.
#
# Three gradients are compared with a central difference in float64: of `jnp.linalg.svd` with the factors sliced, of
# `truncated_svd` with the factors multiplied, and of `low_rank`.

# %%
rng = np.random.default_rng(0)
left = np.linalg.qr(rng.standard_normal((8, 4)))[0]
right = np.linalg.qr(rng.standard_normal((6, 4)))[0]
repeated = jnp.asarray((left * [2.0, 2.0, 1.0, 0.5]) @ right.T, jnp.float32)
weights = jnp.asarray(rng.standard_normal((8, 6)), jnp.float32)
direction = rng.standard_normal((8, 6))


def sliced(x):
    u, s, vt = jnp.linalg.svd(x, full_matrices=False)
    return (u[:, :2] * s[:2]) @ vt[:2]


def multiplied(x):
    u, s, vt = truncated_svd(x, 2)
    return (u * s) @ vt


def loss_in_float64(x):
    u, s, vt = np.linalg.svd(x)
    return np.sum(np.asarray(weights) * ((u[:, :2] * s[:2]) @ vt[:2]))


exact_matrix = np.asarray(repeated, np.float64)
step = 1e-6
truth = loss_in_float64(exact_matrix + step * direction) - loss_in_float64(exact_matrix - step * direction)
truth /= 2 * step
print(f"{'central difference':28}{truth:10.5f}")
for name, approximation in {
    "jnp.linalg.svd, sliced": sliced,
    "truncated_svd, multiplied": multiplied,
    "low_rank": lambda x: low_rank(x, 2),
}.items():
    gradient = jax.grad(lambda x, f=approximation: jnp.sum(weights * f(x)))(repeated)
    print(f"{name:28}{np.sum(gradient * direction):10.5f}")

gradient = jax.grad(lambda x: jnp.sum(weights * low_rank(x, 2)))(repeated)
assert abs(np.sum(gradient * direction) - truth) < 1e-4 * abs(truth)

# %% [markdown]
# Only `low_rank` agrees. The rule is simple: **if your loss depends on the product, use `low_rank`.** Use the factors
# for what does not depend on the choice of basis within a group of equal values, such as the projector `u @ u.T`.
# [The derivative of a truncated SVD](../explanations/derivative.py) explains why.
#
# ## Methods
#
# A method is a value whose fields are its options. `Auto()`, the default, keeps full accuracy. `Randomized` trades
# accuracy for time on large matrices and can start from a guess; `residual` says what was reached.

# %%
decay = jnp.exp(-jnp.arange(300) / 10.0)
large = jax.random.normal(jax.random.key(1), (1000, 300)) * decay
exact = truncated_svd(large, 8, method=Gram())
rough = truncated_svd(large, 8, method=Randomized(tolerance=1e-2))
warm = truncated_svd(large * 1.01, 8, method=Randomized(tolerance=1e-2), start=exact.vt)
for name, matrix, svd in (("Gram", large, exact), ("Randomized", large, rough), ("with a start", large * 1.01, warm)):
    print(f"{name:14} residual {residual(matrix, svd).max() / svd.s.max():.1e} of the largest value")
assert residual(large, rough).max() < 2e-2 * rough.s.max()

# %% [markdown]
# ## A rank that is traced
#
# `rank` sets shapes, so it must be a Python integer. `active_rank` says how many of the triplets count. It may be an
# array, may differ from matrix to matrix, and may change without compiling again. `active_rank_for` computes it from
# a tolerance: here, all values above 80 % of the largest.


# %%
@jax.jit
def truncated_by_tolerance(x):
    s = truncated_svd(x, 16).s
    count = active_rank_for(s, rtol=0.8)
    return low_rank(x, 16, active_rank=count), count


approximation, count = truncated_by_tolerance(a)
print("kept values of the first matrices:", count[:8])
assert np.linalg.matrix_rank(approximation[0], tol=1e-2) == int(count[0])

# %% [markdown]
# ## Rows that are sharded over devices
#
# Inside `shard_map`, `axis_name` makes both functions see the whole matrix, of which each device holds some rows. The
# devices sum one matrix of size n x n. Rows are never gathered.

# %%
mesh = jax.make_mesh((4,), ("data",), axis_types=(AxisType.Auto,))
rows = jax.random.normal(jax.random.key(2), (256, 40))
sharded = jax.jit(
    jax.shard_map(lambda z: low_rank(z, 4, axis_name="data"), mesh=mesh, in_specs=P("data"), out_specs=P("data"))
)(rows)
difference = jnp.abs(sharded - low_rank(rows, 4)).max()
print(f"rows on each device: {sharded.addressable_shards[0].data.shape}, difference to one device: {difference:.1e}")
assert difference < 1e-4
