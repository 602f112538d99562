"""The program behind `python -m fractalgan`: one module per verb."""

from importlib import import_module

from fractalgan.cli.class_help import class_help
from fractalgan.cli.run_command import run_command

# The module of each verb, which has a function of the same name; a verb imports only what it needs.
VERBS = {
    "fit": "fit",
    "validate": "evaluate",
    "test": "evaluate",
    "predict": "predict",
    "draw": "draw",
    "export": "export",
    "report": "report",
    "compare": "compare",
    "distill": "distill",
    "ablate": "ablate",
}


def run(arguments: list[str]) -> int:
    """Run one command line.

    Args:
        arguments: a verb, one of :data:`VERBS`, and its options.

    Returns:
        The exit status: 0 for success, 1 for a run that failed, 2 for invalid input, 128 plus the number of a
        signal that stopped a run.
    """
    verb, *options = arguments
    return run_command(lambda: _run_verb(verb, options), options)


def _run_verb(verb: str, options: list[str]) -> int:
    if text := class_help(verb, options):
        print(text, end="")
        return 0
    module = import_module(f"fractalgan.cli.{VERBS[verb]}")
    status: int = getattr(module, verb)(options)
    return status
