import io

import numpy as np
import pytest
from PIL import Image


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
