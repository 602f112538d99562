"""The matrices A of a fractal embedding: what is learned of them, and how sigma stays in range."""

from typing import Self

import torch
from torch import Tensor, nn

from fractalgan.errors import InputError
from fractalgan.ops import Factors, compose, factorize


class RawMatrices(nn.Module):
    """The entries of A [J, N, 2, 2], without bounds: the paper's form before Eq. 9."""

    def __init__(self, A: Tensor) -> None:
        super().__init__()
        self.A = nn.Parameter(A.clone())

    def forward(self) -> Tensor:
        return self.A

    @torch.no_grad()
    def constrain_(self) -> Self:
        """Do nothing: there is no range. Every form has this method."""
        return self


class RotationScalingFlip(nn.Module):
    """A = R(theta) diag(sigma) R(phi) diag(flip), with sigma in ``sigma_range`` and fixed signs.

    The paper's reparameterization: max(sigma) is the largest singular value of A, so a range below 1
    makes every transform a contraction. Subclasses define how sigma is kept in range. Initial values
    outside the range are moved to its bounds.

    Raises:
        InputError: unless 0 <= low < high.
    """

    theta: nn.Parameter  # [J, N]
    phi: nn.Parameter  # [J, N]
    scale: nn.Parameter  # [J, N, 2] what sigma is computed from
    flip: Tensor  # [J, N, 2]

    def __init__(self, A: Tensor, sigma_range: tuple[float, float]) -> None:
        super().__init__()
        self.low, self.high = sigma_range
        if not 0 <= self.low < self.high:
            raise InputError(f"sigma_range must be (low, high) with 0 <= low < high, got {sigma_range}")
        theta, phi, sigma, flip = factorize(A)
        self.theta, self.phi = nn.Parameter(theta), nn.Parameter(phi)
        self.scale = nn.Parameter(self.scale_of(sigma))
        self.register_buffer("flip", flip)

    def forward(self) -> Tensor:
        return compose(Factors(self.theta, self.phi, self.sigma(), self.flip))

    def sigma(self) -> Tensor:
        """The singular values [J, N, 2], from ``scale``."""
        raise NotImplementedError

    def scale_of(self, sigma: Tensor) -> Tensor:
        """The ``scale`` of these singular values."""
        raise NotImplementedError

    @torch.no_grad()
    def constrain_(self) -> Self:
        """Bring the parameters back into range; to be called after every optimizer step."""
        return self


class UnboundedMatrices(RotationScalingFlip):
    """sigma is the parameter itself, bounded at the start only: the paper's rows without clamp."""

    def sigma(self) -> Tensor:
        return self.scale

    def scale_of(self, sigma: Tensor) -> Tensor:
        return sigma.clamp(self.low, self.high)


class ClampedMatrices(RotationScalingFlip):
    """sigma is the parameter itself, clamped.

    The gradient passes the clamp straight through, and ``constrain_`` moves the parameter back to the
    bound: a sigma that has reached a bound can leave it again.
    """

    def sigma(self) -> Tensor:
        excess = self.scale.detach() - self.scale.detach().clamp(self.low, self.high)
        return self.scale - excess

    def scale_of(self, sigma: Tensor) -> Tensor:
        return sigma.clamp(self.low, self.high)

    @torch.no_grad()
    def constrain_(self) -> Self:
        self.scale.clamp_(self.low, self.high)
        return self


class SigmoidMatrices(RotationScalingFlip):
    """sigma = low + (high - low) sigmoid(scale): never at a bound, so its gradient is never cut off."""

    def sigma(self) -> Tensor:
        # torch.sigmoid rounds the last few numbers of a tensor differently from the others; with tanh, the
        # sigma of a fractal does not depend on how many fractals there are
        return self.low + (self.high - self.low) * (1 + (self.scale / 2).tanh()) / 2

    def scale_of(self, sigma: Tensor) -> Tensor:
        # 1 % inside the bounds, where the scale would be infinite
        return ((sigma - self.low) / (self.high - self.low)).clamp(0.01, 0.99).logit()
