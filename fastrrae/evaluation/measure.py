"""The numbers of an evaluation: reconstruction, latent space, samples, and the protocol by which they were measured."""

from typing import Any

import numpy as np

from ..data import Dataset
from ..features import FeatureExtractor
from ..latent import posterior_of
from ..models.priors import MixturePrior
from ..run import Run
from .bump_fit import bump_errors
from .draws import Draws
from .metrics import (
    active_units,
    cluster_by_k_means,
    clustering_accuracy,
    correlation,
    effective_rank,
    kl_per_dimension,
)
from .protocol import Protocol
from .quality import Reference
from .reconstruction import reconstruction_error

K_MEANS_SAMPLES = 10_000  # of the training set, that k-means is tried on


def measure(run: Run, dataset: Dataset, protocol: Protocol, features: FeatureExtractor | None) -> dict[str, Any]:
    """All numbers that `evaluation.json` holds.

    Args:
        run: a finished run.
        dataset: its data.
        protocol: what is measured, see `PROTOCOLS`.
        features: the network by which sets of samples are compared; without it they are not.
    """
    splits = {"train": dataset.train, **{_test_name(name): samples for name, samples in dataset.tests.items()}}
    errors = {
        name: reconstruction_error(run.model, samples, run.normalisation)._asdict() for name, samples in splits.items()
    }
    main = list(splits)[1]
    results: dict[str, Any] = {
        "reconstruction_error": errors[main]["overall"],
        "reconstruction_errors": errors,
        "latent": _describe_latent(run, dataset),
        **_clustering(run, dataset),
    }
    draws = Draws(run, dataset, protocol)
    if draws.has_generation_error and protocol.samples:
        results["generation_error"] = _generation_error(draws)
    if features is not None and protocol.samples:
        reference = Reference(draws.reference, features, draws.seed)
        results["samples"] = {name: reference.judge(draws.samples(name)) for name in draws.densities}
        if protocol.interpolations is not None:
            results["interpolations"] = reference.judge(draws.interpolations(), drawn=False)
        if protocol.reconstructions:
            results["reconstructions"] = reference.judge(draws.reconstructions(), drawn=False)
        results["features"] = features.describe()
    results["protocol"] = _describe(protocol, draws, main, features)
    return results


def _test_name(split: str) -> str:
    return "test" if split == "test" else f"test ({split})"


def _describe_latent(run: Run, dataset: Dataset) -> dict[str, Any]:
    """Whether the coefficients of the training set are used, all of them, and for different things."""
    means = run.training_coefficients
    described: dict[str, Any] = {
        "rank": means.shape[1],
        "active_units": active_units(means),
        "deviation_of_means": means.std(axis=0, dtype=np.float64).tolist(),
        "correlation": correlation(means),
        "effective_rank": effective_rank(np.linalg.eigvalsh(np.atleast_2d(np.cov(means, rowvar=False)))),
        "effective_rank_before_bottleneck": effective_rank(run.singular_values),
    }
    posterior = posterior_of(run.model, dataset.train, run.normalisation)
    if posterior is not None:
        kl = kl_per_dimension(*posterior)
        described |= {"kl": float(kl.sum()), "kl_per_dimension": kl.tolist()}
    return described


def _clustering(run: Run, dataset: Dataset) -> dict[str, float]:
    """Of models whose prior has components, on the training set: each sample belongs to the most likely one.

    Beside it, k-means on the values of the samples themselves.
    """
    prior, labels = run.model.bottleneck.prior, dataset.labels.get("train")
    if not isinstance(prior, MixturePrior) or labels is None:
        return {}
    first = slice(K_MEANS_SAMPLES)
    k_means = cluster_by_k_means(dataset.train[first], prior.components, run.config.evaluation.evaluation_seed)
    return {
        "clustering_accuracy": 100 * clustering_accuracy(prior.assign(run.training_coefficients), labels),
        "clustering_accuracy_of_k_means": 100 * clustering_accuracy(k_means, labels[first]),
    }


def _generation_error(draws: Draws) -> dict[str, dict[str, float]]:
    """For each density, mean and deviation over samples of the relative distance to the nearest true bump."""
    found = {}
    for name in draws.densities:
        errors = np.concatenate([bump_errors(block) for block in draws.samples(name)])
        found[name] = {"mean": float(errors.mean()), "std": float(errors.std()), "samples": len(errors)}
    return found


def _describe(protocol: Protocol, draws: Draws, main: str, features: FeatureExtractor | None) -> dict[str, Any]:
    """The protocol in words, as far as it was carried out."""
    described: dict[str, Any] = {
        "name": protocol.name,
        "seed": draws.seed,
        "reconstruction_error": f"100 ||x' - x||_F / ||x||_F over all samples of {main}, in normalised values",
        "latent": "of the coefficients (means, of a variational model) of the whole training set; KL in nats",
    }
    if protocol.samples and (features is not None or draws.has_generation_error):
        described["densities"] = {name: draws.describe_density(name) for name in draws.densities}
        described["drawn"] = f"{protocol.samples} from each density, decoded, cut to the range of the training set"
    if draws.has_generation_error and protocol.samples:
        described["generation_error"] = (
            "100 ||x - g|| / ||g|| per sample, g the true bump nearest to x; mean, deviation"
        )
    if features is None or not protocol.samples:
        return described
    described["reference"] = (
        f"the {len(draws.reference)} {'training' if protocol.reference == 'train' else 'test'} samples"
    )
    described["kid"] = "kernel (x.y/d + 1)^3, unbiased, mean and deviation over 100 subsets of 1000"
    described["precision_recall"] = "k-means of 20 clusters, 1001 angles, 10 runs; F_1/8 and F_8; equal numbers"
    if protocol.interpolations is not None:
        described["interpolations"] = str(protocol.interpolations)
    if protocol.reconstructions:
        described["reconstructions"] = f"of {min(protocol.samples, len(draws.test))} samples of {main}"
    return described
