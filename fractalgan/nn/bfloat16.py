"""bfloat16, the half precision of CPUs, is slow on those without instructions for it."""

import logging

import torch

log = logging.getLogger(__name__)

LACKING = ("NO AVX", "AVX2")  # what PyTorch calls x86 before AVX-512


def warn_if_emulated(option: str) -> None:
    """Log a warning if the CPU has no instructions for bfloat16, which PyTorch then emulates.

    Args:
        option: that chooses the precision, as it is typed.
    """
    if torch.backends.cpu.get_cpu_capability() in LACKING:
        log.warning(
            "%s bf16-mixed can be many times slower than 32-true here: this CPU has no instructions for it",
            option,
        )
