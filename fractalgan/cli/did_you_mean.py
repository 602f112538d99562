"""A hint for misspelled options."""

import difflib
import inspect
import re

from pytorch_lightning import LightningDataModule, LightningModule, Trainer

from fractalgan import data, tasks
from fractalgan.experiments import AblationPlan, ComparisonPlan

GROUPS = {"model", "data", "trainer", "plan", "pretraining", "drawing"}
SINGLE = {"run", "config", "ckpt_path", "seed_everything", "images"}
PLANS = [ComparisonPlan, AblationPlan]


def did_you_mean(message: str) -> str:
    """``"; did you mean max_steps?"`` for a parser's message about an unknown option with a similar name."""
    named = re.search(r"ption '([\w.]+)'|arguments: --([\w.]+)", message)
    known = _known_options(PLANS if re.search(r"'plan'|--plan\.", message) else [])
    parts = (named[1] or named[2]).split(".") if named else []
    nearest = [[part] if part in known else _closest(part, known) for part in parts]
    corrected = ".".join(each[0] for each in nearest if each)
    if not parts or not all(nearest) or corrected == ".".join(parts):
        return ""
    return f"; did you mean {'' if named and named[1] else '--'}{corrected}?"


def _closest(part: str, known: set[str]) -> list[str]:
    return difflib.get_close_matches(part, known, n=1, cutoff=0.75)


def _known_options(classes: list[type]) -> set[str]:
    """The names of groups and of the arguments of these classes, of all if there are none."""
    public = [each for room in (data, tasks) for each in vars(room).values() if isinstance(each, type)]
    ours = [each for each in public if issubclass(each, (LightningModule, LightningDataModule))]
    kinds = classes or [Trainer, *PLANS, *ours]
    return {name for kind in kinds for name in inspect.signature(kind).parameters} | GROUPS | SINGLE
