"""What a LeNet learns from pseudo-classes, of fractals or not: one JSON line per case.

    python benchmarks/pseudo_classes.py --root data --seeds 1 > docs/figure5/pseudo_classes.jsonl
    python benchmarks/pseudo_classes.py --root data --images learned --fractals runs/gan-fashionmnist-1

Learned fractals can at best be as good as what they imitate. So there are not only random and learned
fractals, but also 100 real images, each a class, and 100 clusters of all real images, drawn with as many
points as fractals are ("stippled": points are distributed by the brightness of the pixels), and the true
classes, which no pre-training without labels knows. Each case trains a LeNet for 5,000 steps, as `compare`
does, and reports the best linear probe on the validation images. Test images are not used.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from sklearn.cluster import MiniBatchKMeans
from torch import Tensor
from torch.nn.functional import avg_pool2d
from torch.utils.data import DataLoader

from fractalgan import FractalData, ImageData, Pretraining
from fractalgan.data import EndlessBatches, ImageSet, StreamPosition
from fractalgan.experiments import quiet_trainer
from fractalgan.experiments.pretrained_features import fit_probe
from fractalgan.experiments.workers import run_jobs
from fractalgan.ops import splat_separable
from fractalgan.randomness import generator_for
from fractalgan.storage import RunFolder

CLASSES = 100

# Purposes of random numbers in addition to those of the package.
EXEMPLARS, CLUSTERS, TRUE = range(500, 503)


class Case(NamedTuple):
    """One kind of images with pseudo-classes."""

    about: dict[str, Any]  # printed about it
    images: Callable[[ImageData, int], ImageSet]  # from the real images and a seed


def cases(fractals: str, per_class: int) -> list[Case]:
    """All cases; ``fractals`` is the source of the learned ones."""
    views: list[dict[str, Any]] = [
        {"window": 2.5, "jitter": 0.0},  # as the paper draws
        {"window": 1.5, "jitter": 0.0},
        {"window": 1.5, "jitter": 0.0, "num_points": 30},
        {"window": 1.5, "jitter": 0.15},
    ]
    of_learned: list[dict[str, Any]] = [
        {"jitter": None},  # that of their training
        {"jitter": 0.1},
        {"jitter": 0.15},
        {"jitter": 0.15, "sequences": "random"},
    ]
    learned = {"images": "learned", "fractals": fractals}
    return [
        *(Case({"images": "random", **view}, partial(drawn, "random", per_class, view)) for view in views),
        *(Case(learned | view, partial(drawn, fractals, per_class, view)) for view in of_learned),
        Case({"images": "exemplars", "points": 300}, partial(exemplars, per_class, 300)),
        Case({"images": "exemplars", "points": 100}, partial(exemplars, per_class, 100)),
        Case({"images": "clusters", "points": 100}, partial(clusters, 100)),
        Case({"images": "true classes", "points": 100}, partial(true_classes, 100)),
        Case({"images": "true classes", "points": None}, as_they_are),
    ]


def drawn(fractals: str, per_class: int, view: dict[str, Any], real: ImageData, seed: int) -> ImageSet:
    """Images that fractals draw."""
    data = FractalData(fractals, CLASSES, images_per_class=per_class, size=real.size, seed=seed, **view)
    data.setup("fit")
    assert data.train_images is not None
    return data.train_images


def exemplars(per_class: int, points: int, real: ImageData, seed: int) -> ImageSet:
    """A class per image for 100 real images, each drawn many times, slightly transformed."""
    random = generator_for(seed, EXEMPLARS)
    images = as_they_are(real, seed).images
    chosen = images[torch.randperm(len(images), generator=random)[:CLASSES]]
    labels = torch.arange(CLASSES).repeat(per_class)
    return ImageSet(stippled(chosen[labels], points, 0.1, random), labels)


def clusters(points: int, real: ImageData, seed: int) -> ImageSet:
    """A class per cluster for 100 clusters of the real images at half their size."""
    images = as_they_are(real, seed).images
    coarse = avg_pool2d(images / 255, 2).flatten(1).numpy()
    found = MiniBatchKMeans(CLASSES, random_state=seed, n_init=3, batch_size=2048).fit_predict(coarse)
    return ImageSet(stippled(images, points, 0.0, generator_for(seed, CLUSTERS)), torch.from_numpy(found))


def true_classes(points: int, real: ImageData, seed: int) -> ImageSet:
    """The classes of the data set, with images drawn with points."""
    images, labels = as_they_are(real, seed).images, as_they_are(real, seed).labels
    return ImageSet(stippled(images, points, 0.0, generator_for(seed, TRUE)), labels)


def as_they_are(real: ImageData, _: int) -> ImageSet:
    """The real training images and their classes."""
    assert real.train_images is not None
    return real.train_images


def stippled(images: Tensor, points: int, spread: float, random: torch.Generator) -> Tensor:
    """Images uint8 [n, 1, S, S], each drawn with this many points, distributed by its brightness.

    The points of each image are moved by a random affine transform: the identity with Gaussian noise of
    std ``spread`` on its matrix, and of 10 ``spread`` pixels on its shift.
    """
    return torch.cat([_stippled(part, points, spread, random) for part in torch.split(images, 2000)])


def _stippled(images: Tensor, points: int, spread: float, random: torch.Generator) -> Tensor:
    count, size = len(images), images.shape[-1]
    chosen = torch.multinomial(images.flatten(1) + 1e-6, points, replacement=True, generator=random)
    inside = torch.rand(count, points, 2, generator=random) - 0.5
    places = torch.stack([chosen // size, chosen % size], -1) + inside
    center = (size - 1) / 2
    A = torch.eye(2) + spread * torch.randn(count, 2, 2, generator=random)
    b = 10 * spread * torch.randn(count, 1, 2, generator=random)
    places = (places - center) @ A.mT + center + b
    drawn = splat_separable(places, (size, size), 1.0).clamp_max(1)
    return (drawn * 255).to(torch.uint8).unsqueeze(1)


def measure(data: dict[str, Any], steps: int, job: tuple[Case, int]) -> Iterator[dict[str, Any]]:
    """Train the LeNet of a case with this seed, and yield its line."""
    case, seed = job
    real = ImageData(**data, binarize=None)
    real.setup("fit")
    images = case.images(real, seed)
    torch.manual_seed(seed)
    task = Pretraining(num_fractals=int(images.labels.max()) + 1, image_size=real.size)
    batches = DataLoader(EndlessBatches(images, 128, StreamPosition(seed)), batch_size=None)
    with tempfile.TemporaryDirectory() as folder:
        trainer = quiet_trainer(steps, limit_val_batches=0, enable_checkpointing=False)
        trainer.fit(task, batches)
        trainer.save_checkpoint(f"{folder}/backbone.ckpt")
        _, best = fit_probe(f"{folder}/backbone.ckpt", None, real, seed, RunFolder(Path(folder)))
    assert best.score is not None
    accuracy = round(1 - best.score, 4)
    yield {**case.about, "seed": seed, "steps": steps, "accuracy": accuracy}


def main() -> None:
    """Run all cases for all seeds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="FashionMNIST", help="name of the data set")
    parser.add_argument("--root", default="data", help="folder of the data set")
    parser.add_argument("--fractals", default="fashion-mnist", help="source of the learned fractals")
    kinds = {case.about["images"]: None for case in cases("", 0)}
    parser.add_argument("--images", nargs="+", choices=list(kinds), default=list(kinds), help="default: all")
    parser.add_argument("--images-per-class", type=int, default=600)
    parser.add_argument("--steps", type=int, default=5000, help="training steps per LeNet")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2, help="number of processes, with one thread each")
    given = parser.parse_args()
    data = {"name": given.data, "root": given.root}
    ImageData(**data).prepare_data()
    chosen = [
        case for case in cases(given.fractals, given.images_per_class) if case.about["images"] in given.images
    ]
    jobs = [(case, seed) for seed in range(given.seeds) for case in chosen]
    for row in run_jobs(partial(measure, data, given.steps), jobs, given.workers):
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
