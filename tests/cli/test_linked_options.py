"""Options that follow another one are refused: they would have no effect."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.conftest import TINY, TINY_ENCODER, TINY_PRETRAINING

Call = Callable[..., int]

PRETRAINING = ["--config=pretraining.yaml", *TINY_PRETRAINING]


@pytest.mark.parametrize(
    ("options", "option", "source"),
    [
        ([*TINY, "--model.image_size=16"], "model.image_size", "data.size"),
        ([*TINY, "--model.seed", "3"], "model.seed", "seed_everything"),
        ([*TINY, "--data.init_args.seed=3"], "data.seed", "seed_everything"),
        ([*PRETRAINING, "--data.fractals=digits"], "data.fractals", "model.fractals"),
        ([*PRETRAINING, "--data.num_fractals=9"], "data.num_fractals", "model.num_fractals"),
    ],
)
def test_option_that_follows_another_is_refused(
    call: Call, capsys: pytest.CaptureFixture[str], options: list[str], option: str, source: str
) -> None:
    assert call("fit", *options) == 2
    assert (
        f"--{option} has no effect, it follows --{source}: set --{source} instead" in capsys.readouterr().err
    )
    assert not Path("runs").exists()


def test_option_of_a_configuration_file_is_refused(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.yaml").write_text("data: {class_path: fractalgan.ImageData, init_args: {seed: 3}}")
    assert call("fit", "--config=mine.yaml", *TINY) == 2
    assert "set --seed_everything instead" in capsys.readouterr().err


def test_option_of_inline_yaml_is_refused(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("fit", '--config={"data": {"init_args": {"seed": 3}}}', *TINY) == 2
    assert "set --seed_everything instead" in capsys.readouterr().err


def test_option_of_data_that_no_model_sets_is_not_refused_and_kept(call: Call) -> None:
    options = ["--config=inverse_encoder.yaml", *TINY_ENCODER, "--data.num_fractals=20", "--run=mine"]
    assert call("fit", *options) == 0
    config = yaml.safe_load(Path("mine/config.yaml").read_text())
    assert config["data"]["init_args"]["num_fractals"] == 20
    assert not {"image_size", "seed"} & config["model"]["init_args"].keys()
    assert call("fit", "--config=mine/config.yaml", "--run=again") == 0
    assert Path("again/config.yaml").read_bytes() == Path("mine/config.yaml").read_bytes()
