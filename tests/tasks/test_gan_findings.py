"""What the scores of a FractalGAN mean, in words."""

import pytest

from fractalgan.tasks.gan_findings import findings

GOOD = {
    "accuracy_real": 0.7,
    "accuracy_fake": 0.8,
    "collapsed_dot": 0.0,
    "collapsed_outside": 0.0,
    "collapsed_line": 7.0,
    "nearest_real": 0.0367,
    "nearest_other": 0.054,
    "nearest_drawn": 0.08,
    "coverage": 0.6,
    "density": 1.1,
}


def test_good_scores_are_explained_without_alarm() -> None:
    (only,) = findings(GOOD)
    assert "differs from the nearest training image in 3.7% of the pixels" in only
    assert "from one training image to the next it is 5.4%" in only


@pytest.mark.parametrize(
    ("real", "drawn", "lost"), [(0.99, 0.998, True), (0.99, 0.9, False), (0.6, 1.0, False)]
)
def test_discriminator_that_has_won_on_both_sides_is_a_failure(real: float, drawn: float, lost: bool) -> None:
    first = findings(GOOD | {"accuracy_real": real, "accuracy_fake": drawn})[0]
    assert first.startswith("the discriminator recognizes") == lost
    if lost:
        assert "100% of drawn and 99% of real images" in first
        assert "do not look like the data yet" in first
        assert "--trainer.max_steps" in first


def test_lost_fractals_are_counted_without_lines() -> None:
    lost = {"collapsed_dot": 4.0, "collapsed_outside": 2.0}
    assert findings(GOOD | lost)[0].startswith("6 fractals have collapsed")
