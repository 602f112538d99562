"""The number of points for an image of a given size, and the width of each."""

import math
from typing import NamedTuple, Self

from fractalgan.limits import MAX_SIZES

REFERENCE_SIZE = 32  # pixels per side, where REFERENCE_POINTS of width 1 draw well
REFERENCE_POINTS = 300
CHAIN_LENGTH = 8192  # points: enough work for a thread
TAU_EXPONENT = 0.5  # of tau over the side of the image, above the reference size


def points_for(image_size: int) -> int:
    """The number of points for an image of this size: it grows with the area, 300 at 32 pixels."""
    return _within_limits(REFERENCE_POINTS * (image_size / REFERENCE_SIZE) ** 2)


def tau_for(image_size: int) -> float:
    """The squared width of a point for an image of this size, in pixels^2: 1 up to 32 pixels."""
    ratio: float = max(1.0, image_size / REFERENCE_SIZE) ** TAU_EXPONENT
    return ratio


def chains_for(num_points: int) -> int:
    """The number of chains that an index sequence is cut into, of CHAIN_LENGTH points or more.

    It is a divisor of ``num_points``, and 1 for all but large images.
    """
    most = max(1, num_points // CHAIN_LENGTH)
    return next(chains for chains in range(most, 0, -1) if num_points % chains == 0)


def scaled(num_points: int, tau: float, from_size: int, to_size: int) -> tuple[int, float]:
    """``num_points`` and ``tau`` of images of ``from_size`` pixels per side, for images of ``to_size``."""
    area = (to_size / from_size) ** 2
    return _within_limits(num_points * area), tau * (tau_for(to_size) / tau_for(from_size))


class Resolution(NamedTuple):
    """The size of images, and the points that draw them."""

    image_size: int  # H = W, in pixels
    num_points: int  # T
    tau: float  # pixels^2

    @classmethod
    def of(cls, image_size: int, num_points: int | None = None, tau: float | None = None) -> Self:
        """The resolution of this size; None for ``num_points`` or ``tau`` takes what suits the size."""
        return cls(
            image_size,
            points_for(image_size) if num_points is None else num_points,
            tau_for(image_size) if tau is None else tau,
        )

    def at(self, image_size: int) -> Self:
        """The same drawing at another size, by :func:`scaled`."""
        return type(self)(image_size, *scaled(self.num_points, self.tau, self.image_size, image_size))

    def at_tau(self, tau: float) -> Self:
        """The same coverage of the image by points of another width."""
        return self._replace(num_points=_within_limits(self.num_points * self.tau / tau), tau=tau)


def points_to_cover(area: float, tau: float, coverage: float) -> int:
    """The number of points that cover an area in pixels ``coverage`` times; a point covers pi * tau pixels.

    Large numbers are rounded, so that they can be divided into chains.
    """
    number = coverage * area / (math.pi * tau)
    return _within_limits(256 * round(number / 256) if number >= CHAIN_LENGTH else number)


def tau_to_cover(area: float, num_points: int, coverage: float) -> float:
    """The tau with which points cover an area in pixels ``coverage`` times, from 0.25 to 4."""
    return min(max(0.25, coverage * area / (math.pi * num_points)), 4.0)


def _within_limits(num_points: float) -> int:
    return min(max(1, round(num_points)), MAX_SIZES["num_points"])
