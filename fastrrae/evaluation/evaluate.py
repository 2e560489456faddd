"""Evaluate a finished run by a protocol, and leave the metrics, the pictures and the report in its folder."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..data import Dataset
from ..errors import InputError
from ..features import FeatureExtractor, load_features
from ..features.default import default_features
from ..features.inception import Inception
from ..run import Run
from ..run_folder import RunFolder
from .generated_samples import GeneratedSamples, value_range
from .generation_error import generation_errors
from .label_accuracy import label_accuracies
from .latent_metrics import latent_metrics
from .model_metrics import ModelHook, metrics_of_model
from .principal_components import PrincipalComponents
from .protocol import PROTOCOLS, Protocol
from .protocol_text import protocol_in_words
from .reconstruction import reconstruction_sums
from .report import write_report
from .results import Evaluation, GenerationError, SampleMetrics, load_evaluation, save_evaluation
from .run_plots import draw_run
from .sample_metrics import ReferenceSet
from .string_metrics import string_metrics
from .string_tables import string_tables
from .surrogate_errors import Predictions, surrogate_errors
from .surrogate_plots import draw_surrogate

MOST_FEATURES = 4096  # of vectors whose error is given feature by feature


def evaluate(
    run: Run, dataset: Dataset, *, protocol: Protocol | None = None, features: FeatureExtractor | None = None
) -> Evaluation:
    """Write `evaluation.json`, `figures/*.png` and `report.html` of a run, and return what the first one holds.

    Args:
        run: a finished run.
        dataset: its data.
        protocol: what is measured; by default the one that the run's configuration names.
        features: the network by which samples are compared; by default a classifier of the data set's labels, trained
            once and kept in the user's cache. Without labels samples are drawn, but not compared.

    Raises:
        InputError: the data are not the run's, or the features are of samples of another shape.
    """
    run.folder.require_same_data(dataset)
    protocol = protocol or PROTOCOLS[run.config.evaluation.protocol]
    features = features or choose_features(None, dataset, run.config.recipe, protocol)
    predictions = Predictions.of(run, dataset)
    results = _measure(run, dataset, protocol, features, metrics_of_model, predictions)
    save_evaluation(run.folder.evaluation, results)
    run.folder.record_checksums()
    pictures = draw_run(run, dataset, results.latent, protocol)
    write_report(run, results, [*string_tables(run), *pictures, *draw_surrogate(run, dataset, predictions)])
    run.folder.publish()
    return results


def is_evaluated(folder: RunFolder, protocol: Protocol, features: FeatureExtractor | None) -> bool:
    """Whether a run has a whole evaluation by this protocol and these features."""
    if not folder.evaluation.is_file():
        return False
    try:
        folder.require_evaluation_intact()
        found = load_evaluation(folder.evaluation)
    except InputError:  # damaged, or an earlier version's
        return False
    sha256 = None if features is None else features.describe()["sha256"]
    return found.protocol["name"] == protocol.name and found.features_sha256 == sha256


def choose_features(
    path: str | Path | None, dataset: Dataset, name: str, protocol: Protocol, report: Callable[[str], None] = print
) -> FeatureExtractor | None:
    """The network in a file (see `load_features`), made to take the values of `dataset`.

    Without a file, the default of the data set called `name`, if it has one and the protocol draws samples at all.
    """
    if path is None:
        return default_features(dataset, name, report) if protocol.samples else None
    found = load_features(path)
    found.require_sample_shape(dataset.sample_shape)
    return found.for_range(*value_range(dataset.train)) if isinstance(found, Inception) else found


def measure(
    run: Run,
    dataset: Dataset,
    protocol: Protocol,
    features: FeatureExtractor | None,
    *,
    hook: ModelHook = metrics_of_model,
) -> Evaluation:
    """All numbers that `evaluation.json` holds.

    Args:
        run: a finished run.
        dataset: its data.
        protocol: what is measured, see `PROTOCOLS`.
        features: the network by which sets of samples are compared; without it they are not.
        hook: what the model of the run adds.
    """
    return _measure(run, dataset, protocol, features, hook, Predictions.of(run, dataset))


def _measure(
    run: Run,
    dataset: Dataset,
    protocol: Protocol,
    features: FeatureExtractor | None,
    hook: ModelHook,
    predictions: Predictions | None,
) -> Evaluation:
    if features is not None:
        features.require_sample_shape(dataset.sample_shape)
    splits = {"train": dataset.train, **{_test_name(name): samples for name, samples in dataset.tests.items()}}
    sums = {name: reconstruction_sums(run.model, samples, run.normalisation) for name, samples in splits.items()}
    errors = {name: of_split.error() for name, of_split in sums.items()}
    main = list(splits)[1]
    has_features = len(run.sample_shape) == 1 and run.sample_shape[0] <= MOST_FEATURES
    components = PrincipalComponents.fit(run.rank, dataset.train, run.normalisation)
    of_model = hook(run, dataset)
    generated = GeneratedSamples(run, dataset, protocol)
    compared: dict[str, SampleMetrics] = {}
    others: dict[str, SampleMetrics] = {}
    reference = dataset.train if protocol.reference == "train" else dataset.test
    if features is not None and protocol.samples:
        compared, others = _compare(generated, protocol, ReferenceSet(reference, features, generated.seed))
    known = run.config.data.source == "gaussians"
    return Evaluation(
        reconstruction_error=errors[main].overall,
        reconstruction_errors=errors,
        # Principal components of one-hot sequences are no strings: their error compares with nothing.
        pca_errors={} if run.codec else {name: components.error(samples) for name, samples in splits.items()},
        pca_samples=None if run.codec else components.samples,
        surrogate=None if predictions is None else surrogate_errors(predictions, dataset),
        strings=string_metrics(run, splits),
        label_accuracy=label_accuracies(run, dataset, components),
        feature_errors=sums[main].errors_by_feature() if has_features else [],
        latent=latent_metrics(run, of_model),
        of_model=of_model.metrics,
        generation_error=_generation_error(generated) if known and protocol.samples else {},
        samples=compared,
        interpolations=others.get("interpolations"),
        reconstructions=others.get("reconstructions"),
        features=features.describe() if features is not None and protocol.samples else None,
        protocol=protocol_in_words(
            protocol,
            generated,
            main,
            features,
            reference_count=len(reference),
            measures_generation_error=known,
        ),
    )


def _test_name(split: str) -> str:
    return "test" if split == "test" else f"test ({split})"


def _compare(
    generated: GeneratedSamples, protocol: Protocol, reference: ReferenceSet
) -> tuple[dict[str, SampleMetrics], dict[str, SampleMetrics]]:
    """Samples by density, and what else the protocol compares."""
    samples = {name: reference.compare(generated.samples(name)) for name in generated.densities}
    others = {}
    if protocol.interpolations is not None:
        others["interpolations"] = reference.compare(generated.interpolations(), drawn=False)
    if protocol.reconstructions:
        others["reconstructions"] = reference.compare(generated.reconstructions(), drawn=False)
    return samples, others


def _generation_error(generated: GeneratedSamples) -> dict[str, GenerationError]:
    """For each density, mean and deviation over samples of the relative distance to the nearest true bump."""
    found = {}
    for name in generated.densities:
        errors = np.concatenate([generation_errors(block) for block in generated.samples(name)])
        found[name] = GenerationError(float(errors.mean()), float(errors.std()), len(errors))
    return found
