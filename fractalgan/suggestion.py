"""What was meant, probably, by an option that there is not."""

import difflib
import inspect
import re

from pytorch_lightning import LightningDataModule, LightningModule, Trainer

from fractalgan import data, tasks

GROUPS = ("model", "data", "trainer", "plan", "run", "config", "ckpt_path", "seed_everything")


def suggestion(complaint: str) -> str:
    """``"; did you mean max_steps?"`` where a parser complains of an option with a name like that."""
    named = re.search(r"ption '([\w.]+)'|arguments: --([\w.]+)", complaint)
    known = _known()
    for part in (named[1] or named[2]).split(".") if named else []:
        near = difflib.get_close_matches(part, known, n=1, cutoff=0.75)
        if near and part not in known:
            return f"; did you mean {near[0]}?"
    return ""


def _known() -> set[str]:
    """The names of the options of `fit`, each without its group's."""
    kinds = [each for room in (data, tasks) for each in vars(room).values() if isinstance(each, type)]
    ours = [each for each in kinds if issubclass(each, (LightningModule, LightningDataModule))]
    return {name for kind in [Trainer, *ours] for name in inspect.signature(kind).parameters} | set(GROUPS)
