import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fastrrae.prepare import list_images


def jpeg(seed, size=(178, 218)):
    """An encoded photograph-like image."""
    coarse = np.random.default_rng(seed).integers(0, 255, (12, 10, 3), np.uint8)
    content = io.BytesIO()
    Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(content, "JPEG", quality=90)
    return content.getvalue()


@pytest.fixture
def celeba(tmp_path):
    """CelebA's official layout with 30 images: 20 to train, 4 to validate, 6 to test."""
    root = tmp_path / "celeba"
    (root / "img_align_celeba").mkdir(parents=True)
    lines = []
    for number in range(30):
        name = f"{number + 1:06d}.jpg"
        (root / "img_align_celeba" / name).write_bytes(jpeg(number))
        lines.append(f"{name} {0 if number < 20 else 1 if number < 24 else 2}")
    (root / "list_eval_partition.txt").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture
def small_shards(monkeypatch):
    """Shards of a few images, as large data sets have many."""
    monkeypatch.setattr("fastrrae.prepare.shards.SHARD_BYTES", 8 * 16 * 16 * 3)


@pytest.fixture
def put():
    """Write images of 4 x 4 pixels, each of one colour, or files of a given content, under a folder."""

    def write(root, *names, content=None):
        for index, name in enumerate(names):
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                Image.fromarray(np.full((4, 4, 3), index, np.uint8)).save(path, "PNG")
            else:
                path.write_bytes(content)

    return write


@pytest.fixture
def many():
    """Names of images in a folder."""
    return lambda folder, count: [f"{folder}/{index}.png" for index in range(count)]


@pytest.fixture
def listed():
    """What is found in a source, with a quarter for testing where it has no split."""

    def find(source, **options):
        arguments: dict[str, Any] = {"size": 4, "crop": None, "test_fraction": 0.25} | options
        return list_images(source, **arguments)

    return find


@pytest.fixture
def counts():
    """Images in each split."""
    return lambda collection: {split: len(names) for split, names in collection.splits.items()}
