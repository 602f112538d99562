"""The jobs of an experiment in several processes with one thread each."""

import contextlib
import logging
import signal
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import TypeVar

import torch

from fractalgan.errors import InputError
from fractalgan.storage import Row

Job = TypeVar("Job")


def run_jobs(work: Callable[[Job], Iterator[Row]], jobs: Sequence[Job], workers: int) -> Iterator[Row]:
    """Yield the rows of ``work(job)`` for all jobs, in the order in which they finish.

    Each process has one thread: a second thread speeds up networks of this size less than a second network
    beside them does, and results do not depend on the number of processes. The processes are stopped on any
    error, and when the caller stops iterating.

    Args:
        work: a picklable function that yields the rows of a job.
        jobs: are started in this order.
        workers: number of processes.

    Yields:
        Finished rows.

    Raises:
        InputError: if a process dies.
        Exception: whatever ``work`` raises.
    """
    context = get_context("spawn")  # a fork would share the threads of numba and OpenMP, which do not fork
    waiting = list(reversed(jobs))
    running: dict[Connection, SpawnProcess] = {}
    try:
        for _ in range(min(workers, len(waiting))):
            ours, theirs = context.Pipe()
            running[ours] = context.Process(target=_serve, args=(theirs, work), daemon=True)
            with ignoring_ctrl_c():
                running[ours].start()
            theirs.close()
            ours.send(waiting.pop())
        while running:
            ready = wait(list(running))
            for connection in [each for each in running if each in ready]:
                row = _receive(connection)
                if row is not None:
                    yield row
                elif waiting:
                    connection.send(waiting.pop())
                else:
                    connection.close()
                    running.pop(connection).join()
    finally:
        for process in running.values():
            process.terminate()
            process.join()


@contextlib.contextmanager
def ignoring_ctrl_c() -> Iterator[None]:
    """A context in which processes are started that ignore Ctrl-C: it reaches all processes of a terminal.

    Their parent stops them.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # inherited by the processes
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def work_alone() -> None:
    """Let this process work with one thread, and without messages but errors."""
    torch.set_num_threads(1)
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")


def _receive(connection: Connection) -> Row | None:
    """The next row of a worker; None when its job is done."""
    try:
        found: Row | Exception | None = connection.recv()
    except EOFError:
        raise InputError(
            "a worker process died, possibly out of memory: start again with fewer --plan.workers"
        ) from None
    if isinstance(found, Exception):
        raise found
    return found


def _serve(connection: Connection, work: Callable[[Job], Iterator[Row]]) -> None:
    """The loop of a worker process: one job after the other, until there are no more."""
    work_alone()
    with contextlib.suppress(EOFError):
        while True:
            job = connection.recv()
            try:
                for row in work(job):
                    connection.send(row)
                connection.send(None)
            except Exception as error:
                if not isinstance(error, InputError):
                    traceback.print_exc()  # a traceback is lost in pickling
                connection.send(error)
