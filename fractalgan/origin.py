"""What a run goes on from, or what is judged: a checkpoint, and the run that it lies in."""

import argparse
import logging
import os
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from fractalgan.checkpoint_file import newest_good, read_checkpoint
from fractalgan.errors import InputError
from fractalgan.ranks import is_rank_zero
from fractalgan.reports import Summary
from fractalgan.run_folder import RunFolder

log = logging.getLogger("fractalgan")


class Origin(NamedTuple):
    """Where a command line takes up; all of it is None where it begins, or judges what is random."""

    path: Path | None = None  # of the checkpoint
    content: dict[str, Any] | None = None  # of the checkpoint
    home: RunFolder | None = None  # the run that is gone on with in place
    saved: int | None = None  # when that has saved last, in nanoseconds
    again: bool = False  # whether the command is the one that began the run
    summary: Summary | None = None  # where it is, of a run that is at its end

    @property
    def step(self) -> int | None:
        """The step that is taken up at; 0 of a run that begins again."""
        if self.content is not None:
            return int(self.content["global_step"])
        return None if self.home is None else 0


def with_config_of_run(arguments: list[str]) -> list[str]:
    """The command line with the config.yaml of the run that ``--ckpt_path`` lies in, if no other is given.

    So a run is gone on with, or judged, by its own options and on its own data; those on the command
    line come on top. "last" and "best" are of ``--run``, else of the run that has saved last.
    """
    scan = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for option in ("--ckpt_path", "--run", "--config"):
        scan.add_argument(option)
    scan.add_argument("-c", dest="config")
    given, _ = scan.parse_known_args(arguments)
    if not given.ckpt_path or given.config:
        return arguments
    folder: RunFolder | None
    path = named_checkpoint(given.ckpt_path, given.run)
    folder = RunFolder.of_checkpoint(path)
    arguments = [*arguments, "--ckpt_path", str(path)]
    if folder is None:
        return arguments
    return [arguments[0], "--config", str(folder.config), *arguments[1:]]


def named_checkpoint(name: str, run: str | None, stem: str | None = None) -> Path:
    """The file that ``--ckpt_path`` means: a path, or "last" or "best" of ``run``, else of the newest run.

    The newest that the first process of a run has found is that of its others, too.
    Raises InputError where no run has saved such a checkpoint.
    """
    if name not in ("last", "best"):
        return Path(name)
    if run:
        return RunFolder(Path(run)).checkpoint(name)
    if is_rank_zero():
        os.environ["FRACTALGAN_CKPT"] = str(RunFolder.newest(stem).checkpoint(name))
    return Path(os.environ["FRACTALGAN_CKPT"])


def origin_of_checkpoint(verb: str, path: Path, run: str | None) -> Origin:
    """What a verb takes up where this checkpoint is named, and the folder ``run``, if one is.

    A run is gone on with in place from its last checkpoint alone: from an earlier one, what came after is
    kept. Raises InputError where the checkpoint cannot be read.
    """
    home = RunFolder.of_checkpoint(path)
    if home and run and Path(run).resolve() != home.path.resolve():
        home = None
    if home and verb == "fit" and path.name == home.last.name:
        return _last_of(home)
    content = read_checkpoint(path)
    if home and verb == "predict":
        return Origin(path, content, home, home.last_saved())
    return Origin(path, content)


def origin_of_command(folder: RunFolder, options: str) -> Origin:
    """What `fit` takes up where these options, as in config.yaml, are given for a run that has begun.

    Raises InputError where it began with other ones, and where it has kept nothing to go on from.
    """
    if (before := folder.config.read_text()) != options:
        raise InputError(
            f"{folder} holds a run already, with other options ({_difference(before, options)}): give those,"
            f" or another --run; or go on with it by --run {folder} --ckpt_path last"
        )
    summary = Summary.read(folder)
    if any(folder.checkpoints.glob("*.ckpt")):
        origin = _last_of(folder)._replace(again=True)
        ended = summary is not None and summary.finished and summary.step == origin.step
        ended = ended and origin.path == folder.last
        return origin._replace(summary=summary) if ended else origin
    if summary is not None and summary.finished:
        return Origin(home=folder, again=True, summary=summary)
    if summary is not None:
        raise InputError(f"{folder} holds a run already, which kept no checkpoint: give another --run")
    log.info("%s ended before its first checkpoint: it begins again", folder)
    return Origin(home=folder)


def _difference(before: str, now: str) -> str:
    """The first option that two config.yaml differ in: "trainer.max_steps is 100 there, 150 here"."""
    try:
        there, here = (_flat(yaml.safe_load(text)) for text in (before, now))
    except yaml.YAMLError:
        return "its config.yaml is no YAML any more"
    for name in there | here:
        option = name.replace("init_args.", "")
        if name not in there or name not in here:
            return f"{option} is in one of them"
        if there[name] != here[name]:
            return f"{option} is {there[name]} there, {here[name]} here"
    return "in their order"


def _flat(options: Any, group: str = "") -> dict[str, Any]:
    if not isinstance(options, dict):
        return {group: options}
    return {
        name: value
        for key, each in options.items()
        for name, value in _flat(each, f"{group}.{key}" if group else str(key)).items()
    }


def _last_of(home: RunFolder) -> Origin:
    """The last checkpoint of a run; where that is damaged, the newest of its others takes its place."""
    saved = home.last_saved()
    try:
        return Origin(home.last, read_checkpoint(home.last), home, saved)
    except InputError:
        good = newest_good(each for each in home.checkpoints.glob("*.ckpt") if each.name != home.last.name)
        if good is None and not home.last.exists():
            raise
        if good is None:
            raise InputError(
                f"{home.last} is damaged, and no other checkpoint of {home} is whole: begin another --run"
            ) from None
        damage = "damaged" if home.last.exists() else "missing"
        log.warning("%s is %s: going on from %s instead", home.last, damage, good[0])
        return Origin(*good, home, saved)
