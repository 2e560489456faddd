"""Small molecules put together from parts, as SMILES strings: to try out what is made for a user's own."""

import itertools

import numpy as np

from ..errors import InputError

# A group, then a ring with a place for a second group. Groups are single-bonded, rings have a free valence for each.
_FIRST = ("C", "CC", "CC(C)", "O", "CO", "CCO", "N", "CN(C)", "CC(=O)N", "O=C(O)", "N#C", "F", "Cl", "C[C@H](O)", "CS")
_RINGS = (
    "c1ccc({})cc1",
    "c1cccc({})c1",
    "c1cc({})ccn1",
    "c1ncc({})cn1",
    "c1ccc({})s1",
    "c1nc({})c[nH]1",
    "c1coc({})n1",
    "c1ccc2[nH]c({})cc2c1",
    "C1CCC({})CC1",
    "C1CCN({})CC1",
    "N1CCN({})CC1",
    "C1CC({})=CC1",
)
_SECOND = (
    "C",
    "CCC",
    "CO",
    "CCl",
    "CBr",
    "C#N",
    "C(F)(F)F",
    "C(C)(C)C",
    "C(N)=O",
    "C(=O)[O-]",
    "C[NH3+]",
    "/C=C/C",
    "/C=C\\C",
    "[C@@H](C)N",
    "S(C)(=O)=O",
    "c3ccccc3",
    "C(=O)Nc3ccccc3",
    "CN3CCOCC3",
    "C(=O)N3CCCC3",
    "CCc3ccc(F)cc3",
)


def example_molecules(count: int = 1000, *, seed: int = 0) -> list[str]:
    """Distinct molecules of one to three rings, at most 3,600, as SMILES strings in random order.

    Args:
        count: how many.
        seed: which ones.

    Raises:
        InputError: there are not so many.

    Example:
        >>> Path("molecules.smi").write_text("\\n".join(example_molecules()))
    """
    every = list(itertools.product(_FIRST, _RINGS, _SECOND))
    if not 1 <= count <= len(every):
        raise InputError(f"`count` must be at least 1 and at most {len(every)}; got {count}")
    chosen = np.random.default_rng(seed).permutation(len(every))[:count]
    return [first + ring.format(second) for first, ring, second in (every[index] for index in chosen)]
