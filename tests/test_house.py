"""The rules of the house that a reader relies on."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import fractalgan

PACKAGE = Path(fractalgan.__file__).parent

# Who may import whom: ops <- nn <- tasks, data, callbacks, reports <- cli.
COMMON = {
    "cadence",
    "checkpoint_file",
    "environment",
    "errors",
    "limits",
    "randomness",
    "ranks",
    "run_folder",
    "shipped",
    "whole_file",
}
MAY_IMPORT = {
    "ops": set(),
    "nn": {"ops", "checkpoint_file", "errors", "limits", "randomness", "shipped", "whole_file"},
    "tasks": {"ops", "nn"} | COMMON,
    "data": {"ops", "nn"} | COMMON,
    "callbacks": {"ops", "nn"} | COMMON,
    "reports": COMMON,
}


def imported_rooms(path: Path) -> set[str]:
    modules = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in {path}"
            modules.append(node.module or "")
    return {name.split(".")[1] for name in modules if name.startswith("fractalgan.")}


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_go_one_way(room: str) -> None:
    files = list((PACKAGE / room).glob("*.py"))
    assert files
    for path in files:
        assert imported_rooms(path) <= MAY_IMPORT[room] | {room}, path


# What a backend is made of, which no other file may need.
OF_BACKENDS = {
    "_numba.py": {"numba", "llvmlite", "numpy"},
    "_triton.py": {"triton"},
}


def test_ops_import_torch_alone() -> None:
    for path in (PACKAGE / "ops").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                root = name.split(".")[0]
                allowed = (
                    {"torch", "fractalgan"} | sys.stdlib_module_names | OF_BACKENDS.get(path.name, set())
                )
                assert root in allowed, (path, name)


def test_public_names_are_there() -> None:
    for name in fractalgan.__all__:
        assert getattr(fractalgan, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        fractalgan.nothing  # noqa: B018


def test_importing_the_package_is_light() -> None:
    code = "import sys, fractalgan; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
