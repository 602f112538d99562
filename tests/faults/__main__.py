"""Try every fault at length, and write the table of docs/reliability.md."""

import argparse
import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from fractalgan.storage import atomic_write
from tests.faults.disks import damaged_checkpoints, full_disk, locked_folder, two_at_once
from tests.faults.kills import kill_often
from tests.faults.malformed import malformed
from tests.faults.outcome import ROOT, TASKS, Outcome

PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- made by `make faults` -->\n", "<!-- end -->\n"
HEAD = "| | fault | tried | survived | lost |\n|---|---|---|---|---|\n"

FAULTS: dict[str, Callable[[Path], Outcome]] = {
    "malformed": partial(malformed, count=200),
    "full": full_disk,
    "locked": locked_folder,
    "two": two_at_once,
    "damaged": damaged_checkpoints,
    **{f"kills-{task.split()[0].lower()}": partial(kill_often, task=task, times=50) for task in TASKS},
}


@contextlib.contextmanager
def empty_folder() -> Iterator[Path]:
    """A temporary folder as the current one."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        try:
            yield Path(name)
        finally:
            os.chdir(before)


def _write_row(name: str, outcome: Outcome) -> None:
    """Put a row into the table, in place of an earlier one for the same fault."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    table, _, after = rest.partition(END)
    rows = {line.split("|")[1].strip(): line for line in table.splitlines()[2:]} | {
        name: f"| {name} {outcome}"
    }
    text = "".join(f"{rows[each]}\n" for each in FAULTS if each in rows)
    atomic_write(PAGE, f"{before}{BEGIN}{HEAD}{text}{END}{after}")


def main() -> int:
    """Print the row of every fault and write it to the table, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("faults", nargs="*", help=f"some of {', '.join(FAULTS)}; default: all")
    chosen = parser.parse_args().faults or list(FAULTS)
    outcomes = []
    for name in chosen:
        with empty_folder() as folder:
            outcomes.append(FAULTS[name](folder))
        print(outcomes[-1], flush=True)
        _write_row(name, outcomes[-1])
    return int(any(outcome.survived < outcome.tried or outcome.lost != "nothing" for outcome in outcomes))


if __name__ == "__main__":
    raise SystemExit(main())
