# %% [markdown]
# # The derivative of a truncated SVD
#
# Truncation keeps the $k$ largest singular values of a matrix and discards the others. Many programs differentiate it
# with a rule that ignores what is discarded. That rule is wrong for almost every matrix. This page derives the right
# one, and measures both.
#
# ## Notation
#
# Let $A = U S V^\top + R$, where $U S V^\top$ is the part that is kept and $R$ the part that is discarded:
#
# $$
# A = \sum_{i \le k} s_i u_i v_i^\top + \sum_{j > k} s_j u_j v_j^\top, \qquad
# L_k(A) = U S V^\top = \sum_{i \le k} s_i u_i v_i^\top .
# $$
#
# By the theorem of Eckart and Young, $L_k(A)$ is the nearest matrix of rank $k$. `low_rank(a, k)` computes it. It is
# a differentiable function of $A$ wherever $s_k > s_{k+1}$, whether or not kept values are equal to each other.
#
# ## The gradient of the approximation
#
# Let a loss have the gradient $G$ with respect to $L_k(A)$, and write $g_{ab} = u_a^\top G v_b$. The gradient with
# respect to $A$ has these entries in the singular vectors of $A$, with $i$ kept and $j$ discarded:
#
# $$
# u_a^\top \bar A \, v_b = g_{ab} \quad (a, b \le k), \qquad
# u_j^\top \bar A \, v_i = \frac{s_i^2 \, g_{ji} + s_i s_j \, g_{ij}}{s_i^2 - s_j^2}, \qquad
# u_i^\top \bar A \, v_j = \frac{s_i^2 \, g_{ij} + s_i s_j \, g_{ji}}{s_i^2 - s_j^2},
# $$
#
# and zero between two discarded directions. Every denominator has one kept and one discarded value. No difference
# of two *kept* values appears, so repeated values among them do no harm.
#
# ## The mistake
#
# Set $s_j = 0$ in these formulas, as if nothing were discarded. What is left is
#
# $$
# \bar A_{\text{usual}} = G V V^\top + U U^\top G - U U^\top G V V^\top .
# $$
#
# This is the projection of $G$ on the tangent space of the matrices of rank $k$. It is the gradient only if $A$ has
# rank
# $k$ exactly. The relative error of an entry is of order $s_j / s_i$: it does not vanish with the square of the
# discarded part, but in proportion to it.
#
# The rule enters programs by way of the thin SVD. The textbook formula for its derivative holds for a matrix without
# a discarded part; applied to factors that were truncated, it gives the projection above.
#
# ## The gradient of the factors
#
# A loss may depend on $U$, $S$ and $V$ separately. Within the kept part, the derivative of the vectors has the terms
#
# $$
# \frac{(K_u + K_v)_{ij}}{s_j - s_i} + \frac{(K_u - K_v)_{ij}}{s_j + s_i}, \qquad
# K_u = \tfrac12 (U^\top \bar U - \bar U^\top U), \quad K_v = \tfrac12 (V^\top \bar V - \bar V^\top V) .
# $$
#
# The first one is not defined where $s_i = s_j$. There, the vectors themselves are not defined: any rotation within
# their span will do. If the loss does not depend on that rotation, $K_u + K_v$ vanishes and the right limit is zero,
# which is what `truncated_svd` returns. The *product* of the factors does not depend on the rotation either, but its
# cotangents
# $\bar U = G V S$ and $\bar V = G^\top U S$ give $(K_u + K_v)_{ij} = \tfrac12 (M_{ij} + M_{ji})(s_j - s_i)$ with
# $M = U^\top G V$. The quotient is $\tfrac12 (M_{ij} + M_{ji})$ for any two values, and at equal values a rule that
# returns zero has lost it. So a loss of the product should use `low_rank`.
#
# ## How it is computed
#
# Forming the quotients above needs all discarded singular vectors. Where only the leading ones are at hand, the same
# gradient is the solution of a linear system, on the smaller side of the matrix. With $P_u = I - U U^\top$,
# $P_v = I - V V^\top$ and, for the product, $\bar U = G V S$ and $\bar V = G^\top U S$,
#
# $$
# (s_i^2 I - R R^\top) \, x_i = s_i (P_u \bar U)_i + R (P_v \bar V)_i, \qquad
# y_i = \frac{(P_v \bar V)_i + R^\top x_i}{s_i},
# $$
#
# $$
# \bar A = U M V^\top + X V^\top + U Y^\top, \qquad M = U^\top G V .
# $$
#
# The system is positive definite by the gap between $s_k$ and $s_{k+1}$, and nothing is divided by a discarded value.
# It is solved directly where the whole eigenbasis is known, and by conjugate gradients where it is not.
#
# ## The figure
#
# First, the formula above as a slow and obvious program, and a check that `low_rank` has this gradient.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from fastrrae_kernels import low_rank, truncated_svd

M, N, RANK = 12, 20, 3
rng = np.random.default_rng(0)
LEFT, RIGHT = np.linalg.qr(rng.standard_normal((M, M)))[0], np.linalg.qr(rng.standard_normal((N, N)))[0]
G = rng.standard_normal((M, N))


def matrix(s):
    """The matrix with the singular values `s` (M,) and fixed singular vectors."""
    return (LEFT * s) @ RIGHT[:, :M].T


def exact_gradient(s):
    """The formula of this page, entry by entry, in float64."""
    g, s = LEFT.T @ G @ RIGHT, np.concatenate([s, np.zeros(N - M)])
    gradient = np.zeros((M, N))
    gradient[:RANK, :RANK] = g[:RANK, :RANK]
    for i in range(RANK):
        for j in range(RANK, N):
            across = g[j, i] if j < M else 0.0
            gradient[i, j] = (s[i] ** 2 * g[i, j] + s[i] * s[j] * across) / (s[i] ** 2 - s[j] ** 2)
            if j < M:
                gradient[j, i] = (s[i] ** 2 * g[j, i] + s[i] * s[j] * g[i, j]) / (s[i] ** 2 - s[j] ** 2)
    return LEFT @ gradient @ RIGHT.T


def usual_gradient(s):
    """The rule that ignores the discarded part."""
    p, q = LEFT[:, :RANK] @ LEFT[:, :RANK].T, RIGHT[:, :RANK] @ RIGHT[:, :RANK].T
    return G @ q + p @ G - p @ G @ q


def sliced(a):
    u, s, vt = jnp.linalg.svd(a, full_matrices=False)
    return (u[:, :RANK] * s[:RANK]) @ vt[:RANK]


def multiplied(a):
    u, s, vt = truncated_svd(a, RANK)
    return (u * s) @ vt


def error(gradient, s):
    """Relative to the exact gradient."""
    return np.linalg.norm(gradient - exact_gradient(s)) / np.linalg.norm(exact_gradient(s))


def gradient_by(approximation):
    return jax.jit(jax.grad(lambda a: jnp.sum(G.astype(np.float32) * approximation(a))))


gradients = {
    "jnp.linalg.svd, sliced": gradient_by(sliced),
    "truncated_svd, multiplied": gradient_by(multiplied),
    "low_rank": gradient_by(lambda a: low_rank(a, RANK)),
}
s = np.concatenate([[2.0, 1.5, 1.0], 0.5 * np.linspace(1, 0.1, M - RANK)])
with jax.enable_x64(True):
    in_float64 = jax.grad(lambda a: jnp.sum(G * low_rank(a, RANK)))(jnp.asarray(matrix(s)))
print(f"low_rank in float64, difference to the formula: {error(np.asarray(in_float64), s):.0e}")
assert error(np.asarray(in_float64), s) < 1e-12

# %% [markdown]
# Now the two cases that matter. On the left, the first discarded value approaches the last kept one. On the right,
# two kept values approach each other; the last point is exact equality. Everything is computed in float32, as in
# training.

# %%
ratios = np.array([1e-3, 1e-2, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
gaps = np.array([1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 0.0])
boundary = [np.concatenate([[2, 1.5, 1], r * np.linspace(1, 0.1, M - RANK)]) for r in ratios]
kept = [np.concatenate([[2, 1 + gap, 1], 0.5 * np.linspace(1, 0.1, M - RANK)]) for gap in gaps]

figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.6), sharey=True)
axes[0].loglog(ratios, [error(usual_gradient(s), s) for s in boundary], "x--", label="rule without the discarded part")
places = np.where(gaps > 0, gaps, 1e-7)
axes[1].loglog(places, [error(usual_gradient(s), s) for s in kept], "x--")
for name, gradient in gradients.items():
    style = "o-" if name == "low_rank" else "x--"
    found = {
        axis: [error(np.asarray(gradient(matrix(s).astype(np.float32))), s) for s in spectra]
        for axis, spectra in ((0, boundary), (1, kept))
    }
    axes[0].loglog(ratios, found[0], style, label=name)
    axes[1].loglog(places, [value if np.isfinite(value) else np.nan for value in found[1]], style, label=name)
    print(f"{name:28} at equal kept values: {found[1][-1]:.0e}")
axes[0].set_xlabel("first discarded value / last kept value")
axes[1].set_xlabel("distance of two kept values (1e-7: equal)")
axes[0].set_ylabel("relative error of the gradient")
axes[0].legend(fontsize=7)
for axis in axes:
    axis.grid(alpha=0.3)
figure.tight_layout()
assert error(np.asarray(gradients["low_rank"](matrix(kept[-1]).astype(np.float32))), kept[-1]) < 1e-4

# %% [markdown]
# The usual rule is wrong by a few per cent and more as soon as the discarded values are not small, at any precision.
# Slicing `jnp.linalg.svd` is right in exact arithmetic where all values differ, and loses digits as two kept values
# approach each other: rounding is divided by their distance. `low_rank` loses digits only as the *boundary* gap
# closes, where the derivative itself grows without limit.
#
# `python bench/gradients.py` measures more rules, PyTorch's among them, in float32 and float64.
#
# ## Higher derivatives, and devices
#
# The rule is written as a forward derivative whose equations JAX differentiates in turn, so that derivatives of any
# order and in both modes follow from it. With rows sharded over devices, the gradient costs two more small sums.
