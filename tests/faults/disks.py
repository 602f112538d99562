"""Disks that are full or locked, two programs on one folder, and checkpoints that are damaged."""

import ctypes
import resource
import shutil
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path

from tests.conftest import TINY
from tests.faults.outcome import LAST, Outcome, differences, end, finish, fit_whole, left_over, start_and_save

# Of Linux: what root gives up so that files that may not be written cannot be.
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1


ROOM = [0.002, 0.01, 0.03, 0.1, 0.3, 0.5, 0.7, 0.9]  # of what the largest file takes


def full_disk(folder: Path, room: Sequence[float] = ROOM) -> Outcome:
    """Files may have so many bytes and no more, as where the disk is full; then there is room again."""
    whole = fit_whole(folder / "whole", *TINY)
    largest = max(path.stat().st_size for path in whole.rglob("*") if path.is_file())
    limits = [int(share * largest) for share in room]
    survived, lost = 0, "nothing"
    for limit in limits:
        run = folder / f"limit-{limit}"

        def little_room(limit: int = limit) -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        status, said = finish(run, *TINY, preexec_fn=little_room)
        told = status == 1 and len(said) == 1 and said[0].startswith("fractalgan: error:")
        half = left_over(run) if run.exists() else []
        _, found = end(whole, run, *TINY)
        survived += told and not half and found == "nothing"
        lost = found if found != "nothing" else lost
    return Outcome("a full disk, simulated by a limit on the size of files", len(limits), survived, lost)


def locked_folder(folder: Path) -> Outcome:
    """A run folder that may not be written to."""
    run = fit_whole(folder / "locked", *TINY)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    for path in [run, *run.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    status, said = finish(run, "--ckpt_path=last", "--trainer.max_steps=9", preexec_fn=_obey_permissions)
    told = status == 1 and len(said) >= 1 and said[-1].startswith("fractalgan: error:")
    same = all(path.read_bytes() == content for path, content in before.items())
    for path in [run, *run.rglob("*")]:
        path.chmod(0o755)
    return Outcome("a read-only run folder", 1, int(told and same), "nothing" if same else "files")


def _obey_permissions() -> None:
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)


def two_at_once(folder: Path) -> Outcome:
    """A second program is started into the folder of a run that is on."""
    run, options = folder / "shared", [*TINY, "--trainer.max_steps=90"]
    whole = fit_whole(folder / "whole", *options)
    first = start_and_save(run, *options)
    status, said = finish(run, *options)
    refused = status == 1 and "another program is writing" in said[-1]
    first.communicate()
    lost = differences(whole, run)
    return Outcome("two runs in one folder", 1, int(refused and lost == "nothing"), lost)


def damaged_checkpoints(folder: Path, cases: int = 10) -> Outcome:
    """The last checkpoint is cut, at every tenth of its length, or has a flipped byte in one of its parts."""
    died, options = folder / "died", [*TINY, "--trainer.max_steps=60"]
    whole = fit_whole(folder / "whole", *options)
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
        said, found = end(whole, run, *options)
        told = any("last.ckpt is damaged: resuming from" in line for line in said)
        survived += told and found == "nothing"
        lost = found if found != "nothing" else lost
    return Outcome("a last checkpoint that is truncated or has a flipped byte", len(damaged), survived, lost)


def _places_in_records(path: Path, count: int) -> list[int]:
    """Places in the data of a checkpoint's largest records: between records there is nothing to damage."""
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        records = sorted(archive.infolist(), key=lambda each: each.file_size)[-count:]
    places = []
    for record in records:
        name, extra = struct.unpack("<HH", content[record.header_offset + 26 : record.header_offset + 30])
        places.append(record.header_offset + 30 + name + extra + record.file_size // 2)
    return places
