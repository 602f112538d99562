"""Configurations and learned fractals that ship with the package."""

from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

CONFIGS = Path(str(files("fractalgan") / "configs"))
FRACTALS = Path(str(files("fractalgan") / "checkpoints"))


def find_config(name: str) -> Path:
    """The path of a configuration: a file that exists, else one that ships with the package.

    Args:
        name: a path, or the bare name of a shipped file such as ``gan_folder.yaml``.
    """
    path, shipped = Path(name), CONFIGS / name
    return shipped if not path.exists() and path.name == name and shipped.is_file() else path


def read_config(name: str) -> dict[str, Any]:
    """The content of a configuration that ships with the package."""
    content: dict[str, Any] = yaml.safe_load((CONFIGS / name).read_text())
    return content
