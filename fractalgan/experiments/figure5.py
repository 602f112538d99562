"""The experiment of Figure 5: learned against random fractals, for the pre-training of a LeNet."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from fractalgan.data import ImageData
from fractalgan.errors import InputError, require_at_least
from fractalgan.experiments.pretrained_features import BackboneJob, BackboneOptions, measure_backbone
from fractalgan.experiments.real_images import require_classes
from fractalgan.experiments.run_cells import missing_jobs, run_cells
from fractalgan.reports import figure5, write_summary
from fractalgan.storage import Cells, Row, RunFolder, read_checkpoint, read_fractals, write_csv
from fractalgan.tasks.probe import PIXELS, UNTRAINED

log = logging.getLogger(__name__)

KEY = figure5.COLUMNS[:-1]  # identifies a cell


@dataclass(frozen=True)
class ComparisonPlan:
    """What is compared.

    Every seed has other random fractals but the same learned ones: the spread of their results is that
    of LeNets and images, not of GANs.

    Args:
        learned: name, file, checkpoint or run folder of learned fractals; null trains a GAN first.
        gan: configuration of that GAN; null uses the default one of `fit`, for the digits.
        gan_options: more options of `fit` for that GAN.
        gan_steps: steps of earlier GAN checkpoints that are evaluated as well, after all LeNet steps.
        seeds: number of LeNets per source, each with a random seed of its own.
        steps: training steps of a LeNet.
        every: LeNet steps from one probe to the next.
        labels: numbers of labelled images per class that the probe is trained on; 0 uses all.
        workers: number of processes, with one thread each.
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

    def check(self) -> None:
        """Raise InputError for values that contradict each other or are out of range."""
        numbers = {name: getattr(self, name) for name in ("seeds", "steps", "every", "workers")}
        require_at_least(1, **{f"plan.{name}": number for name, number in numbers.items()})
        require_at_least(0, **{f"plan.labels[{k}]": each for k, each in enumerate(self.labels)})
        if self.steps % self.every:
            raise InputError(f"plan.every must divide plan.steps, {self.steps}, got {self.every}")
        if not self.labels or len(set(self.labels)) < len(self.labels):
            raise InputError(f"plan.labels must be distinct numbers, 0 for all, got {self.labels}")


@dataclass(frozen=True)
class Comparison:
    """A plan with the arguments of its parts.

    Args:
        plan: what is compared.
        data: arguments of ImageData.
        pretraining: arguments of Pretraining.
        drawing: arguments of FractalData.
    """

    plan: ComparisonPlan
    data: dict[str, Any]
    pretraining: dict[str, Any]
    drawing: dict[str, Any]

    def check(self) -> ImageData:
        """The real images, after a check of everything that would fail later.

        Raises:
            InputError: for the first invalid argument.
        """
        self.plan.check()
        real = ImageData(**self.data, binarize=None)
        real.prepare_data()
        real.setup("fit")
        self._check_labels(real)
        options = self.backbone_options(self.plan.learned)
        options.pretraining_task()
        channels = real.sample(1).shape[1]
        options.fractal_data("random", 0, channels).require_channels(channels, real.source)
        if self.plan.learned:
            fractals_by_gan_step(self.plan, self.plan.learned)
            options.fractal_data(self.plan.learned, 0).require_channels(channels, real.source)
        return real

    def run(self, folder: RunFolder, source: str, train_gan: Callable[[RunFolder], None]) -> None:
        """Measure the cells that are missing in the folder, and report on all of them.

        Args:
            folder: the run folder.
            source: the name of the real images.
            train_gan: trains the GAN of a plan without learned fractals in a run folder, or resumes it there.

        Raises:
            KeyboardInterrupt: see :func:`run_cells`.
        """
        if self.plan.learned:
            learned = fractals_by_gan_step(self.plan, self.plan.learned)
        else:
            gan = RunFolder(folder.path / "gan")
            train_gan(gan)
            learned = _own_fractals_by_gan_step(self.plan, gan)
        cells = Cells(folder.path / "cells.jsonl", KEY)
        jobs = missing_jobs(all_jobs(self.plan, learned), cells)
        options = self.backbone_options(next(iter(learned.values())))
        count = sum(len(job.cells) for job in jobs)
        work = partial(measure_backbone, options)
        run_cells("compare", work, jobs, count, self.plan.workers, cells, _describe)
        cells.sort()
        _report(folder, cells.rows, source)

    def backbone_options(self, learned: str | None) -> BackboneOptions:
        """What all jobs share; as many random fractals as learned ones, two if those are not known yet."""
        number = len(read_fractals(learned).parameters["b"]) if learned else 2
        plan = self.plan
        return BackboneOptions(number, self.data, self.pretraining, self.drawing, plan.steps, plan.every)

    def _check_labels(self, real: ImageData) -> None:
        require_classes(real, "a probe")
        assert real.train_images is not None
        smallest = int(real.train_images.labels.bincount().min())
        if max(self.plan.labels) > smallest:
            wanted = max(self.plan.labels)
            raise InputError(f"plan.labels: a class has {smallest} training images, fewer than {wanted}")


def all_jobs(plan: ComparisonPlan, learned: dict[int, str]) -> list[BackboneJob]:
    """Every job of the plan; ``learned`` maps GAN steps to the fractals of that step."""
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
    plan: ComparisonPlan, source: str, seed: int, fractals: str | None, gan_step: int | None, steps: list[int]
) -> BackboneJob:
    cells = [
        dict(zip(KEY, (source, seed, gan_step, step, labels), strict=True))
        for step in steps
        for labels in (each or "all" for each in plan.labels)
        if source != PIXELS or seed == 0 or labels != "all"  # nothing is random there
    ]
    return BackboneJob(source, seed, fractals, cells=cells)


def fractals_by_gan_step(plan: ComparisonPlan, learned: str) -> dict[int, str]:
    """Learned fractals by GAN step: the earlier checkpoints of ``plan.gan_steps``, and ``learned``.

    Raises:
        InputError: if one does not exist or is not earlier.
    """
    last = read_fractals(learned).provenance.get("step") or 0
    path = Path(learned)
    run = RunFolder(path)
    beside = run.checkpoints if path.is_dir() else path.parent
    earlier = {step: beside / run.periodic(step).name for step in sorted(plan.gan_steps)}
    for step, file in earlier.items():
        if step >= last:
            raise InputError(f"plan.gan_steps must be below the step of {learned}, {last}, got {step}")
        if not file.is_file():
            raise InputError(f"plan.gan_steps: checkpoint {file} does not exist")
    return {step: str(file) for step, file in earlier.items()} | {last: learned}


def _own_fractals_by_gan_step(plan: ComparisonPlan, gan: RunFolder) -> dict[int, str]:
    """Those of the comparison's own GAN; steps without a checkpoint are left out."""
    last = read_checkpoint(gan.last)["global_step"]
    kept = {step: gan.periodic(step) for step in sorted(plan.gan_steps)}
    found = {step: str(path) for step, path in kept.items() if path.is_file() and step < last}
    if missing := kept.keys() - found.keys():
        log.warning("--plan.gan_steps: the GAN has no earlier checkpoint of %s: skipped", sorted(missing))
    return found | {last: str(gan.last)}


def _describe(row: Row) -> str:
    return "{source}, seed {seed}, step {lenet_step}, labels {labels}: {accuracy:.4f}".format(**row)


def _report(folder: RunFolder, rows: list[Row], source: str) -> None:
    summary = figure5.summarize(rows)
    write_summary(folder, summary)
    write_csv(folder.path / "figure5.csv", figure5.COLUMNS, rows)
    figure5.draw(folder.path / "figure5.png", rows, f"Linear probes on {source}")
    files = f"figure, table, summary: {folder}/figure5.png, figure5.csv, summary.json"
    print("\n".join([*figure5.lines(summary), files]))
