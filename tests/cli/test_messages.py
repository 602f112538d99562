"""Bad input gets one line that names the option, or the file, that was typed."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from jsonargparse import Namespace

from fractalgan import FractalGAN
from fractalgan.cli.option_names import with_options_as_typed
from fractalgan.cli.trainer import check_trainer
from fractalgan.errors import InputError
from tests.conftest import TINY

Call = Callable[..., int]
RECONSTRUCTION = ["fit", "--config=reconstruction.yaml"]


@pytest.fixture
def error_of(call: Call, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """The only line that a command line prints, which must fail and write nothing."""

    def run(*arguments: str) -> str:
        before = set(Path().rglob("*"))
        assert call(*arguments) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert set(Path().rglob("*")) == before
        return line.removeprefix("fractalgan: error: ")

    return run


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit", "--model.num_fractals", "0"], "--model.num_fractals must be >= 1, got 0"),
        (["fit", "--model.init_args.num_fractals=0"], "--model.num_fractals must be >= 1, got 0"),
        (
            ["fit", '--model={"class_path": "fractalgan.FractalGAN", "init_args": {"num_points": 0}}'],
            "--model.num_points must be >= 1, got 0",
        ),
        (["fit", "--data.size=1"], "--data.size must be >= 16 for a LeNet, got 1"),
        (["predict", "--images=0"], "--images: must be > 0, got 0"),
        (["predict", "--images=five"], "--images: expected int, got five"),
        (["fit", "--model.tau=abc"], "--model.tau: expected float or null, got abc"),
        (
            ["fit", "--trainer.gradient_clip_val=a"],
            "--trainer.gradient_clip_val: expected int, float or null, got a",
        ),
        (
            ["fit", "--data.path=cat.png"],
            "--data.path: ImageData has no option 'path'; it is an option of TargetData",
        ),
        (
            ["fit", "--trainer.gradient_clip_val=1"],
            "--trainer.gradient_clip_val has no effect: FractalGAN has manual optimization: leave it out",
        ),
        (["fit", "--trainer.accumulate_grad_batches=2"], "--trainer.accumulate_grad_batches has no effect"),
        (
            ["fit", "--trainer.strategy=ddpp"],
            "--trainer.strategy: there is no strategy ddpp; did you mean ddp?",
        ),
        (
            ["fit", "--config=none.yml"],
            "--config: there is no file none.yml: fit --help lists the shipped ones",
        ),
        (["predict", "best"], "unrecognized arguments: best; did you mean --ckpt_path best?"),
        (["fit", "--data.validation_share=2"], "--data.validation_share must be > 0 and < 0.5, got 2.0"),
        (
            ["fit", "--config=probe.yaml", "--model.penalties=[0]"],
            "--model.penalties[0] must be > 0, got 0.0",
        ),
        (
            ["fit", "--model.sigma_min=1.2"],
            "--model.sigma_min must be >= 0 and < --model.sigma_max, got 1.2 and 0.9",
        ),
        (
            ["fit", "--model.sigma_max=0"],
            "--model.sigma_min must be >= 0 and < --model.sigma_max, got 0.05 and 0.0",
        ),
        (
            [*RECONSTRUCTION, "--model.num_sequences=2"],
            "--model.candidates must be <= --model.num_sequences, got 4 and 2",
        ),
        (
            ["fit", "--model.num_fractals=1000000", "--model.num_transforms=10000"],
            "--model.num_fractals * --model.num_transforms must be <= 10000000, got 1000000 * 10000",
        ),
        (["compare", "--plan.seeds=0"], "--plan.seeds must be >= 1, got 0"),
        (["compare", "--plan.every=7"], "--plan.every must divide --plan.steps, 5000, got 7"),
        (["compare", "--drawing.jitter=-1"], "--drawing.jitter must be >= 0, got -1.0"),
        (["compare", "--pretraining.lr=-1"], "--pretraining.lr must be > 0, got -1.0"),
        (["ablate", "--plan.count=999"], "--plan.count must be <= 180, the number of images in"),
        (["ablate", '--plan.options={"noise": -1}'], "--plan.options.noise must be >= 0, got -1"),
        (
            ["ablate", '--plan.options={"nois": 0}'],
            "plan.options has no option 'nois'; did you mean noise?",
        ),
        (["ablate", '--plan.options={"noise": "a"}'], "--plan.options.noise: expected float, got a"),
        (["ablate", "--plan.data=cats"], "--plan.data: expected a list such as [cats], got cats"),
        (["ablate", "--plan.data=[cats]"], "--plan.data must be among digits, MNIST, FashionMNIST, KMNIST"),
        (["fit", "--model.lr=3"], "--model.lr: FractalGAN has no option 'lr'; it is an option of"),
        (["fit", "--trainer={max_steps: abc}"], "--trainer.max_steps: expected int, got abc"),
        (
            ["fit", "--model.halvings=[5]", "--model=fractalgan.Reconstruction"],
            "--model.halvings: name the class before its option 'halvings'",
        ),
    ],
)
def test_option_is_named_as_typed(error_of: Callable[..., str], arguments: list[str], message: str) -> None:
    assert error_of(*arguments).startswith(message)


def test_python_names_the_argument() -> None:
    with pytest.raises(InputError, match=r"^num_fractals must be >= 1, got 0$"):
        FractalGAN(num_fractals=0)
    with pytest.raises(InputError, match=r"^sigma_min must be >= 0 and < sigma_max, got 1\.2 and 0\.9$"):
        FractalGAN(sigma_min=1.2)


@pytest.mark.parametrize(
    ("message", "named"),
    [
        ("size must be >= 1, got 0", "--data.size must be >= 1, got 0"),
        ("a.json: size must be >= 1, got 0", "a.json: size must be >= 1, got 0"),  # not of an option
        ("matrices must be one of raw, got 'size'", "matrices must be one of raw, got 'size'"),
        ("per_class must be <= 2, the size of a class", "--data.per_class must be <= 2, the size of a class"),
    ],
)
def test_only_arguments_become_options(message: str, named: str) -> None:
    assert with_options_as_typed(message, ["--data.size=0", "--data.per_class", "3"]) == named


FILES = {
    "data: [1\nmodel: 3\n": "not valid YAML, line 2, column 6: expected ',' or ']'",
    "data: *x\n": "not valid YAML, line 1, column 7: found undefined alias 'x'",
    "data: 2020-99-99": "not valid YAML: a value cannot be read: month must be in 1..12",
    "data: &x {y: *x}": "not valid YAML: an anchor contains itself",
    "data: &x [{y: [*x]}]": "not valid YAML: an anchor contains itself",
    "trainer: {max_stps: 3}": "trainer has no option 'max_stps'; did you mean max_steps?",
    "model: {class_path: fractalgan.FractalGAN, init_args: {num_fractls: 3}}": (
        "model.num_fractls: FractalGAN has no option 'num_fractls'; did you mean num_fractals?"
    ),
    "color: 3": "Option 'color' is not accepted",
    "data: {class_path: fractalgan.ImageData, init_args: {size: big}}": "data.size: expected int, got big",
    "data: {class_path: fractalgan.ImageData, init_args: 3}": "data: cannot be read, got {",
    "trainer: {max_steps: many}": "trainer.max_steps: expected int, got many",
    "model: 3": "model: expected a class_path and its init_args, got 3",
    "model: {class_path: fractalgan.Reconstrucion}": (
        "model: there is no class fractalgan.Reconstrucion; did you mean fractalgan.Reconstruction?"
    ),
}


@pytest.mark.parametrize("content", FILES)
def test_configuration_file_is_named(error_of: Callable[..., str], content: str) -> None:
    Path("good.yaml").write_text("trainer: {max_steps: 3}")
    Path("bad.yaml").write_text(content)
    assert error_of("fit", "-c", "good.yaml", "--config=bad.yaml").startswith(f"bad.yaml: {FILES[content]}")


@pytest.mark.parametrize("content", ["- 1\n- 2\n", "text\n", ""])
def test_configuration_file_without_options(error_of: Callable[..., str], content: str) -> None:
    Path("bad.yaml").write_text(content)
    assert error_of("fit", "--config=bad.yaml") == (
        "bad.yaml must be a mapping of options, such as `seed_everything: 0`"
    )


def test_configuration_file_that_is_no_text(error_of: Callable[..., str]) -> None:
    Path("bad.yaml").write_bytes(b"\xff\xfe")
    assert error_of("fit", "--config=bad.yaml") == "bad.yaml: the file is not text"
    Path("folder.yaml").mkdir()
    assert error_of("fit", "--config=folder.yaml") == "--config: folder.yaml is not a file"


def test_configuration_file_that_is_nested_too_deeply(error_of: Callable[..., str]) -> None:
    Path("bad.yaml").write_text("data: " + "[" * 5000)
    assert error_of("fit", "--config=bad.yaml") == "bad.yaml: not valid YAML: it is nested too deeply"


def test_option_of_the_command_line_is_not_blamed_on_a_file(error_of: Callable[..., str]) -> None:
    Path("good.yaml").write_text("trainer: {max_steps: 3}")
    message = error_of("fit", "--config=good.yaml", "--data.size=big")
    assert message == "--data.size: expected int, got big"


NAMED = ["--model=fractalgan.Reconstruction", "--data=fractalgan.TargetData"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*NAMED, "--config", "part.yaml", "--model.lr", "abc"], "--model.lr: expected float, got abc"),
        ([*NAMED, "--model.lr", "abc", "-c", "part.yaml"], "--model.lr: expected float, got abc"),
        (
            [*NAMED, "--config=part.yaml", "-c", "bad.yaml"],
            "bad.yaml: model.sigma: Reconstruction has no option 'sigma'",
        ),
        (
            ["--config=part.yaml", *NAMED],
            "part.yaml: model.num_sequences: name the class before its option 'num_sequences'",
        ),
        (
            ["--print_config", "-c=part.yaml"],
            "part.yaml: model.num_sequences: FractalGAN has no option 'num_sequences'",
        ),
    ],
)
def test_file_is_blamed_for_its_own_errors_alone(
    error_of: Callable[..., str], arguments: list[str], message: str
) -> None:
    Path("part.yaml").write_text("model: {init_args: {num_sequences: 4}}")  # of Reconstruction alone
    Path("bad.yaml").write_text("model: {init_args: {sigma: 4}}")
    assert error_of("fit", *arguments).startswith(message)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--model={x: 2020-99-99}", "--model.x: name the class before its option 'x'"),
        ("--model=&x {y: *x}", "--model: an anchor contains itself"),
        ("--data.name=& *", "--data.name: expected one of digits, MNIST"),
        ('--config={"data": 2020-99-99}', "--config: not valid YAML: a value cannot be read: month must be"),
        ('--config={"data": &x {"y": *x}}', "--config: not valid YAML: an anchor contains itself"),
        ("--config={[", "--config: not valid YAML, line 1, column 3: "),
        ('--config={"color":\n3}', "--config: Option 'color' is not accepted"),
    ],
)
def test_yaml_of_the_command_line_gets_one_line(
    error_of: Callable[..., str], argument: str, message: str
) -> None:
    assert error_of("fit", argument).startswith(message)
    assert error_of("fit", *argument.split("=", 1)).startswith(message)


def test_experiment_names_its_configuration_file(error_of: Callable[..., str]) -> None:
    Path("bad.yaml").write_text("plan: {seds: 3}")
    assert error_of("ablate", "--config=bad.yaml") == (
        "bad.yaml: plan has no option 'seds'; did you mean seeds?"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--model=fractalgan.Reconstrucion"],
            "fractalgan.Reconstrucion; did you mean fractalgan.Reconstruction?",
        ),
        (["--model=Reconstrucion"], "Reconstrucion; did you mean fractalgan.Reconstruction?"),
        (
            ["--model=fractalgn.Reconstruction"],
            "fractalgn.Reconstruction; did you mean fractalgan.Reconstruction?",
        ),
        (["--data", "fractalgan.ImagData"], "fractalgan.ImagData; did you mean fractalgan.ImageData?"),
        (["--model.help", "FractlGAN"], "FractlGAN; did you mean fractalgan.FractalGAN?"),
        (["--model=fractalgan.Nothing"], "there is no class fractalgan.Nothing"),
    ],
)
def test_misspelled_class_gets_a_hint(
    error_of: Callable[..., str], arguments: list[str], message: str
) -> None:
    line = error_of("fit", *arguments)
    assert line.endswith(message)
    assert "there is no class" in line


@pytest.mark.parametrize("name", ["reconstructon.yaml", "reconstruction", "none/reconstruction.yaml"])
def test_misspelled_configuration_gets_a_hint(error_of: Callable[..., str], name: str) -> None:
    expected = f"--config: there is no file {name}; did you mean reconstruction.yaml?"
    assert error_of("fit", "--config", name) == expected


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (
            "accelerator=gpu",
            "accelerator gpu: PyTorch finds no GPU on this machine: set --trainer.accelerator cpu",
        ),
        (
            "accelerator=tpuu",
            "accelerator must be one of auto, gpu, cpu, cuda, mps, tpu, got tpuu; did you mean tpu?",
        ),
        ("devices=0", "devices must be a number >= 1, or auto, got 0"),
        ("devices=some", "devices must be a number >= 1, or auto, got some"),
        ("precision=8", "precision: expected one of 64, 32, 16, transformer-engine"),
    ],
)
def test_device_that_is_not_there(
    error_of: Callable[..., str], option: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert error_of("fit", *TINY, f"--trainer.{option}").startswith(f"--trainer.{message}")


@pytest.mark.parametrize("accelerator", ["auto", "gpu", "mps"])
def test_gpu_of_apple_is_left_for_the_cpu(
    accelerator: str, logs: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    trainer = Namespace(strategy="auto", accelerator=accelerator, devices="auto", precision="16-mixed")
    check_trainer(trainer)
    assert (trainer.accelerator, trainer.precision) == ("cpu", "bf16-mixed")
    assert "running on the CPU: Apple's GPU lacks operations that fractals need" in logs.text


@pytest.mark.parametrize(
    ("devices", "message"),
    [
        ("7", "devices 7: You requested gpu: [0, 1, 2, 3, 4, 5, 6] But your machine only has: [0]"),
        ("some", "devices must be a number or a list of device indices, or auto, got some"),
    ],
)
def test_gpu_that_is_not_there(
    error_of: Callable[..., str], devices: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    options = ["--trainer.accelerator=gpu", f"--trainer.devices={devices}"]
    assert error_of("fit", *options) == f"--trainer.{message}"


def test_half_precision_on_the_cpu_is_replaced(call: Call, logs: pytest.LogCaptureFixture) -> None:
    assert call("fit", *TINY, "--trainer.precision=16-mixed", "--run=mine") == 0
    assert "--trainer.precision 16-mixed needs a GPU: using bf16-mixed on the CPU" in logs.text


@pytest.mark.parametrize(
    ("capability", "precision", "slow"),
    [
        ("AVX2", "bf16-mixed", True),
        ("AVX2", "16-mixed", True),  # which bfloat16 replaces
        ("AVX2", "32-true", False),
        ("AVX512", "bf16-mixed", False),
    ],
)
def test_bfloat16_without_instructions_for_it_is_warned_of(
    capability: str,
    precision: str,
    slow: bool,
    logs: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    check_trainer(Namespace(strategy="auto", accelerator="cpu", devices=1, precision=precision))
    warning = "--trainer.precision bf16-mixed can be many times slower than 32-true here"
    assert (warning in logs.text) == slow


def test_more_processes_than_cores_are_warned_of(
    call: Call, logs: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    assert call("fit", *TINY, "--trainer.devices=7", "--data.name=folder", "--data.root=none") == 2
    assert "--trainer.devices 7: there are 1 CPU cores, so the processes will be slow" in logs.text
