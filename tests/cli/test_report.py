"""`report`: pages about runs."""

from pathlib import Path

import pytest

from fractalgan.cli.program import run
from tests.reports.runs import generator, write_run


def test_report_is_written_into_the_run_or_where_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        write_run(tmp_path / name, generator())
    assert run(["report", "a"]) == 0
    assert capsys.readouterr().out == "written to a/report.html: open it in a browser\n"
    assert run(["report", "a", "b", "--out", "both.html"]) == 0
    assert "2 runs side by side" in (tmp_path / "both.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "nothing is not a run folder"),
        (["a", "a"], "set --out"),
        ([], "runs"),
        (["a", "--ou", "x.html"], "did you mean --out?"),
    ],
)
def test_wrong_arguments_get_one_line(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "a")
    assert run(["report", *arguments]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert len(err.splitlines()) == 1
