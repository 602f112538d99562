"""Whether storage has room for a set of each source, and the data set has images enough for it."""

from fractalgan.data import ImageData
from fractalgan.errors import InputError

# Sources of which each fractal is made of an image of its own, or is one.
OF_IMAGES = ("distilled", "exemplars", "random-exemplars", "pixels", "random-pixels")


def require_room(per_class: int, source: str, images_per_class: int, real: ImageData) -> None:
    """Raise InputError for a source that storage has too little or too much room for.

    Args:
        per_class: number of fractals or images of each class that storage has room for.
        source: where they come from.
        images_per_class: the storage, in images of each class.
        real: the data set, after ``setup``.
    """
    assert real.train_images is not None
    smallest = int(real.train_images.labels.bincount(minlength=len(real.classes)).min())
    storage = f"the storage of {images_per_class} image{'' if images_per_class == 1 else 's'} per class"
    if per_class == 0:
        raise InputError(
            f"plan.images_per_class must be larger, or --plan.num_transforms smaller: {storage} has no room"
            " for one fractal per class"
        )
    if source in OF_IMAGES and per_class > smallest:
        raise InputError(
            f"plan.images_per_class must be smaller, or --plan.num_transforms larger: {storage} has room"
            f" for {per_class} fractals per class, each of an image, but a class has only {smallest} training"
            " images"
        )
