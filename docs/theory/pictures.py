"""Draws the pictures of the theory pages: python docs/theory/pictures.py, a minute on two cores."""

import math
from pathlib import Path

import matplotlib as mpl
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Polygon
from PIL import Image
from torch import Tensor

from fractalgan.nn import FractalEmbedding, FractalGenerator, collage_fractals
from fractalgan.ops import (
    Transforms,
    determinant_probabilities,
    draw_sequences,
    iterate_points,
    place_copies,
    render,
    splat_dense,
    start_points,
    to_pixels,
    uniform_probabilities,
    union,
)

FOLDER = Path(__file__).with_name("pictures")
COLORS = ["#d1495b", "#2e86ab", "#66a182", "#edae49", "#8d5b9f", "#00798c", "#c97b63", "#5c6f91"]
WINDOW = 1.2

mpl.rcParams |= {"figure.dpi": 100, "savefig.dpi": 100, "font.size": 11, "axes.titlesize": 11}


def similarity(
    scale: float, degrees: float, down: float, right: float
) -> tuple[list[list[float]], list[float]]:
    """A rotation with a scale, and a translation."""
    cos, sin = scale * math.cos(math.radians(degrees)), scale * math.sin(math.radians(degrees))
    return [[cos, -sin], [sin, cos]], [down, right]


def fractal(*maps: tuple[list[list[float]], list[float]]) -> Transforms:
    """One fractal of these maps."""
    A, b = zip(*maps, strict=True)
    return Transforms(torch.tensor([A]), torch.tensor([b]))


# Three halves, toward the corners of a triangle, on the square [-1, 1]^2.
SIERPINSKI = fractal(*(similarity(0.5, 0, *corner) for corner in [(-0.5, 0), (0.5, -0.5), (0.5, 0.5)]))
# Barnsley's fern, standing up: its own coordinates (x, y) are (right, up), from (-2.2, 0) to (2.7, 10).
FERN_MAPS = torch.tensor(
    [
        [0, 0, 0, 0.16, 0, 0],
        [0.85, 0.04, -0.04, 0.85, 0, 1.6],
        [0.2, -0.26, 0.23, 0.22, 0, 1.6],
        [-0.15, 0.28, 0.26, 0.24, 0, 0.44],
    ]
)


def fern() -> Transforms:
    """Barnsley's fern in the square [-1, 1]^2, first coordinate down."""
    P = torch.tensor([[0.0, -0.2], [0.2, 0.0]])  # (right, up) to (down, right), a fifth of the size
    shift = torch.tensor([1.0, -0.05])
    A = FERN_MAPS[:, :4].view(-1, 2, 2)
    inner = P @ A @ P.inverse()
    b = (P @ FERN_MAPS[:, 4:, None]).squeeze(-1) + shift - (inner @ shift[:, None]).squeeze(-1)
    return Transforms(inner[None], b[None])


def points_of(
    transforms: Transforms, number: int, probabilities: Tensor, kind: str = "random"
) -> tuple[Tensor, Tensor]:
    """Points [number, 2] of the chaos game, and the index sequence that led to them."""
    source = torch.Generator().manual_seed(0)
    zero = torch.zeros(1, dtype=torch.long)
    sequences = draw_sequences(probabilities, zero, number, source, kind)  # type: ignore[arg-type]
    return iterate_points(transforms, zero, sequences, start_points(transforms, zero))[0], sequences[0]


def prepare(axes: Axes, title: str, window: float = WINDOW) -> None:
    """An empty square of the plane, whose first coordinate runs down."""
    axes.set(
        xlim=(-window, window), ylim=(window, -window), aspect="equal", title=title, xticks=[], yticks=[]
    )


def frame(axes: Axes, transforms: Transforms) -> None:
    """The unit square [-1, 1]^2, dashed, and what each transform makes of it."""
    square = torch.tensor([[-1.0, -1], [-1, 1], [1, 1], [1, -1]])
    axes.add_patch(Polygon(square.flip(-1), fill=False, ls="--", ec="0.4"))
    for color, A, b in zip(COLORS, transforms.A[0], transforms.b[0], strict=False):
        axes.add_patch(Polygon((square @ A.T + b).flip(-1), fc=(color, 0.25), ec=color))


def scatter(axes: Axes, points: Tensor, sequence: Tensor | None = None, size: float = 0.3) -> None:
    """Points, in the colors of the transforms that made them."""
    colors = "0.1" if sequence is None else [COLORS[z] for z in sequence.tolist()]
    axes.scatter(points[:, 1], points[:, 0], s=size, c=colors, linewidths=0)


def save(figure: plt.Figure, name: str) -> None:
    """A PNG file of few colors, which is small."""
    path = FOLDER / f"{name}.png"
    figure.savefig(path, bbox_inches="tight", pad_inches=0.05, facecolor="white")
    plt.close(figure)
    Image.open(path).convert("RGB").quantize(128).save(path, optimize=True)


def draw_transforms() -> None:
    """The transforms of two fractals, and their attractors, whose parts have the colors of the transforms."""
    figure, axes = plt.subplots(1, 4, figsize=(12, 3.2))
    ferns = fern()
    for column, (name, each, probabilities) in enumerate(
        [
            ("triangle", SIERPINSKI, uniform_probabilities(SIERPINSKI.A)),
            ("fern", ferns, torch.tensor([[0.01, 0.85, 0.07, 0.07]])),
        ]
    ):
        left, right = axes[2 * column], axes[2 * column + 1]
        prepare(left, f"{len(each.b[0])} transforms")
        frame(left, each)
        prepare(right, f"their attractor, the {name}")
        scatter(right, *points_of(each, 40_000, probabilities))
    save(figure, "transforms")


def draw_hutchinson() -> None:
    """What repeated use of all transforms at once makes of a disk."""
    figure, axes = plt.subplots(1, 6, figsize=(13, 2.6))
    angles = torch.linspace(0, 2 * math.pi, 60)
    shapes = [0.9 * torch.stack([angles.sin(), angles.cos()], -1)]
    for step, panel in enumerate(axes):
        prepare(panel, f"$k = {step}$", 1.05)
        for shape in shapes:
            panel.add_patch(Polygon(shape.flip(-1), fc="#2e86ab", ec="none"))
        shapes = [
            shape @ A.T + b for shape in shapes for A, b in zip(SIERPINSKI.A[0], SIERPINSKI.b[0], strict=True)
        ]
    save(figure, "hutchinson")


def draw_factors() -> None:
    """A letter under each factor of A = R(theta) diag(sigma) R(phi) diag(d), in the order of their use."""
    theta, phi, sigma = math.radians(35), math.radians(25), torch.tensor([0.9, 0.4])
    letter = torch.tensor([[-0.6, -0.3], [-0.6, 0.35], [-0.4, 0.35], [-0.4, -0.1], [-0.1, -0.1], [-0.1, 0.2],
                           [0.1, 0.2], [0.1, -0.1], [0.6, -0.1], [0.6, -0.3]])  # fmt: skip

    def rotation(angle: float) -> Tensor:
        return torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])

    factors = [torch.diag(torch.tensor([1.0, -1.0])), rotation(phi), torch.diag(sigma), rotation(theta)]
    names = [
        "a picture",
        "flip: $diag(1, -1)$",
        r"rotate: $R(\phi)$",
        r"scale: $diag(\sigma_1, \sigma_2)$",
        r"rotate: $R(\theta)$",
    ]
    figure, axes = plt.subplots(1, 5, figsize=(13, 2.9))
    turn = torch.linspace(0, 2 * math.pi, 80)
    circle = torch.stack([turn.cos(), turn.sin()], -1) * 0.75
    for panel, name, factor in zip(axes, names, [torch.eye(2), *factors], strict=True):
        letter, circle = letter @ factor.T, circle @ factor.T
        prepare(panel, name, 0.9)
        panel.plot(circle[:, 1], circle[:, 0], color="0.6", lw=1)
        panel.add_patch(Polygon(letter.flip(-1), fc="#d1495b", ec="none"))
    save(figure, "factors")


def draw_chaos_game() -> None:
    """The first points of a walk, and more and more of them."""
    figure, axes = plt.subplots(1, 4, figsize=(12, 3.2))
    points, sequence = points_of(SIERPINSKI, 30_000, uniform_probabilities(SIERPINSKI.A))
    prepare(axes[0], "the first 12 points")
    axes[0].plot(points[:12, 1], points[:12, 0], color="0.7", lw=0.8)
    for panel, number, size in zip(axes, (12, 100, 1_000, 30_000), (30, 8, 3, 0.3), strict=True):
        if number > 12:
            prepare(panel, f"{number:,} points")
        scatter(panel, points[:number], sequence[:number], size)
    save(figure, "chaos_game")


def draw_probabilities() -> None:
    """The same transforms, drawn by different probabilities."""
    figure, axes = plt.subplots(1, 3, figsize=(9.6, 3.4))
    each = fractal(
        similarity(0.75, 10, -0.2, 0.1), similarity(0.35, 0, 0.6, -0.6), similarity(0.3, 40, 0.6, 0.6)
    )
    rules = {"in proportion to |det A|": determinant_probabilities, "equal": uniform_probabilities}
    prepare(axes[0], "three transforms")
    frame(axes[0], each)
    for panel, (name, rule) in zip(axes[1:], rules.items(), strict=True):
        prepare(panel, name)
        scatter(panel, *points_of(each, 6_000, rule(each.A)), size=1.0)
    save(figure, "probabilities")


def draw_splat() -> None:
    """Points become an image: the sum of bumps, and its limit of 1, for several widths."""
    figure, axes = plt.subplots(1, 4, figsize=(12, 3.3))
    points, _ = points_of(SIERPINSKI, 300, uniform_probabilities(SIERPINSKI.A), "even")
    pixels = to_pixels(points, (32, 32), WINDOW)
    axes[0].set(xlim=(-0.5, 31.5), ylim=(31.5, -0.5), aspect="equal", title="300 points, 32 x 32 pixels")
    scatter(axes[0], pixels, size=4)
    axes[0].set(xticks=[0, 10, 20, 31], yticks=[0, 10, 20, 31])
    for panel, tau in zip(axes[1:], (0.25, 1.0, 4.0), strict=True):
        image = splat_dense(pixels[None], (32, 32), tau)[0].clamp_max(1)
        panel.imshow(image, cmap="gray", vmin=0, vmax=1)
        panel.set(title=rf"$\tau = {tau:g}$", xticks=[], yticks=[])
    save(figure, "splat")


def draw_gradient() -> None:
    """How far the image of a fractal is from that of another, as one number of it changes."""
    zero = torch.zeros(50, dtype=torch.long)
    source = torch.Generator().manual_seed(0)
    sequences = draw_sequences(uniform_probabilities(SIERPINSKI.A), zero, 300, source, "even")

    def images(transforms: Transforms, tau: float) -> Tensor:
        return render(transforms, zero, sequences, size=(32, 32), window=WINDOW, tau=tau)

    figure, axes = plt.subplots(1, 2, figsize=(10, 3))
    shifts = torch.linspace(-0.8, 0.8, 81)
    for tau, color in zip((0.25, 1.0, 4.0), COLORS, strict=False):
        target = images(SIERPINSKI, tau).mean(0)
        losses, slopes = [], []
        for shift in shifts:
            b = SIERPINSKI.b.clone()
            b[0, 0, 1] += shift
            b.requires_grad_()
            loss = (images(Transforms(SIERPINSKI.A, b), tau) - target).square().mean()
            losses.append(loss.item())
            slopes.append(torch.autograd.grad(loss, b)[0][0, 0, 1].item())
        axes[0].plot(shifts, losses, color=color, label=rf"$\tau = {tau:g}$")
        axes[1].plot(shifts, slopes, color=color)
    axes[0].set(title="MSE", xlabel="shift of one transform")
    axes[1].set(title="its gradient, by backpropagation", xlabel="shift of one transform")
    axes[1].axhline(0, color="0.7", lw=0.8)
    axes[0].legend(frameon=False)
    save(figure, "gradient")


def maple() -> Tensor:
    """A drawing [1, 64, 64] of a maple leaf, white on black."""
    outline = [
        (4, 32),
        (16, 26),
        (14, 16),
        (26, 20),
        (24, 6),
        (34, 14),
        (38, 4),
        (46, 16),
        (50, 29),
        (62, 31),
    ]
    outline += [(row, 64 - column) for row, column in reversed(outline)]
    figure = plt.figure(figsize=(1, 1), dpi=64, facecolor="black")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 64), ylim=(64, 0))
    axes.axis("off")
    axes.add_patch(Polygon([(column, row) for row, column in outline], fc="white", ec="none"))
    figure.canvas.draw()
    pixels = torch.tensor(figure.canvas.buffer_rgba().tolist())[..., 0] / 255  # type: ignore[attr-defined]
    plt.close(figure)
    return pixels[None]


def draw_collage() -> None:
    """A picture, its collage by ten copies, what they cover, and the attractor of the transforms."""
    picture = maple()
    found = collage_fractals(picture[:, None], [0], candidates=1, num_transforms=10, window=1.0, seed=0)
    copies = place_copies(picture, found)[0]
    figure, axes = plt.subplots(1, 4, figsize=(12, 3.2))
    axes[0].imshow(picture[0], cmap="gray", vmin=0, vmax=1)
    axes[0].set(title="a picture")
    colored = torch.zeros(64, 64, 3)
    for copy, color in zip(copies, [*COLORS, "#888888", "#c0a0d0"], strict=True):
        colored = torch.lerp(colored, torch.tensor(mpl.colors.to_rgb(color)), 0.75 * copy[..., None])
    axes[1].imshow(colored)
    axes[1].set(title="ten copies of it")
    axes[2].imshow(union(copies), cmap="gray", vmin=0, vmax=1)
    axes[2].set(title="their union: the collage")
    embedding = FractalEmbedding(found, "raw")
    layer = FractalGenerator(embedding, window=1.0, probabilities="area").picture(0, size=400)
    axes[3].imshow(layer.alpha, cmap="gray", vmin=0, vmax=1)
    axes[3].set(title="the attractor of the transforms")
    for panel in axes:
        panel.set(xticks=[], yticks=[])
    save(figure, "collage")


def draw_even() -> None:
    """256 points of a fractal that is a square, along a random and along an even sequence."""
    square = fractal(*(similarity(0.5, 0, down, right) for down in (-0.5, 0.5) for right in (-0.5, 0.5)))
    figure, axes = plt.subplots(1, 2, figsize=(8.4, 4.2))
    for panel, kind in zip(axes, ("random", "even"), strict=True):
        points, sequence = points_of(square, 256, uniform_probabilities(square.A), kind)
        cells = ((points + 1) * 8).long().clamp(0, 15)
        visited = torch.zeros(16, 16).index_put_(
            (cells[:, 0], cells[:, 1]), torch.tensor(1.0), accumulate=True
        )
        prepare(panel, f"{kind}: {int((visited == 0).sum())} of 256 parts are empty", 1.02)
        for line in torch.linspace(-1, 1, 17).tolist():
            panel.plot([line, line], [-1, 1], color="0.85", lw=0.6, zorder=0)
            panel.plot([-1, 1], [line, line], color="0.85", lw=0.6, zorder=0)
        scatter(panel, points, sequence, 12)
    save(figure, "even")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    draw_transforms()
    draw_hutchinson()
    draw_factors()
    draw_chaos_game()
    draw_probabilities()
    draw_splat()
    draw_gradient()
    draw_collage()
    draw_even()
