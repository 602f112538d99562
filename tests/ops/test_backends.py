"""Every backend of ``render`` on the same cases, compared with the dense reference.

Triton's kernels run in its interpreter, so no GPU is needed. On a machine with a CUDA GPU

    FRACTALGAN_TEST_DEVICE=cuda python -m pytest tests/ops/test_backends.py

compiles them and runs them on it.
"""

import pytest
import torch
from torch import Tensor

from fractalgan.ops import Features, Transforms, _fused, render, start_points
from fractalgan.ops._packing import pack
from tests.ops.cases import (
    DEVICES,
    Case,
    every_backend,
    every_backend_and_case,
    learned,
    problem,
    relative_error,
    render_dense,
)

# Triton's interpreter computes with numpy, which warns.
ignore_numpy_overflow = pytest.mark.filterwarnings(
    "ignore:(overflow|invalid value) encountered:RuntimeWarning"
)
ignore_dynamo_warning = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")


@every_backend_and_case
def test_image_and_gradient_match_the_dense_reference(backend: str, case: Case) -> None:
    transforms, fractals, z, view = problem(case, backend)
    expected = render_dense(transforms, fractals, z, **view)
    images = render(transforms, fractals, z, **view, backend=backend)
    assert images.shape == (case.batch, *([case.features] if case.features else []), *case.size)
    torch.testing.assert_close(images.double().cpu(), expected, atol=2e-5, rtol=0)
    # pixels that are almost full are left out: they may be below 1 in float32 and above it in float64
    # (a color has a kink there, in all of its channels)
    weights = render_dense(transforms, fractals, z, case.size, case.window, case.tau)
    almost = ((weights - 1).abs() < 1e-3) if case.features else (weights >= 0.999)
    cotangent = torch.randn(images.shape) * ~(almost.unsqueeze(1) if case.features else almost)
    gradients = [
        torch.autograd.grad(each, learned(transforms, view), cotangent.to(each), materialize_grads=True)
        for each in (images, expected)
    ]
    for of_what in (slice(2), slice(2, None)) if case.features else (slice(2),):
        assert relative_error(*(each[of_what] for each in gradients)) < 1e-5


@ignore_numpy_overflow
@every_backend
@pytest.mark.parametrize(
    ("scale", "size"),
    [(3.0, (32, 32)), (1e20, (40, 36)), (float("inf"), (32, 32)), (float("nan"), (32, 32))],
)
def test_diverging_fractal_yields_finite_numbers_and_does_not_affect_others(
    backend: str, scale: float, size: tuple[int, int]
) -> None:
    transforms, fractals, z, view = problem(Case(size, num_points=100, batch=2), backend)
    with torch.no_grad():
        transforms.A[0] = scale
    assert fractals.tolist() == [0, 2]
    images = render(transforms, fractals, z, **view, backend=backend)
    assert images.isfinite().all()
    gradients = torch.autograd.grad(images.square().sum(), transforms)
    assert all(gradient.isfinite().all() for gradient in gradients)
    alone = render(transforms, fractals[1:], z[1:], **view, backend=backend)
    assert images[1].equal(alone[0])
    gradients_alone = torch.autograd.grad(alone.square().sum(), transforms)
    for together, expected in zip(gradients, gradients_alone, strict=True):
        assert together[2].equal(expected[2])


@ignore_numpy_overflow
@every_backend
def test_points_after_infinity_draw_nothing_and_pass_no_gradient(backend: str) -> None:
    """The last transform maps every finite point to 0, but a point beyond the range of float32 stays lost."""
    A = torch.tensor([0.0, 3e38]).reshape(1, 2, 1, 1) * torch.eye(2)
    b = torch.tensor([[[0.0, 0.0], [3e38, 3e38]]])
    transforms = Transforms(*(part.to(DEVICES[backend]).requires_grad_() for part in (A, b)))
    z = torch.tensor([[0, 1, 1, 0, 0]], device=DEVICES[backend])
    images, expected = (
        render(transforms, z[:, 0], part, size=(9, 9), window=1.0, backend=backend) for part in (z, z[:, :1])
    )
    assert expected[0, 4, 4] == 1
    torch.testing.assert_close(images, expected, atol=1e-7, rtol=0)
    cotangent = torch.randn(images.shape).to(images)
    for gradient, expected_gradient in zip(
        *(torch.autograd.grad(each, transforms, cotangent) for each in (images, expected)), strict=True
    ):
        torch.testing.assert_close(gradient, expected_gradient)


@every_backend
def test_nan_in_a_cotangent_reaches_the_gradient_of_its_fractal_only(backend: str) -> None:
    transforms, fractals, z, view = problem(Case(batch=2, num_points=100), backend)
    assert fractals.tolist() == [0, 2]
    images = render(transforms, fractals, z, **view, backend=backend)
    cotangent = torch.ones_like(images)
    cotangent[0, torch.nonzero(images[0].detach() < 0.5)[0][0]] = torch.nan
    for gradient in torch.autograd.grad(images, transforms, cotangent):
        assert gradient[0].isnan().any()
        assert gradient[2].isfinite().all()


@every_backend
def test_points_outside_the_window_draw_nothing_and_pass_no_gradient(backend: str) -> None:
    A = torch.zeros(1, 1, 2, 2, device=DEVICES[backend], requires_grad=True)
    b = torch.tensor([[[9.0, 0.0]]], device=DEVICES[backend], requires_grad=True)
    index = torch.zeros(1, 1, dtype=torch.long, device=DEVICES[backend])
    image = render(Transforms(A, b), index[0], index, size=(8, 8), window=1.0, backend=backend)
    assert image.max() < 1e-12
    assert all(gradient.abs().max() < 1e-12 for gradient in torch.autograd.grad(image.sum(), (A, b)))


@every_backend
def test_full_pixels_pass_no_gradient(backend: str) -> None:
    transforms, fractals, z, _ = problem(Case(num_points=400), backend)
    image = render(transforms, fractals, z, size=(4, 4), window=3.0, tau=2.0, backend=backend)
    assert (image == 1).any()
    (gradient,) = torch.autograd.grad(image[image == 1].sum(), transforms.b)
    assert gradient.abs().max() == 0


@every_backend
@pytest.mark.parametrize("size", [(32, 32), (33, 40)])
def test_image_does_not_depend_on_its_batch(backend: str, size: tuple[int, int]) -> None:
    transforms, fractals, z, view = problem(Case(size, batch=4), backend)
    together = render(transforms, fractals, z, **view, backend=backend)
    for i in range(len(z)):
        alone = render(transforms, fractals[i : i + 1], z[i : i + 1], **view, backend=backend)
        torch.testing.assert_close(together[i], alone[0], atol=0 if backend != "torch" else 1e-6, rtol=0)


@every_backend
@pytest.mark.parametrize(("batch", "num_points"), [(0, 10), (3, 0), (0, 0)])
def test_empty_batch_or_sequence(backend: str, batch: int, num_points: int) -> None:
    transforms, fractals, z, view = problem(Case(batch=batch, num_points=num_points), backend)
    images = render(transforms, fractals, z, **view, backend=backend)
    assert images.shape == (batch, 32, 32)
    assert not images.any()
    assert not any(gradient.any() for gradient in torch.autograd.grad(images.sum(), transforms))


@every_backend
def test_integer_types_strides_start_and_half_precision(backend: str) -> None:
    transforms, fractals, z, view = problem(Case(batch=4), backend)
    expected = render(transforms, fractals, z, **view, backend=backend)
    for dtype in (torch.uint8, torch.int8, torch.int16, torch.int32):
        images = render(transforms, fractals.to(dtype), z.to(dtype), **view, backend=backend)
        assert images.equal(expected)
    start = torch.rand(4, 2).to(DEVICES[backend])
    expected = render(transforms, fractals, z, **view, start=start, backend=backend)
    strided = render(
        Transforms(transforms.A.mT.contiguous().mT, transforms.b),
        fractals.to(torch.uint8),
        z.T.contiguous().T.to(torch.int16),
        **view,
        start=start.double(),
        backend=backend,
    )
    assert strided.equal(expected)
    half = Transforms(*(part.detach().bfloat16() for part in transforms))
    single = Transforms(*(part.float() for part in half))
    images = render(half, fractals, z, **view, start=start, backend=backend)
    assert images.dtype == torch.float32
    assert images.equal(render(single, fractals, z, **view, start=start, backend=backend))


@every_backend
def test_no_grad_and_autocast_do_not_change_the_image(backend: str) -> None:
    transforms, fractals, z, view = problem(Case(batch=2), backend)
    expected = render(transforms, fractals, z, **view, backend=backend)
    with torch.no_grad():
        images = render(transforms, fractals, z, **view, backend=backend)
    assert not images.requires_grad
    assert images.equal(expected)
    with torch.autocast(DEVICES[backend], dtype=torch.bfloat16):
        images = render(transforms, fractals, z, **view, backend=backend)
    assert images.equal(expected)


@ignore_dynamo_warning
@every_backend
def test_compiled_function_matches_eager(backend: str) -> None:
    transforms, fractals, z, view = problem(Case(batch=2, num_points=10), backend)

    def loss(A: Tensor, b: Tensor) -> Tensor:
        images = render(Transforms(A * 1.0, b), fractals, z, **view, backend=backend)
        return (images * 2).square().mean()

    torch.compiler.reset()
    # a single graph, except for the torch backend, which breaks it
    compiled = torch.compile(loss, backend="aot_eager", fullgraph=backend != "torch")
    values = [function(*transforms) for function in (compiled, loss)]
    torch.testing.assert_close(*values)
    torch.testing.assert_close(*(torch.autograd.grad(value, transforms) for value in values))


@ignore_dynamo_warning
@pytest.mark.parametrize("backend", ["numba", "triton"])
@pytest.mark.parametrize("features", [0, 3])
def test_operator_passes_opcheck(backend: str, features: int) -> None:
    transforms, fractals, z, view = problem(Case(batch=2, num_points=5, features=features), backend)
    view.setdefault("features", Features.none(transforms.b))
    packed = pack(transforms, view["features"]).detach().requires_grad_()
    start = start_points(transforms, fractals)
    chains = z.unsqueeze(1), start.unsqueeze(1)
    background = view["features"].background
    torch.library.opcheck(_fused.draw, (packed, background, fractals, *chains, 9, 8, 2.5, 1.0, backend))


@every_backend
def test_second_derivative_is_an_error(backend: str) -> None:
    transforms, fractals, z, view = problem(Case(batch=1, num_points=5), backend)
    images = render(transforms, fractals, z, **view, backend=backend)
    (gradient,) = torch.autograd.grad(images.square().sum(), transforms.b, create_graph=True)
    with pytest.raises(RuntimeError):
        gradient.sum().backward()


@pytest.mark.parametrize(("fractal", "index"), [(0, 5), (0, -1), (3, 0), (-1, 0)])
def test_triton_leaves_out_points_whose_index_is_out_of_range(fractal: int, index: int) -> None:
    transforms, fractals, z, view = problem(Case(batch=1), "triton")
    z[0, 7:] = index
    start = torch.zeros(1, 2, device=z.device)
    valid = z[:, : 7 if fractal == 0 else 0]
    image, expected = (
        render(transforms, fractals + offset, sequence, **view, start=start, backend="triton")
        for offset, sequence in [(fractal, z), (0, valid)]
    )
    assert image.equal(expected)
    torch.testing.assert_close(*(torch.autograd.grad(each.sum(), transforms) for each in (image, expected)))
