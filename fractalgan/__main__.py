"""The entry point: prints help and version at once, and leaves everything else to ``fractalgan.cli``."""

import difflib
import gc
import os
import sys

from fractalgan import __version__
from fractalgan.cli.help import PAGES, help_page

USAGE_ERROR, INTERRUPTED = 2, 130  # exit statuses


def main() -> int:
    """Run the command line in ``sys.argv``, and return the exit status."""
    arguments = sys.argv[1:]
    verb = arguments[0] if arguments else None
    if verb in ("-V", "--version"):
        print(f"fractalgan {__version__}")
        return 0
    if verb in (None, "-h", "--help", "help"):
        asked = next((each for each in arguments[1:] if each in PAGES), None)
        print(help_page(asked), end="")
        return USAGE_ERROR if verb is None else 0
    if verb not in PAGES:
        near = difflib.get_close_matches(str(verb), PAGES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"the commands are {', '.join(PAGES)}"
        if str(verb).startswith("-"):
            hint = "the command comes first, as in fit --help"
        print(f"fractalgan: error: unknown command {verb!r}: {hint}", file=sys.stderr)
        return USAGE_ERROR
    if {"-h", "--help"} & set(arguments):
        print(help_page(verb), end="")
        return 0
    return _run(["--help" if argument == "--help-all" else argument for argument in arguments])


def _run(arguments: list[str]) -> int:
    """Import torch and Lightning, which takes seconds, and run the command."""
    # OpenMP's threads wait for each other about a hundred times per step. Threads that spin while they wait
    # make two programs on the same cores 3 to 10 times slower; threads that sleep at once cost a program on
    # its own a quarter of its speed. Some microseconds of spinning before sleeping avoid both. Read when
    # torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")
    gc.disable()  # nothing that is imported is freed: collecting garbage takes a fifth of the import time
    try:
        from fractalgan.cli.program import run
    except KeyboardInterrupt:
        print("fractalgan: interrupted before it started", file=sys.stderr)
        return INTERRUPTED
    gc.enable()
    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
