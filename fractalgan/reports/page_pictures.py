"""Pictures inside a page, as data URIs."""

import base64
from io import BytesIO
from pathlib import Path

from PIL import Image

from fractalgan.limits import MAX_PIXELS

QUALITY = 80  # of WebP
MAX_WIDTH, MAX_HEIGHT = 1400, 8000  # pixels
MAX_FILM_BYTES = 1_000_000


def embedded(picture: Image.Image) -> str:
    """A data URI of a picture, as WebP, at most MAX_WIDTH pixels wide and MAX_HEIGHT high."""
    picture.thumbnail((MAX_WIDTH, MAX_HEIGHT))
    buffer = BytesIO()
    picture.save(buffer, "WEBP", quality=QUALITY, method=4)
    return _data_uri("webp", buffer.getvalue())


def embedded_file(path: Path) -> str | None:
    """A data URI of a picture or of a short animation in a file; None if it is missing or damaged."""
    try:
        with Image.open(path, formats=("PNG", "GIF")) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                return None
            if getattr(picture, "is_animated", False) and path.stat().st_size <= MAX_FILM_BYTES:
                return _data_uri("gif", path.read_bytes())
            return embedded(picture.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
