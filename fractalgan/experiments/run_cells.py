"""Run the missing cells of an experiment, save each as it finishes, and show the progress."""

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from types import FrameType
from typing import Protocol, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fractalgan.experiments.cluster import run_on_cluster
from fractalgan.experiments.workers import run_jobs
from fractalgan.storage import Cells, Row

Job = TypeVar("Job")


@dataclass(frozen=True)
class CellsJob:
    """A job that measures several cells.

    Args:
        cells: rows without their results.
    """

    cells: list[Row] = field(kw_only=True)


class WorkersPlan(Protocol):
    """Where jobs run, as a plan says."""

    @property
    def workers(self) -> int:
        """Number of processes of this machine."""

    @property
    def cluster(self) -> str | None:
        """Address of a dask scheduler, or ``local``, in place of these processes."""


WithCells = TypeVar("WithCells", bound=CellsJob)


def missing_jobs(jobs: Sequence[WithCells], cells: Cells) -> list[WithCells]:
    """The jobs with their unfinished cells; jobs without any are left out."""
    left = [replace(job, cells=[cell for cell in job.cells if cell not in cells]) for job in jobs]
    return [job for job in left if job.cells]


def run_cells(
    name: str,
    work: Callable[[Job], Iterator[Row]],
    jobs: Sequence[Job],
    count: int,
    plan: WorkersPlan,
    cells: Cells,
    describe: Callable[[Row], str],
) -> None:
    """Run jobs in several processes, or on a cluster, and append their cells.

    Args:
        name: shown beside the progress bar.
        work: yields the cells of a job.
        jobs: that are missing.
        count: the number of missing cells, of these jobs and of those that are to follow.
        plan: says where they run.
        cells: the file that the cells are appended to.
        describe: a finished cell in a few words.

    Raises:
        KeyboardInterrupt: on Ctrl-C, and with the argument "SIGTERM" on SIGTERM.
    """
    done = len(cells)
    bar = Progress(
        TextColumn(name),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("left  {task.fields[last]}"),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )
    if bar.disable and done:
        print(f"{done} of {done + count} cells are finished", file=sys.stderr, flush=True)
    with _sigterm_as_ctrl_c(), bar:
        task = bar.add_task("cells", total=done + count, completed=done, last="")
        for row in _rows(work, jobs, plan):
            if row in cells:  # of a job that a cluster has started again
                continue
            cells.append(row)
            bar.update(task, advance=1, last=describe(row))
            if bar.disable:
                line = f"cell {len(cells)} of {done + count}  {describe(row)}"
                print(line, file=sys.stderr, flush=True)


def _rows(work: Callable[[Job], Iterator[Row]], jobs: Sequence[Job], plan: WorkersPlan) -> Iterator[Row]:
    if plan.cluster is None or not jobs:
        return run_jobs(work, jobs, plan.workers)
    return run_on_cluster(work, jobs, plan.cluster, plan.workers)


@contextlib.contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    """Let SIGTERM, which a batch queue sends, stop the workers in an orderly way, too."""

    def interrupt(number: int, _: FrameType | None) -> None:
        raise KeyboardInterrupt(signal.Signals(number).name)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
