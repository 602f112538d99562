"""Pre-training data compared: fractals of several sources, as a network's first images (Figure 5)."""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from fractalgan.data import SYNTHETIC, ImageData
from fractalgan.errors import InputError
from fractalgan.experiments.comparison_plan import LEARNED, ComparisonPlan
from fractalgan.experiments.hardware import trainer_options
from fractalgan.experiments.pretrained_features import BackboneJob, BackboneOptions, measure_backbone
from fractalgan.experiments.recipe import Recipe
from fractalgan.experiments.run_cells import missing_jobs, run_cells
from fractalgan.reports import figure5, write_summary
from fractalgan.storage import Cells, Row, RunFolder, read_checkpoint, read_fractals, write_csv
from fractalgan.tasks.probe import PIXELS, UNTRAINED
from fractalgan.tasks.protocols import require_classes

log = logging.getLogger(__name__)

NUM_FRACTALS = 100  # where no learned ones say how many


@dataclass(frozen=True)
class Comparison:
    """A plan with the arguments of its parts.

    Args:
        plan: what is compared.
        data: arguments of ImageData.
        pretraining: arguments of Pretraining.
        drawing: arguments of FractalData.
        finetuning: how Classifier fine-tunes a network.
    """

    plan: ComparisonPlan
    data: dict[str, Any]
    pretraining: dict[str, Any]
    drawing: dict[str, Any]
    finetuning: Recipe

    def check(self) -> ImageData:
        """The real images, after a check of everything that would fail later.

        Raises:
            InputError: for the first invalid argument.
        """
        plan = self.plan
        plan.check()
        real = ImageData(**self.data, binarize=None)
        real.prepare_data()
        real.setup("fit")
        self._check_labels(real)
        options = self.backbone_options(plan.learned)
        options.pretraining_task()
        if "finetune" in plan.protocols:
            with self.finetuning.named("finetuning"):
                options.finetuning_task(None, 0)
        channels = real.sample(1).shape[1]
        if plan.learned:
            fractals_by_gan_step(plan, plan.learned)
        for source in plan.pretrained:
            fractals = plan.learned if source == LEARNED else source
            if fractals is not None:
                options.fractal_data(fractals, 0, channels).require_channels(channels, real.source)
        return real

    def run(self, folder: RunFolder, source: str, train_gan: Callable[[RunFolder], None]) -> None:
        """Measure the cells that are missing in the folder, and report on all of them.

        Args:
            folder: the run folder.
            source: the name of the real images.
            train_gan: trains the GAN of a plan without learned fractals in a run folder, or resumes it there.

        Raises:
            InputError: if cells in the folder are of other fractals.
            KeyboardInterrupt: see :func:`run_cells`.
        """
        learned = self._learned(folder, train_gan)
        cells = Cells(folder.path / "cells.jsonl", figure5.KEY, figure5.current_row)
        jobs = _with_digests(all_jobs(self.plan, learned))
        _check_cells(jobs, cells)
        if (finished := figure5.count_seeds(cells.rows)) > self.plan.seeds:
            log.warning(
                "%s has results of %d seeds, more than --plan.seeds %d: all are reported",
                cells.path, finished, self.plan.seeds,
            )  # fmt: skip
        jobs = missing_jobs(jobs, cells)
        options = self.backbone_options(next(iter(learned.values()), None))
        count = sum(len(job.cells) for job in jobs)
        work = partial(measure_backbone, options)
        run_cells("compare", work, jobs, count, self.plan, cells, _describe)
        cells.sort()
        _report(folder, cells.rows, source, options.pretraining_task().network.title)

    def _learned(self, folder: RunFolder, train_gan: Callable[[RunFolder], None]) -> dict[int, str]:
        """The learned fractals by GAN step; none if they are not compared."""
        if LEARNED not in self.plan.sources:
            return {}
        if self.plan.learned:
            return fractals_by_gan_step(self.plan, self.plan.learned)
        gan = RunFolder(folder.path / "gan")
        train_gan(gan)
        return _own_fractals_by_gan_step(self.plan, gan)

    def backbone_options(self, learned: str | None) -> BackboneOptions:
        """What all jobs share; as many random fractals as learned ones, unless the plan has a number."""
        plan = self.plan
        number = plan.num_fractals
        if number is None:
            number = len(read_fractals(learned).parameters["b"]) if learned else NUM_FRACTALS
        parts = self.data, self.pretraining, self.drawing, self.finetuning
        return BackboneOptions(number, *parts, plan.steps, plan.every, trainer_options(plan))

    def _check_labels(self, real: ImageData) -> None:
        require_classes(real, "compare needs")
        assert real.train_images is not None
        smallest = int(real.train_images.labels.bincount().min())
        if max(self.plan.labels) > smallest:
            wanted = max(self.plan.labels)
            raise InputError(f"--plan.labels: a class has {smallest} training images, fewer than {wanted}")


def all_jobs(plan: ComparisonPlan, learned: dict[int, str]) -> list[BackboneJob]:
    """Every job of the plan; ``learned`` maps GAN steps to the fractals of that step."""
    last = max(learned, default=None)
    steps = list(range(plan.every, plan.steps + 1, plan.every))
    jobs = []
    for seed in range(plan.seeds):
        for source in plan.sources:
            if source in (PIXELS, UNTRAINED):
                jobs.append(_job(plan, source, seed, None, None, [0]))
            elif source == LEARNED and last is not None:
                jobs.append(_job(plan, source, seed, learned[last], last, steps))
            elif source != LEARNED:
                jobs.append(_job(plan, source, seed, source, None, steps))
    earlier = [(gan_step, path) for gan_step, path in learned.items() if gan_step != last]
    for seed in range(plan.seeds):
        for gan_step, path in earlier:
            jobs.append(_job(plan, LEARNED, seed, path, gan_step, steps[-1:]))
    return [job for job in jobs if job.cells]


def _job(
    plan: ComparisonPlan, source: str, seed: int, fractals: str | None, gan_step: int | None, steps: list[int]
) -> BackboneJob:
    cells = [
        dict(zip(figure5.KEY, (source, seed, gan_step, step, labels, protocol), strict=True))
        for step in steps
        for labels in (each or "all" for each in plan.labels)
        for protocol in plan.protocols
        # pixels have no weights to be trained, and nothing is random in a probe of all of them
        if source != PIXELS or (protocol == "probe" and (seed == 0 or labels != "all"))
    ]
    return BackboneJob(source, seed, fractals, cells=cells)


def _with_digests(jobs: list[BackboneJob]) -> list[BackboneJob]:
    """The jobs, whose cells also say which fractals they are of, if these are learned."""
    digest = cache(_digest)  # a file is read once, for all seeds
    return [
        replace(job, cells=[cell | {figure5.DIGEST: digest(job.fractals)} for cell in job.cells])
        if job.fractals is not None and job.fractals not in SYNTHETIC
        else job
        for job in jobs
    ]


def _digest(fractals: str) -> str:
    """What identifies the numbers of fractals, whatever the file that they are in."""
    parameters = read_fractals(fractals).parameters
    found = hashlib.sha256()
    for name in sorted(parameters):
        found.update(parameters[name].numpy().tobytes())
    return found.hexdigest()[:16]


def _check_cells(jobs: list[BackboneJob], cells: Cells) -> None:
    """Raise InputError instead of mixing cells of other fractals with those of the jobs."""
    wanted = {
        (cell["source"], cell["gan_step"]): cell[figure5.DIGEST]
        for job in jobs
        for cell in job.cells
        if figure5.DIGEST in cell
    }
    for row in cells.rows:
        digest = wanted.get((row["source"], row["gan_step"]))
        if digest and row.get(figure5.DIGEST, digest) != digest:
            found = f"{cells.path} has results of other fractals of {row['source']}"
            raise InputError(f"{found}: set another --run")


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
            raise InputError(
                f"--plan.gan_steps: {learned} has no checkpoint of step {step} beside it: set --plan.learned"
                " to the run of a GAN, or --plan.gan_steps '[]'"
            )
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
    text = "{source}, seed {seed}, step {network_step}, labels {labels}, {protocol}: {accuracy:.4f}"
    return text.format(**row)


def _report(folder: RunFolder, rows: list[Row], source: str, network: str) -> None:
    summary = figure5.summarize(rows) | {"data": source, "network": network}
    write_summary(folder, summary)
    write_csv(folder.path / "figure5.csv", figure5.COLUMNS, rows)
    figure5.draw(folder.path / "figure5.png", rows, f"{network} on {source}")
    files = f"figure, table, summary: {folder}/figure5.png, figure5.csv, summary.json"
    print("\n".join([*figure5.lines(summary), files]))
