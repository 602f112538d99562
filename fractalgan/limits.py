"""The most that is taken of anything: what a file or an option claims beyond would only fill the memory."""

from fractalgan.errors import InputError, require_at_least, require_at_most

MOST = {
    "num_fractals": 1_000_000,
    "num_targets": 1_000_000,
    "num_systems": 10_000_000,
    "num_transforms": 10_000,
    "num_points": 100_000,
    "num_sequences": 100_000,
    "image_size": 1024,
    "size": 1024,
    "batch_size": 1_000_000,
    "images_per_class": 1_000_000,
    "count": 1_000_000,
}
MAPS = 10_000_000  # of all fractals together: 240 MB
PICTURE = 25_000_000  # pixels of a picture; of a JPEG, once it is decoded to a fraction of its size
TEXT = 20_000_000  # bytes of a file of JSON: some ten thousand fractals
LISTS = 1_000_000  # and tables in it: empty ones take ten times the memory of their bytes


def require_sizes(least: int = 1, **numbers: int) -> None:
    """Raise InputError for the first of the named numbers below ``least`` or above the most of its name."""
    for name, number in numbers.items():
        require_at_least(least, **{name: number})
        require_at_most(MOST[name], **{name: number})


def require_maps(fractals: int, transforms: int) -> None:
    """Raise InputError where all maps together are too many."""
    if fractals * transforms > MAPS:
        raise InputError(f"{fractals} fractals of {transforms} transforms: want {MAPS} maps or fewer")
