"""Run a command: set up logging, print errors that a user can correct in one line, return an exit status."""

import logging
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch

from fractalgan.cli.messages import DISK_FULL, explain, is_usage_error
from fractalgan.distributed import is_rank_zero
from fractalgan.ops import set_render_threads

# The exit statuses of a run that failed and of invalid input, and those that shells expect after a signal.
RUN_FAILED, USAGE_ERROR = 1, 2
EXIT_STATUS = {"SIGHUP": 129, "SIGINT": 130, "SIGUSR1": 138, "SIGTERM": 143}

# CPU threads of everything but drawing, on every machine: the bits of a run depend on them.
NET_THREADS = 2

IGNORED_WARNINGS = (
    "`isinstance\\(treespec, LeafSpec\\)` is deprecated",
    "The '.*_dataloader' does not have many workers",
    "Checkpoint directory .* exists and is not empty",  # a run that is resumed
    "Be aware that when using `ckpt_path`, callbacks used to create the checkpoint",  # not needed to evaluate
    "Couldn't infer the batch indices",
    "`weights_only` was not set",
    "Grad strides do not match bucket view strides",  # of a convolution with one channel, under DDP
    "`?broadcast_buffers`?",  # renamed in torch 2.14, for several processes
    "Metric `Kernel Inception Distance` will save all extracted features",  # 84 numbers per image
)


def run_command(command: Callable[[], int], arguments: Sequence[str] = ()) -> int:
    """Run a command and return its exit status.

    An error that a user can correct is printed in one line; any other one is a defect and propagates.

    Args:
        command: returns the exit status.
        arguments: the command line without the verb: messages name options as they are typed there.
    """
    _set_up_logging()
    _detect_gpus_once()
    threading.excepthook = _ignore_full_disk
    try:
        with net_threads(NET_THREADS):
            return command()
    except (KeyboardInterrupt, SystemExit) as stopped:
        if isinstance(stopped, SystemExit) and not isinstance(stopped.__context__, KeyboardInterrupt):
            raise
        # a trainer turns Ctrl-C into SystemExit where it is not between two training steps
        print("fractalgan: interrupted", file=sys.stderr)
        return EXIT_STATUS["SIGINT"]
    except Exception as error:
        message = explain(error, arguments)
        if message is None:
            raise
        print(f"fractalgan: error: {message}", file=sys.stderr)
        return USAGE_ERROR if is_usage_error(error) else RUN_FAILED


@contextmanager
def net_threads(count: int) -> Iterator[None]:
    """Let torch use ``count`` CPU threads within the context, and the renderer as many as torch had before.

    Torch's sums depend on the number of threads; the renderer's do not.
    """
    before = torch.get_num_threads()
    set_render_threads(before)
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        set_render_threads(None)


def _ignore_full_disk(thread: threading.ExceptHookArgs) -> None:
    """TensorBoard's thread cannot write to a full disk either; the program itself reports that."""
    if getattr(thread.exc_value, "errno", None) not in DISK_FULL:
        threading.__excepthook__(thread)


class _CurrentStderr(logging.Handler):
    """Writes to the current ``sys.stderr``, which a progress bar replaces to keep its line."""

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record), file=sys.stderr)


def _set_up_logging() -> None:
    handler = _CurrentStderr()
    handler.setFormatter(logging.Formatter("fractalgan: %(message)s"))
    log = logging.getLogger("fractalgan")  # the parent of every module's logger
    log.handlers = [handler]
    log.setLevel(logging.INFO if is_rank_zero() else logging.ERROR)
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # reports that a process died, and ends the others that did not notice
    logging.getLogger("lightning_fabric.strategies.launchers.subprocess_script").setLevel(logging.INFO)
    for message in IGNORED_WARNINGS:
        warnings.filterwarnings("ignore", message)


def _detect_gpus_once() -> None:
    """Lightning lets torch detect GPUs by NVML, so that processes can be forked after it. Without a GPU,
    torch would then search the disk for NVML in every step of Adam."""
    if not torch.cuda.is_available():
        os.environ.pop("PYTORCH_NVML_BASED_CUDA_CHECK", None)
