"""Fractals in folders of the Hugging Face Hub's form, and on the Hub, by huggingface_hub's mixin."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torchvision.transforms.v2.functional import to_pil_image

from fractalgan.errors import require_extra
from fractalgan.nn.grid import grid
from fractalgan.nn.model_card import PICTURE, model_card
from fractalgan.storage.atomic import atomic_path
from fractalgan.storage.hub import HUB_FILE

if TYPE_CHECKING:
    from huggingface_hub import ModelCard

    from fractalgan.nn.generator import FractalGenerator

MAX_PICTURED = 100  # fractals


class HubMethods:
    """The methods of a :class:`FractalGenerator` that write what the Hugging Face Hub shows.

    They need huggingface_hub (``fractalgan[hub]``), and take the arguments of its ``ModelHubMixin``.
    """

    def save_pretrained(
        self: Any, save_directory: str | Path, *, repo_id: str | None = None, **options: Any
    ) -> str | None:
        """Write ``fractals.safetensors``, ``fractals.png`` and a model card, ``README.md``, to a folder.

        :meth:`from_pretrained` reads the folder, with equal bits. The card says what :attr:`provenance` says;
        a README.md that is in the folder already stays.

        Args:
            save_directory: the folder, which is created if it is missing.
            repo_id: ``user/name``, for the card and for ``push_to_hub=True``; default: the folder's name.
            options: as for ``ModelHubMixin.save_pretrained``.

        Returns:
            The URL of the commit with ``push_to_hub=True``, else None.

        Raises:
            InputError: if huggingface_hub is not installed.
        """
        card = {"repository": repo_id or Path(save_directory).name}
        saved: str | None = _folder_class()(self).save_pretrained(
            save_directory, repo_id=repo_id, model_card_kwargs=card, **options
        )
        return saved

    def push_to_hub(self: Any, repo_id: str, **options: Any) -> str:
        """Upload what :meth:`save_pretrained` writes to a repository, which is created if it is missing.

        Args:
            repo_id: ``user/name``.
            options: as for ``ModelHubMixin.push_to_hub``: private, token, commit_message, and others.

        Returns:
            The URL of the commit.

        Raises:
            InputError: if huggingface_hub is not installed.
        """
        pushed = _folder_class()(self).push_to_hub(
            repo_id, model_card_kwargs={"repository": repo_id}, **options
        )
        return str(pushed)


@cache
def _folder_class() -> Any:
    """The subclass of ModelHubMixin that writes a generator, made on first use: the library is optional."""
    require_extra("hub", "writing for the Hugging Face Hub")
    from huggingface_hub import ModelCard, ModelHubMixin

    class HubFolder(ModelHubMixin):  # type: ignore[misc]  # an optional package, which types skip
        """What a repository has: the file of a generator's fractals, a picture of them, and a card."""

        def __init__(self, generator: "FractalGenerator") -> None:
            self.generator = generator

        def _save_pretrained(self, save_directory: Path) -> None:
            self.generator.save(save_directory / HUB_FILE)
            with atomic_path(save_directory / PICTURE) as path:
                to_pil_image(_picture(self.generator)).save(path, format="PNG")

        def generate_model_card(self, repository: str) -> "ModelCard":
            return ModelCard(model_card(self.generator.to_file(), repository))

    return HubFolder


@torch.no_grad()
def _picture(generator: "FractalGenerator") -> torch.Tensor:
    """One image of each of the first fractals [3, H, W], always the same."""
    shown = range(min(len(generator.embedding), MAX_PICTURED))
    return grid(generator.draw(shown, torch.Generator().manual_seed(0)))
