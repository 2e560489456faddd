"""Random arithmetic expressions of one variable, the structured data of the RAE and GMM-DAE papers."""

import numpy as np

from ..config import DataConfig
from ..errors import InputError
from ..grammars import EXPRESSIONS, Derivations, StringCodec
from ..grammars.codec import character_steps
from ..grammars.parser import require_parser
from .dataset import Dataset
from .strings import dataset_of_derivations

TRAIN_COUNT, TEST_COUNT = 50_000, 2_000
MOST_RULES, MOST_CHARACTERS = 15, 19
CANDIDATES = 54_000  # of which one in forty is too long
SEED = 0


def load_expressions(config: DataConfig) -> Dataset:
    """50,000 expressions to train on and 2,000 others to test on, as sequences of rules or of characters.

    They are distinct, of at most 15 rules and 19 characters, and drawn at random, as many of each number of rules as
    there are (`Derivations.sample`).
    """
    require_parser()
    if config.data is not None or config.longest is not None:
        raise InputError("`data` and `longest` are not of the recipe expressions: train the recipe strings on your own")
    derivations = [
        rules
        for rules in Derivations(EXPRESSIONS).sample(CANDIDATES, MOST_RULES, SEED)
        if len(EXPRESSIONS.derive(rules)) <= MOST_CHARACTERS
    ][: TRAIN_COUNT + TEST_COUNT]
    length = MOST_RULES if config.tokens == "rules" else MOST_CHARACTERS + 1
    if config.tokens == "characters":
        derivations = [character_steps(EXPRESSIONS, EXPRESSIONS.derive(rules)) for rules in derivations]
    order = np.arange(len(derivations))
    return dataset_of_derivations(
        derivations,
        StringCodec(EXPRESSIONS, length, config.tokens),
        order[TEST_COUNT:],
        {"test": order[:TEST_COUNT]},
        description="random expressions",
    )
