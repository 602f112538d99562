"""Hints for misspelled options, classes, and names of configurations."""

import difflib
import inspect
import re
from collections.abc import Sequence
from pathlib import Path

from pytorch_lightning import LightningDataModule, LightningModule, Trainer

import fractalgan
from fractalgan import data, tasks
from fractalgan.experiments import AblationPlan, ComparisonPlan
from fractalgan.storage import CONFIGS

GROUPS = {"model", "data", "trainer", "plan", "pretraining", "drawing"}
SINGLE = {"run", "config", "ckpt_path", "seed_everything", "images"}
PLANS = [ComparisonPlan, AblationPlan]


def did_you_mean(message: str) -> str:
    """``"; did you mean max_steps?"`` for a parser's message about an unknown option with a similar name."""
    named = re.search(r"ption '([\w.]+)'|arguments: --([\w.]+)", message)
    known = known_options(PLANS if re.search(r"'plan'|--plan\.", message) else [])
    parts = (named[1] or named[2]).split(".") if named else []
    nearest = [[part] if part in known else _closest(part, known) for part in parts]
    corrected = ".".join(each[0] for each in nearest if each)
    if not parts or not all(nearest) or corrected == ".".join(parts):
        return ""
    return f"; did you mean {'' if named and named[1] else '--'}{corrected}?"


def did_you_mean_class(path: str) -> str:
    """``"; did you mean fractalgan.Reconstruction?"`` for the path of a class with a similar name."""
    names = {each.__name__ for each in _public_classes()} & set(fractalgan.__all__)
    nearest = _closest(path.rpartition(".")[2], names)
    return f"; did you mean fractalgan.{nearest[0]}?" if nearest else ""


def did_you_mean_config(path: str) -> str:
    """``"; did you mean reconstruction.yaml?"`` for the path of a file named like a configuration we ship."""
    nearest = _closest(Path(path).name, {each.name for each in CONFIGS.glob("*.yaml")})
    return f"; did you mean {nearest[0]}?" if nearest else ""


def known_options(classes: Sequence[type] = ()) -> set[str]:
    """The names of groups and of the arguments of these classes, of all if there are none."""
    kinds = classes or [Trainer, *PLANS, *_public_classes()]
    return {name for kind in kinds for name in inspect.signature(kind).parameters} | GROUPS | SINGLE


def _closest(part: str, known: set[str]) -> list[str]:
    return difflib.get_close_matches(part, known, n=1, cutoff=0.75)


def _public_classes() -> list[type]:
    """The tasks and data modules of the package."""
    public = [each for room in (data, tasks) for each in vars(room).values() if isinstance(each, type)]
    return [each for each in public if issubclass(each, (LightningModule, LightningDataModule))]
