"""Links of Markdown files that work on GitHub, turned into links of the site.

On GitHub, a folder shows its README.md, and every file of the repository can be linked to. In the site, a
folder becomes its page, a class of the package its reference, and any other file a download.
"""

import re
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path

from sphinx.application import Sphinx

DOCS = Path(__file__).parents[1]
ROOT = DOCS.parent
ROOMS = ("ops", "storage", "nn", "data", "tasks", "reports")  # which have a page of reference
FOUNDATIONS = {
    "errors": ["InputError"],
    "randomness": ["Purpose", "RandomSource", "RankShard", "generator_for"],
}

# What lies outside docs, or is part of another page.
PAGES = {
    "README.md": "/start.md",
    "docs": "/index.md",
    "docs/README.md": "/index.md",
    "CONTRIBUTING.md": "/project/contributing.md",
    "CHANGELOG.md": "/project/changelog.md",
    "fractalgan/checkpoints": "/project/checkpoints.md",
    "fractalgan/configs": "/reference/configurations.md",
} | {f"fractalgan/{room}": f"/reference/{room}.md" for room in ROOMS}

ORPHANS = {"table1/table1"}  # pages that only other pages link to

FENCED = re.compile(r"^(`{3,}|~{3,}).*?^\1`*$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")


@cache
def public_names() -> dict[str, str]:
    """The full names of classes and functions that have a reference, by their last part."""
    rooms = {room: import_module(f"fractalgan.{room}") for room in ROOMS}
    # a name of two rooms, such as FractalFile, is documented in the first
    names = {name: f"fractalgan.{room}.{name}" for room in reversed(ROOMS) for name in rooms[room].__all__}
    return names | {
        name: f"fractalgan.{module}.{name}" for module, each in FOUNDATIONS.items() for name in each
    }


def site_link(image: str, text: str, target: str, folder: Path) -> str:
    """The Markdown of a link in the site.

    Args:
        image: ``!`` for an image, else empty.
        text: of the link.
        target: a path from ``folder``, or anything else that can be linked to.
        folder: that of the file with the link.
    """
    path, sharp, fragment = target.partition("#")
    absolute = (folder / path).resolve()
    if not path or ":" in path or path.startswith("/") or not absolute.exists():
        return f"{image}[{text}]({target})"
    inside = absolute.relative_to(ROOT).as_posix()
    if inside in PAGES:
        return f"[{text}]({PAGES[inside]}{sharp}{fragment})"
    if inside.startswith("fractalgan/configs/"):
        return f"[{text}](#{absolute.name})"
    if absolute.suffix == ".py" and text.strip("`") in public_names():
        return f"{{py:obj}}`{text.strip('`')} <{public_names()[text.strip('`')]}>`"
    if absolute.is_dir():
        absolute /= "README.md"
        if not absolute.is_relative_to(DOCS) or not absolute.is_file():
            return text  # there is no page of it
    return f"{image}[{text}](/{_from_docs(absolute)}{sharp}{fragment})"


def _from_docs(path: Path) -> str:
    inside = path.is_relative_to(DOCS)
    return path.relative_to(DOCS).as_posix() if inside else f"../{path.relative_to(ROOT).as_posix()}"


def with_site_links(text: str, folder: Path) -> str:
    """A Markdown file of a folder, with the links of the site; blocks of code stay as they are."""

    def replaced(part: str) -> str:
        return LINK.sub(lambda link: site_link(link[1], link[2], link[3], folder), part)

    parts, end = [], 0
    for block in FENCED.finditer(text):
        parts += [replaced(text[end : block.start()]), block[0]]
        end = block.end()
    return "".join([*parts, replaced(text[end:])])


def on_source_read(app: Sphinx, docname: str, content: list[str]) -> None:
    """Change a page, before it is parsed."""
    path = Path(app.env.doc2path(docname))
    if docname in ORPHANS:
        content[0] = "---\norphan: true\n---\n" + content[0]
    if path.suffix == ".md":
        content[0] = with_site_links(content[0], path.parent)


def on_include_read(app: Sphinx, path: Path, docname: str, content: list[str]) -> None:
    """Change a file that a page includes, before it is parsed."""
    content[0] = with_site_links(content[0], (DOCS / path).resolve().parent)


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect to Sphinx."""
    handlers: dict[str, Callable[..., None]] = {
        "source-read": on_source_read,
        "include-read": on_include_read,
    }
    for event, handler in handlers.items():
        app.connect(event, handler)
    return {"parallel_read_safe": True}
