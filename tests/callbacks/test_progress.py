"""Progress where stderr is not a terminal."""

import pytest

from fractalgan.callbacks import StepProgress, progress
from fractalgan.data import FractalData
from fractalgan.experiments.quiet_trainer import quiet_trainer
from fractalgan.tasks import Pretraining


@pytest.mark.parametrize(("first", "every", "expected"), [(0, 0, [1, 2, 3]), (0, 60, [1]), (60, 60, [])])
def test_lines_come_before_the_first_validation(
    first: float,
    every: float,
    expected: list[int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(progress, "FIRST_LINE", first)
    monkeypatch.setattr(progress, "EVERY_LINE", every)
    data = FractalData(num_fractals=3, num_transforms=2, size=16, images_per_class=12, batch_size=12)
    trainer = quiet_trainer(3, limit_val_batches=0, callbacks=[StepProgress()], enable_progress_bar=True)
    trainer.fit(Pretraining(num_fractals=3, image_size=16), data)
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("step ")]
    assert [line.partition("  ")[0] for line in lines] == [f"step {step} of 3" for step in expected]
    assert all("images/s" in line and "left" in line for line in lines)
