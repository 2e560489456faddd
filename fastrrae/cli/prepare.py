"""`fastrrae prepare`."""

import re
import warnings
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Literal

import tyro

from ..buckets import InBucket, as_address
from ..data.text_files import printable
from ..errors import InputError
from ..prepare import (
    Collection,
    Prepared,
    UnreadableImage,
    list_celeba,
    list_cifar10,
    list_images,
    list_mnist,
    list_svhn,
    prepare,
)


@dataclass(frozen=True)
class _Places:
    source: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="SOURCE")]
    """What was published: a folder, or a .zip archive of images."""
    out: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="OUT"), InBucket.OPENED]
    """The folder to write, on a disk or in a bucket: new, empty, or of the same command before."""


@dataclass(frozen=True)
class _Reading:
    workers: int | None = None
    """Threads that read and decode; as many as there are cores by default."""
    corrupt: Literal["fail", "skip"] = "fail"
    """What to do with an image that cannot be read: stop and name it, or skip it and name it in the manifest."""


@dataclass(frozen=True)
class Celeba(_Reading, _Places):
    """CelebA, aligned: a folder with img_align_celeba (folder or .zip) and list_eval_partition.txt (or .csv).

    If the folder also has list_attr_celeba.txt (or .csv), the attributes are kept.
    """

    size: int = 160
    """Side of the samples in pixels."""
    crop: int = 178
    """Side of the centre square that is resized. For the 64x64 images of the IRMAE paper: --size 64 --crop 148."""

    def list(self) -> Collection:
        """What is in the source."""
        return list_celeba(self.source, size=self.size, crop=self.crop)


@dataclass(frozen=True)
class Images(_Reading, _Places):
    """Any folder or .zip archive of images.

    Folders named train, test, val or validation (in any letter case, at the top or one level below) are the splits;
    without them the split is random. Folders that images lie in are their classes. What was found, how it is used and
    what is left out is printed, and kept in the manifest.
    """

    size: int = 64
    """Side of the samples in pixels."""
    crop: int | None = None
    """Side of the centre square that is resized; the largest by default."""
    split: Literal["auto", "random"] = "auto"
    """auto: by the names of folders. random: draw from all images, whatever folders are called."""
    test_fraction: float = 0.1
    """Share that is held out for testing, unless folders name the splits."""
    validation_fraction: float = 0.0
    """Share that is held out for validation, unless folders name the splits."""
    background: Literal["white", "black"] = "white"
    """What lies behind transparent pixels."""

    def list(self) -> Collection:
        """What is in the source."""
        return list_images(
            self.source,
            size=self.size,
            crop=self.crop,
            test_fraction=self.test_fraction,
            validation_fraction=self.validation_fraction,
            split=self.split,
            background=self.background,
        )


@dataclass(frozen=True)
class Cifar10(_Reading, _Places):
    """CIFAR-10, the binary release: a folder with data_batch_1.bin to 5 and test_batch.bin."""

    def list(self) -> Collection:
        """What is in the source."""
        return list_cifar10(self.source)


@dataclass(frozen=True)
class Mnist(_Reading, _Places):
    """MNIST: a folder with its four IDX files."""

    def list(self) -> Collection:
        """What is in the source."""
        return list_mnist(self.source)


@dataclass(frozen=True)
class Svhn(_Reading, _Places):
    """SVHN, the cropped digits: a folder with train_32x32.mat and test_32x32.mat."""

    def list(self) -> Collection:
        """What is in the source."""
        return list_svhn(self.source)


_Kind = (
    Annotated[Celeba, tyro.conf.subcommand("celeba")]
    | Annotated[Images, tyro.conf.subcommand("images")]
    | Annotated[Cifar10, tyro.conf.subcommand("cifar10")]
    | Annotated[Mnist, tyro.conf.subcommand("mnist")]
    | Annotated[Svhn, tyro.conf.subcommand("svhn")]
)


@dataclass(frozen=True)
class Prepare:
    """Write a published data set, or your images, as records that training reads fast.

    If it is interrupted, the same command continues. If it has finished, the same command verifies every checksum and
    writes damaged files again.
    """

    kind: Annotated[_Kind, tyro.conf.arg(name="")]

    def run(self) -> None:
        """Prepare, and say what was done."""
        options = self.kind
        try:
            if options.workers is not None and options.workers < 1:
                raise InputError(f"`workers` must be at least 1; got {options.workers}")
            collection = options.list()
            for line in collection.selection.lines():
                print(printable(line), flush=True)
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", module="PIL")  # damage is told once, as a message with the name
                done = prepare(collection, options.out, skip_corrupt=options.corrupt == "skip", workers=options.workers)
        except UnreadableImage as error:
            raise InputError(
                f"{printable(str(error))}. Replace or delete it and run again, or leave out all that cannot be read: "
                f"--corrupt skip"
            ) from None
        except InputError as error:
            raise InputError(_with_flags(printable(str(error)), options)) from None
        _report(done, options.out)


def _with_flags(message: str, options: _Reading) -> str:
    """The library names arguments; here they are flags."""
    names = {field.name for field in fields(options)}
    return re.sub(r"`(\w+)`", lambda m: f"--{m[1].replace('_', '-')}" if m[1] in names else m[0], message)


def _report(done: Prepared, out: str) -> None:
    for note in done.notes:
        print(note)
    for name in done.skipped:
        print(f"left out: {printable(name)}")
    counts = ", ".join(f"{split['count']} {name}" for name, split in done.manifest["splits"].items())
    print(
        f"{as_address(out) or Path(out)}: {counts}; {done.written} shards written, {done.kept} already there and whole"
    )
