"""What the documentation shows works: its Python, its command lines, its links, its notebooks."""

import contextlib
import importlib.util
import inspect
import io
import json
import re
import shlex
import shutil
import warnings
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import pytorch_lightning
from jsonargparse import ArgumentParser

import fractalgan
from fractalgan.cli import ablate, compare, distill, draw, export, report
from fractalgan.cli.class_help import SET_BY_OTHERS, class_help
from fractalgan.cli.experiment import parse_experiment
from fractalgan.cli.help import PAGES
from fractalgan.cli.parser import make_parser, parse
from fractalgan.cli.program import VERBS, run

ROOT = Path(fractalgan.__file__).parents[1]
DOCS = ROOT / "docs"
MARKDOWN = [
    path
    for path in [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "fractalgan").rglob("*.md")]
    if "_build" not in path.parts
]
NOTEBOOKS = sorted(DOCS.glob("notebooks/*.ipynb"))

BLOCK = re.compile(
    r"(?:<!-- not run: (?P<reason>.*?) -->\n)?^```(?P<kind>\w+)\n(?P<code>.*?)^```", re.M | re.S
)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
MAX_PICTURE = 300_000  # bytes, of those that belong to a page of theory or a tutorial

SHORT_FIT = ["--trainer.max_steps=1", "--trainer.val_check_interval=1", "--trainer.accelerator=cpu"]
GAN = ("--data.size=16", "--model.prototypes=0", "--model.tau=1", "--model.num_points=20")
PRETRAINING = ("--config=pretraining.yaml", "--model.fractals=digits", "--data.images_per_class=2")
VIT = (*PRETRAINING, "--model.network=timm/vit_tiny_patch16_224", "--data.size=64")
# The runs that pages take for granted, made in one step.
RUNS = {
    "runs/gan-digits-1": GAN,
    "runs/gan-shapes-1": GAN,
    "runs/autoencoder-digits-1": ("--config=autoencoder.yaml",),
    "runs/pretraining-digits-1": PRETRAINING,
    "runs/vit": VIT,
    "runs/classifier-digits-1": ("--config=classifier.yaml", "--data.fractals=digits-labeled"),
}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(path: Path, kind: str) -> list[re.Match[str]]:
    return [match for match in BLOCK.finditer(path.read_text()) if match["kind"] == kind]


# -- Python ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[tuple[str, ...]], Path]:
    @cache
    def train(options: tuple[str, ...]) -> Path:
        folder = tmp_path_factory.mktemp("run") / "run"
        with contextlib.redirect_stdout(io.StringIO()):
            assert run(["fit", *options, *SHORT_FIT, f"--run={folder}"]) == 0
        return folder

    return train


@pytest.mark.parametrize("path", [each for each in MARKDOWN if blocks(each, "python")], ids=name_of)
def test_python_runs(
    path: Path, trained_once: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The blocks of a page in turn, in one namespace and an empty folder, with short trainings."""
    monkeypatch.chdir(tmp_path)
    short = partial(_short_trainer, pytorch_lightning.Trainer)  # before it is replaced
    monkeypatch.setattr(pytorch_lightning, "Trainer", short)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    code = [block["code"] for block in blocks(path, "python") if block["reason"] is None]
    for folder, options in RUNS.items():
        if folder in "".join(code):
            shutil.copytree(trained_once(options), folder)
    namespace: dict[str, Any] = {}
    for each in code:
        exec(compile(each, name_of(path), "exec"), namespace)


def _short_trainer(trainer: type[pytorch_lightning.Trainer], **options: Any) -> pytorch_lightning.Trainer:
    quick = {"max_steps": 2, "val_check_interval": 2, "accelerator": "cpu", "logger": False}
    return trainer(**options | quick, enable_checkpointing=False, enable_progress_bar=False)


def test_blocks_that_are_not_run_have_a_reason() -> None:
    for path in MARKDOWN:
        marked = [
            block["reason"] for block in BLOCK.finditer(path.read_text()) if block["reason"] is not None
        ]
        assert all(len(reason) > 10 for reason in marked), path
        marks = re.findall("^<!-- not run", path.read_text(), re.M)
        assert len(marks) == len(marked), f"a mark without a block in {path}"


# -- command lines --------------------------------------------------------------------------------------


def command_lines(path: Path) -> list[list[str]]:
    """The arguments of this program in the blocks of a page."""
    found = []
    for block in blocks(path, "sh"):
        for words in shell_commands(block["code"]):
            if "fractalgan" in words[1:] and "COMMAND" not in words:
                found.append(words[words.index("fractalgan", 1) + 1 :])
    return found


def shell_commands(code: str) -> Iterator[list[str]]:
    """The words of each command, which may have quotes over several lines."""
    command = ""
    for line in code.replace("\\\n", " ").splitlines():
        command += line + "\n"
        with contextlib.suppress(ValueError):  # a quotation is not closed yet
            yield shlex.split(command, comments=True)
            command = ""
    assert not command, command


@cache
def parser_of(verb: str) -> ArgumentParser:
    named = (compare, distill, draw, export, report)
    modules: dict[str, ModuleType] = {each.__name__.rpartition(".")[2]: each for each in named}
    parser: ArgumentParser = modules[verb]._make_parser()
    return parser


def check_command(verb: str, *options: str) -> None:
    """Parse a command line, and end before it does anything."""
    assert verb in VERBS
    if "--help" in options:
        assert verb in PAGES
    elif not class_help(verb, list(options)):
        kept = [option for option in options if option != "--print_config"]
        if verb == "ablate":
            parser = ablate.make_experiment_parser(verb)
            parser.add_class_arguments(ablate.AblationPlan, "plan")
            parse_experiment(parser, kept)
        elif verb in ("compare", "distill"):
            parse_experiment(parser_of(verb), kept)
        elif verb in ("draw", "export", "report"):
            parser_of(verb).parse_args(kept)
        else:
            parse(make_parser(verb), kept)


@pytest.mark.parametrize("path", [each for each in MARKDOWN if command_lines(each)], ids=name_of)
def test_command_lines_parse(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments in command_lines(path):
        try:
            check_command(*arguments)
        except (Exception, SystemExit) as error:
            raise AssertionError(f"fractalgan {shlex.join(arguments)}: {error}") from error


def test_command_lines_with_mistakes_are_found() -> None:
    for mistake in (
        ["fitt"],
        ["fit", "--model.no_such_option=1"],
        ["draw", "digits", "--zooom=2"],
        ["export"],
    ):
        with pytest.raises((Exception, SystemExit)):
            check_command(*mistake)


# -- links, pictures, notebooks -------------------------------------------------------------------------


@pytest.mark.parametrize("path", MARKDOWN, ids=name_of)
def test_links_lead_to_files(path: Path) -> None:
    text = BLOCK.sub("", path.read_text())
    for target in LINK.findall(text):
        if "://" not in target and not target.startswith(("#", "mailto:")):
            assert (path.parent / target.partition("#")[0]).exists(), target


def test_pictures_of_pages_are_small() -> None:
    for folder in ("theory", "tutorials"):
        pictures = list((DOCS / folder / "pictures").iterdir())
        assert pictures
        assert all(each.stat().st_size < MAX_PICTURE for each in pictures)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_notebooks_are_clean_and_part_of_the_site(path: Path) -> None:
    """`make docs` runs them."""
    content = json.loads(path.read_text())
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None
            compile("".join(cell["source"]), path.name, "exec")
    assert f"notebooks/{path.stem}\n" in (DOCS / "index.md").read_text()


# -- the lists of options -------------------------------------------------------------------------------


@pytest.fixture
def help_texts() -> ModuleType:
    path = DOCS / "_extensions" / "help_texts.py"
    spec = importlib.util.spec_from_file_location("help_texts", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_option_is_listed(help_texts: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "10000")
    page = (DOCS / "reference" / "options.md").read_text()
    for subject, text in help_texts.help_texts().items():
        options = list(help_texts.options_in(text))
        if " " in subject:
            group, name = subject.split()
            owner = getattr(fractalgan, name, None) or getattr(fractalgan.callbacks, name)
            expected = set(inspect.signature(owner).parameters) - SET_BY_OTHERS.get(group, set())
            assert {option.flag.split()[0].rpartition(".")[2] for option in options} == expected
            assert all(option.description and option.details.startswith("type:") for option in options)
        elif subject in ("validate", "test"):  # which have the options of fit
            continue
        assert f"```{{options}} {subject}" in page, subject
        for group in {option.group for option in options if option.group} - {"model", "data"}:
            shown = f"```{{options}} {subject} {group}\n" in page
            assert shown or subject not in ("compare", "distill"), (subject, group)
