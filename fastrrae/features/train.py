"""Train a classifier for features."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array

from ..data import Dataset, training_batches
from ..errors import InputError
from .classifier import Classifier, ClassifierNetwork

_SCALED_BY = 4096  # training samples, over which the mean square of the features becomes one


@dataclass(frozen=True)
class FeatureTraining:
    """How a classifier for features is trained."""

    steps: int = 2000
    """Optimiser steps (adam, one cosine)."""
    batch_size: int = 128
    """Samples a step."""
    learning_rate: float = 2e-3
    """At the start."""
    seed: int = 0
    """Seeds initialisation and the order of samples."""


def train_features(dataset: Dataset, name: str, options: FeatureTraining | None = None) -> Classifier:
    """Train a classifier of the labels of `dataset` on its training set; its accuracy on the main test set is kept.

    Args:
        dataset: with labels of its training set and of its main test set.
        name: what the data set is called, for reports.
        options: how it is trained.

    Raises:
        InputError: there are no labels, or only one class.
    """
    options = options or FeatureTraining()
    main = next(iter(dataset.tests))
    labels, test_labels = (_labels(dataset, split) for split in ("train", main))
    classes = int(labels.max()) + 1
    if classes < 2:
        raise InputError(f"a classifier needs labels of at least two classes; got {classes}")
    network = ClassifierNetwork(dataset.sample_shape, classes, rngs=nnx.Rngs(options.seed))
    _fit(network, dataset, labels, options)
    normalisation = dataset.normalisation
    untold = Classifier(network, normalisation, {})
    squares = np.mean(untold(dataset.train[:_SCALED_BY]).astype(np.float64) ** 2)
    network.scale.set_value(jnp.asarray(1 / np.sqrt(squares), jnp.float32))
    facts = {
        "trained_on": name,
        "training_samples": len(dataset.train),
        "steps": options.steps,
        "seed": options.seed,
        "test_accuracy": round(untold.accuracy(np.asarray(dataset.test), test_labels), 5),
    }
    return Classifier(network, normalisation, facts)


def _labels(dataset: Dataset, split: str) -> np.ndarray:
    if split not in dataset.labels:
        raise InputError(
            f"this data set has no labels of its split {split!r}, which a classifier for features needs: "
            f"give a file of Inception weights with --features instead"
        )
    return np.asarray(dataset.labels[split], np.int32)


def _fit(network: ClassifierNetwork, dataset: Dataset, labels: np.ndarray, options: FeatureTraining) -> None:
    """Minimise the cross entropy in place."""
    graph, parameters, rest = nnx.split(network, nnx.Param, ...)
    schedule = optax.cosine_decay_schedule(options.learning_rate, options.steps)
    optimiser = optax.adam(schedule)

    def loss(parameters: Any, x: Array, y: Array) -> Array:
        logits = nnx.merge(graph, parameters, rest)(x)
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

    @partial(jax.jit, donate_argnums=(0, 1))
    def step(parameters: Any, moments: optax.OptState, x: Array, y: Array) -> tuple[Any, optax.OptState]:
        gradient = jax.grad(loss)(parameters, dataset.normalisation.apply_on_device(x), y)
        updates, moments = optimiser.update(gradient, moments, parameters)
        return optax.apply_updates(parameters, updates), moments

    moments = optimiser.init(parameters)
    order = training_batches(
        np.arange(len(labels)), batch_size=options.batch_size, seed=options.seed, steps=options.steps
    )
    for rows in order:
        parameters, moments = step(parameters, moments, dataset.train[rows], labels[rows])
    order.close()
    nnx.update(network, parameters)
