"""Options in messages, named as they were typed: ``--data.size`` for ``size``."""

import re
from collections.abc import Iterable, Sequence

from fractalgan.cli.did_you_mean import known_options
from fractalgan.cli.linked_options import LINKS, as_typed, options_in_files, typed_options

# Messages of experiments name an option with its part.
PARTS_OF_EXPERIMENTS = ("plan.", "classifier.", "reconstruction.", "gan.", "distillation.")

# A message that starts with the names of arguments: "num_fractals must be >= 1, got 0".
_NAME = r"[a-z][\w.]*"
_ABOUT_ARGUMENTS = re.compile(rf"({_NAME}(?:\[\d+\])?(?: (?:\*|or) {_NAME})*) must ")
_WORD = re.compile(rf"(?<![\w./'\"-]){_NAME}(?![\w/(]|-\w)")


def with_options_as_typed(message: str, arguments: Sequence[str]) -> str:
    """A message about arguments of a class, with the options of a command line in their places.

    Other messages, such as those about the content of a file, are returned as they are.

    Args:
        message: one line, in which the arguments have their names in Python.
        arguments: the command line without the verb.
    """
    found = _ABOUT_ARGUMENTS.match(message)
    if found is None:
        return message
    places = [list(dict.fromkeys(typed_options(arguments))), list(dict.fromkeys(options_in_files(arguments)))]
    subject, (rule, got, given) = found[1], message.partition(", got ")
    words = [
        each for each in _WORD.findall(rule) if each in _WORD.findall(subject) or re.search("[._]", each)
    ]
    options = {each: _option_of(each, places) for each in words}
    groups = {option.rpartition(".")[0] for option in options.values() if option and " or " not in option}
    if len(groups) == 1:  # arguments that keep their defaults belong to the same class
        (group,) = groups
        defaults = {each for each, option in options.items() if option is None} & known_options()
        options |= {each: f"{group}.{each}" for each in defaults}
    return _WORD.sub(lambda word: options.get(word[0]) or word[0], rule) + got + given


def _option_of(argument: str, places: Iterable[Sequence[str]]) -> str | None:
    """``--model.tau`` for ``tau``, from the first of the places that names such an option; None for none."""
    if argument.startswith(PARTS_OF_EXPERIMENTS):
        return f"--{argument}"
    names = {argument} | {_last(source) for target, source in LINKS.items() if _last(target) == argument}
    for place in places:
        if options := [f"--{as_typed(each)}" for each in place if _last(each) in names]:
            return " or ".join(dict.fromkeys(options))
    return None


def _last(option: str) -> str:
    return option.rpartition(".")[2]
