"""A hint for misspelled options."""

import difflib
import inspect
import re

from pytorch_lightning import LightningDataModule, LightningModule, Trainer

from fractalgan import data, tasks

GROUPS = ("model", "data", "trainer", "plan", "run", "config", "ckpt_path", "seed_everything", "images")


def did_you_mean(message: str) -> str:
    """``"; did you mean max_steps?"`` for a parser's message about an unknown option with a similar name."""
    named = re.search(r"ption '([\w.]+)'|arguments: --([\w.]+)", message)
    known = _known_options()
    for part in (named[1] or named[2]).split(".") if named else []:
        near = difflib.get_close_matches(part, known, n=1, cutoff=0.75)
        if near and part not in known:
            return f"; did you mean {near[0]}?"
    return ""


def _known_options() -> set[str]:
    """The names of all options of `fit`, without those of their groups."""
    classes = [each for room in (data, tasks) for each in vars(room).values() if isinstance(each, type)]
    ours = [each for each in classes if issubclass(each, (LightningModule, LightningDataModule))]
    return {name for kind in [Trainer, *ours] for name in inspect.signature(kind).parameters} | set(GROUPS)
