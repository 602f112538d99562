"""Malformed inputs: files of fractals, checkpoints, configurations, image folders."""

import contextlib
import io
import itertools
import json
import string
import struct
import traceback
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image

from fractalgan import FractalGAN
from fractalgan.cli import program
from fractalgan.nn import FractalEmbedding, FractalGenerator
from fractalgan.ops import anderson_farrell
from tests.conftest import TINY, TINY_PRETRAINING, TINY_RECONSTRUCTION
from tests.faults.outcome import Outcome

MEMORY = 200_000_000  # bytes beyond the 1 GB or so that torch and Lightning take

PRETRAINING = ["fit", "--config=pretraining.yaml", *TINY_PRETRAINING]
TRIANGLE = {"A": [[[0.5, 0.0], [0.0, 0.5]]] * 3, "b": [[0.0, 0.0], [0.5, 0.0], [0.0, 0.5]]}

Write = Callable[[Path], list[str]]  # writes a malformed input into a folder and returns a command for it

words = st.text(string.printable + "äß語", max_size=20)  # hypothesis has a large table of all letters
huge = st.integers(10**9, 10**18)
junk = st.one_of(words, huge, st.lists(words, min_size=1, max_size=3), st.just({"a": 1}))


def malformed(folder: Path, count: int) -> Outcome:
    """Run the program on each input: it must print one line and return a status that is not 0."""
    _checkpoint(folder / "good.ckpt")  # imports all that is needed
    before = _most_memory()
    numbers = itertools.count()
    failures: list[str] = []

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.one_of(ifs_json(), safetensors(), checkpoints(), configurations(), image_folders()))
    def check(write: Write) -> None:
        place = folder / str(next(numbers))
        place.mkdir()
        command = write(place)
        if problem := what_is_wrong([*command, f"--run={place / 'run'}"]):
            failures.append(f"{' '.join(command[-2:])}: {problem}")

    check()
    tried = next(numbers)
    taken = _most_memory() - before
    lost = "\n".join(failures) or ("nothing" if taken < MEMORY else "memory")
    memory = f"at most {taken / 1e6:.0f} MB of additional memory"
    fault = f"malformed files, configurations and image folders; {memory}"
    return Outcome(fault, tried, tried - len(failures), lost)


def _most_memory() -> int:
    """The peak memory of this process, in bytes."""
    return 1024 * int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])


def what_is_wrong(command: list[str]) -> str:
    """How the program's answer differs from one line; empty if it does not."""
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
            status = program.run(command)
    except BaseException:
        return traceback.format_exc()
    *notes, last = errors.getvalue().splitlines() or [""]
    explained = last.startswith("fractalgan: error: ") and all(
        note.startswith("fractalgan: ") for note in notes
    )
    return "" if status in (1, 2) and explained else f"status {status}, {errors.getvalue()!r}"


# -- files of fractals --------------------------------------------------------------------------------


@st.composite
def ifs_json(draw: st.DrawFn) -> Write:
    content: dict[str, Any] = {"targets": [TRIANGLE] * 4, "window": 1.5, "image_size": 16}
    kind = draw(st.sampled_from(["cut", "targets", "target", "setting"]))
    if kind == "targets":
        content["targets"] = draw(junk)
    if kind == "target":
        wrong = draw(st.one_of(junk, st.just([]), st.just([[0.5, None], [1]]), st.booleans()))
        content["targets"] = [TRIANGLE] * 3 + [{**TRIANGLE, draw(st.sampled_from(["A", "b"])): wrong}]
    if kind == "setting":
        name = draw(st.sampled_from(["image_size", "num_points", "window", "tau", "matrices"]))
        content[name] = draw(st.one_of(junk, st.integers(-9, 0), st.just(float("nan"))))
    text = json.dumps(content)
    if kind == "cut":
        text = text[: draw(st.integers(0, len(text) - 1))]
    return lambda folder: _fractals(folder / "some.json", text.encode())


@st.composite
def safetensors(draw: st.DrawFn) -> Write:
    kind = draw(st.sampled_from(["cut", "header", "shape", "settings"]))
    share, number, wrong = draw(st.floats(0, 0.99)), draw(huge), draw(st.one_of(junk, st.integers(-9, 0)))
    name = draw(st.sampled_from(["image_size", "num_points", "window", "tau", "matrices", "probabilities"]))

    def write(folder: Path) -> list[str]:
        path = folder / "some.safetensors"
        FractalGenerator(FractalEmbedding(anderson_farrell(4, 3)), image_size=16).save(path)
        content = path.read_bytes()
        (length,) = struct.unpack("<Q", content[:8])
        header = json.loads(content[8 : 8 + length])
        if kind == "cut":
            return _fractals(path, content[: int(share * len(content))])
        if kind == "header":
            return _fractals(path, struct.pack("<Q", number) + content[8:])
        if kind == "shape":
            header["b"]["shape"] = [number, 3, 2]
        else:
            known = json.loads(header["__metadata__"]["settings"])
            header["__metadata__"]["settings"] = json.dumps(known | {name: wrong})
        packed = json.dumps(header).encode()
        return _fractals(path, struct.pack("<Q", len(packed)) + packed + content[8 + length :])

    return write


def _fractals(path: Path, content: bytes) -> list[str]:
    path.write_bytes(content)
    return [*PRETRAINING, f"--model.fractals={path}"]


# -- checkpoints --------------------------------------------------------------------------------------


class Trap:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> Any:
        return exec, ("raise SystemExit('the trap has sprung')",)


def _checkpoint(path: Path) -> dict[str, Any]:
    """Save a checkpoint that is valid except that it has no optimizer states, and return its content."""
    model = FractalGAN(num_fractals=4, num_transforms=3, num_points=20, image_size=16)
    content: dict[str, Any] = {
        "task": "FractalGAN",
        "global_step": 3,
        "epoch": 0,
        "pytorch-lightning_version": "2.6.0",
        "state_dict": model.state_dict(),
        "hyper_parameters": dict(model.hparams),
        "optimizer_states": [],
        "lr_schedulers": [],
        "loops": {},
        "callbacks": {},
    }
    torch.save(content, path)
    return content


# Commands that take a checkpoint: of which task, and by which option.
TAKERS = [
    ("FractalGAN", ["fit", *TINY, "--ckpt_path"]),
    ("FractalGAN", [*PRETRAINING, "--model.fractals"]),
    ("Pretraining", ["fit", "--config=probe.yaml", "--data.size=16", "--model.backbone"]),
    (
        "FractalAutoencoder",
        ["fit", "--config=reconstruction_32px.yaml", *TINY_RECONSTRUCTION, "--model.start"],
    ),
]


@st.composite
def checkpoints(draw: st.DrawFn) -> Write:
    kind = draw(st.sampled_from(["cut", "trap", "packed", "option", "part", "state"]))
    task, command = draw(st.sampled_from(TAKERS))
    share, wrong, number = draw(st.floats(0, 0.99)), draw(junk), draw(huge)
    options, parts = ["image_size"], ["state_dict", "hyper_parameters", "task"]
    if command[-1] == "--ckpt_path":  # the others read no more
        options += ["num_fractals", "num_transforms", "num_points"]
        parts += ["global_step", "loops", "optimizer_states"]
    option, part = draw(st.sampled_from(options)), draw(st.sampled_from(parts))

    def write(folder: Path) -> list[str]:
        path = folder / "some.ckpt"
        content = _checkpoint(path) | {"task": task}
        if kind == "option":
            content["hyper_parameters"][option] = number
        if kind == "part":
            content[part] = wrong
        if kind == "state":
            content["state_dict"]["generator.embedding.b"] = torch.zeros(1).expand(10**9)
        torch.save(content, path)
        if kind == "trap":
            torch.save(content | {"callbacks": Trap()}, path)
        if kind == "cut":
            path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
        if kind == "packed":
            with (
                zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
                archive.open("archive/data.pkl", "w") as entry,
            ):
                for _ in range(1000):
                    entry.write(bytes(10**6))
        return [*command[:-1], f"{command[-1]}={path}"]

    return write


# -- configurations -----------------------------------------------------------------------------------

TOP = {"seed_everything", "trainer", "model", "data"}


@st.composite
def configurations(draw: st.DrawFn) -> Write:
    kind = draw(st.sampled_from(["text", "unknown", "section", "number"]))
    options: Any = {"trainer": {"max_steps": 6}, "model": {"class_path": "fractalgan.FractalGAN"}}
    if kind == "text":
        text = draw(st.sampled_from(["{", "a: b: c", "- 1", "\t", "7", "%", "model: [", "\0", "&a *b"]))
        text += draw(st.text("abc:{[ \n", max_size=8))
        return lambda folder: _configuration(folder, text + "\n: {")
    if kind == "unknown":
        name = draw(st.text("abcdefgh", min_size=3, max_size=9).filter(lambda each: each not in TOP))
        draw(st.sampled_from([options, options["trainer"]]))[name] = 1
    if kind == "section":
        options[draw(st.sampled_from(["trainer", "model", "data"]))] = draw(junk)
    if kind == "number":
        name = draw(st.sampled_from(["num_fractals", "num_points", "num_transforms", "generator_lr", "tau"]))
        wrong = draw(st.one_of(st.integers(-9, 0), huge, st.text("xyz", min_size=1)))
        options["model"]["init_args"] = {name: -1 if name == "generator_lr" else wrong}
    return lambda folder: _configuration(folder, yaml.safe_dump(options))


def _configuration(folder: Path, text: str) -> list[str]:
    (folder / "some.yaml").write_text(text)
    return ["fit", f"--config={folder / 'some.yaml'}"]


# -- image folders ------------------------------------------------------------------------------------


@st.composite
def image_folders(draw: st.DrawFn) -> Write:
    kind = draw(st.sampled_from(["noise", "cut", "claim", "empty", "text", "program"]))
    noise, share, side = (
        draw(st.binary(max_size=200)),
        draw(st.floats(0, 0.5)),
        draw(st.integers(10**4, 2**31 - 1)),
    )

    def write(folder: Path) -> list[str]:
        root = folder / "images"
        root.mkdir()
        for number in range(0 if kind == "empty" else 8):
            Image.new("L", (20, 20), 20 * number).save(root / f"{number}.png")
        path = root / "5.png"
        if kind == "noise":
            path.write_bytes(noise)
        if kind == "text":
            path.write_text("no image")
        if kind == "program":
            path.write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 20\n(what) run\n")
        if kind == "cut":
            path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
        if kind == "claim":  # a header with another number of pixels
            content = path.read_bytes()
            header = b"IHDR" + struct.pack(">II", side, side) + content[24:29]
            path.write_bytes(content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:])
        return ["fit", *TINY, "--data.name=folder", f"--data.root={root}"]

    return write
