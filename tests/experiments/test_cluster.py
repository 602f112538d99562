"""Jobs on a dask cluster: a scheduler and two workers on this machine, one of which dies."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from fractalgan.cli.program import run
from fractalgan.errors import InputError
from fractalgan.experiments.cluster import prepare_worker, run_on_cluster
from fractalgan.experiments.workers import run_jobs

pytestmark = pytest.mark.timeout(300)

ROOT = Path(__file__).parents[2]


class Cluster(NamedTuple):
    """A scheduler and its workers, as processes."""

    address: str
    workers: list[subprocess.Popen]
    scheduler: subprocess.Popen


def squares(job: int) -> Iterator[dict]:
    for step in range(3):
        yield {"job": job, "step": step, "value": job**2, "threads": torch.get_num_threads()}


def dies_once(job: int) -> Iterator[dict]:
    yield {"job": job, "step": 0}
    if job == 1 and not Path("died").exists():
        Path("died").touch()
        os._exit(9)
    yield {"job": job, "step": 1}


def fails(job: int) -> Iterator[dict]:
    yield {"job": job}
    raise InputError(f"job {job} cannot be done")


def start(folder: Path, *workers: str) -> Iterator[Cluster]:
    """A cluster whose processes do not know of the folder of the test."""
    file = folder / "scheduler.json"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    dask = [sys.executable, "-m", "dask"]
    named = [f"--scheduler-file={file}", "--no-dashboard"]
    scheduler = subprocess.Popen(
        [*dask, "scheduler", *named, "--host=127.0.0.1", "--port=0"], env=environment, cwd="/"
    )
    processes = [
        subprocess.Popen([*dask, "worker", *named, "--no-nanny", *options.split()], env=environment, cwd="/")
        for options in workers
    ]
    try:
        while not file.exists():
            assert scheduler.poll() is None
            time.sleep(0.1)
        from distributed import Client

        with Client(scheduler_file=str(file), timeout=60) as client:
            if workers:
                client.wait_for_workers(len(workers), timeout=120)
            address = client.scheduler_info()["address"]
        yield Cluster(address, processes, scheduler)
    finally:
        for process in [*processes, scheduler]:
            process.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    yield from start(tmp_path_factory.mktemp("cluster"), "--nthreads=1", "--nthreads=1")


@pytest.fixture
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    yield from start(tmp_path_factory.mktemp("cluster"), "--nthreads=2")


def distinct(rows: Iterator[dict]) -> list[dict]:
    """Rows without repetitions, in order."""
    return sorted(
        {tuple(row.items()): row for row in rows}.values(), key=lambda row: (row["job"], row["step"])
    )


def test_rows_are_those_of_local_processes_and_a_dead_worker_loses_none(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = distinct(run_on_cluster(squares, range(4), cluster.address, 0))
    assert rows == distinct(run_jobs(squares, range(4), workers=1))
    with pytest.raises(InputError, match="job 3 cannot be done"):
        list(run_on_cluster(fails, [3], cluster.address, 0))

    rows = distinct(run_on_cluster(dies_once, range(3), cluster.address, 0))
    assert rows == [{"job": job, "step": step} for job in range(3) for step in range(2)]
    assert Path("died").exists()  # in the folder of the caller
    assert sum(worker.poll() is not None for worker in cluster.workers) == 1


def test_experiment_on_a_cluster_equals_the_local_one_to_the_byte(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker is killed after the first cell."""
    monkeypatch.chdir(tmp_path)
    options = ["--data.size=16", "--plan.seeds=2", "--plan.steps=4", "--plan.every=2", "--plan.labels=[10]"]
    options += ["--plan.sources=[untrained,random,learned]", "--plan.learned=digits"]
    options += ["--plan.num_fractals=5", "--drawing.images_per_class=2", "--drawing.batch_size=8"]
    cells = Path("cluster/cells.jsonl")

    def kill() -> None:
        while not cells.exists():
            time.sleep(0.02)
        cluster.workers[0].send_signal(signal.SIGKILL)

    killing = threading.Thread(target=kill, daemon=True)
    killing.start()
    assert run(["compare", *options, "--run=cluster", f"--plan.cluster={cluster.address}"]) == 0
    killing.join()
    assert run(["compare", *options, "--run=here", "--plan.workers=1"]) == 0
    for name in ("cells.jsonl", "figure5.csv", "summary.json"):
        assert Path("cluster", name).read_bytes() == Path("here", name).read_bytes(), name


def ticks(job: int) -> Iterator[dict]:
    for step in range(100):
        Path("ticks").write_text(str(step))
        yield {"job": job, "step": step}
        time.sleep(0.2)


def test_job_ends_when_the_client_stops_and_a_lost_scheduler_is_named(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = run_on_cluster(ticks, [1], cluster.address, 0)
    next(rows)
    rows.close()
    time.sleep(2)
    before = Path("ticks").read_text()
    time.sleep(2)
    assert Path("ticks").read_text() == before
    rows = run_on_cluster(ticks, [2], cluster.address, 0)
    next(rows)
    cluster.scheduler.kill()
    with pytest.raises(InputError, match=f"lost the dask scheduler at {cluster.address}: start it and"):
        list(rows)


def test_workers_of_another_version_are_refused() -> None:
    with pytest.raises(
        InputError, match=r"the worker on .* has fractalgan .*, not 0.0: install the same version"
    ):
        prepare_worker("/", {"fractalgan": "0.0", "torch": "0.0"})


def test_cluster_that_cannot_be_used_is_explained(crowded: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="would run several jobs in one process: start it with `dask worker"):
        list(run_on_cluster(squares, [1], crowded.address, 0))
    monkeypatch.setattr("fractalgan.experiments.cluster.TIMEOUT", 1)
    for address in ("tcp://127.0.0.1:9", "nonsense://here"):
        with pytest.raises(InputError, match=f"there is no dask scheduler at {address}: start one with"):
            list(run_on_cluster(squares, [1], address, 0))
    monkeypatch.setattr("fractalgan.errors.find_spec", lambda _: None)
    with pytest.raises(
        InputError, match=r"needs distributed, which is missing: pip install 'fractalgan\[clu"
    ):
        list(run_on_cluster(squares, [1], "local", 1))


def test_worker_that_comes_later_is_checked_too(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The client finds no workers, and submits its jobs."""
    folder = tmp_path_factory.mktemp("cluster")
    for cluster in start(folder):
        worker = [sys.executable, "-m", "dask", "worker", cluster.address, "--no-nanny", "--no-dashboard"]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        late = subprocess.Popen([*worker, "--nthreads=4"], env=environment, cwd="/")
        try:
            with pytest.raises(InputError, match="would run several jobs in one process"):
                list(run_on_cluster(squares, range(4), cluster.address, 0))
        finally:
            late.kill()
            late.wait()


def test_local_cluster_runs_jobs() -> None:
    rows = distinct(run_on_cluster(squares, range(2), "local", 1))
    assert [row["value"] for row in rows] == [0, 0, 0, 1, 1, 1]
    assert {row["threads"] for row in rows} == {1}
