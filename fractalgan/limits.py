"""Upper limits on sizes: a file or an option that asks for more would only fill the memory."""

from pathlib import Path

from fractalgan.errors import InputError, require_at_least, require_at_most

MAX_SIZES = {
    "num_fractals": 1_000_000,
    "num_targets": 1_000_000,
    "num_transforms": 10_000,
    "num_points": 500_000,
    "num_sequences": 100_000,
    "width": 1024,
    "image_size": 1024,
    "size": 1024,
    "batch_size": 1_000_000,
    "images_per_class": 1_000_000,
    "count": 1_000_000,
    "num_images": 100_000,
    "networks": 1000,
}
MAX_TRANSFORMS = 10_000_000  # of all fractals together: 240 MB
MAX_PICTURE_SIZE = 8192  # pixels per side, of a fractal that is drawn for people
MAX_PIXELS = 25_000_000  # per picture; for a JPEG, after it is decoded to a fraction of its size
MAX_JSON_BYTES = 20_000_000  # per file: about ten thousand fractals
MAX_JSON_LISTS = 1_000_000  # per file, objects included: empty ones take ten times the memory of their bytes
MAX_UNNAMED_CLASSES = 100_000  # per file, of classes that are numbers alone
MAX_FLAME_BYTES = 20_000_000  # per file: about five thousand fractals
MAX_FLAME_TAGS = 1_000_000  # per file: an element takes ten times the memory of its bytes
MAX_FLAME_DEPTH = 16  # of elements within elements
MAX_IFS_BYTES = 20_000_000  # per file
MAX_IMPORTED_TRANSFORMS = 200_000  # of all fractals of a .flame or .ifs file
MAX_REPEATED_TRANSFORMS = 1000  # per fractal, where transforms are repeated to give all the same number
MAX_SVG_TRANSFORMS = 100_000  # per drawing


def require_sizes(minimum: int = 1, **sizes: int) -> None:
    """Raise InputError for the first size below ``minimum`` or above the maximum for its name."""
    for name, size in sizes.items():
        require_at_least(minimum, **{name: size})
        require_at_most(MAX_SIZES[name], **{name: size})


def require_bytes(path: Path, maximum: int) -> None:
    """Raise InputError for a file that is too large to be a file of fractals."""
    if path.stat().st_size > maximum:
        raise InputError(f"{path} has more than {maximum} bytes: it is not a file of fractals")


def require_transforms(num_fractals: int, num_transforms: int) -> None:
    """Raise InputError for too many transforms in all."""
    if num_fractals * num_transforms > MAX_TRANSFORMS:
        raise InputError(
            f"num_fractals * num_transforms must be <= {MAX_TRANSFORMS},"
            f" got {num_fractals} * {num_transforms}"
        )
