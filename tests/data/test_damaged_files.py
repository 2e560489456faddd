"""A seeded fuzz of everything that is read: truncated and bit-flipped files give data or one InputError, in time."""

import gzip
import io
import json
import shutil
import struct
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fastrrae import DataConfig, InputError, load_dataset
from fastrrae.prepare import list_celeba, list_cifar10, list_images, prepare

SEED = 0
SECONDS = 10  # at most, a case, on a busy machine
X = np.random.default_rng(1).standard_normal((30, 4))


def idx(array):
    header = struct.pack(f">{1 + array.ndim}I", 2048 + array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


def mnist(root, pack=lambda content: content, suffix=""):
    images = np.random.default_rng(0).integers(0, 256, (12, 6, 6))
    for split, count in (("train", 12), ("t10k", 5)):
        (root / f"{split}-images-idx3-ubyte{suffix}").write_bytes(pack(idx(images[:count])))
        (root / f"{split}-labels-idx1-ubyte{suffix}").write_bytes(pack(idx(np.arange(count) % 3)))


def packed_mnist(root):
    mnist(root, gzip.compress, ".gz")


def npy(root):
    np.save(root / "x.npy", X)


def npz(root):
    np.savez(root / "x.npz", train=X, test=X[:9], labels=np.arange(30) % 2)


def compressed_npz(root):
    np.savez_compressed(root / "x.npz", x=X, parameters=X[:, 0])


def csv(root):
    lines = ["a,b,kind,d", *(f"{a},{b},form {i % 3},{d}" for i, (a, b, _, d) in enumerate(X))]
    (root / "x.csv").write_text("\n".join(lines) + "\n")


def picture(index, kind="JPEG"):
    content = io.BytesIO()
    Image.fromarray(np.random.default_rng(index).integers(0, 256, (8, 8, 3), np.uint8)).save(content, kind)
    return content.getvalue()


def archive(root):
    with zipfile.ZipFile(root / "x.zip", "w", compression=zipfile.ZIP_DEFLATED) as file:
        for index, kind in enumerate(["JPEG", "PNG", "TIFF", "BMP", "WEBP", "PPM"] * 2):
            name = "test" if index > 8 else "train"
            file.writestr(f"{name}/{index}.{kind.lower()}", picture(index, kind))


def cifar10(root):
    for name in (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"):
        values = np.random.default_rng(0).integers(0, 256, (3, 3073), np.uint8)
        values[:, 0] = range(3)
        values.tofile(root / name)


def celeba(root):
    (root / "img_align_celeba").mkdir()
    rows = range(8)
    for index in rows:
        (root / "img_align_celeba" / f"{index}.jpg").write_bytes(picture(index))
    (root / "list_eval_partition.txt").write_text("".join(f"{n}.jpg {2 * (n > 5)}\n" for n in rows))
    (root / "list_attr_celeba.txt").write_text("8\nHat Hair\n" + "".join(f"{n}.jpg  1 -1\n" for n in rows))


def prepared(root):
    for index in range(12):
        (root / "in" / "ab"[index % 2]).mkdir(parents=True, exist_ok=True)
        (root / "in" / "ab"[index % 2] / f"{index}.jpg").write_bytes(picture(index))
    prepare(list_images(root / "in", size=8, crop=None, test_fraction=0.25), root / "out")
    shutil.rmtree(root / "in")
    for path in (root / "out").iterdir():
        path.rename(root / path.name)
    (root / "out").rmdir()


def read_array_file(root):
    config = DataConfig("array", str(next(root.glob("x.*"))), label_column="kind", parameter_columns=("d",))
    return [np.asarray(load_dataset(config).train)]


def read_source(source):
    return lambda root: [load_dataset(DataConfig(source, str(root))).train[:]]


def read_records(root):
    dataset = load_dataset(DataConfig("records", str(root), normalise="standard"))
    return [
        *(samples[:] for samples in (dataset.train, dataset.test)),
        *dataset.labels.values(),
        np.array([dataset.normalisation.offset, dataset.normalisation.scale]),
        np.array([list(names) for names in dataset.sample_names.values()], object),
        np.array(dataset.label_names),
    ]


def read_archive(root):
    collection = list_images(root / "x.zip", size=8, crop=None, test_fraction=0.25)
    done = prepare(collection, root / "out", skip_corrupt=True, workers=1)
    return [np.array([split["count"] for split in done.manifest["splits"].values()])]


def read_collection(listing, **options):
    def read(root):
        collection = listing(root, **options)
        return [np.array([len(names) for names in collection.splits.values()])]

    return read


READERS = {
    "idx": (mnist, read_source("mnist")),
    "idx.gz": (packed_mnist, read_source("mnist")),
    "npy": (npy, read_array_file),
    "npz": (npz, read_array_file),
    "npz compressed": (compressed_npz, read_array_file),
    "csv": (csv, read_array_file),
    "zip": (archive, read_archive),
    "cifar10": (cifar10, read_collection(list_cifar10)),
    "celeba": (celeba, read_collection(list_celeba, size=8, crop=8)),
    "prepared": (prepared, read_records),
}
EXACT = {"idx.gz", "npz", "npz compressed", "prepared"}  # formats with checksums: data are right, or refused


def damage(content, rng):
    """Cut off, or with some bits flipped, or a few bytes of nonsense; near the start as often as anywhere."""
    kind = rng.integers(4)
    if kind == 0 or not content:
        return content[: rng.integers(len(content) + 1)]
    changed = bytearray(content)
    reach = len(content) if rng.integers(2) else min(len(content), 128)
    for _ in range(rng.integers(1, 4)):
        at = int(rng.integers(reach))
        if kind == 1:
            changed[at] ^= 1 << int(rng.integers(8))
        elif kind == 2:
            changed[at] = int(rng.integers(256))
        else:
            changed[at : at + 4] = rng.bytes(4)
    return bytes(changed)


def same(found, expected):
    return len(found) == len(expected) and all(map(np.array_equal, found, expected))


def fuzz(name, cases, tmp_path, seed):
    make, read = READERS[name]
    rng = np.random.default_rng([seed, list(READERS).index(name)])
    whole = tmp_path / "whole"
    whole.mkdir()
    make(whole)
    expected = read(whole)
    shutil.rmtree(whole / "out", ignore_errors=True)
    files = sorted(path for path in whole.rglob("*") if path.is_file())
    messages = []
    for case in range(cases):
        root = tmp_path / "damaged"
        shutil.copytree(whole, root)
        chosen = files[rng.integers(len(files))]
        path = root / chosen.relative_to(whole)
        content = damage(path.read_bytes(), rng)
        path.write_bytes(content)
        start = time.monotonic()
        try:
            found = read(root)
        except InputError as error:
            messages.append(str(error))
        else:
            if name in EXACT:
                assert same(found, expected), (name, case, chosen.name)
        assert time.monotonic() - start < SECONDS, (name, case)
        shutil.rmtree(root)
    assert all("\n" not in message and len(message) < 1000 for message in messages), messages
    print(f"{name}: {len(messages)} of {cases} refused, seed {seed}")
    return len(messages)


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize("name", READERS)
def test_damaged_files_are_data_or_one_message(name, tmp_path):
    assert fuzz(name, 12, tmp_path, SEED) > 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize("name", READERS)
def test_many_damaged_files_are_data_or_one_message(name, tmp_path):
    assert fuzz(name, 100, tmp_path, SEED + 1) > 0


@pytest.mark.parametrize("cut", [0, 0.5])
def test_each_file_of_a_prepared_folder_cut_short_is_named(tmp_path, cut):
    """A folder without one of them is refused too: nothing is left out silently."""
    whole = tmp_path / "whole"
    whole.mkdir()
    prepared(whole)
    for path in sorted(whole.iterdir()):
        content = path.read_bytes()
        path.write_bytes(content[: int(cut * len(content))])
        with pytest.raises(InputError, match=path.name):
            read_records(whole)
        path.write_bytes(content)
    assert len(read_records(whole)[0]) == 9


def test_a_manifest_that_points_elsewhere_is_refused(tmp_path):
    prepared(tmp_path)
    path = Path(tmp_path / "manifest.json")
    manifest = json.loads(path.read_text())
    del manifest["manifest_sha256"]
    manifest["labels"]["train"] = "../secret.npy"
    path.write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="is not a manifest"):
        read_records(tmp_path)
