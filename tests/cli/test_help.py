"""The help pages of the program."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import fractalgan
from fractalgan import __main__ as entry
from fractalgan.cli.help import PAGES, SUMMARIES, help_page
from fractalgan.cli.program import VERBS
from fractalgan.storage.resources import CONFIGS

Call = Callable[..., int]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple]:
    """Run the entry point without torch: ``typed("--help") -> status, stdout, stderr``."""

    def give(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["fractalgan", *arguments])
        status = entry.main()
        out, err = capsys.readouterr()
        return status, out, err

    return give


def test_help_and_version_do_not_import_torch() -> None:
    code = (
        "import sys; from fractalgan.__main__ import main\n"
        "for arguments in (['--help'], ['--version'], ['fit', '--help'], ['predict', '-h'], ['fitt'], []):\n"
        "    sys.argv = ['fractalgan', *arguments]; main()\n"
        "assert not {'torch', 'numpy', 'pytorch_lightning'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_every_command_has_a_page_of_its_own(typed: Callable[..., tuple]) -> None:
    assert VERBS.keys() == PAGES.keys() == SUMMARIES.keys()
    pages = {typed(verb, "--help")[1] for verb in VERBS}
    assert len(pages) == len(VERBS)
    for verb in VERBS:
        assert typed(verb, "--help") == typed("help", verb) == (0, help_page(verb), "")
        assert f"usage: python -m fractalgan {verb} " in help_page(verb)
        assert f"\n  {verb} " in help_page()


def test_pages_fit_on_a_terminal_and_name_every_shipped_config() -> None:
    text = "".join([help_page(), *PAGES.values()])
    assert all(len(line) <= 110 for line in text.splitlines())
    for path in CONFIGS.glob("*.yaml"):
        assert path.name in text


def test_unknown_command_gets_a_hint(typed: Callable[..., tuple]) -> None:
    assert typed("fitt") == (2, "", "fractalgan: error: unknown command 'fitt': did you mean fit?\n")
    status, _, err = typed("x")
    assert status == 2
    assert err.endswith(
        "the commands are fit, validate, test, predict, draw, export, report, compare, distill, ablate\n"
    )


def test_no_arguments_print_the_help_and_fail(typed: Callable[..., tuple]) -> None:
    status, out, _ = typed()
    assert (status, out) == (2, help_page())
    assert typed("--version")[1] == f"fractalgan {fractalgan.__version__}\n"


def test_every_option_is_listed_on_request(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        call("fit", "--help")  # what --help-all becomes
    assert ended.value.code == 0
    out = capsys.readouterr().out
    for option in ("--trainer.max_steps", "--model.help", "--data.help", "--ckpt_path", "--run"):
        assert option in out


@pytest.mark.parametrize(
    ("options", "listed", "hidden"),
    [
        (["--model.help"], "--model.generator_lr", "--model.seed"),
        (["--model.help", "fractalgan.Reconstruction"], "--model.halvings", "--trainer"),
        (["--model.help=LinearProbe"], "--model.penalties", "--model.image_size"),
        (["--data.help", "TargetData"], "--data.ignore_invalid", "--model"),
        (["--data.help", "FractalData"], "--data.jitter", "--data.fractals_copy"),
        (["--model.help", "--trainer.max_steps", "3"], "--model.generator_lr", "--trainer"),
    ],
)
def test_options_of_one_class(
    options: list[str], listed: str, hidden: str, call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("fit", *options) == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: python -m fractalgan fit --")
    assert listed in out
    assert hidden not in out
    assert "__main__" not in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit", "--model.help", "Nothing"], "--model.help: there is no class Nothing"),
        (["fit", "--model.help", "ImageData"], "ImageData is not a task: use --data.help ImageData"),
        (["fit", "--data.help", "FractalGAN"], "is not a data module: use --model.help FractalGAN"),
        (["compare", "--data.help"], "compare has no --data.help: use compare --help-all"),
    ],
)
def test_help_for_another_class_is_refused(
    arguments: list[str], message: str, call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*arguments) == 2
    assert message in capsys.readouterr().err
    assert not Path("runs").exists()
