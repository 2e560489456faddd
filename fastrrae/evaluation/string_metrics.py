"""How many strings come back exactly, and how many of those that are drawn are strings of the grammar."""

from collections.abc import Mapping

import numpy as np

from ..data import Samples
from ..grammars import MOLECULES, StringCodec
from ..grammars.molecules import has_chemistry, is_molecule
from ..run import Run
from .generated_samples import blocks
from .results import StringMetrics

DRAWN = 1000
MOST_STRINGS = 5000  # of each split, the first ones


def string_metrics(run: Run, splits: Mapping[str, Samples]) -> StringMetrics | None:
    """Of a run on strings, over the first 5,000 of each split and 1,000 draws; None of other runs."""
    if run.codec is None:
        return None
    found = {name: _returned(run, samples) for name, samples in splits.items()}
    strings = run.strings(run.sample(DRAWN))
    return StringMetrics(
        exact={name: exact for name, (exact, _) in found.items()},
        steps={name: steps for name, (_, steps) in found.items()},
        drawn=DRAWN,
        valid=valid_share(run.codec, strings),
        distinct=100 * len(set(strings)) / DRAWN,
        molecules=molecule_share(run.codec, strings),
    )


def valid_share(codec: StringCodec, strings: list[str]) -> float:
    """The share of strings, in per cent, that the grammar derives, each parsed."""
    known = {string: codec.is_valid(string) for string in set(strings)}
    return 100 * float(np.mean([known[string] for string in strings]))


def molecule_share(codec: StringCodec, strings: list[str]) -> float | None:
    """The share of SMILES strings, in per cent, that RDKit reads; None of other strings, or where there is no RDKit."""
    if codec.grammar != MOLECULES or not has_chemistry():
        return None
    return 100 * float(np.mean([is_molecule(string) for string in strings]))


def _returned(run: Run, samples: Samples) -> tuple[float, float]:
    """Shares, in per cent, of strings and of the steps before their ends that come back as they were."""
    exact, right, steps = [], 0, 0
    for block in blocks(samples, min(len(samples), MOST_STRINGS)):
        given, found = block.argmax(axis=-1), run.reconstruct(block).argmax(axis=-1)
        exact.append((given == found).all(axis=1))
        before_end = given < block.shape[-1] - 1
        right, steps = right + int(((given == found) & before_end).sum()), steps + int(before_end.sum())
    return 100 * float(np.concatenate(exact).mean()), 100 * right / max(steps, 1)
