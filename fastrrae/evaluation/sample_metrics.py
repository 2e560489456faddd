"""FID, KID, precision and recall of sets of samples against a reference set, in features of one network."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..data import Samples
from ..features import FeatureExtractor
from ..metrics import frechet_distance, kernel_distance, moments, precision_recall
from ..metrics.precision_recall import CLUSTERS
from .results import SampleMetrics


def name_features(described: Mapping[str, Any]) -> str:
    """What a network of features says of itself, in short: how many, of what, how good it is."""
    accuracy = described.get("test_accuracy")
    goodness = "" if accuracy is None else f", test accuracy {100 * accuracy:.2f} %"
    return f"{described['dimensions']} features of {described['kind']}{goodness}"


class ReferenceSet:
    """The features of a reference set, with which other sets are compared."""

    def __init__(self, samples: Samples, extract: FeatureExtractor, seed: int):
        self._extract, self._seed = extract, seed
        self._features = extract(samples)
        self._moments = moments(self._features)

    def compare(self, batches: Iterator[np.ndarray], *, drawn: bool = True) -> SampleMetrics:
        """FID and KID of all batches together; of sets that are `drawn` from a density, precision and recall too.

        All are NaN where a feature is not finite.
        """
        features = np.concatenate([self._extract(batch) for batch in batches])
        measures_precision = drawn and min(len(features), len(self._features)) >= CLUSTERS
        if not np.isfinite(features).all():
            undefined = np.nan if measures_precision else None
            return SampleMetrics(len(features), np.nan, np.nan, np.nan, undefined, undefined)
        own = moments(features)
        kernel = kernel_distance(features, self._features, seed=self._seed)
        found = precision_recall(features, self._features, seed=self._seed) if measures_precision else None
        return SampleMetrics(
            samples=len(features),
            fid=frechet_distance(own, self._moments),
            kid=kernel.mean,
            kid_std=kernel.std,
            precision=None if found is None else found.precision,
            recall=None if found is None else found.recall,
            fid_biased=own.singular or self._moments.singular,
        )
