"""What autodoc does not know: comments of fields, and names that docstrings leave short."""

import inspect
import re
from typing import Any

from docutils import nodes
from repository_links import public_names
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

# Packages whose names are written as they are, without a link: their inventories would have to be downloaded.
OTHERS = re.compile(
    r"^(torch|pytorch_lightning|torchvision|torchmetrics|PIL|numpy|jsonargparse|pathlib|collections|typing)\."
)
BUILT_IN = re.compile(
    r"^(bool|bytes|dict|float|int|list|object|str|tuple|type|None|Any|Path|Tensor|ValueError|IndexError|KeyError"
    r"|RuntimeError|FloatingPointError|optional|callable)$"
)
# What docstrings and signatures name, but is not public: written as it is.
INTERNAL = {"RunFolder", "Threshold", "provenance", "scaled", "zoom_views"}
BEFORE_NAPOLEON: dict[str, list[str]] = {}  # docstrings of attributes, by their full names
FIELD = re.compile(r"^    (\w+): [^#\n]+# (.+)$", re.MULTILINE)


def on_docstring(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Describe the field of a NamedTuple by the comment behind it; pages of modules have their own words."""
    if what == "module":
        lines.clear()
    if lines and lines[0].startswith("Alias for field number"):
        owner: Any = import_class(name.rpartition(".")[0])
        comments = dict(FIELD.findall(inspect.getsource(owner)))
        lines[:] = [comments.get(name.rpartition(".")[2], "")]
    if what in ("attribute", "data", "property"):
        BEFORE_NAPOLEON[name] = list(lines)


def after_napoleon(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Restore the docstring of an attribute: napoleon takes the words before a colon for its type."""
    lines[:] = BEFORE_NAPOLEON.pop(name, lines)


def import_class(name: str) -> Any:
    """The class of a full name such as fractalgan.ops.Transforms."""
    module, _, attribute = name.rpartition(".")
    return getattr(__import__(module, fromlist=[attribute]), attribute)


def on_skip_member(app: Sphinx, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """Leave out what classes inherit from other packages, such as the hooks of Lightning."""
    function = obj.fget if isinstance(obj, property) else inspect.unwrap(obj) if callable(obj) else obj
    module = getattr(function, "__module__", None)
    return (
        True
        if isinstance(module, str) and not module.startswith("fractalgan") and callable(function)
        else None
    )


def on_missing_reference(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.Node | None:
    """Find a short name of another room, and leave names of other packages as they are."""
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"]
    if OTHERS.match(target) or BUILT_IN.match(target) or target.rpartition(".")[2] in INTERNAL:
        return content
    full = public_names().get(target.rpartition(".")[2] if target.startswith("fractalgan.") else target)
    if full is None or full == target:
        return None
    domain = env.get_domain("py")
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", full, node, content)


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect to Sphinx."""
    app.connect("autodoc-process-docstring", on_docstring, priority=400)  # napoleon has 500
    app.connect("autodoc-process-docstring", after_napoleon, priority=600)
    app.connect("autodoc-skip-member", on_skip_member)
    app.connect("missing-reference", on_missing_reference)
    return {"parallel_read_safe": True}
