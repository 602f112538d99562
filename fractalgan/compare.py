"""`compare`: the whole of Figure 5, what learned fractals are worth against random ones, in one command."""

import logging
import shutil
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import yaml
from jsonargparse import ArgumentParser, Namespace

from fractalgan import cli
from fractalgan.answer import EXIT_STATUS, answer
from fractalgan.callbacks import kept_path
from fractalgan.cells import Cells, Row
from fractalgan.checkpoint_file import read_checkpoint
from fractalgan.data import FractalData, ImageData
from fractalgan.errors import InputError, require_at_least
from fractalgan.experiment import make_parser, open_folder, parse, run_cells, stopped, write_summary
from fractalgan.measure import Job, Parts, measure
from fractalgan.nn import read_fractals
from fractalgan.reports import figure5, write_csv
from fractalgan.run_folder import RunFolder
from fractalgan.tasks import Pretraining
from fractalgan.tasks.probe import PIXELS, UNTRAINED

log = logging.getLogger("fractalgan.compare")

KEY = figure5.COLUMNS[:-1]  # what tells one cell from another

# What is settled by the comparison itself, and so is no option of its parts.
SETTLED = {
    "data": {"binarize", "batch_size", "seed"},
    "pretraining": {"fractals", "num_fractals", "image_size"},
    "drawing": {"fractals", "num_fractals", "fractals_seed", "size", "num_workers", "seed"},
}

# Options that may be others when a comparison is gone on with.
FREE = {"plan": {"seeds", "workers"}, "data": {"root"}}


@dataclass(frozen=True)
class Plan:
    """What is compared.

    The random fractals are others for every seed, the learned ones the same: the spread of their
    results is that of LeNets and of images, not of GANs.

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


# -- all jobs -----------------------------------------------------------------------------------------


def all_jobs(plan: Plan, learned: dict[int, str]) -> list[Job]:
    """Every job of the plan; ``learned`` are the files of learned fractals by their GAN step."""
    last = max(learned)
    steps = list(range(plan.every, plan.steps + 1, plan.every))
    jobs = []
    for seed in range(plan.seeds):
        jobs.append(_job(plan, PIXELS, seed, None, None, [0]))
        jobs.append(_job(plan, UNTRAINED, seed, None, None, [0]))
        jobs.append(_job(plan, "random", seed, "random", None, steps))
        jobs.append(_job(plan, "learned", seed, learned[last], last, steps))
    earlier = [(gan_step, path) for gan_step, path in learned.items() if gan_step != last]
    for seed in range(plan.seeds):
        for gan_step, path in earlier:
            jobs.append(_job(plan, "learned", seed, path, gan_step, steps[-1:]))
    return jobs


def _job(
    plan: Plan, source: str, seed: int, fractals: str | None, gan_step: int | None, steps: list[int]
) -> Job:
    cells = [
        dict(zip(KEY, (source, seed, gan_step, step, labels), strict=True))
        for step in steps
        for labels in (each or "all" for each in plan.labels)
        if source != PIXELS or seed == 0 or labels != "all"  # where nothing is random
    ]
    return Job(source, seed, fractals, cells)


def missing(jobs: list[Job], cells: Cells) -> list[Job]:
    """The jobs with the cells that are not done yet; without those that have none left."""
    left = [job._replace(cells=[cell for cell in job.cells if cell not in cells]) for job in jobs]
    return [job for job in left if job.cells]


# -- the command --------------------------------------------------------------------------------------


def run(arguments: list[str]) -> int:
    """Run one command line of `compare` and return its exit status."""
    return answer(lambda: _compare(arguments))


def _compare(arguments: list[str]) -> int:
    """Measure what is missing, and draw the figure of all that there is."""
    options = parse(_parser(), arguments)
    plan = Plan(**vars(options.plan))
    real = _check(plan, options)
    with _folder(options) as folder:
        return _fill(folder, plan, options, real)


def _fill(folder: RunFolder, plan: Plan, options: Namespace, real: ImageData) -> int:
    """Measure the cells that the folder lacks, and report on all; the exit status."""
    try:
        if not plan.learned and (status := _train_gan(plan, options, RunFolder(folder.path / "gan"))):
            if status in EXIT_STATUS.values():
                raise KeyboardInterrupt
            return status
        learned = _by_gan_step(plan, plan.learned) if plan.learned else _own_by_gan_step(plan, folder)
        cells = Cells(folder.path / "cells.jsonl", KEY)
        left = missing(all_jobs(plan, learned), cells)
        work = partial(measure, _parts(plan, options, next(iter(learned.values()))))
        run_cells("compare", work, left, sum(len(job.cells) for job in left), plan.workers, cells, _describe)
    except KeyboardInterrupt:
        return stopped("compare", folder)
    cells.sort()
    _report(folder, cells.rows, real.source)
    return 0


def _describe(row: Row) -> str:
    return "{source}, seed {seed}, step {lenet_step}, labels {labels}: {accuracy:.4f}".format(**row)


def _parser() -> ArgumentParser:
    parser = make_parser("compare", __doc__)
    parser.add_argument("--seed_everything", type=int, default=0, help="Seed of the GAN.")
    parser.add_class_arguments(Plan, "plan")
    for name, kind in {"data": ImageData, "pretraining": Pretraining, "drawing": FractalData}.items():
        parser.add_class_arguments(kind, name, skip=SETTLED[name])
    return parser


def _check(plan: Plan, options: Namespace) -> ImageData:
    """Refuse, before anything is written, what would fail later; the real images."""
    require_at_least(
        1, **{f"plan.{name}": getattr(plan, name) for name in ("seeds", "steps", "every", "workers")}
    )
    require_at_least(0, **{f"plan.labels[{k}]": each for k, each in enumerate(plan.labels)})
    if plan.steps % plan.every:
        raise InputError(f"plan.every: want a divisor of plan.steps, {plan.steps}, got {plan.every}")
    if not plan.labels or len(set(plan.labels)) < len(plan.labels):
        raise InputError(f"plan.labels: want different numbers; 0 stands for all; got {plan.labels}")
    real = ImageData(**vars(options.data), binarize=None)
    real.prepare_data()
    real.setup("fit")
    _check_labels(plan, real)
    parts = _parts(plan, options, plan.learned)
    parts.pretraining_task()
    parts.fractal_data("random", 0)
    if plan.learned:
        _by_gan_step(plan, plan.learned)
    return real


def _check_labels(plan: Plan, real: ImageData) -> None:
    if len(real.classes) < 2:
        raise InputError(f"{real.source} has no labels of two classes, which a linear probe learns from")
    assert real.train_images is not None
    least = int(real.train_images.labels.bincount().min())
    if max(plan.labels) > least:
        raise InputError(f"plan.labels: a class has {least} images for training, not {max(plan.labels)}")


def _parts(plan: Plan, options: Namespace, learned: str | None) -> Parts:
    """What all jobs share; as many fractals as the learned ones, two as long as there are none."""
    number = len(read_fractals(learned).parameters["b"]) if learned else 2
    return Parts(
        number,
        vars(options.data),
        vars(options.pretraining),
        vars(options.drawing),
        plan.steps,
        plan.every,
    )


def _folder(options: Namespace) -> AbstractContextManager[RunFolder]:
    """The folder that is gone on with, if it was made with the same options, or a new one."""
    named = options.data.name == "folder"
    name = Path(options.data.root).resolve().name if named else options.data.name
    return open_folder(_parser(), options, f"compare-{name}", FREE)


def _own_by_gan_step(plan: Plan, folder: RunFolder) -> dict[int, str]:
    """Those of the comparison's own GAN; steps that it did not come to, or kept nothing of, are left out."""
    gan = RunFolder(folder.path / "gan")
    kept = {step: kept_path(gan.checkpoints, step) for step in sorted(plan.gan_steps)}
    last = read_checkpoint(gan.last)["global_step"]
    there = {step: str(path) for step, path in kept.items() if path.is_file() and step < last}
    if lacking := kept.keys() - there.keys():
        log.warning(
            "plan.gan_steps: the GAN has no earlier checkpoint of %s, which is left out", sorted(lacking)
        )
    return there | {last: str(gan.last)}


def _by_gan_step(plan: Plan, path: str) -> dict[int, str]:
    """The files of learned fractals by GAN step: those of ``plan.gan_steps``, beside ``path``, and it."""
    last = read_fractals(path).provenance.get("step") or 0
    earlier = {step: kept_path(Path(path).parent, step) for step in sorted(plan.gan_steps)}
    for step, file in earlier.items():
        if step >= last:
            raise InputError(f"plan.gan_steps: want steps before that of {path}, {last}, got {step}")
        if not file.is_file():
            raise InputError(f"plan.gan_steps: there is no checkpoint {file}")
    return {step: str(file) for step, file in earlier.items()} | {last: path}


class PartOfComparison(cli.FractalCLI):
    """A run after which the comparison goes on by itself."""

    def what_next(self, finished: bool) -> list[str]:
        return []


def _train_gan(plan: Plan, options: Namespace, gan: RunFolder) -> int:
    """Train the GAN of the plan in its folder, or go on where it was stopped; the exit status of `fit`."""
    if gan.last.is_file():
        max_steps = yaml.safe_load(gan.config.read_text())["trainer"]["max_steps"]
        if read_checkpoint(gan.last)["global_step"] >= max_steps:
            return 0
        given = [f"--ckpt_path={gan.last}"]
    else:
        if not any(gan.checkpoints.glob("*.ckpt")):
            shutil.rmtree(gan.path, ignore_errors=True)  # of a run that has saved nothing
        given = ["--config", plan.gan] if plan.gan else []
        given += [f"--data.{name}={value}" for name, value in vars(options.data).items()]
        given += [f"--run={gan}", f"--seed_everything={options.seed_everything}", "--trainer.devices=1"]
        given += plan.gan_options
    return cli.run(["fit", *given], PartOfComparison)


def _report(folder: RunFolder, rows: list[Row], source: str) -> None:
    """Write the figure, the table and the summary, and say what they show."""
    summary = figure5.summarize(rows)
    write_summary(folder, summary)
    write_csv(folder.path / "figure5.csv", figure5.COLUMNS, rows)
    figure5.draw(folder.path / "figure5.png", rows, f"Linear probes on {source}")
    print(
        "\n".join(
            [*figure5.lines(summary), f"figure, table, summary: {folder}/figure5.png, .csv, summary.json"]
        )
    )
