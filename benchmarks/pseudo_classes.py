"""What pseudo-classes teach a LeNet, fractals' or not: one JSON line a case, judged on validation images.

    python benchmarks/pseudo_classes.py --data FashionMNIST --root data > docs/figure5/pseudo_classes.jsonl

Learned fractals can at best be as good as what they imitate. So beside random and learned fractals there are
100 real images, each a class, and 100 clusters of all real images, drawn by as many points as fractals are
("stippled": a point falls on a pixel in proportion to its brightness), and the true classes, which no
pre-training without labels knows. Each case trains a LeNet for 5,000 steps, as `compare` does, and
reports the linear probe with the penalty that the validation images like best. No test image is seen.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from sklearn.cluster import MiniBatchKMeans
from torch import Tensor
from torch.utils.data import DataLoader

from fractalgan import FractalData, ImageData, LinearProbe, Pretraining
from fractalgan.callbacks import best_checkpoint
from fractalgan.data import EndlessBatches, ImageSet, Place
from fractalgan.measure import quiet_trainer
from fractalgan.ops import splat_separable
from fractalgan.randomness import generator_for
from fractalgan.workers import run_jobs

CLASSES = 100


class Case(NamedTuple):
    """One set of images and pseudo-classes."""

    images: str
    given: dict[str, Any]  # what the function of that name takes


CASES = [
    Case("random", {"window": 2.5, "jitter": 0.0}),  # the paper's, in the GAN's window
    Case("random", {"window": 1.5, "jitter": 0.0}),
    Case("random", {"window": 1.5, "jitter": 0.0, "num_points": 30}),
    Case("random", {"window": 1.5, "jitter": 0.15}),
    Case("learned", {}),
    Case("exemplars", {"points": 300}),
    Case("exemplars", {"points": 100}),
    Case("clusters", {"points": 100}),
    Case("true classes", {"points": 100}),
    Case("true classes", {"points": None}),
]


def random(real: ImageData, seed: int, per_class: int, **view: float) -> ImageSet:
    """Images of random fractals."""
    return _drawn(
        FractalData("random", CLASSES, size=real.size, seed=seed, images_per_class=per_class, **view)
    )  # type: ignore[arg-type]


def learned(real: ImageData, seed: int, per_class: int, fractals: str) -> ImageSet:
    """Images of learned fractals."""
    return _drawn(FractalData(fractals, CLASSES, size=real.size, seed=seed, images_per_class=per_class))


def _drawn(data: FractalData) -> ImageSet:
    data.setup("fit")
    assert data.train_images is not None
    return data.train_images


def exemplars(real: ImageData, seed: int, per_class: int, points: int) -> ImageSet:
    """A class for each of 100 real images, drawn again and again, a little turned, stretched and shifted."""
    assert real.train_images is not None
    random = generator_for(seed, 0)
    chosen = real.train_images.images[torch.randperm(len(real.train_images), generator=random)[:CLASSES]]
    labels = torch.arange(CLASSES).repeat(per_class)
    return ImageSet(stippled(chosen[labels], points, 0.1, random), labels)


def clusters(real: ImageData, seed: int, _: int, points: int) -> ImageSet:
    """A class for each of 100 clusters of the real images' coarse pixels."""
    assert real.train_images is not None
    images = real.train_images.images
    coarse = torch.nn.functional.avg_pool2d(images / 255, 2).flatten(1).numpy()
    found = MiniBatchKMeans(CLASSES, random_state=seed, n_init=3, batch_size=2048).fit_predict(coarse)
    return ImageSet(stippled(images, points, 0.0, generator_for(seed, 1)), torch.from_numpy(found))


def true_classes(real: ImageData, seed: int, _: int, points: int | None) -> ImageSet:
    """The classes of the data set, of its images stippled, or as they are."""
    assert real.train_images is not None
    images, labels = real.train_images.images, real.train_images.labels
    return ImageSet(
        images if points is None else stippled(images, points, 0.0, generator_for(seed, 2)), labels
    )


def stippled(images: Tensor, points: int, spread: float, random: torch.Generator) -> Tensor:
    """Images uint8 [n, 1, S, S] drawn by points, moved by I + spread * noise and 10 * spread pixels."""
    return torch.cat([_stippled(part, points, spread, random) for part in torch.split(images, 2000)])


def _stippled(images: Tensor, points: int, spread: float, random: torch.Generator) -> Tensor:
    count, size = len(images), images.shape[-1]
    chosen = torch.multinomial(images.flatten(1) + 1e-6, points, replacement=True, generator=random)
    inside = torch.rand(count, points, 2, generator=random) - 0.5
    places = torch.stack([chosen // size, chosen % size], -1) + inside
    centre = (size - 1) / 2
    A = torch.eye(2) + spread * torch.randn(count, 2, 2, generator=random)
    b = 10 * spread * torch.randn(count, 1, 2, generator=random)
    places = (places - centre) @ A.mT + centre + b
    drawn = splat_separable(places, (size, size), 1.0).clamp_max(1)
    return (drawn * 255).to(torch.uint8).unsqueeze(1)


MAKERS = {
    "random": random,
    "learned": learned,
    "exemplars": exemplars,
    "clusters": clusters,
    "true classes": true_classes,
}


def measure(
    data: dict[str, Any], per_class: int, steps: int, job: tuple[Case, int]
) -> Iterator[dict[str, Any]]:
    """Train the case's LeNet with this seed, and yield its line."""
    case, seed = job
    real = ImageData(**data, binarize=None)
    real.setup("fit")
    images = MAKERS[case.images](real, seed, per_class, **case.given)
    torch.manual_seed(seed)
    task = Pretraining(num_fractals=int(images.labels.max()) + 1, image_size=real.size)
    batches = DataLoader(EndlessBatches(images, 128, Place(seed)), batch_size=None)
    with tempfile.TemporaryDirectory() as folder:
        trainer = quiet_trainer(steps, limit_val_batches=0, enable_checkpointing=False)
        trainer.fit(task, batches)
        trainer.save_checkpoint(f"{folder}/backbone.ckpt")
        probe = LinearProbe(f"{folder}/backbone.ckpt", image_size=real.size, seed=seed)
        best = best_checkpoint(Path(folder) / "best.ckpt", probe.monitor)
        penalties = len(probe.hparams["penalties"])
        quiet_trainer(penalties, val_check_interval=1, callbacks=[best]).fit(probe, real)
        assert best.best_model_score is not None
        accuracy = round(1 - best.best_model_score.item(), 4)
    yield {"images": case.images, **case.given, "seed": seed, "steps": steps, "accuracy": accuracy}


def main() -> None:
    """Run all cases for all seeds, two at a time."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="FashionMNIST", help="the data set's name")
    parser.add_argument("--root", default="data", help="where it lies")
    parser.add_argument("--fractals", default="fashion-mnist", help="the learned ones")
    parser.add_argument("--images-per-class", type=int, default=600)
    parser.add_argument("--steps", type=int, default=5000, help="of a LeNet")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2, help="processes, of one thread each")
    given = parser.parse_args()
    data = {"name": given.data, "root": given.root}
    ImageData(**data).prepare_data()
    cases = [
        case if case.images != "learned" else Case("learned", {"fractals": given.fractals}) for case in CASES
    ]
    jobs = [(case, seed) for case in cases for seed in range(given.seeds)]
    for row in run_jobs(partial(measure, data, given.images_per_class, given.steps), jobs, given.workers):
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
