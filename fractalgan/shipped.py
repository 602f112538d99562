"""Where the files lie that come with the package: configurations, and learned fractals."""

import site
import sysconfig
from pathlib import Path


def shipped(folder: str) -> Path:
    """A folder such as ``configs``: at the root of a clone, or where an installation puts data."""
    clone = Path(__file__).parents[1]
    if (clone / "pyproject.toml").is_file():
        return clone / folder
    data = (Path(base, "share", "fractalgan") for base in (sysconfig.get_path("data"), site.getuserbase()))
    return next((root for root in data if root.is_dir()), clone) / folder


CONFIGS = shipped("configs")
