"""Errors as one line for the user."""

import errno
import re
from collections.abc import Sequence

from jsonargparse import ArgumentError
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from fractalgan.cli.config_files import ConfigFileError
from fractalgan.cli.did_you_mean import did_you_mean, did_you_mean_class
from fractalgan.cli.option_names import with_options_as_typed
from fractalgan.errors import InputError

# Invalid input, an invalid trainer option, a run that diverged, a full or locked disk.
USER_ERRORS = (MisconfigurationException, FloatingPointError, OSError)

USAGE_ERRORS = (ArgumentError, InputError, MisconfigurationException)

DISK_FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)

OUT_OF_MEMORY = re.compile(r"can't allocate memory|out of memory|not enough memory", re.IGNORECASE)

REFUSED_OPTION = re.compile(r"class_path '([^']+)':\s+Option '([^']+)' is not accepted")

OF_A_CLASS = "Problem with given class_path"

OF_BASE_CLASS = re.compile(
    rf"\n\s*- {OF_A_CLASS} 'pytorch_lightning\.Callback':\n\s*Option '\S+' is not accepted"
)

ONLY_A_KEY = re.compile(r'\s*(- )*Parser key "[^"]+":\s*')


def explain(error: BaseException, arguments: Sequence[str] = ()) -> str | None:
    """One line for an error that a user can correct; None for a defect, which should show its traceback.

    Args:
        error: what was raised.
        arguments: the command line without the verb, whose options the message names as they are typed.
    """
    if isinstance(error, ArgumentError):
        return _explain_argument(error)
    if isinstance(error, InputError):
        return with_options_as_typed(one_line(error.for_command_line), arguments)
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        return f"the disk is full ({error.strerror}): free some space, then run the same command again"
    if isinstance(error, OSError) and error.strerror and error.filename is None:
        return error.strerror
    if isinstance(error, USER_ERRORS):
        return one_line(str(error))
    if isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and OUT_OF_MEMORY.search(str(error))
    ):
        return "out of memory: use a smaller batch size, smaller images, or fewer of them"
    if isinstance(error.__cause__, ValueError):  # of a constructor, wrapped by jsonargparse
        return explain(error.__cause__, arguments)
    return None


def is_usage_error(error: BaseException) -> bool:
    """Whether an error is invalid input, and not a failure of the run."""
    return isinstance(error, USAGE_ERRORS) or isinstance(error.__cause__, USAGE_ERRORS)


def one_line(text: str) -> str:
    """Text with all white space replaced by single spaces."""
    return " ".join(text.split())


def _explain_argument(error: ArgumentError) -> str:
    """The innermost of jsonargparse's tree of reasons, in which every level is indented."""
    file = error.file if isinstance(error, ConfigFileError) else ""
    text = _without_base_class(str(error))
    lines = [line for line in text.splitlines() if line.strip()]
    if place := re.search(r'in "<unicode string>", (line \d+, column \d+)', lines[-1]):
        return f"the configuration is not valid YAML, at {place[1]}"
    if lines[0].startswith("Unexpected config:"):
        return f"{file or 'the configuration'} must be a mapping of options, such as `seed_everything: 0`"
    found = [match[1] for line in lines if (match := re.search(r'Parser key "([^"]+)":', line))]
    keys = [key for key in found if not any(inner.startswith(f"{key}.") for inner in found)]
    if refused := REFUSED_OPTION.search(text):
        keys.append(refused[2])
    reason = _plain(_reason(lines))
    reason += did_you_mean(reason)
    option = ("" if file else "--") + ".".join(keys)
    return ": ".join([file] * bool(file) + [option] * bool(keys) + [reason])


def _without_base_class(text: str) -> str:
    """The reasons without those against the base class of callbacks, where there are some against a callback.

    An option of the last callback of a list is tried as one of its base class, too.
    """
    return OF_BASE_CLASS.sub("", text) if text.count(OF_A_CLASS) > 1 else text


def _reason(lines: list[str]) -> str:
    """The line that says most, or what several lines say together."""
    text = "\n".join(lines)
    if wrong := re.search(rf"{OF_A_CLASS} '([^']+)':\s+(.*)", text):
        missing = re.match(r"No module named '([^']+)'", wrong[2])
        if wrong[2].startswith("module ") or (missing and f"{wrong[1]}.".startswith(f"{missing[1]}.")):
            return _no_class(wrong[1])
    if wrong := re.search(r"Expected a dot import path string: (\w+)(.*)", text):
        choices = _choices([line for line in lines if "Expected a typing.Literal" in line])
        return _no_choice(choices, wrong[1] + wrong[2]) if choices else _no_class(wrong[1])
    if refused := REFUSED_OPTION.search(text):
        return _no_option(*refused.groups())
    if "Not a valid subclass of" in text:
        return "expected a class_path and its init_args" + _got(lines)
    if wrong := re.search(r"does not correspond to a subclass of (\w+)", text):
        return f"expected a subclass of {wrong[1]}" + _got(lines)
    if re.search(r"'\w+' object has no attribute", text):
        return "cannot be read" + _got(lines)
    innermost = max(
        (line for line in lines if not ONLY_A_KEY.fullmatch(line)), key=_indentation, default=lines[-1]
    )
    choices = _choices([line for line in lines if _indentation(line) == _indentation(innermost)])
    if choices:
        return f"expected one of {', '.join(choices)}" + _got(lines)
    if restriction := re.search(r": does not conform to restriction v(>=?)(\d+)", innermost):
        return f"must be {restriction[1]} {restriction[2]}" + _got(lines)
    if re.search(r"Expected (a )?<class", innermost) and (kinds := _kinds(text)):
        return f"expected {kinds}" + _got(lines)
    return re.sub(r'^\s*(- )*(Parser key "[^"]+":\s*)?', "", innermost).rstrip()


def _choices(lines: list[str]) -> list[str]:
    """The values that any of the types in these lines allows, if there is a Literal among them."""
    found = re.findall(r"typing\.Literal\[(.*?)\]", "\n".join(lines))
    if found and any("<class 'bool'>" in line for line in lines):
        found.append("true, false")
    return list(dict.fromkeys(", ".join(found).replace("'", "").split(", "))) if found else []


def _kinds(text: str) -> str:
    """The types that a value may have, if all are simple: "int, float or null"; else nothing."""
    found = re.search(r"Subtypes: \[((?:<class '\w+'>(?:, )?)+)\]", text)
    kinds = re.findall(r"'(\w+)'", found[1]) if found else []
    named = ["null" if kind == "NoneType" else kind for kind in kinds]
    return ", ".join(named[:-1]) + " or " + named[-1] if len(named) > 1 else ""


def _indentation(line: str) -> int:
    return len(line) - len(re.sub(r"^\s*(- )*", "", line))


def _no_choice(choices: list[str], given: str) -> str:
    """For an option that is a name, a class, or a list of these."""
    remedy = f"; a list is written as [{given}]" if "," in given else ""
    return f"expected one of {', '.join(choices)}, a list of them, or a class, got {given}{remedy}"


def _no_class(path: str) -> str:
    return f"there is no class {path}{did_you_mean_class(path)}"


def _no_option(path: str, option: str) -> str:
    name = path.rpartition(".")[2]
    if name in ("Task", "LightningDataModule"):  # the base class, which has no options
        return f"name the class before its option '{option}'"
    return f"{name} has no option '{option}'"


def _got(lines: list[str]) -> str:
    given = re.match(r"\s*Given value: (?:NestedArg\(key='\w+', val='(.*)'\)|(.*))", lines[-1])
    return f", got {given[1] or given[2]}" if given else ""


def _plain(reason: str) -> str:
    """A reason of jsonargparse without Python's types."""
    reason = re.sub(
        r"Expected a <class 'list'>\. Got value: (.*)", r"expected a list such as [\1], got \1", reason
    )
    reason = re.sub(r"Expected an? <class '([\w.]+)'>(?:\. Got value: )?", r"expected \1, got ", reason)
    reason = re.sub(
        r"Not of type \w+: (.*) does not conform to restriction v(>=?)(\d+)",
        r"must be \2 \3, got \1",
        reason,
    )
    reason = re.sub(
        r"Not of type \w+: invalid literal for int\(\) .*: '(.*)'", r"expected int, got \1", reason
    )
    reason = re.sub(r"Group '([\w.]+)' does not accept option '(.*)'", r"\1 has no option '\2'", reason)
    return reason.removesuffix(", got ")
