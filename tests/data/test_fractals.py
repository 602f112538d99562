"""Pseudo-class images: the same from the same numbers, whoever draws them."""

import itertools
import json
from collections.abc import Iterable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from fractalgan.data import FractalData, StreamPosition
from fractalgan.data.drawn_images import FreshBatches
from fractalgan.errors import InputError
from fractalgan.nn import FractalEmbedding, FractalGenerator, Labels
from fractalgan.nn.resolution import points_for, scaled, tau_for
from fractalgan.ops import anderson_farrell, determinant_probabilities, render
from fractalgan.randomness import RankShard

FEW = {"num_fractals": 5, "num_transforms": 3, "images_per_class": 8, "size": 16, "batch_size": 6}
OF_LEARNED = {name: value for name, value in FEW.items() if name != "num_transforms"}


def batches(data: FractalData, count: int) -> list[tuple[Tensor, Tensor]]:
    data.setup("fit")
    loader: Iterable[tuple[Tensor, Tensor]] = data.train_dataloader()
    return list(itertools.islice(loader, count))


def equal(one: list[tuple[Tensor, Tensor]], two: list[tuple[Tensor, Tensor]]) -> bool:
    return all(a.equal(c) and b.equal(d) for (a, b), (c, d) in zip(one, two, strict=True))


def test_a_pass_holds_every_image_of_every_fractal_once() -> None:
    drawn = batches(FractalData(**FEW, fresh=False), 20)  # 120 images: three passes
    labels = torch.cat([labels for _, labels in drawn])
    assert all(part.bincount().tolist() == [8] * 5 for part in labels.split(40))
    images = [torch.cat([images for images, _ in drawn])[labels == 2][k : k + 8] for k in (0, 8)]
    first, second = ({image.numpy().tobytes() for image in each} for each in images)
    assert len(first) == 8
    assert first == second


def test_fresh_images_never_come_again_but_their_classes_do() -> None:
    kept, fresh = (batches(FractalData(**FEW, fresh=fresh), 14) for fresh in (False, True))
    assert all(a[1].equal(b[1]) for a, b in zip(kept, fresh, strict=True))
    images = torch.cat([images for images, _ in fresh])
    assert len({image.numpy().tobytes() for image in images}) == len(images)


@pytest.mark.parametrize("workers", [1, 2])
def test_any_number_of_workers_delivers_the_same(workers: int) -> None:
    alone = batches(FractalData(**FEW, fresh=True), 7)
    assert equal(batches(FractalData(**FEW, fresh=True, num_workers=workers), 7), alone)


def test_images_are_those_of_the_fractals() -> None:
    """The mean of many images of one fractal is that of images drawn apart from it, and not another's."""
    data = FractalData(**FEW | {"images_per_class": 200}, jitter=0)
    data.setup("fit")
    assert data.train_images is not None
    transforms = data.generator.embedding()
    random = torch.Generator().manual_seed(5)
    fractals = torch.arange(5).repeat_interleave(200)
    p = determinant_probabilities(transforms.A)
    points = data.generator.num_points
    sequences = torch.stack([torch.multinomial(p[j], points, True, generator=random) for j in fractals])
    apart = render(transforms, fractals, sequences, size=(16, 16), window=1.5)
    means = apart.unflatten(0, (5, 200)).mean(1).flatten(1)
    drawn = torch.stack(
        [data.train_images.images[data.train_images.labels == j].float().mean((0, 1)) for j in range(5)]
    )
    nearest = torch.cdist(drawn.flatten(1) / 255, means.detach()).argmin(1)
    assert nearest.tolist() == [0, 1, 2, 3, 4]


def test_seeds_order_and_random_fractals_are_apart() -> None:
    def matrices(**given: int) -> Tensor:
        return FractalData(**FEW | given).generator.embedding().A

    assert matrices(seed=1).equal(matrices(seed=1))
    assert not matrices(seed=1).equal(matrices(seed=2))
    assert matrices(seed=1, fractals_seed=7).equal(matrices(seed=2, fractals_seed=7))
    assert not equal(batches(FractalData(**FEW, seed=1), 2), batches(FractalData(**FEW, seed=2), 2))


def test_validation_images_are_others() -> None:
    data = FractalData(**FEW | {"images_per_class": 20})
    data.setup("fit")
    assert data.train_images is not None
    assert data.validation_images is not None
    assert data.validation_images.labels.bincount().tolist() == [2] * 5
    seen = {image.numpy().tobytes() for image in data.train_images.images}
    assert not seen & {image.numpy().tobytes() for image in data.validation_images.images}


def test_learned_fractals_are_drawn_as_they_were_learned_with_more_jitter(tmp_path: Path) -> None:
    learned = FractalGenerator(
        FractalEmbedding(anderson_farrell(5, 3)), 24, 70, window=1.9, tau=0.6, jitter=0.1
    )
    learned.save(tmp_path / "five.safetensors")
    few = OF_LEARNED | {"fractals": str(tmp_path / "five.safetensors")}
    generator = FractalData(**few | {"size": 24}).generator
    assert (generator.num_points, generator.window, generator.tau, generator.jitter) == (70, 1.9, 0.6, 0.15)
    assert FractalData(**few, jitter=None).generator.jitter == 0.1
    for size in (16, 48):
        generator = FractalData(**few | {"size": size}).generator
        assert (generator.num_points, generator.tau) == scaled(70, 0.6, 24, size)
        assert (generator.window, generator.jitter) == (1.9, 0.15)
        assert generator.size == (size, size)
    assert generator.embedding().A.equal(learned.embedding().A)
    generator = FractalData(**few, num_points=30, window=3.0, tau=2.0, jitter=0.0).generator
    assert (generator.num_points, generator.window, generator.tau) == (30, 3.0, 2.0)
    assert generator.jitter == 0
    learned.embedding.relative_tau = torch.tensor([1.0, 2.0, 0.5, 1.0, 1.0])
    learned.save(tmp_path / "five.safetensors")
    assert FractalData(**few).generator.embedding.relative_tau is not None
    assert FractalData(**few, tau=2.0).generator.embedding.relative_tau is None  # one for all
    with pytest.raises(InputError, match=r"has 5 fractals, not 100: set num_fractals=5"):
        FractalData(str(tmp_path / "five.safetensors"))


@pytest.mark.parametrize("fresh", [False, True])
def test_images_of_labeled_fractals_have_their_classes(fresh: bool, tmp_path: Path) -> None:
    labels = torch.tensor([2, 0, 1, 0, 2])
    embedding = FractalEmbedding(anderson_farrell(5, 3), labels=Labels(labels, ("a", "b", "c")))
    path = tmp_path / "labeled.safetensors"
    FractalGenerator(embedding, 16).save(path)
    few = OF_LEARNED | {"fractals": str(path), "fresh": fresh}
    pseudo = FractalData(**few)
    data = FractalData(**few | {"num_fractals": None}, labels="class")
    assert data.num_fractals == 5
    for (images, classes), (same, fractals) in zip(batches(data, 8), batches(pseudo, 8), strict=True):
        assert images.equal(same)
        assert classes.equal(labels[fractals])
    assert data.validation_images is not None
    assert data.validation_images.labels.bincount().tolist() == [2, 1, 2]


def test_labels_are_needed_where_classes_are_asked_for() -> None:
    with pytest.raises(InputError, match="the fractals of digits have no labels: learn some with"):
        FractalData("digits", labels="class")


@pytest.mark.parametrize(("size", "points"), [(16, 75), (32, 300), (64, 1200)])
def test_points_of_random_fractals_follow_the_size(size: int, points: int) -> None:
    generator = FractalData(**FEW | {"size": size}).generator
    assert (generator.num_points, generator.tau) == (points_for(size), tau_for(size))
    assert generator.num_points == points
    assert (generator.window, generator.jitter) == (1.5, 0.15)
    generator = FractalData(**FEW | {"size": size}, num_points=7, tau=0.3, window=2.0, jitter=0.0).generator
    assert (generator.num_points, generator.tau, generator.window, generator.jitter) == (7, 0.3, 2.0, 0.0)


def test_one_fractal_is_not_enough(tmp_path: Path) -> None:
    FractalGenerator(FractalEmbedding(anderson_farrell(1, 3))).save(tmp_path / "one.safetensors")
    with pytest.raises(InputError, match="has one fractal, but pre-training needs at least 2"):
        FractalData(str(tmp_path / "one.safetensors"), num_fractals=1)


def test_a_copy_is_read_instead_of_the_fractals(tmp_path: Path) -> None:
    """As when a run is resumed after its fractals were moved; what it says of its source stays."""
    learned = FractalGenerator(FractalEmbedding(anderson_farrell(5, 3)))
    copy = tmp_path / "fractals.safetensors"
    few = OF_LEARNED | {"fractals": "moved.safetensors", "fractals_copy": str(copy)}
    with pytest.raises(InputError, match=r"no fractals 'moved\.safetensors'"):
        FractalData(**few)
    learned.save(copy)
    data = FractalData(**few)
    assert data.source == "moved.safetensors"
    assert data.generator.embedding().A.equal(learned.embedding().A)


def test_fresh_images_of_ranks_are_those_of_one_rank() -> None:
    data = FractalData(**FEW, fresh=True)
    data.setup()
    given = data.generator, torch.arange(5), 40
    alone = next(iter(FreshBatches(*given, 6, StreamPosition())))
    ranks = [next(iter(FreshBatches(*given, 3, StreamPosition(0, RankShard(rank, 2))))) for rank in range(2)]
    for whole, parts in zip(alone, zip(*ranks, strict=True), strict=True):
        assert whole.equal(torch.cat(parts))


def test_fresh_images_are_not_drawn_before_they_are_needed() -> None:
    """21,000 classes, of which a million images would not fit in the memory."""
    given = FEW | {"num_fractals": 21_000, "images_per_class": 1000, "size": 8}
    data = FractalData("perturbed", fresh=True, **{**given, "num_transforms": None})  # type: ignore[arg-type]
    (images, labels), *_ = batches(data, 1)
    assert images.shape == (6, 1, 8, 8)
    assert labels.max() < 21_000
    assert data.validation_images is not None
    assert data.validation_images.labels.equal(torch.arange(21_000))


def test_classes_of_a_perturbed_fractal_are_alike() -> None:
    """They are nearer to each other than random fractals are, but further apart than images of a class."""

    def distance(source: str) -> Tensor:
        data = FractalData(source, **FEW | {"num_transforms": 2, "num_fractals": 40}, jitter=0, window=1.5)
        images = [data.generator.draw(torch.arange(40), torch.Generator().manual_seed(k)) for k in (0, 1)]
        one, other = (each.flatten(1) for each in images)
        between = torch.cdist(one, other)
        return torch.stack([between.diag().mean(), between.mean()])

    within, perturbed = distance("perturbed")
    _, random = distance("random")
    assert within < 0.8 * perturbed
    assert perturbed < random


def test_perturbed_fractals_have_the_colors_of_one() -> None:
    data = FractalData("perturbed", num_fractals=3, features=3, images_per_class=1)
    colors = data.generator.embedding.features().values
    assert colors.shape == (3, 2, 3)
    assert colors[0].equal(colors[2])
    assert not colors[0, 0].equal(colors[0, 1])
    assert data.generator.jitter == 0.02


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"images_per_class": 0}, "images_per_class must be >= 1, got 0"),
        ({"num_points": 0}, "num_points must be >= 1, got 0"),
        ({"window": 0.0}, "window"),
        ({"tau": -1.0}, "tau"),
        ({"jitter": -0.1}, "jitter must be >= 0, got -0.1"),
        ({"num_workers": 2}, "^num_workers > 0 needs fresh=True: set both, or neither$"),
        ({"fractals": "none-such"}, "no fractals 'none-such'"),
        ({"start": "fractaldb", "num_transforms": 1}, "start fractaldb: .*hardly ever"),
        ({"perturbation": 0.1}, "perturbation has no effect on random fractals: remove it, or set fractals"),
        ({"fractals": "perturbed", "perturbation": 0.0}, "perturbation must be > 0, got 0.0"),
        ({"fractals": "perturbed", "perturbation": 1.5}, "perturbation must be <= 1, got 1.5"),
        (
            {"images_per_class": 100_000, "size": 1024},
            "524.3 GB of memory: set fresh=True to draw them as th",
        ),
    ],
)
def test_what_cannot_be_drawn_is_explained(given: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        FractalData(**FEW | given)


@pytest.mark.parametrize(
    "given",
    [
        {"num_transforms": 3},
        {"start": "fractaldb"},
        {"features": 3},
        {"perturbation": 0.2},
        {"fractals_seed": 5},
    ],
)
def test_options_of_sampled_fractals_have_no_effect_on_learned_ones(given: dict) -> None:
    with pytest.raises(InputError, match=f"^{next(iter(given))} has no effect with the fractals of digits"):
        FractalData("digits", **given)


def test_fractals_that_draw_nothing_are_counted(tmp_path: Path, logs: pytest.LogCaptureFixture) -> None:
    transforms = {"A": [[[0.5, 0.0], [0.0, 0.5]]] * 2, "b": [[0.0, 0.0], [0.5, 0.5]]}
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"targets": [transforms, transforms | {"b": [[0.0, None], [0.5, 0.5]]}]}))
    FractalData(str(path), num_fractals=2, images_per_class=1)
    assert "1 of the 2 fractals of" in logs.text
    assert "are not finite: they draw nothing" in logs.text


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("pertubed", "there are no fractals 'pertubed': did you mean perturbed?"),
        ("randm", "there are no fractals 'randm': did you mean random?"),
        ("random.json", "there are no fractals 'random.json': pass digits"),
    ],
)
def test_misspelled_fractals_get_a_hint_and_files_do_not(source: str, message: str) -> None:
    with pytest.raises(InputError) as raised:
        FractalData(source, size=16)
    assert str(raised.value).startswith(message)
