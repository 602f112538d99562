"""The table of labeled fractals: what a network learns from small stored sets, by source and storage."""

from dataclasses import dataclass

from fractalgan.experiments.distillation_plan import GROUPS, DistillationPlan
from fractalgan.experiments.recipe import Recipe
from fractalgan.experiments.run_cells import CellsJob, missing_jobs, run_cells
from fractalgan.experiments.set_accuracy import SetAccuracies
from fractalgan.experiments.stored_sets import StoredSets
from fractalgan.reports import distill, write_summary
from fractalgan.storage import Cells, Row, RunFolder, atomic_write, write_csv
from fractalgan.tasks import Classifier

FIRST_SEED = 0  # at which jitters are chosen


@dataclass(frozen=True)
class DistillationTable:
    """A plan with its sets and its network.

    Args:
        sets: what networks are trained on.
        classifier: how they are trained.
    """

    sets: StoredSets
    classifier: Recipe

    @property
    def plan(self) -> DistillationPlan:
        """What is compared."""
        return self.sets.plan

    def check(self) -> None:
        """Raise InputError for the first option that would fail later."""
        self.plan.check()
        with self.classifier.named("classifier"):
            self._task()
        self.sets.check()

    def run(self, folder: RunFolder) -> None:
        """Measure the cells that are missing in the folder, and report on all of them.

        Args:
            folder: the run folder.

        Raises:
            KeyboardInterrupt: see :func:`run_cells`.
        """
        cells = Cells(folder.path / "cells.jsonl", distill.KEY)
        work = SetAccuracies(self.sets, self.classifier, folder.path / "fractals")
        first, later = jobs_of(self.plan)
        for jobs in (first, later):
            count = sum(len(job.cells) for job in missing_jobs([*first, *later], cells))
            missing = [with_jitters(job, cells.rows) for job in missing_jobs(jobs, cells)]
            run_cells("distill", work, missing, count, self.plan, cells, _describe)
        cells.sort()
        self._report(folder, cells.rows)

    def _report(self, folder: RunFolder, rows: list[Row]) -> None:
        sets = self.sets
        numbers = sets.numbers_of_image * len(sets.real.classes)
        summary = distill.summarize(rows, sets.real.source, self._task().network.title, numbers)
        write_summary(folder, summary)
        write_csv(folder.path / "distill.csv", distill.COLUMNS, rows)
        text = distill.as_markdown(summary)
        atomic_write(folder.path / "distill.md", text)
        distill.draw(folder.path / "distill.png", summary)
        print(text)
        print(f"table, figure, summary: {folder}/distill.md, distill.csv, distill.png, summary.json")

    def _task(self) -> Classifier:
        return Classifier(image_size=self.sets.data["size"], **self.classifier.arguments)


def jobs_of(plan: DistillationPlan) -> tuple[list[CellsJob], list[CellsJob]]:
    """The jobs of the plan in two parts: the first chooses the jitters that the second needs."""
    first: list[CellsJob] = []
    later: list[CellsJob] = []
    for seed in range(plan.seeds):
        for images in sorted(plan.images_per_class, reverse=True):  # what takes longest comes first
            for group in GROUPS:
                cells = [
                    {"images_per_class": images, "source": source, "seed": seed}
                    for source in group
                    if source in plan.sources
                ]
                chooses = seed == FIRST_SEED or group[0] in distill.IMAGES  # which have no jitter
                if cells:
                    (first if chooses else later).append(CellsJob(cells=cells))
    first.sort(key=lambda job: job.cells[0]["source"] in distill.IMAGES)
    return first, later


def with_jitters(job: CellsJob, rows: list[Row]) -> CellsJob:
    """The job with the jitters that were chosen at the first seed; unchanged if it is to choose them.

    Args:
        job: of one seed.
        rows: the finished cells.
    """
    chosen = {
        (row["images_per_class"], row["source"]): row["jitter"] for row in rows if row["seed"] == FIRST_SEED
    }
    cells = [
        cell
        if cell["seed"] == FIRST_SEED
        else cell | {"jitter": chosen.get((cell["images_per_class"], cell["source"]))}
        for cell in job.cells
    ]
    return CellsJob(cells=cells)


def _describe(row: Row) -> str:
    return "{source}, {images_per_class} per class, seed {seed}: {accuracy:.4f}".format(**row)
