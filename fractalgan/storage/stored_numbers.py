"""How many numbers a set of fractals stores, to compare it with a set of stored images."""

from fractalgan.storage.fractal_content import FractalFile

# What a set has once: how it is drawn. The form of the matrices and the bounds of their singular values do
# not count: the entries of A, which do, are enough to draw it.
SETTINGS_OF_SET = ("image_size", "num_points", "window", "tau", "jitter", "probabilities", "sequences")


def numbers_per_fractal(
    num_transforms: int, num_features: int = 0, *, blended: bool = False, own_tau: bool = False
) -> int:
    """The numbers that one fractal stores, without its label.

    Args:
        num_transforms: N. Each transform has the four entries of A, and two of b.
        num_features: K numbers of each transform, and K of the background.
        blended: whether each transform has a blend.
        own_tau: whether the fractal has a squared width of points of its own.
    """
    of_transform = 6 + num_features + blended
    return num_transforms * of_transform + num_features + own_tau


def stored_numbers(content: FractalFile) -> int:
    """All numbers that a set of fractals stores: what draws each fractal, and the settings of the set.

    A blend counts unless it is 0 everywhere. Labels do not count, as those of images do not. A choice by
    name, such as that of the sequences, is one number.
    """
    features = content.features()
    per_fractal = numbers_per_fractal(
        content.parameters["b"].shape[1],
        0 if features is None else features.num_features,
        blended=features is not None and bool(features.blend.any()),
        own_tau=content.parameters.get("relative_tau") is not None,
    )
    return content.num_fractals * per_fractal + len(SETTINGS_OF_SET)


def fractals_per_class(numbers: int, num_classes: int, per_fractal: int) -> int:
    """The largest number of fractals of each class with which a set stores at most so many numbers.

    Args:
        numbers: what the whole set may store.
        num_classes: number of classes, each with equally many fractals.
        per_fractal: see :func:`numbers_per_fractal`.
    """
    return max(0, (numbers - len(SETTINGS_OF_SET)) // (num_classes * per_fractal))
