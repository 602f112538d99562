"""`ablate`: the whole of Table 1, how well fractals rebuild images, by recipe and data set."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from jsonargparse import ArgumentParser
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor
from torchvision.transforms.v2.functional import to_pil_image

from fractalgan.answer import answer
from fractalgan.cadence import is_logged
from fractalgan.callbacks import grid, save_picture
from fractalgan.cells import Cells, Row
from fractalgan.checkpoint_file import read_checkpoint
from fractalgan.data import TargetData
from fractalgan.errors import InputError, require_at_least
from fractalgan.experiment import make_parser, open_folder, parse, run_cells, stopped, write_summary
from fractalgan.measure import quiet_trainer
from fractalgan.reports import table1, write_csv
from fractalgan.run_folder import RunFolder
from fractalgan.shipped import CONFIGS
from fractalgan.tasks import Reconstruction
from fractalgan.whole_file import write_whole

# The rows of Table 1 by what differs from the file that they are made with.
PAPER, RELEASE, OURS = (f"reconstruction{name}.yaml" for name in ("_paper", "_release", ""))
ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "B": (PAPER, {"matrices": "raw"}),
    "C": (PAPER, {"objective": "fixed", "matrices": "unbounded", "noise": 0.0}),
    "D": (PAPER, {"objective": "fixed"}),
    "E": (PAPER, {"noise": 0.0}),
    "F": (PAPER, {}),
    "raw": (PAPER, {"matrices": "raw", "clip": None}),
    "release": (RELEASE, {}),
    "best": (OURS, {}),
    "best-encoder": (OURS, {}),
    "best-by-determinant": (OURS, {"probabilities": "determinant"}),
    "best-one-start": (OURS, {"candidates": 1, "halvings": []}),
    "best-no-noise": (OURS, {"noise": 0.0}),
    "best-lr-of-paper": (OURS, {"lr": 0.05, "schedule": "halving"}),
    "best-sigma-0-1": (OURS, {"sigma_min": 0.0, "sigma_max": 1.0}),
}

ENCODED = ("B", "best-encoder")  # those that begin at an encoder's guess

# The level above which an image of a data set is white.
LEVELS = {"digits": 0.5, "MNIST": 0.5, "FashionMNIST": 0.2, "KMNIST": 0.2, "fractaldb": 0.2}

KEY = table1.COLUMNS[:3]
SHOWN = 10  # targets in a strip of Figure 4
POINTS = 50  # of a loss curve

# Options that may be others when an ablation is gone on with; the encoder until a cell needed it.
FREE = {"plan": {"data", "rows", "seeds", "workers", "root", "encoder"}}


@dataclass(frozen=True)
class Plan:
    """What is rebuilt, and how.

    Args:
        data: data sets, or fractaldb.
        rows: of the table: B, C, D, E, F, raw, release, best, or one of best's own ablations.
        encoder: a checkpoint of InverseEncoder, for the rows that begin at its guess: B is that
            guess, the same for all seeds but for the sequences that judge it.
        seeds: runs of each, with other starts and other noise on the same targets.
        count: targets of each data set.
        split: the part of the data sets.
        steps: of each target.
        size: height and width in pixels.
        root: where the data sets are kept.
        workers: processes, of one thread each.
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
    options: dict[str, Any] = field(default_factory=dict)

    def targets(self, name: str) -> TargetData:
        """The images of one data set. Raises InputError for one that is not there."""
        return TargetData(
            name,  # type: ignore[arg-type]
            root=self.root,
            split=self.split,  # type: ignore[arg-type]
            count=self.count,
            size=self.size,
            binarize=LEVELS.get(name),
        )

    def digest(self) -> str:
        """What tells the encoder from another that was saved under the same name."""
        return hashlib.sha256(Path(str(self.encoder)).read_bytes()).hexdigest()[:16]

    def task(self, row: str, seed: int) -> Reconstruction:
        """The recipe of one row. Raises InputError for options that it does not have."""
        file, differing = ROWS[row]
        if row in ENCODED:
            if self.encoder is None:
                raise InputError(
                    f"row {row} begins at an encoder's guess: train one by fit --config"
                    f" {CONFIGS / 'inverse_encoder.yaml'}, and give its checkpoint as --plan.encoder"
                )
            differing = differing | {"start": self.encoder}
        options = yaml.safe_load((CONFIGS / file).read_text())["model"]["init_args"]
        try:
            return Reconstruction(**options | differing | self.options, image_size=self.size, seed=seed)
        except TypeError as error:
            raise InputError(f"plan.options: {error}") from error


class Job(NamedTuple):
    """One cell: a row on a data set with a seed."""

    data: str
    row: str
    seed: int

    def cell(self) -> Row:
        return dict(zip(KEY, self, strict=True))


def measure(plan: Plan, folder: Path, job: Job) -> Iterator[Row]:
    """Rebuild the job's targets; its strip of pictures is there before its row."""
    task, data = plan.task(job.row, job.seed), plan.targets(job.data)
    curve = LossCurve()
    trainer = quiet_trainer(
        plan.steps,
        val_check_interval=plan.steps,
        log_every_n_steps=max(1, plan.steps // POINTS),
        enable_checkpointing=False,
        callbacks=[curve],
    )
    if job.row == "B":
        trainer.validate(task, data, verbose=False)
    else:
        trainer.fit(task, data)
    assert task.results is not None
    _save_strip(folder / f"{job.data}-{job.row}-{job.seed}.png", task.gallery())
    scores = {name: round(each.mean().item(), 6) for name, each in task.results._asdict().items()}
    exploded = int(task.results.exploded.sum())
    found = {"exploded": exploded, "targets": plan.count, "curve": curve.losses}
    yield job.cell() | scores | found | ({"encoder": plan.digest()} if job.row in ENCODED else {})


def _save_strip(path: Path, images: Tensor) -> None:
    """The first of the images in a row."""
    save_picture(path, to_pil_image(grid(images[:SHOWN])))


class LossCurve(Callback):
    """Keeps the mean loss of the targets at the steps that are logged."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        if is_logged(trainer, trainer.global_step):
            self.losses.append(round(trainer.callback_metrics["train/mse"].item(), 6))


def run(arguments: list[str]) -> int:
    """Run one command line of `ablate` and return its exit status."""
    return answer(lambda: _ablate(arguments))


def _ablate(arguments: list[str]) -> int:
    """Measure what is missing, and write the table and the figures of all that there is."""
    parser = _parser()
    options = parse(parser, arguments)
    plan = Plan(**vars(options.plan))
    targets = _check(plan)
    with open_folder(parser, options, f"ablation-{'-'.join(plan.data)}", FREE) as folder:
        return _fill(folder, plan, targets)


def _fill(folder: RunFolder, plan: Plan, targets: dict[str, Tensor]) -> int:
    """Measure the cells that the folder lacks, and report on all; the exit status."""
    cells = Cells(folder.path / "cells.jsonl", KEY)
    _check_encoder(plan, cells)
    every = [Job(data, row, seed) for seed in range(plan.seeds) for data in plan.data for row in plan.rows]
    jobs = [job for job in every if job.cell() not in cells]
    strips = folder.path / "strips"
    for name, images in targets.items():
        _save_strip(strips / f"{name}-targets.png", images)
    try:
        run_cells("ablate", partial(measure, plan, strips), jobs, len(jobs), plan.workers, cells, _describe)
    except KeyboardInterrupt:
        return stopped("ablate", folder)
    cells.sort()
    _report(folder, strips, plan, cells.rows)
    return 0


def _describe(row: Row) -> str:
    return "{data}, row {row}, seed {seed}: {mse_min:.4f}".format(**row)


def _parser() -> ArgumentParser:
    parser = make_parser("ablate", __doc__)
    parser.add_class_arguments(Plan, "plan")
    return parser


def _check(plan: Plan) -> dict[str, Tensor]:
    """Refuse, before anything is written, what would fail later; the targets by data set."""
    numbers = {name: getattr(plan, name) for name in ("seeds", "count", "steps", "workers")}
    require_at_least(1, **{f"plan.{name}": number for name, number in numbers.items()})
    for name, given in {"data": plan.data, "rows": plan.rows}.items():
        if not given or len(set(given)) < len(given):
            raise InputError(f"plan.{name}: want one or more, each once, got {given}")
    if unknown := [row for row in plan.rows if row not in ROWS]:
        raise InputError(f"plan.rows: no row {unknown[0]!r}: choose of {', '.join(ROWS)}")
    for row in plan.rows:
        plan.task(row, 0)
    if set(plan.rows) & set(ENCODED):
        read_checkpoint(Path(str(plan.encoder)))
    targets = {}
    for name in plan.data:
        data = plan.targets(name)
        data.prepare_data()
        data.setup()
        assert data.targets is not None
        targets[name] = data.targets
    return targets


def _check_encoder(plan: Plan, cells: Cells) -> None:
    """Refuse to mix cells of two encoders in one table."""
    known = {row.get("encoder") for row in cells.rows if row["row"] in ENCODED}
    if set(plan.rows) & set(ENCODED) and known - {plan.digest()}:
        raise InputError(f"{cells.path} holds rows of another encoder: give another --run")


def _report(folder: RunFolder, strips: Path, plan: Plan, rows: list[Row]) -> None:
    """Write table, figures and summary, and print the table."""
    summary = table1.summarize(rows, list(ROWS))
    write_summary(folder, summary)
    text = table1.as_markdown(summary)
    write_csv(folder.path / "table1.csv", table1.COLUMNS, rows)
    write_whole(folder.path / "table1.md", text)
    shown = [row for row in rows if not row["row"].startswith("best-")] or rows  # what can be looked at
    table1.draw_curves(folder.path / "figure3.png", shown, plan.steps)
    table1.draw_strips(folder.path / "figure4.png", strips, table1.summarize(shown, list(ROWS)))
    print(text)
    print(f"table, figures, summary: {folder}/table1.md, .csv, figure3.png, figure4.png, summary.json")
