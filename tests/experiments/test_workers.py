"""Jobs in several processes."""

import os
import signal
from collections.abc import Iterator

import pytest
import torch

from fractalgan.errors import InputError
from fractalgan.experiments.workers import run_jobs


def squares(job: int) -> Iterator[dict]:
    for step in range(3):
        yield {"job": job, "step": step, "value": job**2, "threads": torch.get_num_threads()}


def fails(job: int) -> Iterator[dict]:
    yield {"job": job}
    raise InputError(f"job {job} cannot be done")


def handlers(_: int) -> Iterator[dict]:
    yield {"ignores": signal.getsignal(signal.SIGINT) == signal.SIG_IGN}


def dies(job: int) -> Iterator[dict]:
    yield {"job": job}
    os._exit(9)


@pytest.mark.usefixtures("warm_workers")
def test_rows_keep_the_order_of_their_job() -> None:
    rows = list(run_jobs(squares, range(5), workers=2))
    assert {row["threads"] for row in rows} == {1}
    for job in range(5):
        of_job = [row for row in rows if row["job"] == job]
        assert [row["step"] for row in of_job] == [0, 1, 2]
        assert all(row["value"] == job**2 for row in of_job)
    assert list(run_jobs(squares, [], workers=2)) == []


@pytest.mark.usefixtures("warm_workers")
def test_exception_of_a_job_is_raised_here() -> None:
    with pytest.raises(InputError, match="job 3 cannot be done"):
        list(run_jobs(fails, [3], workers=1))


def test_workers_ignore_ctrl_c() -> None:
    before = signal.getsignal(signal.SIGINT)
    rows = run_jobs(handlers, [1], workers=1)
    assert next(rows) == {"ignores": True}
    assert signal.getsignal(signal.SIGINT) == before
    rows.close()


@pytest.mark.usefixtures("warm_workers")
def test_death_of_a_worker_is_noticed() -> None:
    with pytest.raises(InputError, match="a worker process died"):
        list(run_jobs(dies, [1, 2], workers=2))
