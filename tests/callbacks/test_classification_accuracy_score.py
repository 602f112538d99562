"""The accuracy on real images of a network that was trained on what labeled fractals draw."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from fractalgan import Distillation, ImageData, Reconstruction, TargetData
from fractalgan.callbacks import ClassificationAccuracyScore
from fractalgan.errors import InputError
from fractalgan.experiments.quiet_trainer import quiet_trainer
from fractalgan.nn import FractalGenerator, Labels
from tests.cli.errors import only_error
from tests.cli.folders import rows
from tests.conftest import TINY, TINY_CLASSIFIER, TINY_DISTILLATION, TINY_RECONSTRUCTION
from tests.data.files import labeled_fractals
from tests.tasks.processes import fit_by_one, fit_by_two

Call = Callable[..., int]

NAME = "val/classification_accuracy_score"
SCORED = [
    "--trainer.callbacks+=fractalgan.callbacks.ClassificationAccuracyScore",
    "--trainer.callbacks.steps=5",
]
LABELED = ["fit", "--config=labeled_fractals.yaml", *TINY_RECONSTRUCTION]
EXEMPLARS = ["--data.split=train", "--data.count=null", "--data.per_class=1", "--data.binarize=null"]


@pytest.fixture(scope="module")
def exemplars() -> FractalGenerator:
    """Fractals of the medoids of the digits, three of each."""
    task = Reconstruction(
        num_transforms=6, num_sequences=5, image_size=16, sequences="even", noise=0, lr=0.1, schedule="cosine"
    )
    quiet_trainer(150, limit_val_batches=0, enable_checkpointing=False).fit(
        task, TargetData(split="train", per_class=3, exemplars="medoids", size=16)
    )
    return task.learned_fractals()


def score(generator: FractalGenerator, folder: Path, **options: float) -> float:
    """That of fractals as a validation of Distillation logs it."""
    generator.save(folder / "labeled.safetensors")
    task = Distillation(str(folder / "labeled.safetensors"), image_size=16, width=4)
    trainer = quiet_trainer(
        1,
        enable_checkpointing=False,
        callbacks=[ClassificationAccuracyScore(**options)],
        val_check_interval=1,
    )
    trainer.validate(task, ImageData(size=16, binarize=None), verbose=False)
    return float(trainer.callback_metrics[NAME])


def test_is_high_only_for_the_right_labels(exemplars: FractalGenerator, tmp_path: Path) -> None:
    high = score(exemplars, tmp_path)
    labels = exemplars.embedding.labels
    assert labels is not None
    exemplars.embedding.label_(Labels((labels + 1) % 10, exemplars.embedding.classes))
    wrong = score(exemplars, tmp_path)
    exemplars.embedding.label_(Labels(labels, exemplars.embedding.classes))
    assert high > 0.6
    assert wrong < 0.1


def test_does_not_depend_on_the_global_random_numbers(exemplars: FractalGenerator, tmp_path: Path) -> None:
    first = score(exemplars, tmp_path, steps=10)
    torch.manual_seed(1)
    assert score(exemplars, tmp_path, steps=10) == first
    assert score(exemplars, tmp_path, steps=11) != first
    assert score(exemplars, tmp_path, steps=10, speckle=5.0) != first


def test_leaves_the_global_random_numbers_alone() -> None:
    before = torch.get_rng_state()
    ClassificationAccuracyScore(network="convnet")
    assert torch.get_rng_state().equal(before)


def test_conditional_gan_logs_it_and_resumes_to_the_same_values(call: Call) -> None:
    command = ["fit", "--config=gan_labeled.yaml", *TINY, "--model.num_fractals=10", *SCORED]
    command += ["--model.generator_schedule=constant", "--model.instance_noise=0"]
    assert call(*command, "--run=whole") == 0
    assert call(*command, "--run=halves", "--trainer.max_steps=3") == 0
    assert call("fit", "--ckpt_path=halves/checkpoints/last.ckpt", "--trainer.max_steps=6") == 0
    whole, halves = (
        [json.loads(line) for line in Path(f"{name}/metrics.jsonl").read_text().splitlines()]
        for name in ("whole", "halves")
    )
    assert 0 <= whole[-1][NAME] <= 1
    assert halves == whole


def test_distillation_and_exemplars_log_it(call_with_fractals: Call) -> None:
    distillation = ["fit", "--config=distillation.yaml", *TINY_DISTILLATION]
    assert call_with_fractals(*distillation, *SCORED, "--model.fractals=labeled.safetensors", "--run=a") == 0
    assert call_with_fractals(*LABELED, *EXEMPLARS, *SCORED, "--run=b") == 0
    for folder in (Path("a"), Path("b")):
        assert NAME in rows(folder)[-1], folder


def test_processes_that_reconstruct_targets_of_their_own_score_all_fractals(tmp_path: Path) -> None:
    """With two processes, the score is that of all fractals, as it is with one."""
    options = ["--trainer.max_steps=80", "--trainer.val_check_interval=80", "--trainer.callbacks.steps=150"]
    command = [*LABELED[1:], *EXEMPLARS, *SCORED, *options]
    fit_by_two(*command, "--run=two", cwd=tmp_path)
    fit_by_one(*command, "--run=one", cwd=tmp_path)
    scores = [rows(tmp_path / name)[-1][NAME] for name in ("one", "two")]
    assert scores[0] > 0.3
    assert scores[0] == pytest.approx(scores[1], abs=0.05)


def test_images_in_color_and_double_precision_are_scored(call: Call) -> None:
    labeled_fractals(Path("color.json"), features=3)
    command = ["fit", "--config=distillation.yaml", *TINY_DISTILLATION, "--model.fractals=color.json"]
    command += [*SCORED, "--trainer.callbacks.network=convnet", "--trainer.callbacks.width=4"]
    command += ["--data.channels=3", "--trainer.precision=64-true"]
    assert call(*command, "--run=mine") == 0
    assert call("validate", "--run=mine", "--ckpt_path=last") == 0
    validated = json.loads(Path("mine/evaluations.jsonl").read_text())
    assert validated["val/classification_accuracy_score"] == pytest.approx(rows(Path("mine"))[-1][NAME])


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["fit", *TINY], "needs labeled fractals: set --model.conditional projection"),
        (
            ["fit", "--config=classifier_images.yaml", *TINY_CLASSIFIER],
            "needs a task that learns fractals, got Classifier",
        ),
        (
            [
                "fit",
                "--config=labeled_fractals.yaml",
                *TINY_RECONSTRUCTION,
                *EXEMPLARS,
                "--data.split=validation",
            ],
            "needs real validation images: use --data fractalgan.ImageData",
        ),
    ],
)
def test_missing_labels_or_images_get_one_line(
    call: Call, capsys: pytest.CaptureFixture[str], command: list[str], message: str
) -> None:
    assert call(*command, *SCORED, "--run=mine") == 2
    assert message in only_error(capsys)
    assert not Path("mine/metrics.jsonl").exists()  # it has not trained before it says so


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("network=resnet18", "--trainer.callbacks.network: expected one of lenet, convnet, got resnet18"),
        ("width=x", "--trainer.callbacks.width: expected int or null, got x"),
        ("speed=3", "--trainer.callbacks.speed: ClassificationAccuracyScore has no option 'speed'"),
    ],
)
def test_wrong_values_of_options_are_named(
    call: Call, capsys: pytest.CaptureFixture[str], option: str, message: str
) -> None:
    command = ["fit", "--config=labeled_fractals.yaml", *SCORED, f"--trainer.callbacks.{option}"]
    assert call(*command, "--run=mine") == 2
    assert message in only_error(capsys)
    assert not Path("mine").exists()


def test_images_that_are_too_small_get_one_line_before_the_first_step(
    call_with_fractals: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["fit", "--config=distillation.yaml", *TINY_DISTILLATION, *SCORED, "--data.size=8"]
    assert call_with_fractals(*command, "--model.fractals=labeled.safetensors", "--run=mine") == 2
    assert "--data.size must be >= 16 for a LeNet, got 8: Class" in only_error(capsys)
    assert not Path("mine/metrics.jsonl").exists()


def test_options_out_of_range_get_one_line() -> None:
    with pytest.raises(InputError, match=r"ClassificationAccuracyScore.steps must be >= 1, got 0"):
        ClassificationAccuracyScore(steps=0)
    with pytest.raises(InputError, match=r"ClassificationAccuracyScore.speckle must be >= 0, got -1"):
        ClassificationAccuracyScore(speckle=-1)
    with pytest.raises(
        InputError, match=r"ClassificationAccuracyScore.network must be one of lenet, convnet"
    ):
        ClassificationAccuracyScore(network="resnet")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"ClassificationAccuracyScore.width must be null for a lenet"):
        ClassificationAccuracyScore(network="lenet", width=4)
