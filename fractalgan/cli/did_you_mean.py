"""Hints for misspelled options, classes, and names of configurations."""

import difflib
import inspect
import re
from collections.abc import Collection, Sequence
from pathlib import Path

from pytorch_lightning import LightningDataModule, LightningModule, Trainer

import fractalgan
from fractalgan import data, tasks
from fractalgan.experiments import AblationPlan, ComparisonPlan, DistillationPlan
from fractalgan.storage import CONFIGS

GROUPS = {"model", "data", "trainer", "plan", "pretraining", "drawing"}
GROUPS |= {"classifier", "reconstruction", "gan", "distillation", "finetuning"}
SINGLE = {"run", "config", "ckpt_path", "seed_everything", "images", "out", "fractals", "overwrite"}
OF_DRAW = {"zoom", "center", "colormap", "background", "animate", "seconds", "fps", "points_per_pixel"}
CUTOFF = 0.75  # of similarity
PLANS = [ComparisonPlan, DistillationPlan, AblationPlan]


def did_you_mean(message: str) -> str:
    """``"; did you mean max_steps?"`` for a parser's message about an unknown option or argument."""
    if stray := re.search(r"nrecognized arguments: ([^-\s]\S*)", message):
        return _hint_for_value(stray[1])
    if refused := re.search(r"([\w.]+) has no option '(\w+)'", message):
        return _hint_for_argument(refused[1], refused[2])
    named = re.search(r"ption '([\w.]+)'|arguments: --([\w.]+)", message)
    known = known_options(PLANS if "--plan." in message else [])
    parts = (named[1] or named[2]).split(".") if named else []
    nearest = [[part] if part in known else _closest(part, known) for part in parts]
    corrected = ".".join(each[0] for each in nearest if each)
    if not parts or not all(nearest) or corrected == ".".join(parts):
        return ""
    return f"; did you mean {'' if named and named[1] else '--'}{corrected}?"


def _hint_for_value(word: str) -> str:
    """What was meant by a word that belongs to no option."""
    if word in ("last", "best") or word.endswith(".ckpt"):
        return f"; did you mean --ckpt_path {word}?"
    if word.endswith((".yaml", ".yml")):
        return f"; did you mean --config {word}?"
    if kind := _public_classes().get(word.rpartition(".")[2]):
        return f"; did you mean --{'model' if issubclass(kind, LightningModule) else 'data'} {word}?"
    return "; options start with --"


def _hint_for_argument(owner: str, argument: str) -> str:
    """What was meant by an argument that a class, or a group of options, does not have."""
    classes = _public_classes()
    groups: dict[str, list[type]] = {
        "trainer": [Trainer],
        "plan": PLANS,
        "plan.options": [classes["Reconstruction"]],
    }
    kind = classes.get(owner)
    owners = groups.get(owner, []) if kind is None else [kind]
    known = {name for each in owners for name in inspect.signature(each).parameters}
    if hint := did_you_mean_name(argument, known - {argument}):
        return hint
    if kind is None:
        return ""
    base = LightningModule if issubclass(kind, LightningModule) else LightningDataModule
    of_group = {name: each for name, each in classes.items() if issubclass(each, base)}
    having = [name for name, each in of_group.items() if argument in inspect.signature(each).parameters]
    return f"; it is an option of {', '.join(sorted(having))}" if having else ""


def did_you_mean_class(path: str) -> str:
    """``"; did you mean fractalgan.Reconstruction?"`` for the path of a class with a similar name."""
    return did_you_mean_name(path.rpartition(".")[2], _public_classes(), prefix="fractalgan.")


def did_you_mean_config(path: str) -> str:
    """``"; did you mean reconstruction.yaml?"`` for the path of a file named like a configuration we ship."""
    return did_you_mean_name(Path(path).name, {each.name for each in CONFIGS.glob("*.yaml")})


def did_you_mean_name(name: str, known: Collection[str], prefix: str = "", cutoff: float = CUTOFF) -> str:
    """``"; did you mean tpu?"`` for the name among the known ones that is most similar, if there is one.

    Args:
        name: what was typed.
        known: what could have been meant.
        prefix: what the hint adds in front of the name.
        cutoff: least similarity, from 0 to 1.
    """
    nearest = _closest(name, known, cutoff)
    return f"; did you mean {prefix}{nearest[0]}?" if nearest else ""


def known_options(classes: Sequence[type] = ()) -> set[str]:
    """The names of groups and of the arguments of these classes, of all if there are none."""
    kinds = classes or [Trainer, *PLANS, *_public_classes().values()]
    return (
        {name for kind in kinds for name in inspect.signature(kind).parameters}
        | GROUPS
        | SINGLE
        | (set() if classes else OF_DRAW)
    )


def _closest(part: str, known: Collection[str], cutoff: float = CUTOFF) -> list[str]:
    return difflib.get_close_matches(part, known, n=1, cutoff=cutoff)


def _public_classes() -> dict[str, type]:
    """The tasks and data modules of the package, by name."""
    found = {
        name: each for room in (data, tasks) for name, each in vars(room).items() if isinstance(each, type)
    }
    bases = LightningModule, LightningDataModule
    return {
        name: each for name, each in found.items() if name in fractalgan.__all__ and issubclass(each, bases)
    }
