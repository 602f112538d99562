"""Prints the oldest version of every dependency that pyproject.toml allows, as constraints for pip."""

import tomllib
from pathlib import Path


def main() -> None:
    """``torch>=2.11`` becomes ``torch==2.11``."""
    project = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text())["project"]
    for dependency in project["dependencies"] + project["optional-dependencies"]["test"]:
        name, oldest = dependency.split(">=")
        print(f"{name.partition('[')[0]}=={oldest}")


if __name__ == "__main__":
    main()
