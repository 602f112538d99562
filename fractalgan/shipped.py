"""Where the files lie that come with the package: configurations, and learned fractals."""

import sys
from pathlib import Path


def shipped(folder: str) -> Path:
    """A folder such as ``configs``: at the root of a clone, or where an installation puts data."""
    here = Path(__file__).parents[1] / folder
    return here if here.is_dir() else Path(sys.prefix) / "share" / "fractalgan" / folder
