"""Molecules as SMILES strings: their grammar, and how good they are (grammar VAE, RAE and GMM-DAE papers).

What knows chemistry (`is_molecule`, `penalised_logp`) asks RDKit, of the extra `molecules`; the grammar needs none.
"""

from functools import cache
from importlib.util import find_spec
from typing import Any, NamedTuple

from ..errors import InputError
from .grammar import Grammar

# The part of OpenSMILES that drug-like molecules are written in: no dots, wildcards, atom classes or rings numbered
# with %. An atom is followed by its rings, then its branches, then the rest of the chain, so that one symbol of
# lookahead says which rule comes next: each string has exactly one derivation, which a fast parser finds.
MOLECULES = Grammar.from_text(
    r"""
    chain -> atom | atom links
    links -> ring | ring links | branch | branch tail | chain | bond chain
    tail -> branch | branch tail | chain | bond chain
    branch -> '(' chain ')' | '(' bond chain ')'
    ring -> digit | bond digit
    bond -> '-' | '=' | '#' | '/' | '\'
    atom -> aliphatic | aromatic | bracket
    aliphatic -> 'B' | 'C' | 'N' | 'O' | 'P' | 'S' | 'F' | 'Cl' | 'Br' | 'I'
    aromatic -> 'b' | 'c' | 'n' | 'o' | 'p' | 's'
    bracket -> '[' nuclide ']'
    nuclide -> element | isotope element | element details | isotope element details
    element -> aliphatic | aromatic | 'H' | 'Si' | 'Se' | 'se'
    isotope -> digit | digit digit | digit digit digit
    details -> chirality | chirality valence | valence
    valence -> hydrogens | hydrogens charge | charge
    chirality -> '@' | '@@'
    hydrogens -> 'H' | 'H' digit
    charge -> '+' | '-' | '+' digit | '-' digit
    digit -> '0' | '1' | '2' | '3' | '4' | '5' | '6' | '7' | '8' | '9'
    """
)

LARGEST_USUAL_RING = 6  # atoms; larger rings lower the score


class LogPTerms(NamedTuple):
    """The terms of the penalised logP of a molecule, each the better the greater."""

    logp: float  # Crippen's octanol-water partition coefficient, as a decimal logarithm
    synthesis: float  # minus the synthetic accessibility score of Ertl and Schuffenhauer (2009), -10 to -1
    rings: float  # minus the atoms of the largest ring beyond six, 0 where there are none


# Means and deviations of the terms over ZINC250k, by which the published scores are standardised.
ZINC_MEANS = LogPTerms(2.4570953396190123, -3.0525811293166134, -0.0485696876403053)
ZINC_DEVIATIONS = LogPTerms(1.434324401111988, 0.8335207024513095, 0.2860212110245455)


def has_chemistry() -> bool:
    """Whether RDKit is installed."""
    return find_spec("rdkit") is not None


def require_chemistry() -> None:
    """Raise unless RDKit is installed.

    Raises:
        InputError: it is not.
    """
    if not has_chemistry():
        raise InputError("chemistry needs RDKit; install `fastrrae[molecules]`")


def is_molecule(smiles: str) -> bool:
    """Whether RDKit reads a SMILES string as a molecule: rings are closed, valences and aromatic rings are possible.

    Raises:
        InputError: RDKit is not installed.

    Example:
        >>> is_molecule("c1ccccc1O"), is_molecule("c1ccccc1(O)(O)O"), is_molecule("C1CC")
        (True, False, False)
    """
    return _molecule(smiles) is not None


def logp_terms(smiles: str) -> LogPTerms | None:
    """The three terms of the penalised logP; None of what is no molecule.

    Rings are those of the smallest set of smallest rings. The authors' code takes those of an arbitrary cycle basis,
    which may have larger ones in fused and bridged systems.

    Raises:
        InputError: RDKit is not installed.
    """
    molecule = _molecule(smiles)
    if molecule is None:
        return None
    from rdkit.Chem.rdMolDescriptors import CalcCrippenDescriptors  # pyright: ignore[reportMissingImports]

    largest = max(map(len, molecule.GetRingInfo().AtomRings()), default=0)
    return LogPTerms(
        float(CalcCrippenDescriptors(molecule)[0]),
        -float(_accessibility().calculateScore(molecule)),
        -float(max(0, largest - LARGEST_USUAL_RING)),
    )


def penalised_logp(smiles: str) -> float | None:
    """logP - SA - (atoms of the largest ring beyond six), a score to maximise (Kusner et al. 2017).

    None of what is no molecule.

    Raises:
        InputError: RDKit is not installed.

    Example:
        >>> penalised_logp("CCCCCCCC") > penalised_logp("CCO")
        True
    """
    terms = logp_terms(smiles)
    return None if terms is None else sum(terms)


def standardised_penalised_logp(smiles: str) -> float | None:
    """`penalised_logp` with each term standardised by its mean and deviation over ZINC250k, as in published tables.

    Raises:
        InputError: RDKit is not installed.
    """
    terms = logp_terms(smiles)
    if terms is None:
        return None
    return sum((term - mean) / std for term, mean, std in zip(terms, ZINC_MEANS, ZINC_DEVIATIONS, strict=True))


def _molecule(smiles: str) -> Any:
    """RDKit's molecule of a string, with at least one atom, or None."""
    require_chemistry()
    from rdkit import Chem, rdBase  # pyright: ignore[reportMissingImports]

    with rdBase.BlockLogs():  # what is no molecule is expected here, and not worth lines on standard error
        molecule = Chem.MolFromSmiles(smiles)
    return molecule if molecule is not None and molecule.GetNumAtoms() else None


@cache
def _accessibility() -> Any:
    """RDKit's module of the synthetic accessibility score, which its wheels have next to its packages."""
    from rdkit.Contrib.SA_Score import sascorer  # pyright: ignore[reportMissingImports]

    return sascorer
