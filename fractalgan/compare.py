"""`compare`: the whole of Figure 5, what learned fractals are worth against random ones, in one command."""

import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jsonargparse import ArgumentParser, Namespace
from pytorch_lightning import Trainer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fractalgan import cli
from fractalgan.callbacks import best_checkpoint, kept_checkpoints
from fractalgan.cells import Cells, Row
from fractalgan.data import FractalData, ImageData
from fractalgan.errors import InputError, require_at_least
from fractalgan.nn import read_fractals
from fractalgan.reports import figure5, next_commands
from fractalgan.run_folder import RunFolder, write_whole
from fractalgan.tasks import LinearProbe, Pretraining
from fractalgan.tasks.probe import PIXELS, UNTRAINED
from fractalgan.workers import run_jobs

KEY = figure5.COLUMNS[:-1]  # what tells one cell from another

# What is settled by the comparison itself, and so is no option of its parts.
SETTLED = {
    "data": {"binarize", "batch_size", "seed"},
    "pretraining": {"fractals", "image_size", "seed"},
    "drawing": {"fractals", "num_fractals", "fractals_seed", "size", "num_workers", "seed"},
}


@dataclass(frozen=True)
class Plan:
    """What is compared.

    Args:
        learned: a checkpoint of FractalGAN, a file of learned fractals, or the name of some that ship
            with the project; null: a GAN is trained first.
        gan: the configuration of that GAN, for `fit`; null: what `fit` has by itself, for the digits.
        gan_options: more options of `fit` for it.
        gan_steps: earlier checkpoints of the GAN to be judged after all LeNet steps, too.
        seeds: how many LeNets are trained on each source, with as many sets of random fractals.
        steps: LeNet steps.
        every: from one probe to the next, in LeNet steps.
        labels: of how many images a class the probe sees the label; 0: of all.
        workers: processes, of one thread each.
    """

    learned: str | None = None
    gan: str | None = None
    gan_options: list[str] = field(default_factory=list)
    gan_steps: list[int] = field(default_factory=list)
    seeds: int = 10
    steps: int = 5000
    every: int = 1000
    labels: list[int] = field(default_factory=lambda: [0, 100, 10])
    workers: int = 2


class Job(NamedTuple):
    """One backbone, and what is to be measured of it."""

    source: str
    seed: int
    fractals: str | None  # what draws: a file, "random"; None where nothing is pre-trained
    cells: list[Row]  # all of a row but its accuracy


class Parts(NamedTuple):
    """Arguments of the data and tasks of every job."""

    data: dict[str, Any]
    pretraining: dict[str, Any]
    drawing: dict[str, Any]


# -- one job ------------------------------------------------------------------------------------------


def measure(parts: Parts, every: int, job: Job) -> Iterator[Row]:
    """Pre-train the job's LeNet, if there is one, and yield its cells, each with its probe's accuracy."""
    real = _real_images(json.dumps(parts.data))
    with tempfile.TemporaryDirectory() as folder:
        if job.fractals:
            _pretrain(job, parts, every, Path(folder))
        for cell in job.cells:
            backbone = f"{folder}/step_{cell['lenet_step']:06d}.ckpt" if job.fractals else job.source
            yield cell | {"accuracy": _probe(backbone, cell["labels"], job.seed, real)}


@cache
def _real_images(arguments: str) -> ImageData:
    return ImageData(**json.loads(arguments), binarize=None)


def _pretrain(job: Job, parts: Parts, every: int, folder: Path) -> None:
    """Leave the LeNet after every so many steps in the folder."""
    torch.manual_seed(job.seed)
    size = parts.data["size"]
    task = Pretraining(image_size=size, seed=job.seed, **parts.pretraining)
    number = parts.pretraining["num_fractals"]
    data = FractalData(str(job.fractals), number, size=size, seed=job.seed, **parts.drawing)
    steps = max(cell["lenet_step"] for cell in job.cells)
    _trainer(steps, limit_val_batches=0, callbacks=[kept_checkpoints(folder, every)]).fit(task, data)


def _probe(backbone: str, labels: int | str, seed: int, real: ImageData) -> float:
    """Accuracy on the test images, under the penalty that the validation images like best."""
    torch.manual_seed(seed)
    known = None if labels == "all" else int(labels)
    task = LinearProbe(backbone, known, image_size=real.size, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        best = best_checkpoint(Path(folder) / "best.ckpt", task.monitor)
        trainer = _trainer(len(task.hparams["penalties"]), val_check_interval=1, callbacks=[best])
        trainer.fit(task, real)
        (judged,) = trainer.test(task, real, best.best_model_path, verbose=False, weights_only=True)
    return round(float(judged["test/accuracy"]), 6)


def _trainer(steps: int, **given: Any) -> Trainer:
    return Trainer(
        accelerator="cpu",
        devices=1,
        max_steps=steps,
        check_val_every_n_epoch=None,
        log_every_n_steps=0,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        **given,
    )


# -- all jobs -----------------------------------------------------------------------------------------


def all_jobs(plan: Plan, learned: dict[int, str]) -> list[Job]:
    """Every job of the plan; ``learned`` are the files of learned fractals by their GAN step."""
    last = max(learned)
    steps = list(range(plan.every, plan.steps + 1, plan.every))
    jobs = [_job(plan, PIXELS, 0, None, None, [0])]
    for seed in range(plan.seeds):
        jobs.append(_job(plan, UNTRAINED, seed, None, None, [0]))
        jobs.append(_job(plan, "random", seed, "random", None, steps))
        jobs.append(_job(plan, "learned", seed, learned[last], last, steps))
        for gan_step, path in learned.items():
            if gan_step != last:
                jobs.append(_job(plan, "learned", seed, path, gan_step, steps[-1:]))
    return jobs


def _job(
    plan: Plan, source: str, seed: int, fractals: str | None, gan_step: int | None, steps: list[int]
) -> Job:
    cells = [
        dict(zip(KEY, (source, seed, gan_step, step, labels), strict=True))
        for step in steps
        for labels in (each or "all" for each in plan.labels)
    ]
    return Job(source, seed, fractals, cells)


def missing(jobs: list[Job], cells: Cells) -> list[Job]:
    """The jobs with the cells that are not done yet; without those that have none left."""
    left = [job._replace(cells=[cell for cell in job.cells if cell not in cells]) for job in jobs]
    return [job for job in left if job.cells]


# -- the command --------------------------------------------------------------------------------------


def run(arguments: list[str]) -> int:
    """Run one command line of `compare` and return its exit status."""
    return cli.answer(lambda: _compare(arguments))


def _compare(arguments: list[str]) -> int:
    """Measure what is missing, and draw the figure of all that there is."""
    options, text = _parse(arguments)
    plan = Plan(**vars(options.plan))
    _check(plan)
    folder = _folder(options, text)
    real = ImageData(**vars(options.data), binarize=None)
    real.prepare_data()
    real.setup("fit")
    if not real.classes:
        raise InputError(f"{real.source} has no labels, which a linear probe learns from")
    parts = Parts(vars(options.data), vars(options.pretraining), vars(options.drawing))
    cells = Cells(folder.path / "cells.jsonl", KEY)
    try:
        learned = _learned(plan, options, folder)
        _measure_all(plan, missing(all_jobs(plan, learned), cells), parts, cells)
    except KeyboardInterrupt:
        print(*next_commands(**{"go on": f"fractalgan compare --run {folder}"}))
        return cli.EXIT_STATUS["SIGINT"]
    cells.sort()
    _report(folder, cells.rows, real.source)
    return 0


def _parse(arguments: list[str]) -> tuple[Namespace, str]:
    """The options, and as YAML all of them that results depend on."""
    parser = ArgumentParser(prog="fractalgan compare", description=__doc__, exit_on_error=False)
    parser.add_argument("--config", action="config", help="Take the options from a YAML file.")
    parser.add_argument(
        "--run",
        type=str | None,
        default=None,
        help="The folder; one that holds a comparison is gone on with. Default: the next of runs/compare-...",
    )
    parser.add_argument("--seed_everything", type=int, default=0, help="Seed of the GAN.")
    parser.add_class_arguments(Plan, "plan")
    for name, kind in {"data": ImageData, "pretraining": Pretraining, "drawing": FractalData}.items():
        parser.add_class_arguments(kind, name, skip=SETTLED[name])
    options = parser.parse_args(arguments)
    if options.run and not options.config and (config := RunFolder(Path(options.run)).config).is_file():
        options = parser.parse_args(["--config", str(config), *arguments])
    shown = options.clone()
    shown.config, shown.run = None, None
    return options, parser.dump(shown, skip_none=False)


def _check(plan: Plan) -> None:
    require_at_least(
        1, **{f"plan.{name}": getattr(plan, name) for name in ("seeds", "steps", "every", "workers")}
    )
    require_at_least(0, **{f"plan.labels[{k}]": each for k, each in enumerate(plan.labels)})
    if plan.steps % plan.every:
        raise InputError(f"plan.every: want a divisor of plan.steps, {plan.steps}, got {plan.every}")
    if not plan.labels:
        raise InputError("plan.labels: want one number or more; 0 stands for all")


def _folder(options: Namespace, text: str) -> RunFolder:
    """The folder that is gone on with, if it was made with the same options, or a new one."""
    if options.run and (folder := RunFolder(Path(options.run))).config.is_file():
        if folder.config.read_text() != text:
            raise InputError(f"{folder} was made with other options: give another --run, or none but --run")
        return folder
    name = Path(options.data.root).resolve().name if options.data.name == "folder" else options.data.name
    folder = (
        RunFolder.create(Path(options.run))
        if options.run
        else RunFolder.create_next(f"compare-{name}".lower())
    )
    write_whole(folder.config, text)
    return folder


def _learned(plan: Plan, options: Namespace, folder: RunFolder) -> dict[int, str]:
    """The files of learned fractals by GAN step, the last one last; trains the GAN where none is given."""
    path = plan.learned or str(_train_gan(plan, options, RunFolder(folder.path / "gan")))
    last = read_fractals(path).provenance.get("step") or 0
    found = {}
    for step in sorted(set(plan.gan_steps) - {last}):
        earlier = Path(path).parent / f"step_{step:06d}.ckpt"
        if not earlier.is_file():
            raise InputError(f"plan.gan_steps: there is no checkpoint {earlier}")
        found[step] = str(earlier)
    return found | {last: path}


def _train_gan(plan: Plan, options: Namespace, gan: RunFolder) -> Path:
    """The last checkpoint of a GAN in a folder of its own, gone on with if it was stopped."""
    finished = gan.summary.is_file() and json.loads(gan.summary.read_text())["finished"]
    if not finished:
        data = [f"--data.{name}={getattr(options.data, name)}" for name in ("name", "root", "size")]
        given = ["--config", plan.gan] if plan.gan else []
        given += [*data, f"--seed_everything={options.seed_everything}"]
        start = [f"--ckpt_path={gan.last}"] if gan.last.is_file() else [f"--run={gan}", *given]
        status = cli.run(["fit", *start, *plan.gan_options])
        if status != 0:
            raise KeyboardInterrupt if status in cli.EXIT_STATUS.values() else InputError("the GAN failed")
    return gan.last


def _measure_all(plan: Plan, jobs: list[Job], parts: Parts, cells: Cells) -> None:
    """Run the jobs, write every cell as it comes, and show how far it is."""
    left = sum(len(job.cells) for job in jobs)
    done = len(cells.rows)
    bar = Progress(
        TextColumn("compare"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("left  {task.fields[last]}"),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )
    with bar:
        task = bar.add_task("cells", total=done + left, completed=done, last="")
        for row in run_jobs(partial(measure, parts, plan.every), jobs, plan.workers):
            cells.append(row)
            said = "{source}, seed {seed}, step {lenet_step}, labels {labels}: {accuracy:.4f}".format(**row)
            bar.update(task, advance=1, last=said)
            if bar.disable:
                print(f"cell {len(cells.rows)} of {done + left}  {said}", file=sys.stderr, flush=True)


def _report(folder: RunFolder, rows: list[Row], source: str) -> None:
    """Write the figure, the table and the summary, and say what they show."""
    summary = figure5.summarize(rows)
    write_whole(folder.summary, json.dumps(summary, indent=2) + "\n")
    figure5.write_csv(folder.path / "figure5.csv", rows)
    figure5.draw(folder.path / "figure5.png", rows, f"Linear probes on {source}")
    print(
        "\n".join(
            [*figure5.lines(summary), f"figure, table, summary: {folder}/figure5.png, .csv, summary.json"]
        )
    )
