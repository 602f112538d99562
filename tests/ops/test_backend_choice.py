"""Which backend ``render`` uses, the arguments that it rejects, and the compilation of the kernels."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import fractalgan
from fractalgan.ops import Transforms, check_view, render
from tests.ops.cases import Case, problem


@pytest.mark.parametrize("backend", ["numba", "torch"])
@pytest.mark.parametrize(
    ("fractal", "index", "message"),
    [
        (0, 5, r"sequences must be in \[0, 4\], got 5"),
        (0, -1, r"sequences must be in \[0, 4\], got -1"),
        (3, 0, r"fractals must be in \[0, 2\], got 3"),
        (-1, 0, r"fractals must be in \[0, 2\], got -1"),
    ],
)
def test_index_out_of_range_is_an_error_on_a_cpu(
    backend: str, fractal: int, index: int, message: str
) -> None:
    transforms, _, z, view = problem(Case(batch=1), backend)
    z[0, 7] = index
    start = torch.zeros(1, 2)
    with pytest.raises(IndexError, match=message):
        render(transforms, torch.tensor([fractal]), z, **view, start=start, backend=backend)


@pytest.mark.parametrize("backend", ["numba", "triton"])
def test_fused_backends_require_float32(backend: str) -> None:
    transforms, fractals, z, view = problem(Case(), backend)
    double = Transforms(*(part.double() for part in transforms))
    with pytest.raises(ValueError, match=r"must be float32 .* got torch.float64: use backend='torch'"):
        render(double, fractals, z, **view, backend=backend)
    assert render(double, fractals, z, **view).dtype == torch.float64


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tau": 1e-5}, r"tau must be in \[1e-4, 1e4\], got 1e-05"),
        ({"tau": float("inf")}, r"tau must be in \[1e-4, 1e4\], got inf"),
        ({"window": float("inf")}, r"window must be in \[1e-6, 1e6\], got inf"),
        ({"window": 1e-300}, r"window must be in \[1e-6, 1e6\], got 1e-300"),
        ({"size": (9, 9, 9)}, r"size must be \(H, W\) with H, W >= 1, got \(9, 9, 9\)"),
        ({"size": (9.5, 9)}, r"size must be \(H, W\) with H, W >= 1, got \(9.5, 9\)"),
    ],
)
def test_invalid_view_is_an_error(change: dict, message: str) -> None:
    transforms, fractals, z, view = problem(Case())
    with pytest.raises(ValueError, match=message):
        render(transforms, fractals, z, **(view | change))


def test_limits_of_the_view_are_inclusive() -> None:
    check_view((1, 1), 1e-6, 1e-4)
    check_view((1, 1), 1e6, 1e4)


def test_fractals_without_transforms_are_an_error() -> None:
    empty = Transforms(torch.zeros(1, 0, 2, 2), torch.zeros(1, 0, 2))
    index = torch.zeros(1, 0, dtype=torch.long)
    with pytest.raises(ValueError, match="N >= 1"):
        render(empty, torch.zeros(1, dtype=torch.long), index, size=(9, 9), window=1.0)


def test_unknown_backend_is_an_error() -> None:
    transforms, fractals, z, view = problem(Case())
    with pytest.raises(ValueError, match="must be 'numba', 'triton' or 'torch', got 'cuda'"):
        render(transforms, fractals, z, **view, backend="cuda")  # type: ignore[arg-type]


def test_backend_of_another_device_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRITON_INTERPRET")
    transforms, fractals, z, view = problem(Case())
    with pytest.raises(ValueError, match="must be on cuda with backend='triton', got A on cpu"):
        render(transforms, fractals, z, **view, backend="triton")
    elsewhere = Transforms(*(part.to("meta") for part in transforms))
    with pytest.raises(ValueError, match="must be on cpu with backend='numba', got A on meta"):
        render(elsewhere, fractals.to("meta"), z.to("meta"), **view, backend="numba")
    with pytest.raises(ValueError, match="got A on cpu and sequences on meta"):
        render(transforms, fractals, z.to("meta"), **view)


def run_python(code: str, folder: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process without Triton's interpreter."""
    inherited = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=True,
    )


WITHOUT_NUMBA = "import sys; sys.modules['numba'] = None"
DRAW = """
import torch
from fractalgan.ops import Transforms, render
index = torch.zeros(1, 3, dtype=torch.long)
transforms = Transforms(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2))
draw = lambda **options: render(transforms, index[0, :1], index, size=(3, 3), window=1.0, **options)
"""


def test_fallback_to_torch_warns_once() -> None:
    finished = run_python(WITHOUT_NUMBA + DRAW + "draw(); print(draw()[0, 1, 1].item())")
    assert finished.stdout == "1.0\n"
    warning = "drawing with backend='torch', which is slower: backend='numba' is not available"
    assert finished.stderr.count(warning) == 1


def test_unavailable_backend_is_an_error_that_gives_the_reason() -> None:
    code = "try: draw(backend='numba')\nexcept RuntimeError as error: print(error)"
    finished = run_python(WITHOUT_NUMBA + DRAW + code)
    assert "backend='numba' is not available: ModuleNotFoundError" in finished.stdout


def test_compilation_is_announced_once_and_cached_for_the_next_process(tmp_path: Path) -> None:
    output = [run_python(DRAW + "draw()", NUMBA_CACHE_DIR=str(tmp_path)).stderr for _ in range(2)]
    assert output == ["compiling the CPU renderer, once for this machine: a few seconds\n", ""]


def test_kernels_are_compiled_where_nothing_can_be_cached(tmp_path: Path) -> None:
    """numba caches next to the kernels or in the home folder; a file is in the way of both."""
    package = Path(fractalgan.__file__).parent
    shutil.copytree(
        package / "ops", tmp_path / "fractalgan" / "ops", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(package / "__init__.py", tmp_path / "fractalgan")
    for obstacle in (tmp_path / "home", tmp_path / "fractalgan" / "ops" / "__pycache__"):
        obstacle.touch()
    code = DRAW + "print(draw(backend='numba')[0, 1, 1].item(), render.__code__.co_filename)"
    home = str(tmp_path / "home")
    finished = run_python(code, tmp_path, HOME=home, XDG_CACHE_HOME=home, NUMBA_CACHE_DIR="")
    assert finished.stdout == f"1.0 {tmp_path / 'fractalgan' / 'ops' / 'render.py'}\n"
    assert not list(tmp_path.rglob("*.nb?"))


def test_triton_kernels_compile_for_a_gpu(tmp_path: Path) -> None:
    """They compile to machine code, which needs no GPU; test_backends.py runs them."""
    code = (Path(__file__).parent / "compile_triton.py").read_text()
    finished = run_python(code, TRITON_CACHE_DIR=str(tmp_path))
    kernels = (
        "iterate",
        "carry",
        "assign_cells",
        "splat",
        "gather",
        "walk_back",
        "carry_back",
        "sum_by_transform",
        "sum_by_fractal",
    )
    assert tuple(finished.stdout.split()) == kernels
