"""Train a classifier for features."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array

from ..data import Dataset, Normalisation, training_batches
from ..data.distortion import Distortion, require_images
from ..data.flip import Flip
from ..errors import InputError
from ..fit import fit
from ..training.progress import show_progress
from .classifier import WIDTHS, Classifier, ClassifierNetwork

_SCALED_BY = 4096  # training samples, over which the mean square of the features becomes one


@dataclass(frozen=True)
class FeatureTraining:
    """How a classifier for features is trained."""

    steps: int = 2000
    """Optimiser steps (Adam, cosine decay)."""
    batch_size: int = 128
    """Samples a step."""
    learning_rate: float = 2e-3
    """Learning rate at the start."""
    seed: int = 0
    """Seeds initialisation, the order of samples, and how they are reflected and distorted."""
    widths: tuple[int, ...] = WIDTHS
    """Channels of its convolutions, for images and signals."""
    flip: bool = False
    """Reflect each training image left to right with probability one half."""
    distort: float = 0.0
    """Rotate, shear, scale and shift training images at random, by at most this much; 1 is what digits bear."""


def train_features(
    dataset: Dataset, name: str, options: FeatureTraining | None = None, *, quiet: bool = False
) -> Classifier:
    """Train a classifier of the labels of `dataset` on its training set; its accuracy on the main test set is kept.

    Args:
        dataset: with labels of its training set and of its main test set.
        name: what the data set is called, for reports.
        options: how it is trained.
        quiet: show no progress.

    Raises:
        InputError: there are no labels, or only one class, or an option is out of its range.
    """
    options = options or FeatureTraining()
    _check(options, dataset.sample_shape)
    main = next(iter(dataset.tests))
    labels, test_labels = (_labels(dataset, split) for split in ("train", main))
    classes = int(labels.max()) + 1
    if classes < 2:
        raise InputError(f"a classifier for features needs labels of at least two classes; got {classes}")
    network = ClassifierNetwork(dataset.sample_shape, classes, widths=options.widths, rngs=nnx.Rngs(options.seed))
    _minimise(network, dataset, labels, options, quiet)
    normalisation = dataset.normalisation
    untold = Classifier(network, normalisation, {})
    squares = np.mean(untold(dataset.train[:_SCALED_BY]).astype(np.float64) ** 2)
    network.scale.set_value(jnp.asarray(1 / np.sqrt(squares), jnp.float32))
    facts = {
        "trained_on": name,
        "training_samples": len(dataset.train),
        "steps": options.steps,
        "seed": options.seed,
        **({"flip": True} if options.flip else {}),
        **({"distort": options.distort} if options.distort > 0 else {}),
        "test_accuracy": round(untold.accuracy(np.asarray(dataset.test), test_labels), 5),
    }
    return Classifier(network, normalisation, facts)


def _check(options: FeatureTraining, sample_shape: tuple[int, ...]) -> None:
    for name in ("steps", "batch_size"):
        if getattr(options, name) < 1:
            raise InputError(f"`{name}` must be at least 1; got {getattr(options, name)}")
    if not (options.learning_rate > 0 and math.isfinite(options.learning_rate)):
        raise InputError(f"`learning_rate` must be a positive, finite number; got {options.learning_rate}")
    if not options.widths or min(options.widths) < 1:
        raise InputError(f"`widths` must be one or more positive numbers of channels; got {options.widths}")
    if not (options.distort >= 0 and math.isfinite(options.distort)):
        raise InputError(f"`distort` must be a finite number that is not negative; got {options.distort}")
    if options.seed < 0:
        raise InputError(f"`seed` must not be negative; got {options.seed}")
    for name in ("flip", "distort"):
        if getattr(options, name):
            require_images(sample_shape, name)


def _labels(dataset: Dataset, split: str) -> np.ndarray:
    if split not in dataset.labels:
        raise InputError(
            f"this data set has no labels of its split {split!r}, which a classifier for features needs: "
            f"give a file of Inception weights as `features` instead"
        )
    return np.asarray(dataset.labels[split], np.int32)


@dataclass(frozen=True)
class _CrossEntropy:
    """The loss of samples and their labels, at a step; raw samples are normalised on the device, and then changed."""

    normalisation: Normalisation | None
    changes: tuple[Flip | Distortion, ...]

    def __call__(self, network: ClassifierNetwork, batch: tuple[Array, Array, Array]) -> Array:
        samples, labels, step = batch
        if self.normalisation is not None:
            samples = self.normalisation.apply_on_device(samples)
        for change in self.changes:
            samples = change(samples, step)
        logits = network(samples)
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def _minimise(
    network: ClassifierNetwork, dataset: Dataset, labels: np.ndarray, options: FeatureTraining, quiet: bool
) -> None:
    optimiser = optax.adam(optax.cosine_decay_schedule(options.learning_rate, options.steps))
    order = training_batches(
        np.arange(len(labels)), batch_size=options.batch_size, seed=options.seed, steps=options.steps
    )
    on_host = dataset.normalise_on_host
    prepare = dataset.normalisation.apply if on_host else np.asarray
    progress = show_progress(options.steps, silent=quiet)

    changes: list[Flip | Distortion] = []
    if options.flip:
        changes.append(Flip(options.seed))
    if options.distort > 0:
        changes.append(Distortion(options.distort, options.seed))
    loss = _CrossEntropy(None if on_host else dataset.normalisation, tuple(changes))

    def batches() -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        for step, rows in enumerate(order):
            if step:
                progress.update(step)  # those of the batches that were taken before
            yield prepare(dataset.train[rows]), labels[rows], np.asarray(step, np.int32)
        progress.update(options.steps)

    try:
        fit(network, loss, optimiser, batches())
    finally:
        progress.close()
        order.close()
