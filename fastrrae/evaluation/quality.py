"""How good sets of samples are beside a reference: FID, KID, precision and recall, in features of one network."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..data import Samples
from ..features import FeatureExtractor
from .metrics import frechet_distance, kernel_distance, moments, precision_recall
from .metrics.precision_recall import CLUSTERS


def name_features(described: Mapping[str, Any]) -> str:
    """What a network of features says of itself, in short: how many, of what, how good it is."""
    accuracy = described.get("test_accuracy")
    goodness = "" if accuracy is None else f", test accuracy {100 * accuracy:.2f} %"
    return f"{described['dimensions']} features of {described['kind']}{goodness}"


class Reference:
    """The features of a reference set, and the judgement of other sets by them."""

    def __init__(self, samples: Samples, extract: FeatureExtractor, seed: int):
        self._extract, self._seed = extract, seed
        self._features = extract(samples)
        self._moments = moments(self._features)

    def judge(self, batches: Iterator[np.ndarray], *, drawn: bool = True) -> dict[str, Any]:
        """FID and KID of all batches together; of sets that are `drawn` from a density, precision and recall too."""
        features = np.concatenate([self._extract(batch) for batch in batches])
        own = moments(features)
        kernel = kernel_distance(features, self._features, seed=self._seed)
        figures: dict[str, Any] = {
            "samples": len(features),
            "fid": frechet_distance(own, self._moments),
            "kid": kernel.mean,
            "kid_std": kernel.std,
        }
        if drawn and min(len(features), len(self._features)) >= CLUSTERS:
            found = precision_recall(features, self._features, seed=self._seed)
            figures |= {"precision": found.precision, "recall": found.recall}
        if own.singular or self._moments.singular:
            figures["fid_biased"] = True
        return figures
