"""Position embeddings of vision transformers, interpolated to the patches of images of another size."""

import math
from collections.abc import Mapping

from torch import Tensor, nn
from torchvision.models import VisionTransformer
from torchvision.models.vision_transformer import interpolate_embeddings

from fractalgan.errors import has_extra

OF_TORCHVISION = "encoder.pos_embedding"
OF_TIMM = "pos_embed"


def resize_position_embeddings(weights: Mapping[str, Tensor], features: nn.Module) -> dict[str, Tensor]:
    """The weights of a network, for the image size of another one.

    Position embeddings are interpolated by the network's own library, as it does with its own weights: those
    of torchvision's vision transformers, and those of timm's ``vit_*``, ``deit*`` and ``eva*``.

    Args:
        weights: of the same network, perhaps for another image size.
        features: the network that is to load them.

    Returns:
        The weights. Only the position embeddings may differ; they are unchanged if their grid is not square,
        or if the network stores them in another form.
    """
    if isinstance(features, VisionTransformer):
        return {**weights, **_of_torchvision(weights, features)}
    if OF_TIMM in weights and has_extra("backbones"):
        return {**weights, **_of_timm(weights[OF_TIMM], features)}
    return {**weights}


def _of_torchvision(weights: Mapping[str, Tensor], features: VisionTransformer) -> dict[str, Tensor]:
    if OF_TORCHVISION not in weights or not _is_square(weights[OF_TORCHVISION], 1):
        return {}
    state = {OF_TORCHVISION: weights[OF_TORCHVISION]}
    return {**interpolate_embeddings(features.image_size, features.patch_size, state)}


def _of_timm(positions: Tensor, features: nn.Module) -> dict[str, Tensor]:
    from timm.layers import resample_abs_pos_embed
    from timm.models import Eva
    from timm.models import VisionTransformer as TimmVisionTransformer

    if not isinstance(features, TimmVisionTransformer | Eva):
        return {}
    # timm's Eva has had this attribute since 1.0.17
    prefix = 0 if getattr(features, "no_embed_class", False) else features.num_prefix_tokens
    if not _is_square(positions, prefix):
        return {}
    grid = [*features.patch_embed.grid_size]
    return {OF_TIMM: resample_abs_pos_embed(positions, grid, num_prefix_tokens=prefix)}


def _is_square(positions: Tensor, prefix: int) -> bool:
    """Whether these are embeddings [1, prefix + N, D] with a square grid of N patches."""
    if positions.ndim != 3 or len(positions) != 1 or not positions.is_floating_point():
        return False
    patches = positions.shape[1] - prefix
    return patches > 0 and math.isqrt(patches) ** 2 == patches
