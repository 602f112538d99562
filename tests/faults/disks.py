"""Full and read-only disks, two programs in one folder, and damaged checkpoints."""

import ctypes
import resource
import shutil
import signal
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path

from tests.conftest import TINY
from tests.faults.outcome import (
    LAST,
    Outcome,
    differences,
    finish,
    resume_and_compare,
    run_here,
    start_and_save,
    temporary_files,
    uninterrupted,
)

# Linux: what root gives up so that it obeys the permissions of files.
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1

ROOM = [0.002, 0.01, 0.03, 0.1, 0.3, 0.5, 0.7, 0.9]  # shares of the size of the largest file


def full_disk(folder: Path, room: Sequence[float] = ROOM) -> Outcome:
    """The size of files is limited, which looks like a full disk; then the limit is gone."""
    reference = uninterrupted(folder / "reference", *TINY)
    largest = max(path.stat().st_size for path in reference.rglob("*") if path.is_file())
    limits = [int(share * largest) for share in room]
    survived, lost = 0, "nothing"
    for limit in limits:
        run = folder / f"limit-{limit}"

        def limit_files(limit: int = limit) -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        status, lines = finish(run, *TINY, preexec_fn=limit_files)
        errors = [line for line in lines if not line.startswith("fractalgan: step ")]  # a finding
        explained = status == 1 and len(errors) == 1 and errors[0].startswith("fractalgan: error:")
        incomplete = temporary_files(run) if run.exists() else []
        _, difference = resume_and_compare(reference, run, *TINY)
        survived += explained and not incomplete and difference == "nothing"
        lost = difference if difference != "nothing" else lost
    return Outcome("a full disk, simulated by a limit on the size of files", len(limits), survived, lost)


def locked_folder(folder: Path) -> Outcome:
    """The run folder is read-only."""
    run = uninterrupted(folder / "locked", *TINY)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    for path in [run, *run.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    status, lines = finish(run, "--ckpt_path=last", "--trainer.max_steps=9", preexec_fn=_obey_permissions)
    explained = status == 1 and len(lines) >= 1 and lines[-1].startswith("fractalgan: error:")
    same = all(path.read_bytes() == content for path, content in before.items())
    for path in [run, *run.rglob("*")]:
        path.chmod(0o755)
    return Outcome("a read-only run folder", 1, int(explained and same), "nothing" if same else "files")


def _obey_permissions() -> None:
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)


def two_at_once(folder: Path) -> Outcome:
    """A second program starts in the folder of a run that is not finished."""
    run, options = folder / "shared", [*TINY, "--trainer.max_steps=30"]
    reference = uninterrupted(folder / "reference", *options)
    first = start_and_save(run, *options)
    first.send_signal(signal.SIGSTOP)  # or it might finish before the second one has started
    status, lines = run_here(run, *options)
    refused = status == 2 and "another program is writing" in lines[-1]
    first.send_signal(signal.SIGCONT)
    first.communicate()
    lost = differences(reference, run)
    return Outcome("two runs in one folder", 1, int(refused and lost == "nothing"), lost)


def damaged_checkpoints(folder: Path, cases: int = 10) -> Outcome:
    """The last checkpoint is truncated at every tenth of its length, or has a flipped byte in a part."""
    died, options = folder / "died", [*TINY, "--trainer.max_steps=30"]
    reference = uninterrupted(folder / "reference", *options)
    process = start_and_save(died, *options)
    process.kill()
    process.communicate()
    good = (died / LAST).read_bytes()
    places = _places_in_records(died / LAST, cases)
    damaged = {f"cut-{part}": good[: len(good) * part // cases] for part in range(cases)}
    damaged |= {
        f"flipped-{place}": good[:place] + bytes([good[place] ^ 255]) + good[place + 1 :] for place in places
    }
    survived, lost = 0, "nothing"
    for name, content in damaged.items():
        run = folder / name
        shutil.copytree(died, run)
        (run / LAST).write_bytes(content)
        lines, difference = resume_and_compare(reference, run, *options)
        explained = any("last.ckpt is damaged: resuming from" in line for line in lines)
        survived += explained and difference == "nothing"
        lost = difference if difference != "nothing" else lost
    return Outcome("a last checkpoint that is truncated or has a flipped byte", len(damaged), survived, lost)


def _places_in_records(path: Path, count: int) -> list[int]:
    """Offsets in the data of a checkpoint's largest records; bytes between records do not matter."""
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        records = sorted(archive.infolist(), key=lambda each: each.file_size)[-count:]
    places = []
    for record in records:
        name, extra = struct.unpack("<HH", content[record.header_offset + 26 : record.header_offset + 30])
        places.append(record.header_offset + 30 + name + extra + record.file_size // 2)
    return places
