"""Hints for misspelled options."""

import pytest

from fractalgan.cli.did_you_mean import did_you_mean


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        ("unrecognized arguments: --plan.sed 3", "--plan.seeds"),
        ("Group 'plan' does not accept option 'row'", "rows"),
        ("unrecognized arguments: --pretraning.lr 3", "--pretraining.lr"),
        ("unrecognized arguments: --drawing.jiter 3", "--drawing.jitter"),
        ("unrecognized arguments: --trainer.max_stps 3", "--trainer.max_steps"),
    ],
)
def test_similar_name_is_suggested(message: str, hint: str) -> None:
    assert did_you_mean(message) == f"; did you mean {hint}?"


@pytest.mark.parametrize("message", ["unrecognized arguments: --model.xyz 3", "tau must be > 0, got -1"])
def test_other_messages_get_no_hint(message: str) -> None:
    assert did_you_mean(message) == ""
