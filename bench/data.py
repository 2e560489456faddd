"""How fast are images prepared, and how fast does a training run read them, beside what it could read instead?

Generates JPEG files of CelebA's size, prepares them at 64 and 160 pixels, and reads shuffled batches with nothing else
to do. Peers, over the same order: decoding the JPEG files on the way (what most training code does), and a
memory-mapped .npy file, which is as fast as a disk's cache can be. Records are also read as from a bucket: staged by
windows of two shards into room for four, which a folder stands for, so that all but the network is measured. Next to
the rates stands what hosts of a TPU slice need by the plans of `fastrrae plan`.

    python bench/data.py [--count 20000] [--smoke] [--out FILE]
"""

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from timing import describe_machine

from fastrrae.buckets.address import Objects
from fastrrae.data import Samples, training_batches
from fastrrae.data.manifest import read_manifest
from fastrrae.data.records import load_records
from fastrrae.data.staged_records import StagedRecordSamples
from fastrrae.data.staging import StagedShards
from fastrrae.prepare import list_celeba, prepare
from fastrrae.prepare.decode_image import decode_square

BATCH = 576
CROPS = {64: 148, 160: 178}
PLANS = {64: "plan-celeba64-v5e.json", 160: "plan-celeba-v5e.json"}
WINDOW = 2  # shards that batches are drawn from, where they are staged
CORES = os.cpu_count() or 1


def generate(root: Path, count: int) -> Path:
    """Files in CelebA's layout, 178 x 218, with texture: about 12 KB each, as the real ones."""
    rng = np.random.default_rng(0)
    grain = rng.normal(0, 6, (218, 178, 3))
    (root / "img_align_celeba").mkdir(parents=True)
    lines = []
    for number in range(count):
        coarse = np.clip(rng.normal(128, 50, (14, 12, 3)), 0, 255).astype(np.uint8)
        smooth = np.asarray(Image.fromarray(coarse).resize((178, 218), Image.Resampling.BICUBIC), float)
        name = f"{number + 1:06d}.jpg"
        Image.fromarray(np.clip(smooth + grain, 0, 255).astype(np.uint8)).save(
            root / "img_align_celeba" / name, quality=90
        )
        lines.append(f"{name} {0 if number % 10 else 2}\n")
    (root / "list_eval_partition.txt").write_text("".join(lines))
    return root


class DecodedOnTheWay:
    """The same samples from their JPEG files, by a thread for each core."""

    def __init__(self, source: Path, size: int):
        collection = list_celeba(source, size=size, crop=CROPS[size])
        self._paths = [source / "img_align_celeba" / name for name in collection.splits["train"]]
        self._size = size
        self._pool = ThreadPoolExecutor(CORES)

    @property
    def shape(self) -> tuple[int, ...]:
        """(count, size, size, 3)."""
        return (len(self._paths), self._size, self._size, 3)

    @property
    def dtype(self) -> np.dtype:
        """Bytes."""
        return np.dtype(np.uint8)

    def __len__(self) -> int:
        return len(self._paths)

    def __array__(self) -> np.ndarray:
        return self[np.arange(len(self))]

    def __getitem__(self, index: Any) -> np.ndarray:
        return np.stack(list(self._pool.map(self._read, np.asarray(index))))

    def _read(self, index: int) -> np.ndarray:
        path = self._paths[index]
        return decode_square(path.read_bytes(), path.name, crop=CROPS[self._size], size=self._size)


def memory_mapped(samples: Samples, path: Path) -> np.ndarray:
    """All samples in one file, mapped."""
    mapped = np.lib.format.open_memmap(path, "w+", np.uint8, samples.shape)
    for start in range(0, len(samples), 1000):
        mapped[start : start + 1000] = samples[start : start + 1000]
    mapped.flush()
    return np.load(path, mmap_mode="r")


def images_per_second(batches: Iterator[np.ndarray], steps: int) -> tuple[float, float]:
    """Median rate over fifths of a run, and growth of this process's memory in MiB from the first fifth to the last."""
    rates, memory = [], []
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(steps // 5):
            next(batches)
        rates.append(steps // 5 * BATCH / (time.perf_counter() - start))
        memory.append(resident_mib())
    return statistics.median(rates), memory[-1] - memory[0]


def resident_mib() -> float:
    """Memory of this process, without the files that it maps."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    return float("nan")


def measure_reading(
    name: str, size: int, samples: Samples, steps: int, workers: int = 0, window: int | None = None
) -> dict[str, Any]:
    """One row."""
    stream = training_batches(samples, batch_size=BATCH, seed=0, steps=steps, workers=workers, shard_window=window)
    rate, growth = images_per_second(stream, steps)
    print(f"{size:4}  {name:34} {rate:10.0f} images/s   memory {growth:+7.1f} MiB", flush=True)
    return {"size": size, "reader": name, "images_per_second": rate, "memory_growth_mib": growth, "workers": workers}


class FolderObjects(Objects):
    """A local folder in the place of a bucket."""

    def __init__(self, folder: str):
        self._folder = Path(folder)

    def fetch(self, name: str, file: Path) -> None:
        """Copy a file."""
        shutil.copyfile(self._folder / name, file)


class StagedFromFolder(StagedShards):
    """Shards that come from a local folder."""

    def _open_store(self) -> Objects:
        return FolderObjects(self._address)


def staged(records: Path, work: Path) -> StagedRecordSamples:
    """The training samples of a prepared folder, staged."""
    manifest = read_manifest(records)
    entries = manifest["splits"]["train"]["shards"]
    shards = [(entry["file"], entry["bytes"], entry["sha256"]) for entry in entries]
    work.mkdir()
    room = 2 * WINDOW * max(size for _, size, _ in shards)
    source = StagedFromFolder(str(records), work, shards, room)
    return StagedRecordSamples(source, [e["count"] for e in entries], tuple(manifest["sample_shape"]), str(records))


def needs(results: Path) -> list[dict[str, Any]]:
    """Images a second that a host must read, by how many chips it feeds, where a step takes no longer than planned."""
    rows = []
    for size, name in PLANS.items():
        plan = json.loads((results / name).read_text())["plan"]
        each = plan["batch_size"] / plan["seconds_per_step_at_least"] / plan["chips"]
        need = {f"images_per_second_for_{chips}_chips": chips * each for chips in (4, 8)}
        rows.append({"size": size, "plan": name, "topology": plan["topology"], **need})
        print(f"{size:4}  {name}: a host of 4 chips needs {4 * each:.0f} images/s, one of 8 chips {8 * each:.0f}")
    return rows


def timed(action: Callable[[], Any]) -> float:
    """Seconds that it takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def main() -> None:
    """Measure, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "data-cpu.json")
    parser.add_argument("--smoke", action="store_true", help="few images of one size, a few batches: does it run")
    options = parser.parse_args()
    if options.smoke:
        options.count = 40
    work = Path(tempfile.mkdtemp())
    rows, preparing, load = [], [], os.getloadavg()[0]
    try:
        source = generate(work / "celeba", options.count)
        for size, crop in list(CROPS.items())[: 1 if options.smoke else None]:
            records = work / f"records{size}"
            seconds = timed(lambda: prepare(list_celeba(source, size=size, crop=crop), records))  # noqa: B023
            rate = options.count / seconds / CORES
            preparing.append({"size": size, "images_per_second_per_core": rate, "seconds": seconds})
            print(f"{size:4}  prepared {options.count} images in {seconds:.1f} s: {rate:.0f} images/s on each core")
            train = load_records(str(records)).train
            steps = 5 if options.smoke else 200 if size == 64 else 60
            rows.append(measure_reading("fastrrae, threads", size, train, steps))
            rows.append(measure_reading("fastrrae, 2 worker processes", size, train, steps, workers=2))
            for workers in (1, 2):
                train = staged(records, work / f"staged{size}-{workers}")
                name = f"fastrrae, staged, {workers} worker processes"
                rows.append(measure_reading(name, size, train, steps, workers=workers, window=WINDOW))
            train = load_records(str(records)).train
            rows.append(
                measure_reading("JPEG decoded on the way", size, DecodedOnTheWay(source, size), max(5, steps // 6))
            )
            mapped = memory_mapped(train, work / f"{size}.npy")
            rows.append(measure_reading("memory-mapped .npy", size, mapped, steps))
    finally:
        shutil.rmtree(work)
    result = {"count": options.count, "batch_size": BATCH, "preparing": preparing, "reading": rows}
    result |= {"needed": needs(Path(__file__).parent / "results")}
    result |= {"machine": describe_machine() | {"load_average_at_start": load}}
    options.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
