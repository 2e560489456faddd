"""CelebA's tables of attributes and of the partition, in the encodings that people have."""

import numpy as np
import pytest

from fastrrae import DataConfig, InputError, load_dataset
from fastrrae.prepare import list_celeba, prepare


def attributes_of(folder, kind):
    """Attributes as published, or as a comma-separated table, of images 1 to 30."""
    rows = [[f"{n + 1:06d}.jpg", "1" if n % 2 else "-1", "1" if n % 3 == 0 else "-1"] for n in range(30)]
    if kind == "published":
        lines = ["30", "Smiling Wearing_Hat ", *("  ".join(row) for row in rows)]
        (folder / "list_attr_celeba.txt").write_text("\n".join(lines) + "\n")
    else:
        lines = ["image_id,Smiling,Wearing_Hat", *(",".join(row) for row in rows)]
        (folder / "list_attr_celeba.csv").write_bytes(("\r\n".join(lines) + "\r\n").encode(kind))


@pytest.mark.parametrize("kind", ["published", "utf-8-sig", "utf-16"])
def test_attributes_of_celeba(celeba, tmp_path, kind):
    attributes_of(celeba, kind)
    (celeba / "img_align_celeba" / "000002.jpg").write_bytes(b"no image")
    prepare(list_celeba(celeba, size=8, crop=148), tmp_path / "out", skip_corrupt=True)
    dataset = load_dataset(DataConfig("records", str(tmp_path / "out")))
    assert list(dataset.attributes["train"]) == ["Smiling", "Wearing_Hat"]
    kept = [n for n in range(20) if n != 1]
    np.testing.assert_array_equal(dataset.attributes["train"]["Smiling"], [n % 2 == 1 for n in kept])
    np.testing.assert_array_equal(dataset.attributes["test"]["Wearing_Hat"], [n % 3 == 0 for n in range(24, 30)])
    assert dataset.sample_names["train"][:2] == ["000001.jpg", "000003.jpg"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_partition_as_a_comma_separated_table(celeba, encoding):
    published = list_celeba(celeba, size=8, crop=148).splits
    lines = (celeba / "list_eval_partition.txt").read_text().split("\n")
    (celeba / "list_eval_partition.txt").unlink()
    text = "\r\n".join(["image_id,partition", *(line.replace(" ", ",") for line in lines)])
    (celeba / "list_eval_partition.csv").write_bytes(text.encode(encoding))
    assert list_celeba(celeba, size=8, crop=148).splits == published


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("30\n", "must name its attributes in line 2"),
        ("30\nSmiling Hat\n000001.jpg 1\n", "line 3: must be a file name and 1 or -1"),
        ("30\nSmiling Hat\n000001.jpg 1 7\n", "line 3: must be a file name and 1 or -1"),
        ("30\nSmiling Hat\n000001.jpg 1 -1\n", "has no attributes of 29 images, first 000002.jpg"),
    ],
)
def test_attributes_that_are_damaged(celeba, text, message):
    (celeba / "list_attr_celeba.txt").write_text(text)
    with pytest.raises(InputError, match=message):
        list_celeba(celeba, size=8, crop=148)


def test_images_beside_those_of_the_partition_are_named(celeba, put):
    put(celeba / "img_align_celeba", "extra.jpg", "thumbs/000001.jpg")
    assert dict(list_celeba(celeba, size=8, crop=148).selection.unused) == {
        "not in the partition file": ["extra.jpg"],
        "images whose name is there twice": ["thumbs/000001.jpg"],
    }
