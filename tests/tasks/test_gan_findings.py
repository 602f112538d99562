"""What the scores of a FractalGAN mean, in words."""

import pytest

from fractalgan.tasks.gan_findings import findings

GOOD = {
    "accuracy_real": 0.7,
    "accuracy_fake": 0.8,
    "collapsed_dot": 0.0,
    "collapsed_outside": 0.0,
    "collapsed_line": 7.0,
    "iou_real": 0.66,
    "iou_drawn": 0.34,
    "iou_other": 0.54,
}


def test_good_scores_are_explained_without_alarm() -> None:
    (only,) = findings(GOOD)
    assert "nearest training image have 66% of their white pixels in common" in only
    assert "neighboring training images 54%" in only


def test_fractals_with_labels_are_told_whether_they_draw_their_class() -> None:
    assert findings(GOOD | {"class_agreement": 0.97})[1:] == [
        "97% of fractals are nearest to an image of their class"
    ]


@pytest.mark.parametrize(
    ("real", "drawn", "lost"), [(0.99, 0.998, True), (0.99, 0.9, False), (0.6, 1.0, False)]
)
def test_discriminator_that_has_won_on_both_sides_is_a_failure(real: float, drawn: float, lost: bool) -> None:
    accuracies = {"accuracy_real": real, "accuracy_fake": drawn}
    assert len(findings(GOOD | accuracies)) == 1  # near the real images, whatever a discriminator sees
    first = findings(GOOD | accuracies | {"iou_real": 0.5})[0]
    assert first.startswith("the discriminator recognizes") == lost
    if lost:
        assert "100% of drawn and 99% of real images" in first
        assert "do not look like the data yet" in first
        assert "--trainer.max_steps" in first


def test_lost_fractals_are_counted_without_lines() -> None:
    lost = {"collapsed_dot": 4.0, "collapsed_outside": 2.0}
    assert findings(GOOD | lost)[0].startswith("6 fractals have collapsed")


@pytest.mark.parametrize(("iou", "far"), [(0.42, True), (0.45, False)])
def test_images_far_from_all_real_ones_are_a_failure(iou: float, far: bool) -> None:
    """Even where the discriminator does not see it."""
    found = findings(GOOD | {"iou_real": iou})
    assert (len(found) == 2) == far
    assert found[0].startswith("drawn images are farther from the training images") == far
