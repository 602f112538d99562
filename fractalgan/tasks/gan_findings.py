"""What the scores of a FractalGAN mean, in words."""

from collections.abc import Iterator, Mapping

TOLD_APART = 0.95  # accuracy on real and on drawn images from which on the discriminator has won
FAR = 1.5  # times the distance between real images
SPARSE = 0.5  # coverage


def findings(scores: Mapping[str, float]) -> list[str]:
    """Sentences on the scores of a validation or a test.

    Args:
        scores: by their names without the stage, as ``coverage``; see docs/metrics.md.

    Returns:
        What was found, the worst first; then, if it is bad, what to try.
    """
    found = [*_failures(scores)]
    near, real = scores["nearest_real"], scores["nearest_other"]
    distances = (
        f"a fractal's best image differs from the nearest training image in {near:.1%} of the pixels;"
        f" from one training image to the next it is {real:.1%}"
    )
    return [*found, distances]


def _failures(scores: Mapping[str, float]) -> Iterator[str]:
    real, drawn = scores["accuracy_real"], scores["accuracy_fake"]
    if min(real, drawn) >= TOLD_APART:
        yield (
            f"the discriminator recognizes {drawn:.0%} of drawn and {real:.0%} of real images as such: the"
            " fractals do not look like the data yet. Look at figures/real.png: shapes should be"
            " white, whole and separate (--data.binarize, --data.invert). Then try more steps"
            " (--trainer.max_steps) or --model.start collage"
        )
    lost = scores["collapsed_dot"] + scores["collapsed_outside"]  # a line may be a drawing of one
    if lost > 0:
        yield f"{lost:.0f} fractals have collapsed to a dot or left the window"
