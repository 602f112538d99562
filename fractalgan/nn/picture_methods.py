"""The methods of a generator that look at any part of a fractal."""

from typing import Any

import torch
from torch import Tensor

from fractalgan.errors import require_at_least, require_at_most
from fractalgan.nn.resolution import Resolution
from fractalgan.nn.views import MAX_ZOOM, MIN_ZOOM, Detail, image_in_view, picture_layer
from fractalgan.nn.zoom_center import zoom_center
from fractalgan.ops import Layer, View
from fractalgan.randomness import RandomSource


class PictureMethods:
    """The methods of a :class:`FractalGenerator` that draw a view of a fractal."""

    @torch.no_grad()
    def picture(
        self: Any,
        fractal: int,
        *,
        size: int = Detail().size,
        zoom: float = 1.0,
        center: tuple[float, float] | None = None,
        points_per_pixel: int = Detail().points_per_pixel,
        seed: int = 0,
    ) -> Layer:
        """A picture of a fractal for people: fine, antialiased, and bright where points are dense.

        It takes about as long at any zoom. It is computed on the CPU, and has no jitter.

        Args:
            fractal: its index.
            size: H = W, in pixels.
            zoom: magnification of the window, in [1e-3, 1e9].
            center: the point in the middle; its first coordinate runs down, the second to the right. Default:
                that of the window at zoom 1, else a point that is worth it; see :func:`zoom_center`.
            points_per_pixel: more points make less grain, and take longer.
            seed: random seed; equal seeds give equal bits.

        Returns:
            Colors [K, H, W] and alpha [H, W]; ``on(background)`` makes an image of them.

        Raises:
            IndexError: for a fractal that does not exist.
            InputError: for a value out of range.

        Example:
            >>> generator = FractalGenerator.from_pretrained("digits")
            >>> layer = generator.picture(7, size=4096, zoom=1e6)
            >>> layer.on(torch.zeros(0)).shape
            torch.Size([1, 4096, 4096])
        """
        detail = Detail(size, points_per_pixel, seed)
        detail.check()
        drawn, probabilities = self.one(fractal)
        return picture_layer(drawn, probabilities, self.view(fractal, zoom, center), detail)

    def view(self: Any, fractal: int, zoom: float, center: tuple[float, float] | None) -> View:
        """The square of the plane that :meth:`picture` shows of a fractal.

        Raises:
            InputError: for a magnification out of range.
        """
        require_at_least(MIN_ZOOM, zoom=zoom)
        require_at_most(MAX_ZOOM, zoom=zoom)
        if center is None and zoom > 1:
            drawn, probabilities = self.one(fractal)
            center = zoom_center(drawn, probabilities, self.window)
        return View(center or (0.0, 0.0), self.window / zoom)

    @torch.no_grad()
    def _draw_views(
        self: Any,
        indices: Tensor,
        zoom: float,
        center: tuple[float, float] | None,
        resolution: Resolution,
        source: RandomSource,
    ) -> Tensor:
        """Images [B, K or 1, H, W] of fractals [B] as :meth:`draw` makes them, of another view."""
        views = {index: self.view(index, zoom, center) for index in dict.fromkeys(indices.tolist())}
        drawn, relative_tau = self.embedding.fractals(), self._relative_tau(indices)
        probabilities = self.transform_probabilities(drawn.transforms.A)[indices]
        drawn = self._jittered(drawn, indices, source) if self.jitter > 0 else drawn.select(indices)
        multiples = torch.ones(len(indices)) if relative_tau is None else relative_tau
        images = []
        for i, (index, multiple) in enumerate(zip(indices.tolist(), multiples.tolist(), strict=True)):
            own = resolution._replace(tau=resolution.tau * multiple)
            images.append(image_in_view(drawn.one(i), probabilities[i], views[index], own, source.generator))
        size = (resolution.image_size, resolution.image_size)
        empty = torch.empty(0, self.channels, *size)
        return (torch.stack(images) if images else empty).to(indices.device)
