"""Two processes that torchrun or srun start beside each other: rank 0 decides for both."""

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from fractalgan.storage import read_checkpoint
from tests.conftest import TINY

pytestmark = pytest.mark.timeout(300)

TWO = ["--trainer.devices=2", "--trainer.strategy=ddp"]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "-m", "fractalgan"]
JUDGED = ["--trainer.callbacks=fractalgan.callbacks.SetMetrics", "--trainer.callbacks.steps=20"]


def torchrun(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*TORCHRUN, *arguments], cwd=cwd, capture_output=True, text=True, check=False)


def steps(run: Path) -> list[int]:
    return [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()]


def png_files(folder: Path) -> dict[str, bytes]:
    """The images in the shards of two processes, by the names that they have as files."""
    shards = sorted(folder.glob("*.tar"))
    assert len(shards) == 2
    found = {}
    for shard in shards:
        with tarfile.open(shard) as archive:
            content = {name: archive.extractfile(name) for name in archive.getnames()}
            samples = {name.partition(".")[0] for name in content}
            for sample in samples:
                about = json.load(content[f"{sample}.json"])
                found[f"{about['class']}/{about['number']:05d}.png"] = content[f"{sample}.png"].read()
    return found


def test_torchrun_fits_resumes_validates_and_predicts(tmp_path: Path) -> None:
    done = torchrun("fit", *TINY, *TWO, *JUDGED, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    run = tmp_path / "runs/gan-digits-1"
    assert done.stdout.count("run folder: runs/gan-digits-1") == 1
    assert "frechet_lenet" in done.stdout

    resumed = torchrun("fit", "--ckpt_path=last", "--trainer.max_steps=9", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert steps(run) == [2, 3, 4, 6, 6, 8, 9]

    validated = torchrun("validate", "--ckpt_path=last", cwd=tmp_path)
    assert validated.returncode == 0, validated.stderr
    assert json.loads((run / "evaluations.jsonl").read_text())["step"] == 9

    predicted = torchrun("predict", "--ckpt_path=best", "--images=3", cwd=tmp_path)
    assert predicted.returncode == 0, predicted.stderr
    assert len(list((run / "predictions").glob("*/*.png"))) == 4 * 3
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["gan-digits-1"]

    drawn = run / "predictions"
    images = {path.relative_to(drawn).as_posix(): path.read_bytes() for path in drawn.glob("*/*.png")}
    drawn.rename(tmp_path / "folders")
    predicted = torchrun("predict", "--ckpt_path=best", "--images=3", "--format=webdataset", cwd=tmp_path)
    assert predicted.returncode == 0, predicted.stderr
    assert png_files(drawn) == images


def test_one_process_under_ddp_trains_as_one_without(call: Callable[..., int], tmp_path: Path) -> None:
    assert call("fit", *TINY, "--run=alone") == 0
    done = subprocess.run(
        [sys.executable, "-m", "fractalgan", "fit", *TINY, "--run=ddp", "--trainer.strategy=ddp"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    alone, ddp = (read_checkpoint(tmp_path / run / "checkpoints/last.ckpt") for run in ("alone", "ddp"))
    assert all(value.equal(ddp["state_dict"][name]) for name, value in alone["state_dict"].items())


def test_what_rank_zero_finds_wrong_ends_all_ranks(tmp_path: Path) -> None:
    done = torchrun("fit", *TINY, *TWO, "--ckpt_path=last", cwd=tmp_path)
    assert done.returncode != 0
    assert "fractalgan: error: no run in runs/ has saved a checkpoint" in done.stderr
    assert "KeyError" not in done.stderr
    assert not (tmp_path / "runs").exists()


def srun(*arguments: str, cwd: Path, port: int) -> list[subprocess.CompletedProcess[str]]:
    """Two processes with the environment that srun gives them."""
    environment = {
        "SLURM_NTASKS": "2",
        "SLURM_NTASKS_PER_NODE": "2",
        "SLURM_STEP_ID": "0",
        "SLURM_NODEID": "0",
        "SLURM_NODELIST": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    command = [sys.executable, "-m", "fractalgan", *arguments]
    ranks = [
        subprocess.Popen(
            command,
            cwd=cwd,
            env=os.environ | environment | {"SLURM_PROCID": rank, "SLURM_LOCALID": rank},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    ]
    outputs = [rank.communicate() for rank in ranks]
    return [
        subprocess.CompletedProcess(command, rank.returncode, *output)
        for rank, output in zip(ranks, outputs, strict=True)
    ]


def test_srun_fits_in_one_folder(tmp_path: Path, unused_port: int) -> None:
    first, second = srun("fit", *TINY, *TWO, cwd=tmp_path, port=unused_port)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["gan-digits-1"]
    assert "run folder: runs/gan-digits-1" in first.stdout
    assert second.stdout == ""


def test_srun_ends_all_ranks_where_rank_zero_fails(tmp_path: Path, unused_port: int) -> None:
    wrong = ["--data.name=folder", "--data.root=none"]
    first, second = srun("fit", *TINY, *TWO, *wrong, cwd=tmp_path, port=unused_port)
    assert (first.returncode, second.returncode) == (2, 2)
    for rank in (first, second):
        assert rank.stderr.endswith("there is no folder none: set --data.root to the folder of your images\n")


@pytest.fixture
def unused_port() -> int:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port
