"""The search for the lowest rank that costs no accuracy, while a rank-reducing model trains; nothing is recompiled.

The search looks at the mean loss over a window of steps. First the loss settles at the given rank, or counts as settled
after a share of the steps. Then the rank is lowered by one, again and again, as long as the loss returns to within a
tolerance of the settled one. Where it stagnates above that, the rank goes back up by one, with the parameters that
were good there, and training continues.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array, lax

from .autoencoder import Autoencoder
from .fitted_basis import ActiveRank, FittedBasis

SETTLING, LOWERING, FOUND = 0, 1, 2
_IMPROVEMENT = 0.01  # a window counts as one that stagnates, unless its mean loss is lower than the best by this share


class RankSearch(NamedTuple):
    """Where the search is; a part of the training state, so that checkpoints have it."""

    stage: Array  # () int32: SETTLING, LOWERING or FOUND
    rank: Array  # () int32, of the model now
    settled: Array  # () the loss to return to
    best: Array  # () least mean loss over a window, at this rank
    stagnant: Array  # () int32, windows since
    total: Array  # () sum of the losses in this window
    taken: Array  # () int32, how many
    windows: Array  # () int32, that are over
    accepted: list[Array]  # parameters and optimiser moments that were good at the rank above this one


@dataclass(frozen=True)
class AdaptiveRank:
    """How the rank is searched for.

    Args:
        window: steps over which losses are averaged.
        patience: stagnant windows after which the loss has settled, or a rank is given up.
        tolerance: share by which the loss may exceed the settled one.
        latest: steps after which the loss counts as settled.
    """

    window: int
    patience: int
    tolerance: float
    latest: int

    def start(self, model: Autoencoder, optimiser: nnx.Optimizer) -> RankSearch:
        """The search before the first step."""
        zero, none = jnp.zeros(()), jnp.zeros((), jnp.int32)
        rank, infinity = jnp.asarray(_bottleneck(model).rank, jnp.int32), jnp.asarray(jnp.inf)
        return RankSearch(none, rank, zero, infinity, none, zero, none, none, _numbers(nnx.state((model, optimiser))))

    def advance(
        self, model: Autoencoder, optimiser: nnx.Optimizer, state: RankSearch, loss: Array
    ) -> tuple[RankSearch, dict[str, Array]]:
        """Take note of the loss of a step that was just taken; at the end of a window, perhaps change the rank."""
        search = state._replace(total=state.total + loss, taken=state.taken + 1)
        variables = nnx.state((model, optimiser))
        numbers = _numbers(variables)
        decide = lambda: self._decide(numbers, search)  # noqa: E731
        numbers, search = lax.cond(search.taken == self.window, decide, lambda: (numbers, search))
        nnx.update((model, optimiser), _with_numbers(variables, numbers))
        _bottleneck(model).set_active_rank(search.rank)
        return search, {"rank": search.rank}

    def finish(self, variables: nnx.State, state: RankSearch) -> nnx.State:
        """The variables to end with: a rank that was still being tried is undone."""
        if int(state.stage) != LOWERING:
            return variables

        def one_up(variable: nnx.Variable) -> nnx.Variable:
            return variable.replace(state.rank + 1) if isinstance(variable, ActiveRank) else variable

        good = _with_numbers(variables, state.accepted)
        return jax.tree.map(one_up, good, is_leaf=lambda node: isinstance(node, nnx.Variable))

    def _decide(self, numbers: list[Array], search: RankSearch) -> tuple[list[Array], RankSearch]:
        mean = search.total / self.window
        stagnant = jnp.where(mean < search.best * (1 - _IMPROVEMENT), 0, search.stagnant + 1)
        stuck = stagnant >= self.patience
        best = jnp.minimum(mean, search.best)

        late = (search.windows + 1) * self.window >= self.latest
        settled = (search.stage == SETTLING) & (stuck | late)
        good = (search.stage == LOWERING) & (mean <= search.settled * (1 + self.tolerance))
        accept = settled | good
        lower = accept & (search.rank > 1)
        failed = (search.stage == LOWERING) & stuck & ~good
        found = failed | (accept & ~lower)
        restart = lower | found

        after = RankSearch(
            stage=jnp.where(found, FOUND, jnp.where(lower, LOWERING, search.stage)).astype(jnp.int32),
            rank=search.rank + jnp.where(failed, 1, jnp.where(lower, -1, 0)).astype(jnp.int32),
            settled=jnp.where(settled, best, search.settled),
            best=jnp.where(restart, jnp.inf, best),
            stagnant=jnp.where(restart, 0, stagnant).astype(jnp.int32),
            total=jnp.zeros_like(search.total),
            taken=jnp.zeros_like(search.taken),
            windows=search.windows + 1,
            accepted=_chosen(accept, numbers, search.accepted),
        )
        return _chosen(failed, search.accepted, numbers), after


def _bottleneck(model: Autoencoder) -> FittedBasis:
    assert isinstance(model.bottleneck, FittedBasis)
    return model.bottleneck


def _is_number(leaf: Any) -> bool:
    """Not a random key, nor a count of steps: the learning rate's schedule goes on from where it is."""
    return jnp.issubdtype(leaf.dtype, jnp.floating)


def _numbers(variables: nnx.State) -> list[Array]:
    return [leaf for leaf in jax.tree.leaves(variables) if _is_number(leaf)]


def _with_numbers(variables: nnx.State, numbers: list[Array]) -> nnx.State:
    leaves, structure = jax.tree.flatten(variables)
    given = iter(numbers)
    return jax.tree.unflatten(structure, [next(given) if _is_number(leaf) else leaf for leaf in leaves])


def _chosen(condition: Array, yes: list[Array], no: list[Array]) -> list[Array]:
    return [jnp.where(condition, a, b) for a, b in zip(yes, no, strict=True)]
