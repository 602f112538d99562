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
    for part in (named[1] or named[2]).split(".") if named else []:
        near = difflib.get_close_matches(part, known, n=1, cutoff=0.75)
        if near and part not in known:
            return f"; did you mean {near[0]}?"
    return ""


def _known_options(classes: list[type]) -> set[str]:
    """The names of groups and of the arguments of these classes, of all if there are none."""
    public = [each for room in (data, tasks) for each in vars(room).values() if isinstance(each, type)]
    ours = [each for each in public if issubclass(each, (LightningModule, LightningDataModule))]
    kinds = classes or [Trainer, *PLANS, *ours]
    return {name for kind in kinds for name in inspect.signature(kind).parameters} | GROUPS | SINGLE
