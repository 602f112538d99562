"""Each backend of ``render`` through the same cases; Triton's in its interpreter (see tests/__init__.py)."""

import multiprocessing
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from fractalgan.ops import (
    Transforms,
    _fused,
    _threads,
    determinant_probabilities,
    draw_sequences,
    iterate_points,
    render,
    render_threads,
    set_render_threads,
    splat_dense,
    start_points,
    to_pixels,
)
from tests.problems import random_systems, sierpinski

BACKENDS = ["numba", "triton", "torch"]
every_backend = pytest.mark.parametrize("backend", BACKENDS)


class Case(NamedTuple):
    size: tuple[int, int] = (32, 32)
    window: float = 2.5
    tau: float = 1.0
    num_transforms: int = 5
    num_points: int = 30
    batch: int = 5
    seed: int = 0


CASES = {
    "as in the paper": Case(num_transforms=10, num_points=300, batch=2),
    "high and narrow": Case((40, 9), 2.0, 1.3),
    "low and wide": Case((5, 70), 2.0, 0.7, seed=1),
    "window that most points leave": Case((16, 16), 0.3, seed=2),
    "wide window": Case((33, 31), 20.0, seed=3),
    "narrow bumps": Case((20, 20), 2.5, 0.1, seed=4),
    "bumps of two tiles": Case((48, 40), 2.5, 4.0, seed=5),
    "bumps wider than the image": Case((12, 20), 1.5, 200.0, num_points=3, seed=6),
    "one transform": Case(num_transforms=1, seed=7),
    "one point": Case(num_points=1, seed=8),
    "one column": Case((9, 1), 1.5, seed=9),
    "a large image": Case((128, 100), 2.5, 0.3, seed=10, batch=2),
    "an image of 512 pixels": Case((512, 512), 2.4, seed=11, batch=2, num_points=10),
    "the narrowest bumps": Case((9, 9), 2.5, 1e-4, seed=12, batch=50, num_points=300),
}
# the plain form computes in the type that it is given, and these want more digits than float32 has
BEYOND_FLOAT32 = {"an image of 512 pixels", "the narrowest bumps"}
every_backend_and_case = pytest.mark.parametrize(
    ("backend", "case"),
    [
        pytest.param(backend, case, id=f"{name}-{backend}")
        for name, case in CASES.items()
        for backend in BACKENDS
        if not (backend == "torch" and name in BEYOND_FLOAT32)
    ],
)


def problem(case: Case) -> tuple[Transforms, Tensor, Tensor, dict]:
    """Three systems, a batch that shows the first two more than once, and what else render wants."""
    A, b = random_systems(3, case.num_transforms, case.seed)
    transforms = Transforms(A.float().requires_grad_(), b.float().requires_grad_())
    fractals = torch.arange(case.batch) * 2 % 3
    random = torch.Generator().manual_seed(case.seed)
    z = torch.randint(0, case.num_transforms, (case.batch, case.num_points), generator=random)
    return transforms, fractals, z, {"size": case.size, "window": case.window, "tau": case.tau}


def dense(transforms: Transforms, fractals: Tensor, z: Tensor, size, window, tau) -> Tensor:
    """Eqs. 3 and 8 in float64, bump by bump."""
    start = start_points(transforms, fractals).double()  # of the same float32 numbers
    transforms = Transforms(*(part.double() for part in transforms))
    points = iterate_points(transforms, fractals, z, start)
    return splat_dense(to_pixels(points, size, window), size, tau).clamp_max(1)


def relative(ours: tuple[Tensor, ...], reference: tuple[Tensor, ...]) -> float:
    ours, reference = (torch.cat([each.double().flatten() for each in parts]) for parts in (ours, reference))
    return float((ours - reference).norm() / reference.norm())


@every_backend_and_case
def test_image_and_gradient_are_those_of_the_dense_sum(backend: str, case: Case) -> None:
    transforms, fractals, z, scene = problem(case)
    reference = dense(transforms, fractals, z, **scene)
    images = render(transforms, fractals, z, **scene, backend=backend)
    assert images.shape == (case.batch, *case.size)
    torch.testing.assert_close(images.double(), reference, atol=2e-5, rtol=0)
    # full pixels are left out: float32 may see one just below 1 that float64 has just above
    cotangent = torch.randn(images.shape) * (reference < 0.999)
    ours, exact = (
        torch.autograd.grad(drawn, transforms, cotangent.to(drawn.dtype)) for drawn in (images, reference)
    )
    assert relative(ours, exact) < 1e-5


@pytest.mark.filterwarnings("ignore:(overflow|invalid value) encountered:RuntimeWarning")  # numpy, as Triton
@every_backend
@pytest.mark.parametrize("scale", [3.0, 1e20, float("inf"), float("nan")])
def test_system_that_diverges_draws_nothing_new_and_never_nan(backend: str, scale: float) -> None:
    transforms, fractals, z, scene = problem(Case(num_points=100, batch=2))
    with torch.no_grad():
        transforms.A[0] = scale
    assert fractals.tolist() == [0, 2]
    images = render(transforms, fractals, z, **scene, backend=backend)
    assert images.isfinite().all()
    gradients = torch.autograd.grad(images.square().sum(), transforms)
    assert all(gradient.isfinite().all() for gradient in gradients)
    alone = render(transforms, fractals[1:], z[1:], **scene, backend=backend)
    assert images[1].equal(alone[0])
    of_alone = torch.autograd.grad(alone.square().sum(), transforms)
    assert all(ours[2].equal(theirs[2]) for ours, theirs in zip(gradients, of_alone, strict=True))


@pytest.mark.filterwarnings("ignore:(overflow|invalid value) encountered:RuntimeWarning")  # numpy, as Triton
@every_backend
def test_points_after_infinity_draw_nothing(backend: str) -> None:
    """A point that has left float32 is lost, though the last map would bring any number back to 0."""
    A = torch.tensor([0.0, 3e38]).reshape(1, 2, 1, 1) * torch.eye(2)
    b = torch.tensor([[[0.0, 0.0], [3e38, 3e38]]])
    transforms = Transforms(A.requires_grad_(), b.requires_grad_())
    z, index = torch.tensor([[0, 1, 1, 0, 0]]), torch.zeros(1, dtype=torch.long)
    images, seen = (
        render(transforms, index, part, size=(9, 9), window=1.0, backend=backend) for part in (z, z[:, :1])
    )
    assert seen[0, 4, 4] == 1
    torch.testing.assert_close(images, seen, atol=1e-7, rtol=0)
    assert all(g.isfinite().all() for g in torch.autograd.grad(images.sum(), transforms))


@every_backend
def test_loss_that_is_not_finite_is_not_hidden(backend: str) -> None:
    """A NaN in one image's cotangent reaches its own fractal's gradient, and nobody else's."""
    transforms, fractals, z, scene = problem(Case(batch=2, num_points=100))
    assert fractals.tolist() == [0, 2]
    images = render(transforms, fractals, z, **scene, backend=backend)
    cotangent = torch.ones_like(images)
    cotangent[0, torch.nonzero(images[0].detach() < 0.5)[0][0]] = torch.nan
    for gradient in torch.autograd.grad(images, transforms, cotangent):
        assert gradient[0].isnan().any()
        assert gradient[2].isfinite().all()


@every_backend
def test_points_outside_draw_nothing_and_pass_nothing(backend: str) -> None:
    A = torch.zeros(1, 1, 2, 2, requires_grad=True)
    b = torch.tensor([[[9.0, 0.0]]], requires_grad=True)
    index = torch.zeros(1, 1, dtype=torch.long)
    image = render(Transforms(A, b), index[0], index, size=(8, 8), window=1.0, backend=backend)
    assert image.max() < 1e-12
    assert all(g.abs().max() < 1e-12 for g in torch.autograd.grad(image.sum(), (A, b)))


@every_backend
def test_pixels_that_are_full_pass_no_gradient(backend: str) -> None:
    transforms, fractals, z, _ = problem(Case(num_points=400))
    image = render(transforms, fractals, z, size=(4, 4), window=3.0, tau=2.0, backend=backend)
    assert (image == 1).any()
    (gradient,) = torch.autograd.grad(image[image == 1].sum(), transforms.b)
    assert gradient.abs().max() == 0


@every_backend
def test_an_image_does_not_depend_on_its_batch(backend: str) -> None:
    transforms, fractals, z, scene = problem(Case(batch=4))
    together = render(transforms, fractals, z, **scene, backend=backend)
    for i in range(len(z)):
        alone = render(transforms, fractals[i : i + 1], z[i : i + 1], **scene, backend=backend)
        torch.testing.assert_close(together[i], alone[0], atol=0 if backend != "torch" else 1e-6, rtol=0)


@every_backend
@pytest.mark.parametrize(("batch", "num_points"), [(0, 10), (3, 0), (0, 0)])
def test_nothing_to_draw(backend: str, batch: int, num_points: int) -> None:
    transforms, fractals, z, scene = problem(Case(batch=batch, num_points=num_points))
    images = render(transforms, fractals, z, **scene, backend=backend)
    assert images.shape == (batch, 32, 32)
    assert not images.any()
    assert not any(g.any() for g in torch.autograd.grad(images.sum(), transforms))


@every_backend
def test_numbers_as_they_come(backend: str) -> None:
    """Any kind of whole numbers, any strides, a start of one's own, and half precision drawn in float32."""
    transforms, fractals, z, scene = problem(Case(batch=4))
    by_default = render(transforms, fractals, z, **scene, backend=backend)
    for dtype in (torch.uint8, torch.int8, torch.int16, torch.int32):
        drawn = render(transforms, fractals.to(dtype), z.to(dtype), **scene, backend=backend)
        assert drawn.equal(by_default)
    start = torch.rand(4, 2)
    expected = render(transforms, fractals, z, **scene, start=start, backend=backend)
    strided = render(
        Transforms(transforms.A.mT.contiguous().mT, transforms.b),
        fractals.to(torch.uint8),
        z.T.contiguous().T.to(torch.int16),
        **scene,
        start=start.double(),
        backend=backend,
    )
    assert strided.equal(expected)
    half = Transforms(*(part.detach().bfloat16() for part in transforms))
    drawn = render(half, fractals, z, **scene, start=start, backend=backend)
    assert drawn.dtype == torch.float32
    assert drawn.equal(
        render(Transforms(*(p.float() for p in half)), fractals, z, **scene, start=start, backend=backend)
    )


@every_backend
def test_under_no_grad_and_autocast(backend: str) -> None:
    transforms, fractals, z, scene = problem(Case(batch=2))
    expected = render(transforms, fractals, z, **scene, backend=backend)
    with torch.no_grad():
        drawn = render(transforms, fractals, z, **scene, backend=backend)
    assert not drawn.requires_grad
    assert drawn.equal(expected)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        drawn = render(transforms, fractals, z, **scene, backend=backend)
    assert drawn.equal(expected)


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # dynamo's own doing
@every_backend
def test_inside_a_compiled_function(backend: str) -> None:
    transforms, fractals, z, scene = problem(Case(batch=2, num_points=10))

    def loss(A: Tensor, b: Tensor) -> Tensor:
        images = render(Transforms(A * 1.0, b), fractals, z, **scene, backend=backend)
        return (images * 2).square().mean()

    torch.compiler.reset()
    # one graph, but for the plain form, which runs between two
    compiled = torch.compile(loss, backend="aot_eager", fullgraph=backend != "torch")
    values = [f(*transforms) for f in (compiled, loss)]
    torch.testing.assert_close(*values)
    torch.testing.assert_close(*(torch.autograd.grad(value, transforms) for value in values))


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # dynamo's own doing
@pytest.mark.parametrize("backend", ["numba", "triton"])
def test_registration_is_sound(backend: str) -> None:
    transforms, fractals, z, _ = problem(Case(batch=2, num_points=5))
    maps = torch.cat([transforms.A.flatten(-2), transforms.b], -1).detach().requires_grad_()
    start = start_points(transforms, fractals)
    torch.library.opcheck(_fused.draw, (maps, fractals, z, start, 9, 8, 2.5, 1.0, backend))


@every_backend
def test_gradient_has_no_gradient_of_its_own(backend: str) -> None:
    transforms, fractals, z, scene = problem(Case(batch=1, num_points=5))
    images = render(transforms, fractals, z, **scene, backend=backend)
    (gradient,) = torch.autograd.grad(images.square().sum(), transforms.b, create_graph=True)
    with pytest.raises(RuntimeError):
        gradient.sum().backward()


# -- what is refused --------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["numba", "torch"])
@pytest.mark.parametrize(("fractal", "index"), [(0, 5), (0, -1), (3, 0), (-1, 0)])
def test_index_out_of_range_on_a_cpu(backend: str, fractal: int, index: int) -> None:
    transforms, _, z, scene = problem(Case(batch=1))
    z[0, 7] = index
    start = torch.zeros(1, 2)
    with pytest.raises(IndexError, match="want"):
        render(transforms, torch.tensor([fractal]), z, **scene, start=start, backend=backend)


@pytest.mark.parametrize(("fractal", "index"), [(0, 5), (0, -1), (3, 0), (-1, 0)])
def test_index_out_of_range_on_a_gpu_leaves_the_point_out(fractal: int, index: int) -> None:
    transforms, _, z, scene = problem(Case(batch=1))
    z[0, 7:] = index
    fractals, start = torch.tensor([fractal]), torch.zeros(1, 2)
    image = render(transforms, fractals, z, **scene, start=start, backend="triton")
    known = render(
        transforms,
        torch.tensor([0]),
        z[:, : 7 if fractal == 0 else 0],
        **scene,
        start=start,
        backend="triton",
    )
    assert image.equal(known)
    assert all(g.isfinite().all() for g in torch.autograd.grad(image.sum(), transforms))


@pytest.mark.parametrize("backend", ["numba", "triton"])
def test_fused_backends_want_float32(backend: str) -> None:
    transforms, fractals, z, scene = problem(Case())
    double = Transforms(*(part.double() for part in transforms))
    with pytest.raises(ValueError, match=r"float32.*backend='torch'"):
        render(double, fractals, z, **scene, backend=backend)
    assert render(double, fractals, z, **scene).dtype == torch.float64


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tau": 1e-5}, "want tau in"),
        ({"tau": float("inf")}, "want tau in"),
        ({"window": float("inf")}, "want window in"),
        ({"window": 1e-300}, "want window in"),
        ({"size": (9, 9, 9)}, r"want a size \(H, W\)"),
        ({"size": (9.5, 9)}, r"want a size \(H, W\)"),
    ],
)
def test_view_that_cannot_be_drawn(change: dict, message: str) -> None:
    transforms, fractals, z, scene = problem(Case())
    with pytest.raises(ValueError, match=message):
        render(transforms, fractals, z, **(scene | change))


def test_fractals_without_transforms() -> None:
    nothing = Transforms(torch.zeros(1, 0, 2, 2), torch.zeros(1, 0, 2))
    index = torch.zeros(1, 0, dtype=torch.long)
    with pytest.raises(ValueError, match="N = 0"):
        render(nothing, torch.zeros(1, dtype=torch.long), index, size=(9, 9), window=1.0)


def test_unknown_backend() -> None:
    transforms, fractals, z, scene = problem(Case())
    with pytest.raises(ValueError, match="want numba, triton or torch, got 'cuda'"):
        render(transforms, fractals, z, **scene, backend="cuda")  # type: ignore[arg-type]


def test_backend_of_another_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRITON_INTERPRET")
    transforms, fractals, z, scene = problem(Case())
    with pytest.raises(ValueError, match="triton backend draws on cuda, but the maps are on cpu"):
        render(transforms, fractals, z, **scene, backend="triton")
    elsewhere = Transforms(*(part.to("meta") for part in transforms))
    with pytest.raises(ValueError, match="numba backend draws on cpu, but the maps are on meta"):
        render(elsewhere, fractals.to("meta"), z.to("meta"), **scene, backend="numba")
    with pytest.raises(ValueError, match="A on cpu and sequences on meta"):
        render(transforms, fractals, z.to("meta"), **scene)


def in_a_process(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    environment = {
        name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"
    } | environment
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )


DRAW = """
import torch
from fractalgan.ops import Transforms, render
index = torch.zeros(1, 3, dtype=torch.long)
maps = Transforms(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2))
draw = lambda **more: render(maps, index[0, :1], index, size=(3, 3), window=1.0, **more)
"""


def test_without_numba_the_plain_form_draws_and_says_so_once() -> None:
    code = "import sys; sys.modules['numba'] = None" + DRAW + "draw(); print(draw()[0, 1, 1].item())"
    done = in_a_process(code)
    assert done.stdout == "1.0\n"
    assert (
        done.stderr.count("fractals are drawn in plain torch, which is slower: the numba backend refuses")
        == 1
    )


def test_backend_that_is_missing_is_named() -> None:
    code = "import sys; sys.modules['numba'] = None" + DRAW
    code += "try: draw(backend='numba')\nexcept RuntimeError as error: print(error)"
    assert "the numba backend cannot be used here: ModuleNotFoundError" in in_a_process(code).stdout


def test_compilation_is_announced_once_and_kept_for_the_next_process(tmp_path: Path) -> None:
    said = [in_a_process(DRAW + "draw()", NUMBA_CACHE_DIR=str(tmp_path)).stderr for _ in range(2)]
    assert said == ["compiling the fused renderer for this machine: some seconds, once\n", ""]


def test_kernels_are_compiled_where_nothing_can_be_kept(tmp_path: Path) -> None:
    """A package in a folder without write access, and no home: numba has nowhere to put its cache."""
    nowhere = tmp_path / "a file"
    nowhere.touch()
    code = "import numba; numba.config.CACHE_LOCATOR_CLASSES = ''\n"
    code += "from numba.core import caching\ncaching.CacheImpl._locator_classes = []\n"
    done = in_a_process(code + DRAW + "print(draw(backend='numba')[0, 1, 1].item())", HOME=str(nowhere))
    assert done.stdout == "1.0\n"


def test_triton_kernels_compile_for_a_gpu(tmp_path: Path) -> None:
    """Down to machine code, which needs no GPU; that they run right there is the interpreter's word alone."""
    code = (Path(__file__).parent / "compile_triton.py").read_text()
    done = in_a_process(code, TRITON_CACHE_DIR=str(tmp_path))
    assert done.stdout.split() == ["_iterate", "_splat", "_gather", "_walk_back", "_add_up"]


# -- threads and processes --------------------------------------------------------------------------


def image_and_gradient() -> list[Tensor]:
    transforms, fractals, z, scene = problem(Case(batch=150, num_transforms=10, num_points=100))
    images = render(transforms, fractals, z, **scene, backend="numba")
    return [images.detach(), *torch.autograd.grad(images.square().sum(), transforms)]


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_bits_do_not_depend_on_the_number_of_threads(threads) -> None:
    results = []
    for number in (1, 2, 5):
        threads(number)
        results.append(image_and_gradient())
    for other in results[1:]:
        assert all(ours.equal(theirs) for ours, theirs in zip(results[0], other, strict=True))


def test_drawing_has_threads_of_its_own(threads) -> None:
    threads(2)
    try:
        set_render_threads(5)
        assert render_threads() == 5
        assert torch.get_num_threads() == 2
    finally:
        set_render_threads(None)
    assert render_threads() == 2


def test_several_threads_at_once(threads) -> None:
    threads(3)
    expected = image_and_gradient()
    results: list[list[Tensor]] = []

    def work() -> None:
        for _ in range(10):
            results.append(image_and_gradient())

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(results) == 40
    for result in results:
        assert all(ours.equal(theirs) for ours, theirs in zip(expected, result, strict=True))


def test_no_more_threads_than_torch_has(threads) -> None:
    threads(2)
    _threads._pool.cache_clear()
    before = set(threading.enumerate())  # helpers of a test before may be on their way out
    image_and_gradient()
    assert len(set(threading.enumerate()) - before) == 1  # and the caller


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_in_a_forked_process(threads) -> None:
    """As a data loader's worker draws, whose parent has drawn before."""
    threads(2)
    expected = image_and_gradient()[0].sum().item()
    receive, send = multiprocessing.Pipe(duplex=False)

    def work() -> None:
        torch.set_num_threads(1)  # as data loaders do: torch's own pool does not survive a fork
        _threads.torch = SimpleNamespace(get_num_threads=lambda: 2)
        send.send(image_and_gradient()[0].sum().item())

    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    assert receive.poll(30)
    assert receive.recv() == expected
    process.join()


# -- sequences --------------------------------------------------------------------------------------


@pytest.mark.parametrize("num_transforms", [1, 2, 10])
def test_sequences_are_the_same_to_the_bit_however_they_are_looked_up(
    num_transforms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    A = random_systems(4, num_transforms).A.float()
    A[1, 0] = 0  # a map that is never taken
    p, fractals = determinant_probabilities(A), torch.arange(40) % 4
    fused = draw_sequences(p, fractals, 500, torch.Generator().manual_seed(3))
    monkeypatch.setattr(_fused, "best", lambda _: None)
    plain = draw_sequences(p, fractals, 500, torch.Generator().manual_seed(3))
    assert fused.equal(plain)
    assert fused.dtype == plain.dtype == torch.long
    if num_transforms > 1:
        assert not (fused[fractals == 1] == 0).any()


def test_default_draws_the_sierpinski_triangle_with_its_hole() -> None:
    z = draw_sequences(torch.full((1, 3), 1 / 3), torch.tensor([0]), 3000)
    image = render(sierpinski(torch.float32), torch.tensor([0]), z, size=(64, 64), window=1.0, tau=0.2)[0]
    assert (image[32:63, 32] > 0.3).all()
    assert image[45, 45] < 1e-3
