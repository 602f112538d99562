"""Which process this is, as far as Lightning can tell before a trainer exists."""

from pytorch_lightning.utilities import rank_zero_only

__all__ = ["is_rank_zero", "rank_zero_only"]


def is_rank_zero() -> bool:
    """Whether this process writes files and speaks for all of them."""
    return bool(getattr(rank_zero_only, "rank", 0) == 0)
