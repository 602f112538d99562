"""Whether storage has room for fractals, and a data set has an image for each."""

from fractalgan.errors import InputError


def require_room(per_class: int, images_per_class: int, at_most: int | None) -> None:
    """Raise InputError if storage has room for no fractal, or for more than there are images.

    Args:
        per_class: number of fractals or images of each class that storage has room for.
        images_per_class: the storage, in images of each class.
        at_most: number of images of the smallest class, if each fractal is made of one; or None.
    """
    storage = f"the storage of {images_per_class} image{'' if images_per_class == 1 else 's'} per class"
    if per_class == 0:
        raise InputError(
            f"plan.images_per_class must be larger, or --plan.num_transforms smaller: {storage} has no room"
            " for one fractal per class"
        )
    if at_most is not None and per_class > at_most:
        raise InputError(
            f"plan.images_per_class must be smaller, or --plan.num_transforms larger: {storage} has room"
            f" for {per_class} fractals per class, each of an image, but a class has only {at_most} training"
            " images"
        )
