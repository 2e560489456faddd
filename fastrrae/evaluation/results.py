"""The results of an evaluation: a typed tree, and `evaluation.json`, where it is written and read.

In the tree a number that could not be computed is NaN. JSON has no NaN: it becomes null, with the reason under "null".
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from ..atomic_files import write_json
from ..errors import InputError, first_line

_REASONS = {
    "latent": "the coefficients are not finite",
    "reconstruction_error": "the samples are all zero or have values that are not finite, or the reconstructions have",
    "pca_error": "the samples are all zero or have values that are not finite",
    "feature_error": "the feature is constant and its reconstruction is not, or values are not finite",
    "surrogate": "the samples or the coefficients of the training set have values that are not finite",
    "generation_error": "the generated samples have values that are not finite",
    "samples": "the features of the samples are not finite",
    "interpolations": "the features of the samples are not finite",
    "reconstructions": "the features of the samples are not finite",
}


class ReconstructionError(msgspec.Struct, frozen=True, omit_defaults=True):
    """Relative errors in per cent, in the normalised values that the model sees."""

    overall: float  # 100 ||x' - x||_F / ||x||_F over all samples together
    per_sample_mean: float  # the mean over samples of 100 ||x'_i - x_i|| / ||x_i||
    per_sample_std: float
    explained_variance: float | None = None  # 100 (1 - ||x' - x||_F^2 / ||x - mean||_F^2); None of constant samples


class LatentMetrics(msgspec.Struct, frozen=True, omit_defaults=True):
    """How the coefficients of the training set use the latent space."""

    rank: int
    active_units: int  # depends on the rotation of the codes, unlike the ranks
    deviation_of_means: list[float]  # by coordinate
    correlation: float
    effective_rank: float
    effective_rank_before_bottleneck: float
    numerical_rank: int | None = None  # absent in evaluations of earlier versions
    kl: float | None = None  # of variational models, in nats
    kl_per_dimension: list[float] | None = None


class LabelAccuracy(msgspec.Struct, frozen=True):
    """The share of test labels, in per cent, that is found from codes of the training set."""

    linear: float  # by logistic regression
    nearest: float  # by the nearest neighbours


class PODErrors(msgspec.Struct, frozen=True):
    """Errors of as many principal components (POD) on the test set, in per cent."""

    interpolated: float  # of fields from coefficients that are interpolated over the parameters, as the run's are
    projected: float  # of the test samples' own projections: the least that any coefficients can give


class SurrogateErrors(msgspec.Struct, frozen=True, omit_defaults=True):
    """How well test samples are predicted from their parameters alone, in the normalised values of the model."""

    method: str  # by which coefficients are interpolated
    parameters: list[str]
    error: ReconstructionError
    pod: dict[str, PODErrors]  # by the number of principal components
    outside: int | None = None  # test samples outside of the convex hull of the training parameters, of few parameters


class GenerationError(msgspec.Struct, frozen=True):
    """Over samples, 100 ||x - g|| / ||g|| with g the true sample nearest to x, in per cent."""

    mean: float
    std: float
    samples: int


class SampleMetrics(msgspec.Struct, frozen=True, omit_defaults=True):
    """A set of samples, compared with a reference set."""

    samples: int
    fid: float
    kid: float
    kid_std: float
    precision: float | None = None  # of sets that are drawn from a density
    recall: float | None = None
    fid_biased: bool = False  # there are no more samples than features, which makes the FID too large


class StringMetrics(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a model treats strings of a grammar; shares in per cent."""

    exact: dict[str, float]  # by split: strings that come back as they were
    steps: dict[str, float]  # by split: rules (or characters) that do, of the steps before the end of the string
    drawn: int  # from the mixture on the coefficients of the training set, decoded
    valid: float  # of those, strings of the grammar
    distinct: float  # of those, different strings
    molecules: float | None = None  # of those, molecules to RDKit; None of other strings, or without RDKit


@dataclass(frozen=True)
class Evaluation:
    """All results of an evaluation; what was not measured is empty or None."""

    reconstruction_error: float  # of the main test set, in per cent
    reconstruction_errors: Mapping[str, ReconstructionError]  # by split: "train", then the main test set
    latent: LatentMetrics
    of_model: Mapping[str, float] = field(default_factory=dict)  # what the model adds, by name
    generation_error: Mapping[str, GenerationError] = field(default_factory=dict)  # by density
    samples: Mapping[str, SampleMetrics] = field(default_factory=dict)  # by density; the first is the headline's
    interpolations: SampleMetrics | None = None
    reconstructions: SampleMetrics | None = None
    features: Mapping[str, Any] | None = None  # what the network that compares samples says of itself
    protocol: Mapping[str, Any] = field(default_factory=dict)  # how all of this was measured, in words
    pca_errors: Mapping[str, ReconstructionError] = field(default_factory=dict)  # PCA of the same rank, by split
    pca_samples: int | None = None  # of the training set, that determined the components
    feature_errors: list[float] = field(default_factory=list)  # of vectors, in per cent by feature of the test set
    label_accuracy: Mapping[str, LabelAccuracy] = field(default_factory=dict)  # by the codes that labels are found from
    surrogate: SurrogateErrors | None = None  # of data with parameters
    strings: StringMetrics | None = None  # of data that are strings of a grammar

    @property
    def compared_sets(self) -> dict[str, SampleMetrics]:
        """All sets of samples that were compared with the reference, by what they are."""
        drawn = {f"draws from {name}": metrics for name, metrics in self.samples.items()}
        others = {"interpolations": self.interpolations, "reconstructions": self.reconstructions}
        return drawn | {name: metrics for name, metrics in others.items() if metrics is not None}

    @property
    def features_sha256(self) -> str | None:
        """The digest of the network that samples were compared with, if they were."""
        return None if self.features is None else self.features.get("sha256")


def to_json(evaluation: Evaluation) -> dict[str, Any]:
    """What `evaluation.json` holds; parts that were not measured are left out."""
    tree = msgspec.to_builtins(evaluation)
    of_model = tree.pop("of_model")
    parts = ("reconstruction_error", "reconstruction_errors", "latent")
    measured = {name: part for name, part in tree.items() if name not in parts and part not in (None, {}, [])}
    values = {name: tree[name] for name in parts} | of_model | measured
    reasons = {".".join(path): _reason(path[0]) for path in _not_finite(values)}
    return values | ({"null": reasons} if reasons else {})


def save_evaluation(path: Path, evaluation: Evaluation) -> None:
    """Write `evaluation.json`."""
    write_json(path, to_json(evaluation))


def load_evaluation(path: Path) -> Evaluation:
    """Read what `save_evaluation` wrote, this version's or an earlier one's.

    Raises:
        InputError: the file is damaged, or from a version that did not write what this one needs.
    """
    again = f"run `fastrrae evaluate {path.parent}` again"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if "name" not in values.get("protocol", {}):
            raise InputError(f"the run in {path.parent} was evaluated by an earlier version: {again}")
        values.pop("null", None)
        values = _null_as_nan(values)
        fields = Evaluation.__dataclass_fields__
        of_model = {name: values.pop(name) for name in values.keys() - fields.keys()}
        return msgspec.convert(values | {"of_model": of_model}, Evaluation)
    except InputError:
        raise
    except (ValueError, AttributeError, TypeError) as error:  # those of JSON, UTF-8 and msgspec are ValueErrors
        raise InputError(f"{path} is damaged ({first_line(error)}): {again}") from None


def _not_finite(values: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of all numbers that are not finite."""
    if isinstance(values, Mapping):
        for name, value in values.items():
            yield from _not_finite(value, (*path, name))
    elif isinstance(values, list):
        for number, value in enumerate(values):
            yield from _not_finite(value, (*path, str(number)))
    elif isinstance(values, float) and not math.isfinite(values):
        yield path


def _reason(part: str) -> str:
    return _REASONS.get(part.removesuffix("s") if part.endswith("_errors") else part, "it is not finite")


def _null_as_nan(values: Any) -> Any:
    if isinstance(values, dict):
        return {name: _null_as_nan(value) for name, value in values.items()}
    if isinstance(values, list):
        return [_null_as_nan(value) for value in values]
    return math.nan if values is None else values
