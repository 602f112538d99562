"""The rules of the house that a reader relies on: import directions, sizes, public APIs only."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import fractalgan

PACKAGE = Path(fractalgan.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

# What stands at the top of the package, and who may import whom: a room sees those to its left.
FOUNDATIONS = ("errors", "limits", "randomness", "distributed")
ROOMS = (
    ("ops",),
    ("storage",),
    ("nn",),
    ("data", "tasks"),
    ("callbacks", "reports"),
    ("experiments",),
    ("cli",),
)
AT_THE_TOP = {"__init__", "__main__", *FOUNDATIONS}

MAX_LINES, MAX_CLASS, MAX_FUNCTION = 300, 150, 60
# The kernels of numba stay in one file: numba compiles them again only if their own file changes.
LONGER = {"ops/_numba_kernels.py"}
# Two thirds of it are its signature and docstring.
LONGER_FUNCTIONS = {"render"}
# Tasks with two dozen documented options and hooks, and the generator with a property per option.
LONGER_CLASSES = {"FractalGAN": 180, "Reconstruction": 190}


def room_of(path: Path) -> str:
    """The folder of a module, or its own name at the top of the package."""
    relative = path.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imports_of(path: Path) -> list[str]:
    """The modules that a file imports anywhere, also within functions and for type checkers."""
    modules = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in {path}"
            modules.append(node.module or "")
            if node.module == "fractalgan":
                modules += [f"fractalgan.{alias.name}" for alias in node.names]
    return modules


def may_import(room: str) -> set[str]:
    """The rooms that a room may import."""
    if room in FOUNDATIONS:
        return set(FOUNDATIONS) - {room}
    if room == "__main__":
        return {"cli", "__version__"}
    if room == "__init__":  # on the first use of a name
        return {"ops", "nn", "data", "tasks"}
    level = next(k for k, rooms in enumerate(ROOMS) if room in rooms)
    left = {each for rooms in ROOMS[:level] for each in rooms}
    return {room, "__version__", *FOUNDATIONS, *left}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path: Path) -> None:
    room = room_of(path)
    rooms = {name.split(".")[1] for name in imports_of(path) if name.startswith("fractalgan.")}
    assert rooms <= may_import(room)


def test_every_folder_is_a_room_and_only_foundations_are_at_the_top() -> None:
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders == {each for rooms in ROOMS for each in rooms}
    assert {path.stem for path in PACKAGE.glob("*.py")} == AT_THE_TOP


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_classes_and_functions_fit_on_a_few_screens(path: Path) -> None:
    name = str(path.relative_to(PACKAGE))
    assert name in LONGER or len(path.read_text().splitlines()) <= MAX_LINES
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef):
            assert lines_of_code(path, node) <= LONGER_CLASSES.get(node.name, MAX_CLASS), node.name
        if isinstance(node, ast.FunctionDef) and node.name not in LONGER_FUNCTIONS:
            assert (node.end_lineno or 0) - node.lineno < MAX_FUNCTION, node.name


def lines_of_code(path: Path, node: ast.ClassDef) -> int:
    """The lines of a class without docstrings, comments and blank lines."""
    documented: set[int] = set()
    for each in ast.walk(node):
        if isinstance(each, ast.ClassDef | ast.FunctionDef) and ast.get_docstring(each) is not None:
            documented |= set(range(each.body[0].lineno, (each.body[0].end_lineno or 0) + 1))
    lines = path.read_text().splitlines()
    inside = set(range(node.lineno, (node.end_lineno or 0) + 1)) - documented
    return sum(1 for k in inside if lines[k - 1].strip() and not lines[k - 1].strip().startswith("#"))


def test_no_private_attribute_of_a_framework_but_one() -> None:
    """Ruff's SLF rules find them in .ci/run; each exception is marked, and named here."""
    marked = {
        (str(path.relative_to(PACKAGE)), match[1])
        for path in MODULES
        for match in re.finditer(r"\.(_\w+)\b[^\n]*# noqa: SLF001", path.read_text())
    }
    assert marked == {("callbacks/step_count.py", "_batches_that_stepped")}
    project = (PACKAGE.parent / "pyproject.toml").read_text()
    assert '"SLF"' in project
    for path in MODULES:
        for name in imports_of(path):
            private = [part for part in name.split(".") if part.startswith("_") and part != "__future__"]
            assert not private or name.startswith("fractalgan."), (path, name)


# What a backend is made of, which no other file may import.
OF_BACKENDS = {
    "_numba.py": {"numpy"},
    "_numba_kernels.py": {"llvmlite", "numba", "numpy"},
    "_numba_view.py": {"numpy"},
    "_compile.py": {"numba"},
    "_even_kernel.py": {"numba", "numpy"},
    "_measure.py": {"numpy"},
    "_measure_kernel.py": {"numba", "numpy"},
    "_triton.py": {"triton"},
    "_triton_features.py": {"triton"},
    "_triton_kernels.py": {"triton"},
}


@pytest.mark.parametrize("path", sorted((PACKAGE / "ops").glob("*.py")), ids=lambda path: path.name)
def test_ops_import_torch_only(path: Path) -> None:
    allowed = {"torch", "fractalgan"} | sys.stdlib_module_names | OF_BACKENDS.get(path.name, set())
    assert {name.split(".")[0] for name in imports_of(path)} <= allowed


def test_public_names_exist() -> None:
    for name in fractalgan.__all__:
        assert getattr(fractalgan, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        fractalgan.nothing  # noqa: B018


def test_type_checkers_see_every_public_name() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen | {"__version__"} == set(fractalgan.__all__)


def test_importing_the_package_is_light() -> None:
    code = "import sys, fractalgan; assert 'FractalGAN' in dir(fractalgan); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_folder_of_shipped_fractals_has_nothing_else() -> None:
    """Runs in this folder would leave their checkpoints there."""
    found = {path.suffix for path in (Path(__file__).parents[1] / "fractalgan" / "checkpoints").iterdir()}
    assert found == {".md", ".png", ".safetensors"}
