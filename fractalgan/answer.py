"""How a command line is answered: its exit status, and in one line what a user can mend."""

import logging
import os
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any

import torch
from jsonargparse import ArgumentError

from fractalgan.explain import explain
from fractalgan.ranks import is_rank_zero

log = logging.getLogger("fractalgan")

# What shells expect of a program that was stopped so.
EXIT_STATUS = {"SIGHUP": 129, "SIGINT": 130, "SIGUSR1": 138, "SIGTERM": 143}

# Options are written out, and mistakes are told by us.
STRICT: dict[str, Any] = {"exit_on_error": False, "allow_abbrev": False}

QUIET = (
    "`isinstance\\(treespec, LeafSpec\\)` is deprecated",
    "The '.*_dataloader' does not have many workers",
    "LightningCLI's args parameter is intended to run from within Python",
    "Checkpoint directory .* exists and is not empty",  # a run that is gone on with
    "Be aware that when using `ckpt_path`, callbacks used to create the checkpoint",  # not needed to judge it
    "Couldn't infer the batch indices",
    "`weights_only` was not set",
    "Grad strides do not match bucket view strides",  # of a convolution with one channel; several processes
    "Metric `Kernel Inception Distance` will save all extracted features",  # 84 numbers an image
)


def answer(work: Callable[[], int]) -> int:
    """Do the work of a command line and return its exit status; what a user can mend is told in one line."""
    _set_up_logging()
    _ask_for_gpus_once()
    threading.excepthook = _tell_defects
    try:
        return work()
    except (KeyboardInterrupt, SystemExit) as stopped:
        if isinstance(stopped, SystemExit) and not isinstance(stopped.__context__, KeyboardInterrupt):
            raise
        # with SystemExit a trainer answers Ctrl-C where it is not between the steps of `fit`
        print("fractalgan: interrupted before there was anything to save", file=sys.stderr)
        return EXIT_STATUS["SIGINT"]
    except Exception as error:
        mendable = explain(error)
        if mendable is None:
            raise
        print(f"fractalgan: error: {mendable}", file=sys.stderr)
        return 2 if isinstance(error, ArgumentError) else 1


def _tell_defects(thread: threading.ExceptHookArgs) -> None:
    """TensorBoard's thread cannot write either where the disk is full, which the program itself will tell."""
    if not issubclass(thread.exc_type, OSError):
        threading.__excepthook__(thread)


class _CurrentStderr(logging.Handler):
    """Writes to what stderr is now: a progress bar puts itself in its place, to keep its line."""

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record), file=sys.stderr)


def _set_up_logging() -> None:
    handler = _CurrentStderr()
    handler.setFormatter(logging.Formatter("fractalgan: %(message)s"))
    log.handlers = [handler]
    log.setLevel(logging.INFO if is_rank_zero() else logging.ERROR)  # the first speaks for all
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # says that a process died, and ends the others where they did not notice
    logging.getLogger("lightning_fabric.strategies.launchers.subprocess_script").setLevel(logging.INFO)
    for message in QUIET:
        warnings.filterwarnings("ignore", message)


def _ask_for_gpus_once() -> None:
    """Lightning has torch look for GPUs by NVIDIA's library, so that processes can be forked after it;
    where there is none, every step of Adam would search the disk for it."""
    if not torch.cuda.is_available():
        os.environ.pop("PYTORCH_NVML_BASED_CUDA_CHECK", None)
