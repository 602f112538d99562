"""Processes that are forked from one that has imported torch and Lightning, which takes others 5 s."""

from functools import cache
from multiprocessing import get_context
from multiprocessing.context import ForkServerContext


@cache
def fork_server() -> ForkServerContext:
    """The context whose processes are forked from this program's fork server."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["fractalgan.experiments", "fractalgan.cli.fit"])
    return context
