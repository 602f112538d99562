"""Directives of the reference pages: every option, as the help of the command line has it.

Nothing is written by hand: options come from the help that jsonargparse makes of the classes' signatures and
docstrings, and configurations from the YAML files of the package.
"""

import inspect
import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.statemachine import StringList
from help_texts import options_in
from repository_links import public_names
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import fractalgan
from fractalgan.cli.help import PAGES
from fractalgan.storage.resources import CONFIGS

WIDE = "10000"  # columns: a description is one line


@cache
def help_texts() -> dict[str, str]:
    """The help of each command, such as ``fit``, and of each class, such as ``model FractalGAN``."""
    script = [sys.executable, str(Path(__file__).with_name("help_texts.py"))]
    search = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"COLUMNS": WIDE, "PYTHONPATH": search}
    printed = subprocess.run(script, env=environment, capture_output=True, text=True, check=True).stdout
    texts: dict[str, str] = json.loads(printed)
    return texts


def as_markdown(text: str) -> str:
    """A docstring's sentence as Markdown: its roles and ``code`` stay code, all else is literal."""
    text = re.sub(r":\w+:`~?(?:[\w.]+\.)?(\w+)`", r"``\1``", text)
    parts = re.split(r"(``.+?``)", text)
    return "".join(
        each if each.startswith("``") else re.sub(r"([\\`*_{}\[\]<>#|$~])", r"\\\1", each) for each in parts
    )


class Generated(SphinxDirective):
    """A directive whose content is made here, in Markdown."""

    def parsed(self, lines: list[str]) -> list[nodes.Node]:
        """The nodes of a text in Markdown."""
        container = nodes.Element()
        container.document = self.state.document
        self.state.nested_parse(
            StringList(lines, source=self.get_source_info()[0]), self.content_offset, container
        )
        return list(container.children)


class Options(Generated):
    """The options of a class or a command: ``{options} model FractalGAN`` or ``{options} compare plan``."""

    required_arguments = 1
    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Make the list."""
        first, *second = self.arguments
        if second and first in ("model", "data", "callback"):
            found = list(options_in(help_texts()[" ".join(self.arguments)]))
            program = second[0]
        else:
            group = second[0] if second else ""
            found = [each for each in options_in(help_texts()[first]) if each.group == group]
            program = f"fractalgan {first}"
        if not found:
            raise self.error(f"no options of {' '.join(self.arguments)}")
        lines = [f"```{{program}} {program}", "```", ""]
        for option in found:
            lines += [f"```{{option}} {option.flag}", as_markdown(option.description), ""]
            lines += (
                [as_markdown(option.details.replace("type: ", "Type: ")) + ".", ""] if option.details else []
            )
            lines += ["```", ""]
        return self.parsed(lines)


class Configurations(Generated):
    """All shipped configurations, each with its text."""

    option_spec: ClassVar = {}

    def run(self) -> list[nodes.Node]:
        """Make a section of each."""
        sections: list[nodes.Node] = []
        for path in sorted(CONFIGS.glob("*.yaml")):
            section = nodes.section(ids=[nodes.make_id(path.name)], names=[path.name])
            section += nodes.title(text=path.name)
            section += nodes.literal_block(text=path.read_text(), language="yaml")
            classes = re.findall(r"class_path: fractalgan\.(?:callbacks\.)?(\w+)", path.read_text())
            links = ", ".join(f"[{name}](/reference/options.md#{name.lower()})" for name in classes)
            verb = {"compare": "compare", "distill": "distill", "ablation": "ablate"}.get(
                path.stem.split("_")[0], "fit"
            )
            section += self.parsed([f"Options: {links or f'[{verb}](/reference/options.md#{verb})'}."])
            sections.append(section)
            self.env.get_domain("std").note_hyperlink_target(
                path.name, self.env.docname, section["ids"][0], path.name
            )
        return sections


class HelpPages(Generated):
    """The help page of each command."""

    def run(self) -> list[nodes.Node]:
        """Make a section of each."""
        sections: list[nodes.Node] = []
        for verb, text in PAGES.items():
            section = nodes.section(ids=[verb], names=[verb])
            section += nodes.title(text=verb)
            section += nodes.literal_block(text=text, language="none")
            sections.append(section)
        return sections


class PublicNames(Generated):
    """A table of the names that can be imported from ``fractalgan``."""

    def run(self) -> list[nodes.Node]:
        """Make the table."""
        lines = ["| | |", "|---|---|"]
        for name in fractalgan.__all__:
            if not name.startswith("_"):
                summary = inspect.getdoc(getattr(fractalgan, name)).partition("\n\n")[0].replace("\n", " ")
                summary = re.sub(r":\w+:`\.?(\w+)`", r"`\1`", summary)
                lines.append(f"| {{py:obj}}`{name} <{public_names()[name]}>` | {summary} |")
        return self.parsed(lines)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    app.add_directive("options", Options)
    app.add_directive("configurations", Configurations)
    app.add_directive("help-pages", HelpPages)
    app.add_directive("public-names", PublicNames)
    return {"parallel_read_safe": True}
