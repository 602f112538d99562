"""The frames of a film."""

import pytest

from fractalgan.callbacks.film import MAX_FRAMES, frame_interval


@pytest.mark.parametrize("steps", [1, 6, 58, 59, 60, 61, 118, 119, 120, 1000, 4999])
def test_film_has_few_frames_but_enough(steps: int) -> None:
    frames = {*range(0, steps, frame_interval(steps)), steps}
    assert min(steps, MAX_FRAMES // 2) < len(frames) <= MAX_FRAMES
