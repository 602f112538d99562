"""Position embeddings of vision transformers, interpolated to the patches of images of another size."""

import math
from collections.abc import Mapping

from torch import Tensor, nn
from torchvision.models import VisionTransformer
from torchvision.models.vision_transformer import interpolate_embeddings

from fractalgan.errors import has_extra


def with_positions_of(features: nn.Module, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights whose position embeddings are interpolated to the grid of patches of another network.

    The network's own library interpolates them, as it does with its own weights.

    Args:
        features: the network that is to load them.
        weights: of a network that differs in its image size, or not at all.

    Returns:
        The weights, in which nothing but the position embeddings of a vision transformer has changed; these
        stay as given if their grid is not square, or if the network has another kind of them.
    """
    interpolate = _of_torchvision if isinstance(features, VisionTransformer) else _of_timm
    return {**weights, **interpolate(features, weights)}


def _of_torchvision(features: VisionTransformer, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    name = "encoder.pos_embedding"
    if not _is_square(weights[name], 1):
        return {}
    return {**interpolate_embeddings(features.image_size, features.patch_size, {name: weights[name]})}


def _of_timm(features: nn.Module, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    if not has_extra("backbones"):
        return {}
    from timm.layers import resample_abs_pos_embed
    from timm.models import Eva
    from timm.models import VisionTransformer as TimmVisionTransformer

    name = "pos_embed"
    if not isinstance(features, TimmVisionTransformer | Eva) or name not in weights:
        return {}
    prefix = 0 if features.no_embed_class else features.num_prefix_tokens
    if not _is_square(weights[name], prefix):
        return {}
    grid = [*features.patch_embed.grid_size]
    return {name: resample_abs_pos_embed(weights[name], grid, num_prefix_tokens=prefix)}


def _is_square(positions: Tensor, prefix: int) -> bool:
    """Whether embeddings [1, prefix + N, D] have a square grid of N patches."""
    patches = positions.shape[1] - prefix
    return math.isqrt(patches) ** 2 == patches > 0
