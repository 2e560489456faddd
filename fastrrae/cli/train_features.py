"""`fastrrae train-features`."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from ..buckets import InBucket, with_addresses
from ..compilation_cache import enable_compilation_cache
from ..data import load_dataset
from ..errors import InputError
from ..features import FeatureTraining, train_features
from ..features.storage import save_classifier
from ..recipes import RECIPES
from .finished_runs import DataOption


@dataclass(frozen=True)
class TrainFeatures:
    """Train a classifier on a data set's own labels; its last hidden layer compares samples (FID, KID, precision).

    `fastrrae evaluate` does this itself if no --features are given. Use this command for another length or seed.
    """

    recipe: Annotated[tyro.conf.Positional[Literal[tuple(RECIPES)]], tyro.conf.arg(metavar="RECIPE")]  # pyright: ignore
    """The recipe whose data is used."""
    data: DataOption = None
    """Where it is, if it is read from files."""
    out: Annotated[str, tyro.conf.arg(metavar="FILE"), InBucket.WRITTEN] = "features.npz"
    """The file to write."""
    training: FeatureTraining = field(default_factory=FeatureTraining)

    def run(self) -> None:
        """Train, and say how good it is."""
        for name in ("steps", "batch_size"):
            if getattr(self.training, name) < 1:
                raise InputError(f"--{name.replace('_', '-')} must be at least 1; got {getattr(self.training, name)}")
        out = Path(self.out)
        if out.suffix != ".npz" or not out.parent.is_dir():
            raise InputError(f"--out must be a .npz file in a folder that exists; got {self.out}")
        enable_compilation_cache()
        dataset = load_dataset(dataclasses.replace(RECIPES[self.recipe].config.data, data=self.data))
        classifier = train_features(dataset, self.recipe, self.training)
        save_classifier(out, classifier)
        print(f"{with_addresses(self.out)}: test accuracy {100 * classifier.facts['test_accuracy']:.2f} %")
