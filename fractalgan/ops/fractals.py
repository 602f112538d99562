"""All numbers that draw a set of fractals."""

from collections.abc import Callable
from typing import NamedTuple, Self

from torch import Tensor

from fractalgan.ops.affine import Transforms
from fractalgan.ops.features import Features


class Fractals(NamedTuple):
    """J fractals of N transforms: where these map points to, and the features that points have there."""

    transforms: Transforms  # A [J, N, 2, 2], b [J, N, 2]
    features: Features  # values [J, N, K], blend [J, N], background [J, K]

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All tensors, each [J, ...]."""
        return (*self.transforms, *self.features)

    @classmethod
    def of_tensors(cls, tensors: tuple[Tensor, ...]) -> Self:
        """The inverse of :attr:`tensors`."""
        return cls(Transforms(*tensors[:2]), Features(*tensors[2:]))

    @classmethod
    def plain(cls, transforms: Transforms) -> Self:
        """Fractals without features."""
        return cls(transforms, Features.none(transforms.b))

    def select(self, rows: Tensor) -> Self:
        """The fractals with these indices, in their order; the gradient adds up in order on a CPU."""
        return self.map(lambda each: each.index_select(0, rows))

    def one(self, index: int) -> Self:
        """The fractal with this index, without the dimension J."""
        return self.map(lambda each: each[index])

    def with_transforms(self, rows: Tensor) -> Self:
        """One fractal, without the dimension J, of these of its transforms, in this order."""
        (A, b), (values, blend, background) = self
        return self.of_tensors((A[rows], b[rows], values[rows], blend[rows], background))

    def map(self, function: Callable[[Tensor], Tensor]) -> Self:
        """Fractals of the function's results for every tensor."""
        return self.of_tensors(tuple(map(function, self.tensors)))
