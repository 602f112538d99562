"""`compare` on small data, from the GAN to the figure."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml

from fractalgan.cli import compare
from fractalgan.cli.experiment import parse_experiment
from fractalgan.cli.program import run
from fractalgan.nn import FractalEmbedding, FractalGenerator
from fractalgan.ops import anderson_farrell
from fractalgan.storage import RunFolder, read_checkpoint
from tests.conftest import TINY

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("compare_*.yaml"))

TINY_GAN = [option for option in TINY if "data.size" not in option]
PLAN = [
    "--plan.workers=1",  # a process that imports torch takes seconds to start
    "--data.size=16",
    "--plan.seeds=2",
    "--plan.steps=4",
    "--plan.every=2",
    "--plan.labels=[0,10]",
    "--run=figure",
]
SMALL = [
    *PLAN,
    "--drawing.images_per_class=5",
    "--drawing.batch_size=8",
    "--drawing.num_transforms=3",
]
WITH_GAN = [*SMALL, "--plan.gan_options=" + json.dumps(TINY_GAN)]


# Several runs, each with worker processes.
pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("warm_workers")]


@pytest.fixture
def compare_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: run(["compare", *arguments])


def test_figure_is_complete_and_can_be_resumed(
    compare_here: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    small = [*WITH_GAN, "--plan.workers=2", "--plan.gan_steps=[500]"]  # beyond the end of this GAN
    assert compare_here(*small) == 0
    folder = Path("figure")
    for name in ("config.yaml", "cells.jsonl", "figure5.png", "figure5.csv", "summary.json"):
        assert (folder / name).is_file(), name
    with (folder / "figure5.csv").open(newline="") as file:
        cells = [
            (row["source"], row["seed"], row["network_step"], row["labels"]) for row in csv.DictReader(file)
        ]
    expected = [("pixels", "0", "0", "all"), ("pixels", "0", "0", "10"), ("pixels", "1", "0", "10")]
    for seed in ("0", "1"):
        for labels in ("10", "all"):
            expected += [("untrained", seed, "0", labels)]
            expected += [(source, seed, step, labels) for source in ("learned", "random") for step in "24"]
    assert sorted(cells) == sorted(expected)
    out, err = capsys.readouterr()
    assert "the GAN has no earlier checkpoint of [500]: skipped" in err
    assert "FractalGAN on digits: finished" in out
    assert "pre-train:" not in out  # the comparison uses the fractals itself
    assert "learned - random, all labels, a linear probe" in out

    # killed with half of the cells done and the last line incomplete; the GAN is not trained again
    whole = {name: (folder / name).read_bytes() for name in ("cells.jsonl", "figure5.csv", "summary.json")}
    lines = whole["cells.jsonl"].splitlines(keepends=True)
    (folder / "cells.jsonl").write_bytes(b"".join(lines[::2]) + lines[1][:-9])
    gan = (folder / "gan/checkpoints/last.ckpt").read_bytes()
    assert compare_here("--run=figure") == 0
    assert {name: (folder / name).read_bytes() for name in whole} == whole
    assert (folder / "gan/checkpoints/last.ckpt").read_bytes() == gan

    capsys.readouterr()
    assert compare_here(*small, "--pretraining.lr=0.1") == 2
    assert (
        "was started with different options (--pretraining.lr was 0.001, now 0.1)" in capsys.readouterr().err
    )
    assert (folder / "cells.jsonl").read_bytes() == whole["cells.jsonl"]

    # options that do not change a cell may differ
    assert compare_here("--run=figure", "--plan.seeds=3", "--plan.workers=1") == 0
    lines = (folder / "cells.jsonl").read_bytes().splitlines()
    assert set(whole["cells.jsonl"].splitlines()) < set(lines)
    assert len(lines) == len(set(lines)) == 1 + 3 + 3 * 2 * 5


def test_gan_learns_from_the_same_images_as_the_probe(compare_here: Callable[..., int]) -> None:
    """And a GAN that was killed before it saved anything is trained again."""
    Path("figure/gan/checkpoints").mkdir(parents=True)
    Path("figure/gan/metrics.jsonl").write_text("half a run")
    options = ["--data.invert=true", "--data.test_share=0.3", "--plan.seeds=1", "--plan.labels=[0]"]
    (tmp := Path("other")).mkdir()
    assert compare_here(*WITH_GAN, *options, f"--run={tmp}") == 0
    Path("figure/config.yaml").write_text((tmp / "config.yaml").read_text())
    assert compare_here("--run=figure") == 0
    assert Path("figure/cells.jsonl").read_bytes() == (tmp / "cells.jsonl").read_bytes()
    data = yaml.safe_load(Path("figure/gan/config.yaml").read_text())["data"]["init_args"]
    assert data["invert"] is True
    assert data["test_share"] == 0.3
    assert data["size"] == 16


def train_gan(*arguments: str) -> RunFolder:
    """Train the GAN of a comparison alone, or resume it."""
    gan = RunFolder(Path("figure/gan"))
    compare._train_gan(parse_experiment(compare._make_parser(), [*WITH_GAN, *arguments]), gan)
    return gan


@pytest.mark.usefixtures("compare_here")
def test_damaged_gan_is_resumed_from_another_checkpoint(logs: pytest.LogCaptureFixture) -> None:
    gan = train_gan()
    trained = read_checkpoint(gan.last)["state_dict"]
    saved_ns = gan.last_saved()
    assert train_gan().last_saved() == saved_ns  # it is finished
    gan.last.write_bytes(b"damaged")
    train_gan()
    assert f"{gan.last} is damaged: resuming from {gan.best} instead" in logs.text
    again = read_checkpoint(gan.last)["state_dict"]
    assert all(trained[name].equal(again[name]) for name in trained)


@pytest.mark.usefixtures("compare_here")
@pytest.mark.parametrize("rest", ["data:", "optimizer: null"])
def test_config_of_the_gan_may_be_of_an_earlier_version(rest: str) -> None:
    Path("own.yaml").write_text(f"model: {{init_args: {{tau: 2.0}}}}\n{rest}\n")
    gan = train_gan("--plan.gan=own.yaml")
    assert read_checkpoint(gan.last)["hyper_parameters"]["tau"] == 2


@pytest.mark.usefixtures("compare_here")
def test_config_of_the_gan_keeps_what_the_comparison_does_not_set() -> None:
    data = {"name": "MNIST", "size": 32, "binarize": 0.5}
    Path("own.yaml").write_text(yaml.safe_dump({"data": {"class_path": "ImageData", "init_args": data}}))
    gan = train_gan("--plan.gan=own.yaml")
    used = yaml.safe_load(gan.config.read_text())["data"]["init_args"]
    assert (used["name"], used["size"], used["binarize"]) == ("digits", 16, 0.5)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_every_shipped_config_runs(
    config: Path, compare_here: Callable[..., int], mnist_like: Callable[[str], Path]
) -> None:
    options = ["--plan.gan_steps=[]", "--plan.labels=[0]"]
    options += ["--plan.seeds=1", "--plan.steps=2", "--plan.learned=null"]
    if config.stem == "compare_mnist":
        options += ["--plan.protocols=[probe]"]  # its fine-tuning has no effect then, and is no error
        options += [f"--data.root={mnist_like('MNIST')}", "--plan.gan=null"]
    if "fashion" in config.stem:
        metrics = ["--trainer.callbacks=fractalgan.callbacks.SetMetrics", "--trainer.callbacks.steps=20"]
        options += [f"--data.root={mnist_like('FashionMNIST')}"]
        options += ["--plan.gan=gan_fashion_mnist.yaml"]
        options += ["--plan.gan_options=" + json.dumps(TINY_GAN + metrics)]
    assert compare_here("--config", str(config), *WITH_GAN, *options) == 0
    assert Path("figure/figure5.png").is_file()


def test_other_networks_and_sources_are_fine_tuned(
    compare_here: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    options = [
        *SMALL,
        "--plan.sources=[pixels,untrained,random,perturbed,digits]",
        "--plan.protocols=[probe,finetune]",
    ]
    options += ["--plan.num_fractals=3", "--pretraining.network=resnet18", "--pretraining.small_stem=true"]
    options += ["--finetuning.steps=2", "--finetuning.batch_size=8", "--plan.labels=[2]", "--plan.seeds=1"]
    options += ["--drawing.images_per_class=2", "--plan.every=4", "--plan.precision=bf16-mixed"]
    assert compare_here(*options) == 0
    with Path("figure/figure5.csv").open(newline="") as file:
        cells = {(row["source"], row["protocol"]): float(row["validation"]) for row in csv.DictReader(file)}
    expected = {(source, "probe") for source in ("pixels", "untrained", "random", "perturbed", "digits")}
    assert cells.keys() == expected | {(source, "finetune") for source, _ in expected if source != "pixels"}
    assert len(set(cells.values())) > 3
    assert "random, 2 labels per class, fine-tuning" in capsys.readouterr().out
    assert not Path("figure/gan").exists()


BAD = {
    "source": (["--plan.sources=[random,none]"], "there are no fractals 'none'"),
    "sources twice": (["--plan.sources=[random,random]"], "--plan.sources must be distinct"),
    "protocol": (["--plan.protocols=[probes]"], "plan.protocols"),
    "learned without effect": (
        ["--plan.sources=[random]", "--plan.learned=digits"],
        "--plan.learned has no effect: add learned to --plan.sources, or set it to null",
    ),
    "number without effect": (
        ["--plan.sources=[learned]", "--plan.num_fractals=3"],
        "--plan.num_fractals has no effect without random or perturbed",
    ),
    "pixels alone": (
        ["--plan.sources=[pixels]", "--plan.protocols=[finetune]"],
        "must have one that can be fine-tuned, which pixels cannot",
    ),
    "network": (["--pretraining.network=resnet19"], "did you mean resnet18"),
    "fine-tuning": (
        ["--plan.protocols=[finetune]", "--finetuning.mixup=-1"],
        "finetuning.mixup must be >= 0, got -1",
    ),
    "fine-tuning without effect": (
        ["--finetuning.lr=0.1"],
        "--finetuning.lr has no effect: add finetune to --plan.protocols",
    ),
    "perturbation without effect": (
        ["--drawing.perturbation=0.2"],
        "--drawing.perturbation has no effect: add perturbed to --plan.sources",
    ),
    "seed of no GAN": (
        ["--plan.learned=digits", "--seed_everything=7"],
        "--seed_everything has no effect, as --plan.learned is given: remove it",
    ),
    "options of no GAN": (
        ["--plan.sources=[random]", "--plan.gan_options=[--trainer.max_steps=5]"],
        "--plan.gan_options has no effect, as learned is not among --plan.sources: remove it",
    ),
    "steps of no GAN": (
        ["--plan.sources=[random]", "--plan.gan_steps=[500]"],
        "--plan.gan_steps has no effect, as learned is not among --plan.sources: remove it",
    ),
    "options of no random fractals": (
        ["--plan.sources=[digits]", "--drawing.num_transforms=3"],
        "--drawing.num_transforms has no effect without random or perturbed in --plan.sources",
    ),
    "device": (["--plan.accelerator=gpu"], "--plan.accelerator must be cpu on a machine without a CUDA GPU"),
    "another task": (
        ["--plan.learned=probe.ckpt"],
        "is a checkpoint of LinearProbe, which does not learn fractals",
    ),
    "no fractals": (["--plan.learned=nothing"], "there are no fractals 'nothing'"),
    "no earlier step": (
        ["--plan.learned=four.ckpt", "--plan.gan_steps=[2]"],
        "four.ckpt has no checkpoint of step 2 beside it",
    ),
    "a later step": (
        ["--plan.learned=four.ckpt", "--plan.gan_steps=[9]"],
        "must be below the step of four.ckpt, 5",
    ),
    "no labels": (
        ["--data.name=folder", "--data.root=flat"],
        "compare needs labels of two or more classes, but folder has 0: put",
    ),
    "a step between": (["--plan.every=3"], "--plan.every must divide --plan.steps"),
    "seeds": (["--plan.seeds=0"], "--plan.seeds must be >= 1"),
    "no labels given": (["--plan.labels=[]"], "plan.labels must be distinct numbers"),
    "labels twice": (["--plan.labels=[10,10]"], "plan.labels must be distinct numbers"),
    "too many labels": (["--plan.labels=[999]"], "training images, fewer than 999"),
    "learning rate": (["--pretraining.lr=-1"], "--pretraining.lr must be > 0"),
    "tau": (["--drawing.tau=-1"], "tau"),
    "no data": (["--data.name=folder", "--data.root=missing"], "missing"),
    "data of the GAN": (["--plan.gan=empty_data.yaml"], "empty_data.yaml: data: "),
    "config of the GAN": (["--plan.gan=none.yaml"], "none.yaml"),
    "GAN": (['--plan.gan_options=["--trainer.max_stepz=3"]', "--data.size=32"], "max_stepz"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_line(
    case: str,
    compare_here: Callable[..., int],
    image_folder: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from fractalgan.tasks import FractalGAN

    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    options, message = BAD[case]
    for name, number in {"three": 3, "four": 4}.items():
        model = FractalGAN(num_fractals=number, num_transforms=3, num_points=20, image_size=16)
        content = {
            "state_dict": model.state_dict(),
            "hyper_parameters": dict(model.hparams),
            "global_step": 5,
        }
        torch.save(content | {"task": "FractalGAN"}, f"{name}.ckpt")
    other = {"state_dict": {}, "hyper_parameters": {}, "global_step": 5, "task": "LinearProbe"}
    torch.save(other, "probe.ckpt")
    Path("empty_data.yaml").write_text("data: {init_args: }\n")
    Path("flat").mkdir()
    for number, path in enumerate(sorted(image_folder.rglob("*.png"))):
        path.rename(f"flat/{number}.png")
    assert compare_here(*PLAN, *options) in (1, 2)
    err = capfd.readouterr().err
    errors = [line for line in err.splitlines() if line.startswith("fractalgan: error:")]
    assert len(errors) == 1
    assert message in errors[0]
    assert "Traceback" not in err
    assert "GAN" in case or not Path("figure").exists()


@pytest.mark.parametrize(
    ("sources", "option", "reason"),
    [
        ("[pixels,untrained]", "--plan.every=2", " without fractals in --plan.sources"),
        ("[untrained]", "--pretraining.lr=0.1", " without fractals in --plan.sources"),
        ("[untrained]", "--drawing.jitter=0.1", " without fractals in --plan.sources"),
        ("[pixels]", "--pretraining.network=resnet18", " without a network in --plan.sources"),
        ("[untrained]", "--plan.precision=bf16-mixed", ", as no network is trained: remove it"),
    ],
)
def test_options_of_no_pretraining_are_refused(
    sources: str,
    option: str,
    reason: str,
    compare_here: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert compare_here(f"--plan.sources={sources}", "--plan.gan_steps=[]", "--run=figure", option) == 2
    assert f"{option.partition('=')[0]} has no effect{reason}" in capsys.readouterr().err
    assert not Path("figure").exists()


def test_cells_of_other_fractals_are_not_mixed(
    compare_here: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    def learn(seed: int) -> None:
        transforms = anderson_farrell(3, 3, generator=torch.Generator().manual_seed(seed))
        FractalGenerator(FractalEmbedding(transforms), 16, num_points=20).save("mine.safetensors")

    learn(0)
    options = ["--plan.sources=[random,mine.safetensors]", "--plan.num_fractals=3", "--plan.every=4"]
    assert compare_here(*SMALL, *options, "--plan.seeds=1", "--plan.labels=[10]") == 0
    cells = Path("figure/cells.jsonl").read_bytes()
    learn(1)
    assert compare_here("--run=figure", "--plan.seeds=2") == 2
    expected = "cells.jsonl has results of other fractals of mine.safetensors: set another --run"
    assert expected in capsys.readouterr().err
    assert Path("figure/cells.jsonl").read_bytes() == cells
    learn(0)
    assert compare_here("--run=figure", "--plan.seeds=2") == 0
    assert "2 of 4 cells are finished" in capsys.readouterr().err
    assert Path("figure/cells.jsonl").read_bytes().count(b"mine.safetensors") == 2
    assert compare_here("--run=figure", "--plan.seeds=1") == 0
    assert "results of 2 seeds, more than --plan.seeds 1: all are reported" in capsys.readouterr().err


def test_images_in_color_are_compared_on_fractals_in_color(compare_here: Callable[..., int]) -> None:
    gan = json.dumps([*TINY_GAN, "--model.generator_schedule=constant"])
    assert compare_here(*SMALL, f"--plan.gan_options={gan}", "--data.channels=3", "--plan.seeds=1") == 0
    with Path("figure/figure5.csv").open(newline="") as file:
        assert {row["source"] for row in csv.DictReader(file)} == {"pixels", "untrained", "random", "learned"}
    learned = torch.load("figure/gan/checkpoints/last.ckpt", weights_only=True)
    assert learned["hyper_parameters"]["features"] == 3
