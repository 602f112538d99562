"""Two processes on one machine, as a user starts them, or as torchrun does."""

import os
import socket
import subprocess
import sys
from multiprocessing.connection import wait
from pathlib import Path

from pytorch_lightning.utilities import rank_zero_only

from fractalgan.cli.program import run
from tests.forks import fork_server

CPU = "--trainer.accelerator=cpu"
BY_TWO = ("--trainer.devices=2", "--trainer.strategy=ddp")
FIT = [sys.executable, "-m", "fractalgan", "fit", CPU]


def by_two(*options: str) -> list[str]:
    """The command line of a run whose second process Lightning starts."""
    return [*FIT, *options, *BY_TWO]


def fit_by_one(*options: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return run_command([*FIT, *options], cwd)


def fit_by_two(*options: str, cwd: Path) -> None:
    """Run two processes with the environment that torchrun gives them."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    processes = [
        fork_server().Process(target=_fit, args=(rank, port, options, cwd), daemon=True) for rank in range(2)
    ]
    for process in processes:
        process.start()
    wait([process.sentinel for process in processes])
    failed = any(process.exitcode for process in processes)
    for process in processes:
        if failed:
            process.terminate()  # it waits for the one that has failed
        process.join()
    said = "\n".join(_log(cwd, rank).read_text() for rank in range(2))
    assert [process.exitcode for process in processes] == [0, 0], said


def _fit(rank: int, port: int, options: tuple[str, ...], cwd: Path) -> None:
    log = os.open(_log(cwd, rank), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.environ |= {
        **dict.fromkeys(("RANK", "LOCAL_RANK"), str(rank)),
        **dict.fromkeys(("WORLD_SIZE", "LOCAL_WORLD_SIZE"), "2"),
        "GROUP_RANK": "0",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "TORCHELASTIC_RUN_ID": "tests",
    }
    rank_zero_only.rank = rank  # which Lightning reads from the environment as it is imported
    os.chdir(cwd)
    sys.exit(run(["fit", CPU, *options, *BY_TWO]))


def _log(folder: Path, rank: int) -> Path:
    return folder / f"rank{rank}.log"


def run_file(path: str | Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a Python file with these arguments."""
    return run_command([sys.executable, str(path), *arguments], cwd)


def run_command(command: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done
