"""Numbers as text."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fractalgan.storage.number_text import to_number, to_numbers, to_text


@settings(deadline=None)
@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_float32_is_read_back_exactly(number: float) -> None:
    assert torch.tensor(to_number(to_text(number))).item() == number


@pytest.mark.parametrize(
    "text", ["", "nan", "inf", "-Infinity", "1e999", "0x10", "1_0", "1,5", "\u0661", "1 2", "e5"]
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a finite number"):
        to_number(text)


def test_lists_have_spaces_or_commas() -> None:
    assert to_numbers(" .5, -1.\t+2e-1 ") == [0.5, -1.0, 0.2]
    with pytest.raises(ValueError, match="expected 6 numbers, got '1 2'"):
        to_numbers("1 2", 6)
