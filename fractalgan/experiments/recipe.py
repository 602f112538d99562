"""How a part of an experiment is trained: steps, batches, and the arguments of its task."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from fractalgan.errors import InputError


@dataclass(frozen=True)
class Recipe:
    """How something is trained.

    Args:
        steps: training steps.
        arguments: of the task.
        batch_size: images per batch, where the task does not determine it.
        binarize: threshold for the real images, as for ImageData.
    """

    steps: int
    arguments: dict[str, Any]
    batch_size: int = 100
    binarize: float | Literal["auto"] | None = None

    @contextmanager
    def named(self, part: str) -> Iterator[None]:
        """Name an argument in the message of an InputError with the part of the table that it belongs to.

        Args:
            part: such as gan, for ``gan.generator_lr``.
        """
        try:
            yield
        except InputError as error:
            message = error.for_command_line
            if message.partition(" must ")[0] not in self.arguments:
                raise
            raise InputError(f"{part}.{message}") from error
