"""What tasks and callbacks need of data, and which data module has it."""

from pathlib import Path

import pytest
from pytorch_lightning import LightningDataModule

from fractalgan import FractalData, ImageData, LabeledFractalData, RandomFractalData, TargetData
from fractalgan.experiments.quiet_trainer import quiet_trainer
from fractalgan.tasks.protocols import (
    LabeledBatches,
    LabeledImages,
    PseudoClasses,
    RandomFractals,
    Targets,
    datamodule_of,
)
from tests.data.files import labeled_fractals

DATA = {
    LabeledImages: lambda: ImageData(size=16),
    Targets: lambda: TargetData(count=2, size=16),
    PseudoClasses: lambda: FractalData(num_fractals=2, images_per_class=1, size=16),
    RandomFractals: lambda: RandomFractalData(num_fractals=2, size=16),
}


@pytest.mark.parametrize("protocol", DATA)
@pytest.mark.parametrize("set_up", [False, True])
def test_each_data_module_serves_its_own_protocol(protocol: type, set_up: bool) -> None:
    data = DATA[protocol]()
    if set_up:
        data.setup()
    assert [isinstance(data, each) for each in DATA] == [each is protocol for each in DATA]


def test_batches_with_classes_are_those_of_two_data_modules(tmp_path: Path) -> None:
    labeled = LabeledFractalData(str(labeled_fractals(tmp_path / "labeled.json")), size=16)
    everything = [*(make() for make in DATA.values()), labeled]
    for set_up in (False, True):
        serving = [type(each) for each in everything if isinstance(each, LabeledBatches)]
        assert serving == [ImageData, LabeledFractalData]
        assert not any(isinstance(labeled, each) for each in DATA)
        for each in everything if not set_up else ():
            each.setup()


def test_trainer_without_a_data_module_has_none() -> None:
    trainer = quiet_trainer(1)
    assert datamodule_of(trainer) is None
    trainer.datamodule = data = LightningDataModule()  # type: ignore[attr-defined]
    assert datamodule_of(trainer) is data
