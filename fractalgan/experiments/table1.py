"""The experiment of Table 1: how well fractals reconstruct images, by recipe and data set."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, get_args

from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor
from torchvision.transforms.v2.functional import to_pil_image

from fractalgan.callbacks import grid, save_picture
from fractalgan.data import TargetData, TargetName
from fractalgan.data.downloads import DOWNLOADED
from fractalgan.errors import InputError, require_at_least
from fractalgan.experiments.quiet_trainer import quiet_trainer
from fractalgan.experiments.run_cells import run_cells
from fractalgan.reports import table1, write_summary
from fractalgan.storage import (
    Cells,
    Row,
    RunFolder,
    atomic_write,
    read_config,
    write_csv,
)
from fractalgan.tasks import FractalAutoencoder, InverseEncoder, Reconstruction
from fractalgan.tasks.initial_fractals import read_encoder
from fractalgan.tasks.log_interval import should_log

# The rows of Table 1: a configuration, and the options that differ from it.
PAPER, RELEASE, OURS = (f"reconstruction_{name}.yaml" for name in ("paper", "release", "32px"))
ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "B": (PAPER, {"matrices": "raw"}),
    "C": (PAPER, {"objective": "fixed", "matrices": "unbounded", "noise": 0.0}),
    "D": (PAPER, {"objective": "fixed"}),
    "E": (PAPER, {"noise": 0.0}),
    "F": (PAPER, {}),
    "raw": (PAPER, {"matrices": "raw", "clip": None}),
    "release": (RELEASE, {}),
    "best": (OURS, {}),
    "autoencoder": (OURS, {"matrices": "raw", "candidates": 1, "halvings": []}),
    "best-encoder": (OURS, {"candidates": 1, "halvings": []}),
    "best-autoencoder": (OURS, {"candidates": 1, "halvings": []}),
    "best-random-sequences": (OURS, {"sequences": "random"}),
    "best-random-start": (OURS, {"start": "anderson-farrell"}),
    "best-by-determinant": (OURS, {"probabilities": "determinant"}),
    "best-one-start": (OURS, {"candidates": 1, "halvings": []}),
    "best-no-noise": (OURS, {"noise": 0.0}),
    "best-lr-of-paper": (OURS, {"lr": 0.05, "schedule": "halving"}),
    "best-sigma-0-1": (OURS, {"sigma_min": 0.0, "sigma_max": 1.0}),
    "best-tau-from-4": (OURS, {"tau_start": 4.0}),
}

# The rows that start from an encoder's prediction; two of them are that prediction itself.
ENCODERS: dict[str, type[InverseEncoder | FractalAutoencoder]] = {
    "B": InverseEncoder,
    "autoencoder": FractalAutoencoder,
    "best-encoder": InverseEncoder,
    "best-autoencoder": FractalAutoencoder,
}
PREDICTIONS = ("B", "autoencoder")
ENCODER_CONFIGS = {InverseEncoder: "inverse_encoder.yaml", FractalAutoencoder: "autoencoder.yaml"}

# The level above which a pixel is white, by data set.
BINARIZE = {"digits": 0.5, "MNIST": 0.5, "FashionMNIST": 0.2, "KMNIST": 0.2, "fractaldb": 0.2}

KEY = table1.COLUMNS[:3]
STRIP_LENGTH = 10  # targets of a strip in Figure 4
CURVE_POINTS = 50


@dataclass(frozen=True)
class AblationPlan:
    """What is reconstructed, and how.

    Args:
        data: data sets, or fractaldb.
        rows: rows of the table: B, C, D, E, F, raw, release, best, autoencoder, or an ablation of best.
        encoder: checkpoint for the rows that start from an encoder's prediction: of an InverseEncoder for
            rows B and best-encoder, of a FractalAutoencoder for rows autoencoder and best-autoencoder. B and
            autoencoder are that prediction; their seeds differ only in the sequences that are drawn to
            evaluate it. Add the rows of the other encoder to the same run by a second command.
        seeds: runs per row, with different initial fractals and noise on the same targets.
        count: targets per data set.
        split: part of the data sets.
        steps: training steps per target.
        size: height and width in pixels.
        root: folder of the downloaded data sets.
        workers: number of processes, with one thread each.
        cluster: address of the scheduler of a dask cluster, such as tcp://host:8786, whose workers run the
            jobs in place of processes of this machine; or local, for a cluster on this machine.
        options: arguments of Reconstruction for all rows.
    """

    data: list[str] = field(default_factory=lambda: ["digits"])
    rows: list[str] = field(default_factory=lambda: ["C", "D", "E", "F", "raw", "best"])
    encoder: str | None = None
    seeds: int = 3
    count: int = 100
    split: str = "test"
    steps: int = 1000
    size: int = 32
    root: str = "data"
    workers: int = 2
    cluster: str | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def targets(self, name: str) -> TargetData:
        """The targets of one data set.

        Raises:
            InputError: if there is no such data set.
        """
        return TargetData(
            name,  # type: ignore[arg-type]
            root=self.root if name in DOWNLOADED else None,
            split=self.split,  # type: ignore[arg-type]
            count=self.count,
            size=self.size,
            channels=1,
            binarize=BINARIZE.get(name),
            invert=False,
        )

    def encoder_digest(self) -> str:
        """Identifies the encoder's content: another one may be saved under the same name later."""
        return hashlib.sha256(Path(str(self.encoder)).read_bytes()).hexdigest()[:16]

    def task(self, row: str, seed: int) -> Reconstruction:
        """The recipe of one row.

        Raises:
            InputError: for options that it does not have.
        """
        config, options = ROWS[row]
        if row in ENCODERS:
            if self.encoder is None:
                training = ENCODER_CONFIGS[ENCODERS[row]]
                raise InputError(
                    f"row {row} starts from an encoder's prediction: train one with"
                    f" fit --config {training}, and set --plan.encoder to its checkpoint"
                )
            options = options | {"start": self.encoder}
        defaults = read_config(config)["model"]["init_args"]
        try:
            return Reconstruction(**defaults | options | self.options, image_size=self.size, seed=seed)
        except TypeError as error:
            raise InputError(f"plan.options: {error}") from error

    def _check_encoder(self, row: str, options: Mapping[str, Any]) -> None:
        """Raise InputError unless the encoder is what the row, with the task's options, starts from."""
        needed = ENCODERS[row]
        trained_with = {name: options[name] for name in ("num_transforms", "image_size", "window")}
        encoder = read_encoder(Path(str(self.encoder)), **trained_with)
        if not isinstance(encoder, needed):
            raise InputError(
                f"row {row} needs a checkpoint of {needed.__name__}, {self.encoder} is of"
                f" {type(encoder).__name__}: train one with fit --config {ENCODER_CONFIGS[needed]}"
            )

    def check(self) -> dict[str, Tensor]:
        """The targets by data set, after a check of everything that would fail later.

        Raises:
            InputError: for the first invalid value.
        """
        numbers = {name: getattr(self, name) for name in ("seeds", "count", "steps", "workers")}
        require_at_least(1, **{f"plan.{name}": number for name, number in numbers.items()})
        for name, given, known in (("data", self.data, get_args(TargetName)), ("rows", self.rows, ROWS)):
            if not given or len(set(given)) < len(given):
                raise InputError(f"plan.{name} must be distinct names, at least one, got {given}")
            if unknown := [each for each in given if each not in known]:
                raise InputError(f"plan.{name} must be among {', '.join(known)}, got {unknown[0]!r}")
        for row in self.rows:
            task = self.task(row, 0)
            if row in ENCODERS:
                self._check_encoder(row, task.hparams)
        return {name: load_targets(self.targets(name)) for name in self.data}


def load_targets(data: TargetData) -> Tensor:
    """The targets [n, 1, H, W], after the download where they need one."""
    data.prepare_data()
    data.setup()
    assert data.targets is not None
    return data.targets


class ReconstructionJob(NamedTuple):
    """One cell: a row on a data set with a seed."""

    data: str
    row: str
    seed: int

    def cell(self) -> Row:
        """The columns that identify the cell."""
        return dict(zip(KEY, self, strict=True))


def run_ablation(plan: AblationPlan, folder: RunFolder, targets: dict[str, Tensor]) -> None:
    """Measure the cells that are missing in the folder, and report on all of them.

    Args:
        plan: what is measured.
        folder: the run folder.
        targets: the result of ``plan.check()``.

    Raises:
        InputError: if the folder has cells of another encoder.
        KeyboardInterrupt: see :func:`run_cells`.
    """
    cells = Cells(folder.path / "cells.jsonl", KEY)
    _check_cells(plan, cells)
    jobs = [
        job
        for seed in range(plan.seeds)
        for data in plan.data
        for row in plan.rows
        if (job := ReconstructionJob(data, row, seed)).cell() not in cells
    ]
    strips = folder.path / "strips"
    for name, images in targets.items():
        _save_strip(strips / f"{name}-targets.png", images)
    work = partial(measure_reconstruction, plan, strips)
    run_cells("ablate", work, jobs, len(jobs), plan, cells, _describe)
    cells.sort()
    _report(folder, strips, plan, cells.rows)


def measure_reconstruction(plan: AblationPlan, strips: Path, job: ReconstructionJob) -> Iterator[Row]:
    """Reconstruct the targets of a job, save a strip of pictures, and yield its row."""
    task, data = plan.task(job.row, job.seed), plan.targets(job.data)
    curve = LossCurve()
    trainer = quiet_trainer(
        plan.steps,
        val_check_interval=plan.steps,
        log_every_n_steps=max(1, plan.steps // CURVE_POINTS),
        enable_checkpointing=False,
        callbacks=[curve],
    )
    if job.row in PREDICTIONS:
        trainer.validate(task, data, verbose=False)
    else:
        trainer.fit(task, data)
    assert task.results is not None
    _save_strip(strips / f"{job.data}-{job.row}-{job.seed}.png", task.gallery())
    scores = {name: round(each.mean().item(), 6) for name, each in task.results._asdict().items()}
    exploded = int(task.results.exploded.sum())
    measured = {"exploded": exploded, "targets": plan.count, "curve": curve.losses}
    encoder = {"encoder": plan.encoder_digest()} if job.row in ENCODERS else {}
    yield job.cell() | scores | measured | encoder


class LossCurve(Callback):
    """Keeps the mean loss of the targets at the steps that are logged."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        if should_log(trainer, trainer.global_step):
            self.losses.append(round(trainer.callback_metrics["train/mse"].item(), 6))


def _save_strip(path: Path, images: Tensor) -> None:
    save_picture(path, to_pil_image(grid(images[:STRIP_LENGTH])))


def _describe(row: Row) -> str:
    return "{data}, row {row}, seed {seed}: {mse_min:.4f}".format(**row)


def _check_cells(plan: AblationPlan, cells: Cells) -> None:
    """Raise InputError instead of mixing cells of two encoders in one row."""
    wanted = set(plan.rows) & set(ENCODERS)
    known = {row.get("encoder") for row in cells.rows if row["row"] in wanted}
    if wanted and known - {plan.encoder_digest()}:
        raise InputError(f"{cells.path} has rows of another encoder: set another --run")


def _report(folder: RunFolder, strips: Path, plan: AblationPlan, rows: list[Row]) -> None:
    summary = table1.summarize(rows, list(ROWS))
    write_summary(folder, summary)
    text = table1.as_markdown(summary)
    write_csv(folder.path / "table1.csv", table1.COLUMNS, rows)
    atomic_write(folder.path / "table1.md", text)
    shown = [row for row in rows if not row["row"].startswith("best-")] or rows  # few enough for a figure
    table1.draw_curves(folder.path / "figure3.png", shown, plan.steps)
    table1.draw_strips(folder.path / "figure4.png", strips, table1.summarize(shown, list(ROWS)))
    print(text)
    print(f"table, figures, summary: {folder}/table1.md, table1.csv, figure3.png, figure4.png, summary.json")
