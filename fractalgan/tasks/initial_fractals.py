"""The first candidates of a reconstruction, by its option ``start``."""

from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor

from fractalgan.errors import InputError, as_input_error
from fractalgan.nn import (
    POINTS_PER_TRANSFORM,
    VIEW,
    Candidates,
    FractalGenerator,
    TargetFractals,
    collage_fractals,
    covered_shapes,
    features_at,
    points_to_cover,
)
from fractalgan.ops import Features, Fractals, Procedure, Transforms, random_features, random_fractals
from fractalgan.randomness import Purpose, generator_for, rows_for
from fractalgan.storage.checkpoints import as_checkpoint_error, read_checkpoint
from fractalgan.storage.labels import Labels
from fractalgan.tasks.autoencoder import FractalAutoencoder
from fractalgan.tasks.encoder import Encoder
from fractalgan.tasks.feature_options import embedding_of
from fractalgan.tasks.gathering import TargetGatherer
from fractalgan.tasks.inverse_encoder import InverseEncoder
from fractalgan.tasks.protocols import Targets
from fractalgan.tasks.reconstruction_options import COLLAGE

CHUNK = 100  # targets whose colors are looked up at a time
ENCODERS: tuple[type[Encoder], ...] = (FractalAutoencoder, InverseEncoder)


def random_candidates(options: Mapping[str, Any], indices: Tensor) -> Transforms:
    """Random candidates [n * candidates, N] for targets with these ``indices`` [n].

    Args:
        options: the hyperparameters of Reconstruction.
        indices: [n], what the random numbers of each target follow from.
    """
    start = options["start"]
    procedure: Procedure = start if start in get_args(Procedure) else "anderson-farrell"
    drawn = []
    with as_input_error(f"start {start}"):
        for index in indices.tolist():
            random = generator_for(options["seed"], index, Purpose.RECONSTRUCTION_INITIAL)
            drawn.append(random_fractals(procedure, options["candidates"], options["num_transforms"], random))
    return Transforms(*(torch.cat(parts) for parts in zip(*drawn, strict=True)))


def fit_candidates_(
    candidates: Transforms, options: Mapping[str, Any], indices: Tensor, targets: Tensor, rows: Tensor
) -> None:
    """Replace candidates by what ``start`` derives from their targets: collages, or an encoder's prediction.

    Args:
        candidates: [n * candidates, N], which are written to.
        options: the hyperparameters of Reconstruction.
        indices: [n], what the random numbers of each target follow from.
        targets: [n, C, H, W].
        rows: the targets, among the n, whose candidates are replaced.
    """
    start, number = options["start"], options["candidates"]
    if start == COLLAGE:
        wanted = {name: options[name] for name in ("candidates", "num_transforms", "window", "seed")}
        found = collage_fractals(
            covered_shapes(targets[rows], options["features"]), indices[rows].tolist(), **wanted
        )
        of_rows = (rows.unsqueeze(1) * number + torch.arange(number)).flatten()
        for whole, part in zip(candidates, found, strict=True):
            whole[of_rows] = part
    elif start not in get_args(Procedure):
        trained_with = {name: options[name] for name in ("num_transforms", "image_size", "window")}
        predicted = read_encoder(Path(start), **trained_with).predict(
            covered_shapes(targets, options["features"])
        )
        for whole, part in zip(candidates, predicted, strict=True):
            whole[::number] = part


def initial_features(
    options: Mapping[str, Any], transforms: Transforms, indices: Tensor, targets: Tensor
) -> Features:
    """The first features of candidates [n * candidates, N]: those of the targets where they draw.

    Args:
        options: the hyperparameters of Reconstruction.
        transforms: the candidates.
        indices: [n], what the random numbers of each target follow from.
        targets: [n, C, H, W].
    """
    number, length = options["candidates"], POINTS_PER_TRANSFORM * options["num_transforms"]
    found = []
    for chunk in torch.split(torch.arange(len(targets)), CHUNK):
        keys = [(options["seed"], k, Purpose.RECONSTRUCTION_INITIAL) for k in indices[chunk].tolist()]
        candidates = (chunk.unsqueeze(1) * number + torch.arange(number)).flatten()
        parts = Transforms(*(each[candidates] for each in transforms))
        uniform = rows_for(torch.rand, keys, number, length).flatten(0, 1)
        found.append(features_at(parts, targets[chunk], options["window"], uniform))
    return Features(*(torch.cat(each) for each in zip(*found, strict=True)))


def fitted_fractals(
    options: MutableMapping[str, Any], data: Targets, shares: TargetGatherer
) -> TargetFractals:
    """Candidates for all targets, as ``start`` makes them; with several ranks, each fits those of its own.

    Args:
        options: the hyperparameters of Reconstruction, in which the number of points is set by ``coverage``.
        data: the targets, whose labels the fractals get.
        shares: which targets belong to which rank.
    """
    targets, indices = data.targets, data.indices
    assert targets is not None  # set up before the task
    if options["coverage"] is not None:
        area = covered_shapes(targets, options["features"]).mean().item() * options["image_size"] ** 2
        options["num_points"] = points_to_cover(area, options["tau"], options["coverage"])
    candidates = random_candidates(options, indices)
    shard, device = shares.shard, shares.strategy.root_device
    own = torch.arange(len(targets))[shard.rank :: shard.world_size]
    fit_candidates_(candidates, options, indices, targets, own)
    if shard.world_size > 1:
        candidates = Transforms(*(shares.rows(each.to(device)).cpu() for each in candidates))
    features = Features.none(candidates.b)
    if options["features"]:
        features = initial_features(options, candidates, indices, targets)
    fractals = target_fractals(options, indices, Fractals(candidates, features))
    if data.labels is not None:
        fractals.label_(Labels(data.labels, tuple(data.classes)))
    return fractals


def target_fractals(
    options: Mapping[str, Any], indices: Tensor, candidates: Fractals | None = None
) -> TargetFractals:
    """The module that learns candidates [n * candidates, N], drawn as the options say.

    Args:
        options: the hyperparameters of Reconstruction.
        indices: [n], what the random numbers of each target follow from.
        candidates: the fractals; None for those of a checkpoint, which is yet to be loaded.
    """
    if candidates is None:
        transforms = random_candidates(options, indices)
        candidates = Fractals(transforms, random_features(transforms.b, options["features"]))
    view = {name: options[name] for name in VIEW if name in options}
    return TargetFractals(
        FractalGenerator(embedding_of(*candidates, options), **view),
        Candidates(len(indices), options["candidates"], options["halvings"]),
        indices,
        **{name: options[name] for name in ("seed", "num_sequences", "objective", "chunk")},
    )


def read_encoder(path: Path, **expected: Any) -> Encoder:
    """The encoder in a checkpoint.

    Args:
        path: the checkpoint.
        expected: hyperparameters that it must have been trained with.

    Raises:
        InputError: where there is none, or another.
    """
    checkpoint = read_checkpoint(path)
    known = {encoder.__name__: encoder for encoder in ENCODERS}
    if checkpoint["task"] not in known:
        raise InputError(
            f"{path} is a checkpoint of {checkpoint['task']}, not of {' or '.join(known)}:"
            " train one with fit --config autoencoder.yaml"
        )
    with as_checkpoint_error(path):
        for name, value in expected.items():
            trained = checkpoint["hyper_parameters"][name]
            if trained != value:
                raise InputError(f"{path} was trained with {name} {trained}, not {value}")
        encoder: Encoder = known[checkpoint["task"]].load_from_checkpoint(
            path, map_location="cpu", weights_only=True
        )
        return encoder
