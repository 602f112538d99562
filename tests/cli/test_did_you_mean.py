"""Hints for misspelled options."""

import pytest

from fractalgan.cli.did_you_mean import did_you_mean


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        ("unrecognized arguments: --plan.sed 3", "--plan.seeds"),
        ("plan has no option 'row'", "rows"),
        ("FractalGAN has no option 'num_fractal'", "num_fractals"),
        ("trainer has no option 'max_stps'", "max_steps"),
        ("unrecognized arguments: best", "--ckpt_path best"),
        ("unrecognized arguments: mine.yaml", "--config mine.yaml"),
        ("unrecognized arguments: TargetData", "--data TargetData"),
        ("unrecognized arguments: fractalgan.TargetData", "--data fractalgan.TargetData"),
        ("unrecognized arguments: FractalGAN 3", "--model FractalGAN"),
        ("unrecognized arguments: --pretraning.lr 3", "--pretraining.lr"),
        ("unrecognized arguments: --drawing.jiter 3", "--drawing.jitter"),
        ("unrecognized arguments: --trainer.max_stps 3", "--trainer.max_steps"),
    ],
)
def test_similar_name_is_suggested(message: str, hint: str) -> None:
    assert did_you_mean(message) == f"; did you mean {hint}?"


def test_option_of_another_class_is_said_to_be() -> None:
    assert did_you_mean("ImageData has no option 'path'") == "; it is an option of TargetData"
    assert did_you_mean("FractalGAN has no option 'penalties'") == "; it is an option of LinearProbe"


def test_word_without_option_is_explained() -> None:
    assert did_you_mean("unrecognized arguments: images") == "; options start with --"


@pytest.mark.parametrize(
    "message",
    [
        "unrecognized arguments: --model.xyz 3",
        "tau must be > 0, got -1",
        "trainer has no option 'lr'",
        "EarlyStopping has no option 'num_fractal'",
    ],
)
def test_other_messages_get_no_hint(message: str) -> None:
    assert did_you_mean(message) == ""
