"""What the scores of a FractalGAN mean, in words."""

from collections.abc import Iterator, Mapping

TOLD_APART = 0.95  # accuracy on real and on drawn images at which the discriminator has won
FAR = 0.8  # of the IoU of neighboring real images
ADVICE = (
    "the fractals do not look like the data yet. Look at figures/real.png: shapes should be {wanted}."
    " Then try more steps (--trainer.max_steps), or --model.start collage"
)
WANTED = {
    True: "white, whole and separate (--data.binarize, --data.invert)",
    False: "whole and on a plain background",
}
IN_COMMON = {True: "of their white pixels in common", False: "of what is not background in common"}


def findings(scores: Mapping[str, float], binary: bool = True) -> list[str]:
    """Sentences on the scores of a validation or a test.

    Args:
        scores: by their names without the stage, as ``coverage``; see docs/metrics.md.
        binary: whether fractals are white on black, without features.

    Returns:
        What has failed, and what to try; then how near drawn and real images are, and, for fractals with
        labels, how many draw their class.
    """
    of_class = scores.get("class_agreement")
    return [
        *_failures(scores, ADVICE.format(wanted=WANTED[binary])),
        f"a fractal's best image and the nearest training image have {scores['iou_real']:.0%}"
        f" {IN_COMMON[binary]}, a training image and the nearest drawn one {scores['iou_drawn']:.0%}, and"
        f" neighboring training images {scores['iou_other']:.0%}",
        *([] if of_class is None else [f"{of_class:.0%} of fractals are nearest to an image of their class"]),
    ]


def _failures(scores: Mapping[str, float], advice: str) -> Iterator[str]:
    real, drawn = scores["accuracy_real"], scores["accuracy_fake"]
    told_apart = min(real, drawn) >= TOLD_APART and scores["iou_real"] < scores["iou_other"]
    if told_apart:
        share = f"{drawn:.0%} of drawn and {real:.0%} of real images"
        yield f"the discriminator recognizes {share} as such: {advice}"
    elif scores["iou_real"] < FAR * scores["iou_other"]:
        yield f"drawn images are farther from the training images than these are from each other: {advice}"
    lost = scores["collapsed_dot"] + scores["collapsed_outside"]  # a line may be a drawing of one
    if lost > 0:
        fractals = "1 fractal has" if lost == 1 else f"{lost:.0f} fractals have"
        yield f"{fractals} collapsed to a dot or left the window"
