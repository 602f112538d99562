"""How fast fractals are drawn for pre-training, beside reading the same images from PNG files.

    python benchmarks/images_per_second.py [--quick] [--repeats 5] [--sources random perturbed]

Both are loaders of batches in float: FractalData with --data.fresh true, 1,000 classes, and points by area;
and torchvision's ImageFolder of the first of the same images, one folder per class, written once. They take
turns within a repeat, so that a busy machine slows both down. ImageFolder makes three channels of images in
grayscale; "read_grayscale" is that with a loader of one channel.

"processes" are those that make the batches: 1 is the main process alone, 2 are two data workers. The rates
are medians over the repeats; "ratio" is that of drawing to reading in the same repeat, and "million_minutes"
the time of a million drawn images.
"""

import argparse
import itertools
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch comes, as in fractalgan/__main__.py
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2
from torchvision.transforms.v2.functional import to_pil_image

from fractalgan import FractalData

CLASSES = 1000
SIZES = [32, 64, 128, 224]
PROCESSES = [1, 2]
FEATURES = [0, 3]  # white on black, and colors
BATCHES = 12  # per measurement
PIXELS = 2**21  # per batch


def batch_size_of(size: int) -> int:
    """Images per batch: 512 of 32 pixels, 32 of 224."""
    return max(32, min(512, PIXELS // size**2))


def drawn(source: str, classes: int, size: int, features: int, workers: int) -> FractalData:
    """A data module that draws."""
    data = FractalData(
        source,
        num_fractals=classes,
        features=features,
        images_per_class=600,
        fresh=True,
        size=size,
        batch_size=batch_size_of(size),
        num_workers=workers,
    )
    data.setup()
    return data


def write_files(folder: Path, data: FractalData, count: int) -> None:
    """The first ``count`` images of the stream as PNG files, one folder per class."""
    batches = iter(data.train_dataloader())
    for number in range(-(-count // data.batch_size)):
        images, labels = next(batches)
        for place, (image, label) in enumerate(zip(images, labels.tolist(), strict=True)):
            of_class = folder / f"{label:04d}"
            of_class.mkdir(exist_ok=True)
            to_pil_image(image).save(of_class / f"{number}_{place}.png")


def read_in_grayscale(path: str) -> Image.Image:
    """An image of an ImageFolder without the three channels of its own loader."""
    with Image.open(path) as image:
        return image.convert("L")


def read(folder: Path, size: int, workers: int, **options: Any) -> Iterator[Any]:
    """Batches of the files, without end; ``options`` are those of ImageFolder."""
    transform = v2.Compose([v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True)])
    files = ImageFolder(str(folder), transform, **options)
    batch_size = min(batch_size_of(size), len(files))
    loader = DataLoader(files, batch_size, shuffle=True, drop_last=True, num_workers=workers)
    return itertools.chain.from_iterable(itertools.repeat(loader))


def images_per_second(batches: Iterator[Any], number: int) -> float:
    """The rate at which the batches come, after the first ones have filled the queues."""
    for _ in range(4):
        next(batches)
    started, images = time.perf_counter(), 0
    for _ in range(number):
        images += len(next(batches)[0])
    return images / (time.perf_counter() - started)


def measure(source: str, size: int, features: int, processes: int, options: argparse.Namespace) -> dict:
    """One case."""
    workers = 0 if processes == 1 else processes
    classes, batches = (20, 2) if options.quick else (CLASSES, BATCHES)
    data = drawn(source, classes, size, features, workers)
    ways = {"drawn": None, "read": {}} | (
        {} if features else {"read_grayscale": {"loader": read_in_grayscale}}
    )
    rates: dict[str, list[float]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder), data, classes * 2)
        for _ in range(options.repeats):
            for way, loader in ways.items():
                files = None if loader is None else read(Path(folder), size, workers, **loader)
                rates[way].append(images_per_second(files or iter(data.train_dataloader()), batches))
    medians = {f"{way}_images_s": round(statistics.median(values)) for way, values in rates.items()}
    ratios = {
        way.replace("read", "ratio"): statistics.median(
            one / other for one, other in zip(rates["drawn"], rates[way], strict=True)
        )
        for way in ways
        if way != "drawn"
    }
    return {
        "source": source,
        "size": size,
        "features": features,
        "points": data.generator.num_points,
        "processes": processes,
        **medians,
        **{name: round(ratio, 2) for name, ratio in ratios.items()},
        "million_minutes": round(1e6 / medians["drawn_images_s"] / 60, 1),
    }


def main() -> None:
    """Print a line per case."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few classes of small images")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--sources", nargs="+", default=["random", "perturbed"])
    options = parser.parse_args()
    torch.set_num_threads(1)  # as many threads as processes
    sizes = [16] if options.quick else SIZES
    for source, size, features, processes in itertools.product(options.sources, sizes, FEATURES, PROCESSES):
        print(json.dumps(measure(source, size, features, processes, options)), flush=True)


if __name__ == "__main__":
    main()
