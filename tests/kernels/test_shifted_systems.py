"""The linear systems of the derivative, against the eigenvectors that diagonalise them."""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest

from fastrrae_kernels import shifted_systems
from fastrrae_kernels.conjugate_gradients import PATIENCE, conjugate_gradients

S = np.array([3.0, 2.0, 2.0, 1.0, 0.8, 0.5])
KEPT, KNOWN = 2, 3  # the third value equals the last kept one
P, Q = 6, 9


def problem():
    rng = np.random.default_rng(0)
    u, v = (np.linalg.qr(rng.standard_normal((size, len(S))))[0] for size in (P, Q))
    kept = u[:, :KEPT]
    rhs = rng.standard_normal((KEPT, P))
    return u, (u * S) @ v.T, kept, rhs - rhs @ kept @ kept.T


@pytest.mark.parametrize("known", [KNOWN, len(S)])
def test_a_tied_direction_is_left_out_of_the_systems(float64, monkeypatch, known):
    u, a, kept, rhs = problem()
    counts = []

    def counted(*args, **options):
        solution = conjugate_gradients(*args, **options)
        counts.append(int(solution.iterations))
        return SimpleNamespace(x=solution.x)

    monkeypatch.setattr(shifted_systems, "conjugate_gradients", counted)
    s = jnp.asarray(S[:KEPT])
    discarded_u, discarded_s = jnp.asarray(u[:, KEPT:known]), jnp.asarray(S[KEPT:known])
    x = shifted_systems._solve_with_constants(
        lambda x: x @ a @ a.T, jnp.asarray(kept), s, discarded_u, discarded_s, jnp.asarray(rhs), 1e-12, known == len(S)
    )
    gaps = S[:KEPT, None] ** 2 - S[None, KEPT:] ** 2
    expected = (rhs @ u[:, KEPT:] * np.where(gaps == 0, 0, 1 / np.where(gaps == 0, 1, gaps))) @ u[:, KEPT:].T
    np.testing.assert_allclose(x, expected, atol=1e-12)
    assert all(count < PATIENCE for count in counts)  # solved, not given up
    assert len(counts) == (known < len(S))
