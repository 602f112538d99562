"""Fractals in folders of the Hugging Face Hub's form, and on a Hub whose two functions are stand-ins."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import huggingface_hub
import pytest
import torch
from huggingface_hub import HfApi, ModelCard
from huggingface_hub.errors import LocalEntryNotFoundError
from PIL import Image

from fractalgan import FractalGenerator
from fractalgan.errors import InputError
from fractalgan.nn import FractalEmbedding
from fractalgan.nn.model_card import model_card
from fractalgan.ops import Features, anderson_farrell
from fractalgan.storage import is_repository
from fractalgan.storage.hub import HUB_FILE

FILES = ["README.md", "fractals.png", "fractals.safetensors"]


@pytest.fixture
def learned() -> FractalGenerator:
    """Three fractals in color that are said to be learned."""
    features = Features(torch.rand(3, 4, 3), torch.rand(3, 4), torch.rand(3, 3))
    embedding = FractalEmbedding(anderson_farrell(3, 4), features=features)
    generator = FractalGenerator(embedding, 16, num_points=30, jitter=0.1)
    generator.provenance = {"data": {"name": "emoji"}, "seed": 3, "scores": {"val/coverage": 0.51234}}
    return generator


class Repository(NamedTuple):
    repo_id: str


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A Hub in a folder: what was uploaded to it, and with which options."""
    asked: dict[str, Any] = {}

    def create_repo(_: HfApi, repo_id: str, **options: Any) -> Repository:
        asked["create"] = options
        return Repository(repo_id)

    def upload_folder(_: HfApi, *, repo_id: str, folder_path: Path, **options: Any) -> str:
        asked["upload"] = options
        Path(folder_path).rename(tmp_path / repo_id.replace("/", "--"))
        return f"the commit in {repo_id}"

    def hf_hub_download(repo_id: str, filename: str, **options: Any) -> str:
        asked["download"] = options
        path = tmp_path / repo_id.replace("/", "--") / filename
        if not path.exists():
            raise LocalEntryNotFoundError("Cannot find the file.\nAnd more.")
        return str(path)

    monkeypatch.setattr(HfApi, "create_repo", create_repo)
    monkeypatch.setattr(HfApi, "upload_folder", upload_folder)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", hf_hub_download)
    monkeypatch.chdir(tmp_path)
    return asked


def assert_equal_bits(first: FractalGenerator, second: FractalGenerator) -> None:
    states = first.state_dict(), second.state_dict()
    assert states[0].keys() == states[1].keys()
    assert all(value.equal(states[1][name]) for name, value in states[0].items())
    images = [each.draw([0, 2], torch.Generator().manual_seed(1)) for each in (first, second)]
    assert images[0].equal(images[1])
    assert first.to_file()[1:] == second.to_file()[1:]


def test_folder_is_read_with_equal_bits(learned: FractalGenerator, tmp_path: Path) -> None:
    assert learned.save_pretrained(tmp_path / "mine") is None
    assert sorted(path.name for path in (tmp_path / "mine").iterdir()) == FILES
    again = FractalGenerator.from_pretrained(tmp_path / "mine")
    assert_equal_bits(learned, again)
    again.save_pretrained(tmp_path / "copy")
    pictures = [(tmp_path / name / "fractals.png").read_bytes() for name in ("mine", "copy")]
    assert pictures[0] == pictures[1]
    with Image.open(tmp_path / "mine" / "fractals.png") as picture:
        assert picture.size[0] > 3 * 16


def test_saving_leaves_the_random_numbers_alone(learned: FractalGenerator, tmp_path: Path) -> None:
    before = torch.get_rng_state()
    learned.save_pretrained(tmp_path)
    assert torch.get_rng_state().equal(before)


def test_pushed_fractals_are_pulled_with_equal_bits(learned: FractalGenerator, hub: dict[str, Any]) -> None:
    assert (
        learned.push_to_hub("user/emoji", private=True, commit_message="more") == "the commit in user/emoji"
    )
    assert hub["create"]["private"]
    assert hub["upload"]["commit_message"] == "more"
    assert sorted(path.name for path in Path("user--emoji").iterdir()) == FILES
    assert 'from_pretrained("user/emoji")' in Path("user--emoji/README.md").read_text()
    assert_equal_bits(learned, FractalGenerator.from_pretrained("user/emoji", revision="v1"))
    assert hub["download"]["revision"] == "v1"


@pytest.mark.usefixtures("hub")
def test_folder_can_be_pushed_as_it_is_saved(learned: FractalGenerator) -> None:
    pushed = learned.save_pretrained("mine", repo_id="user/other", push_to_hub=True)
    assert pushed == "the commit in user/other"
    assert sorted(path.name for path in Path("mine").iterdir()) == FILES
    assert 'from_pretrained("user/other")' in Path("user--other/README.md").read_text()


@pytest.mark.usefixtures("hub")
def test_missing_repository_gets_one_line() -> None:
    with pytest.raises(InputError, match=r"^there are no fractals 'user/none' here, and .*file\.\): check"):
        FractalGenerator.from_pretrained("user/none")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("user/name", True),
        ("user-1/name_2.x", True),
        (Path("user/name"), False),
        ("runs/gan-digits-9", False),  # where runs are, if there is one
        ("mine/gan", False),  # there is a folder mine
        ("user/name.safetensors", False),
        ("user/name.json", False),
        ("a/b/c", False),
        ("../name", False),
        ("/name", False),
        ("user/", False),
        ("name", False),
    ],
)
def test_repositories_are_told_from_paths(
    source: str | Path, expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine").mkdir()
    assert is_repository(source) is expected


def test_without_the_library_one_line_names_the_extra(tmp_path: Path) -> None:
    code = """
import sys
sys.modules["huggingface_hub"] = None  # as if it were not installed
from fractalgan import FractalGenerator
generator = FractalGenerator.from_pretrained("digits")
generator.save("mine.safetensors")
FractalGenerator.from_pretrained("mine.safetensors")
for use in (
    lambda: generator.save_pretrained("mine"),
    lambda: generator.push_to_hub("user/name"),
    lambda: FractalGenerator.from_pretrained("user/name"),
):
    try:
        use()
    except ValueError as error:
        print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    missing = "needs huggingface_hub, which is missing: pip install 'fractalgan[hub]'"
    assert all(line.endswith(missing) for line in lines)
    assert "there are no fractals 'user/name' here" in lines[2]
    assert not (tmp_path / "mine").exists()


# -- the model card ----------------------------------------------------------------------------


def test_card_says_what_the_file_says() -> None:
    text = model_card(FractalGenerator.from_pretrained("digits").to_file(), "user/digits")
    card = ModelCard(text)
    assert (card.data.license, card.data.library_name) == ("mit", "fractalgan")
    assert {"fractals", "iterated-function-systems"} <= set(card.data.tags)
    assert "# Fractals learned from digits\n" in text
    assert "![the fractals](fractals.png)" in text
    assert "100 fractals, each an iterated function system of 10 affine transforms" in text
    assert re.search(r"## Recipe\n\n(\|.*\n)*\| generator\\_lr \| 0.05 \|\n", text)
    assert re.search(r"## Scores\n\n(\|.*\n)*\| val/collapsed \| 0 \|\n", text)
    assert "## License\n\nMIT" in text


def test_card_of_fractals_of_unknown_origin() -> None:
    text = model_card(FractalGenerator(FractalEmbedding(anderson_farrell(2, 3))).to_file(), "mine")
    assert "\n# Fractals\n" in text
    assert ModelCard(text).data.license is None
    assert "learned by gradient descent" not in text
    assert "No license is recorded" in text
    for title in ("Data", "Recipe", "Training", "Scores"):
        assert f"\n## {title}\n\nThe file does not say.\n" in text


HOSTILE = [
    "<script>alert(1)</script>",
    "a | b |\n\n# Pay here",
    "[click](http://example.com) ![x](y) www.example.com a@example.com",
    "`code` *bold* __bold__ ~~gone~~ $x$ {{x}} {x}",
    "---\nlicense: other\n---",
    "\u202egnp.exe\x1b[31m",
    "x" * 5000,
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("where", ["name", "value", "key", "score"])
def test_values_of_the_file_are_text_in_the_card(text: str, where: str) -> None:
    provenance = {
        "name": {"data": text},
        "value": {"data": {"root": [text, {"deep": text}]}, "recipe": text},
        "key": {"data": {}, text: 1, "recipe": {text: {text: None}}},
        "score": {"scores": {"val/loss": text}, "data": [text]},
    }[where]
    content = FractalGenerator(FractalEmbedding(anderson_farrell(2, 3))).to_file(provenance)
    card = model_card(content, "user/name")
    plain = model_card(content._replace(provenance={"data": {}}), "user/name")
    assert card.startswith(plain[: plain.index("# Fractals")])  # the header is that of any card
    added = [line for line in card.splitlines() if line not in plain.splitlines()]
    assert added
    for line in added:
        assert line.startswith(("# Fractals learned from ", "| "))
        assert len(line) < 600
        assert line.isprintable()
        unescaped = re.sub(r"\\[!-/:-@\[-`{-~]|&(amp|lt|gt);", "", line.lstrip("#"))
        assert not set("<>[]()*_`~$@!:") & set(unescaped)
        assert unescaped.count("|") in (0, 3)
        assert "www." not in unescaped


def test_repository_has_the_file_that_is_downloaded() -> None:
    assert HUB_FILE in FILES
