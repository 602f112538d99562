"""Fractals are not judged by the images that they were learned from."""

import re

import pytest

from fractalgan.errors import InputError
from fractalgan.storage.origin import require_held_out

IMAGES = {"name": "folder", "split": "train", "images": 30, "validation_share": 0.1, "test_share": 0.1}


@pytest.mark.parametrize(
    ("learned", "message"),
    [
        ({"split": "test"}, "learned from the test images of folder, .* others with --data.split train$"),
        ({"split": "validation"}, "learned from the validation images of folder"),
        ({"test_share": 0.3}, "with --data.test_share 0.3, .* held out now: set --data.test_share 0.3$"),
        ({"validation_share": 0.2}, "set --data.validation_share 0.2$"),
    ],
)
def test_images_that_are_held_out_now_are_refused(learned: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as caught:
        require_held_out({"data": IMAGES | learned}, IMAGES, "runs/mine")
    assert re.search(message, caught.value.for_command_line)


@pytest.mark.parametrize(
    "provenance",
    [
        {},
        {"data": None},
        {"data": "folder"},  # of earlier versions
        {"data": {"name": "folder"}},
        {"data": IMAGES},
        {"data": IMAGES | {"name": "digits", "split": "test"}},
    ],
)
def test_others_are_taken(provenance: dict[str, object], logs: pytest.LogCaptureFixture) -> None:
    require_held_out(provenance, IMAGES, "runs/mine")
    assert not logs.messages


def test_folder_that_has_grown_is_warned_of(logs: pytest.LogCaptureFixture) -> None:
    require_held_out({"data": IMAGES | {"images": 29}}, IMAGES, "runs/mine")
    assert "folder has 30 images, and had 29 when the fractals of runs/mine were learned" in logs.text
