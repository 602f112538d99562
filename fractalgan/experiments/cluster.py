"""The jobs of an experiment on a dask cluster: workers on any number of machines that share a file system."""

import logging
import os
import queue
import socket
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import torch

from fractalgan import __version__
from fractalgan.errors import InputError, require_extra
from fractalgan.experiments.workers import ignoring_ctrl_c, work_alone
from fractalgan.storage import Row

log = logging.getLogger(__name__)

Job = TypeVar("Job")

LOCAL = "local"  # a cluster on this machine, in place of an address
TIMEOUT = 10  # seconds to reach a scheduler


def run_on_cluster(
    work: Callable[[Job], Iterator[Row]], jobs: Sequence[Job], cluster: str, workers: int
) -> Iterator[Row]:
    """Yield the rows of ``work(job)`` for all jobs, as workers finish them.

    Every row comes at once, and again with the others of its job when that is finished, or is started again,
    because its worker died.

    Args:
        work: a picklable function that yields the rows of a job.
        jobs: are started in this order.
        cluster: address of the scheduler, such as ``tcp://host:8786``; or ``local``.
        workers: number of processes of a local cluster.

    Yields:
        Finished rows, each at least once.

    Raises:
        InputError: if the cluster cannot be reached or used, and if a job's workers die again and again.
        Exception: whatever ``work`` raises.
    """
    require_extra("cluster", f"--plan.cluster {cluster}")
    from distributed import Event, Future, KilledWorker

    with _client(cluster, workers) as client:
        topic = f"fractalgan-{uuid.uuid4()}"
        stop, found = Event(topic, client=client), queue.SimpleQueue[Any]()
        client.subscribe_topic(topic, lambda event: found.put(event[1]["row"]))
        place = os.getcwd(), _versions()
        futures = [
            client.submit(
                _run, work, job, topic, *place, key=f"{topic}-{number}", priority=-number, pure=False
            )
            for number, job in enumerate(jobs)
        ]
        for future in futures:
            future.add_done_callback(found.put)
        try:
            left = len(futures)
            while left:
                each = found.get()
                if isinstance(each, Future):
                    left -= 1
                    yield from each.result()
                else:
                    yield each
        except KilledWorker as error:
            raise InputError(
                "the workers of a job died again and again, possibly out of memory: see their logs"
            ) from error
        except CancelledError as error:
            raise InputError(
                f"lost the dask scheduler at {cluster}: start it and its workers, then resume with --run"
            ) from error
        finally:
            with suppress(OSError, RuntimeError, CancelledError):  # of a scheduler that is gone
                stop.set()
                client.unsubscribe_topic(topic)
                client.cancel(futures, force=True)


def _run(
    work: Callable[[Job], Iterator[Row]], job: Job, topic: str, folder: str, versions: dict[str, str]
) -> list[Row]:
    """On a worker: the rows of a job, each of which is sent to the client at once, too.

    A job cannot be interrupted, but it ends after a row if the client has stopped.
    """
    from distributed import Event, get_worker

    _require_one_thread({get_worker().address: get_worker().state.nthreads})
    prepare_worker(folder, versions)  # it may have come after the client
    rows, stop = [], Event(topic)
    for row in work(job):
        get_worker().log_event(topic, {"row": row})  # to which it adds its address
        rows.append(row)
        if stop.is_set():
            break
    return rows


@contextmanager
def _client(cluster: str, workers: int) -> Iterator[Any]:
    """A client of a cluster whose workers are ready for jobs."""
    from distributed import Client

    if cluster == LOCAL:
        with ignoring_ctrl_c():
            own = _local_cluster(workers)
        with own, Client(own) as client:
            _prepare(client)
            yield client
        return
    try:
        client = Client(cluster, timeout=TIMEOUT)
    except (OSError, ValueError) as error:
        raise InputError(
            f"--plan.cluster: there is no dask scheduler at {cluster}: start one with `dask scheduler`"
        ) from error
    with client:
        _prepare(client)
        yield client


def _local_cluster(workers: int) -> Any:
    from distributed import LocalCluster

    return LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        memory_limit=0,  # by default, workers of a machine with many cores may use a small share each
        dashboard_address=None,
        silence_logs=logging.ERROR,
    )


def _prepare(client: Any) -> None:
    """Check the workers that have come already, before the first job."""
    threads = client.nthreads()
    if not threads:
        address = client.scheduler.address
        log.warning("the cluster has no workers yet: start some with `dask worker %s --nthreads 1`", address)
    _require_one_thread(threads)
    client.run(prepare_worker, os.getcwd(), _versions())


def _require_one_thread(threads: Mapping[str, int]) -> None:
    """Raise InputError for a worker of several threads, by its address: jobs would share a random state."""
    if crowded := [address for address, number in threads.items() if number > 1]:
        raise InputError(
            f"--plan.cluster: the worker {crowded[0]} would run several jobs in one process:"
            " start it with `dask worker --nthreads 1`"
        )


def prepare_worker(folder: str, versions: dict[str, str]) -> None:
    """On a worker: go to the folder that relative paths refer to, and work with one thread, quietly.

    Raises:
        InputError: for other versions than those of the client, with which results would differ, and without
            that folder.
    """
    found = _versions()
    if differing := [name for name in versions if found[name] != versions[name]]:
        name = differing[0]
        raise InputError(
            f"--plan.cluster: the worker on {socket.gethostname()} has {name} {found[name]}, not"
            f" {versions[name]}: install the same version"
        )
    try:
        os.chdir(folder)
    except OSError as error:
        raise InputError(
            f"--plan.cluster: the worker on {socket.gethostname()} does not have the folder {folder}: all"
            " machines have to share it"
        ) from error
    work_alone()


def _versions() -> dict[str, str]:
    """Of what results follow from."""
    return {"fractalgan": __version__, "torch": torch.__version__}
