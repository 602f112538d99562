"""Jobs of an experiment in several processes, each with one thread; their rows as they come."""

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

from fractalgan.cells import Row
from fractalgan.errors import InputError

Job = TypeVar("Job")


def run_jobs(work: Callable[[Job], Iterator[Row]], jobs: Sequence[Job], workers: int) -> Iterator[Row]:
    """Yield the rows of ``work(job)`` for all jobs, in the order in which they are finished.

    One thread a process: nets this small gain less from a second thread than from a second net beside
    them, and the results do not depend on how many processes there are. What a job raises is raised
    here; the processes are stopped then, and whenever the caller leaves. Raises InputError where one of
    them dies.
    """
    context = get_context("spawn")  # a fork would share the threads of numba and OpenMP, which do not fork
    waiting = list(reversed(jobs))
    running: dict[Connection, SpawnProcess] = {}
    try:
        for _ in range(min(workers, len(waiting))):
            ours, theirs = context.Pipe()
            running[ours] = context.Process(target=_serve, args=(theirs, work), daemon=True)
            _start(running[ours])
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


def _start(process: SpawnProcess) -> None:
    """Start it deaf to Ctrl-C, which reaches all processes of a terminal: who started it stops it."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # which the process inherits
    try:
        process.start()
    finally:
        signal.signal(signal.SIGINT, before)


def _receive(connection: Connection) -> Row | None:
    """The next row of a worker; None where its job is done."""
    try:
        found: Row | Exception | None = connection.recv()
    except EOFError:
        raise InputError("a worker died, of too little memory perhaps: start again with fewer") from None
    if isinstance(found, Exception):
        raise found
    return found


def _serve(connection: Connection, work: Callable[[Job], Iterator[Row]]) -> None:
    """In a process of its own: one job after the other, until nobody sends more."""
    torch.set_num_threads(1)
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    with contextlib.suppress(EOFError):
        while True:
            job = connection.recv()
            try:
                for row in work(job):
                    connection.send(row)
                connection.send(None)
            except Exception as error:
                if not isinstance(error, InputError):
                    traceback.print_exc()  # which is lost on the way
                connection.send(error)
