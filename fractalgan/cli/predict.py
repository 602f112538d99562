"""`predict`: write images of learned fractals to disk."""

from pathlib import Path

from fractalgan.callbacks.image_writer import WRITERS
from fractalgan.cli.command import Command, exclusive, prepare
from fractalgan.cli.run_names import run_stem
from fractalgan.cli.trainer import build_trainer, check_trainer
from fractalgan.distributed import decided_by_rank_zero
from fractalgan.errors import InputError
from fractalgan.reports import format_commands, quote
from fractalgan.storage import RunFolder, read_fractals
from fractalgan.tasks import Encoder, FractalTask


def predict(arguments: list[str]) -> int:
    """Run `predict`; the exit status."""
    command = prepare("predict", arguments)
    task = command.task
    if isinstance(task, Encoder):
        use = task.next_steps()["reconstruct"].format(best=quote(command.checkpoint_path))
        raise InputError(
            f"{type(task).__name__} has no fractals of its own: to reconstruct images with it, use {use}"
        )
    if not isinstance(task, FractalTask):
        raise InputError(
            f"{type(task).__name__} does not draw images:"
            " pass a checkpoint of FractalGAN, Reconstruction or Distillation"
        )
    check_trainer(command.trainer)
    options = command.options
    if options.images is not None:
        task.images_per_fractal = options.images
    task.prediction_size, task.prediction_jitter = options.size, options.jitter
    if command.trainer.fast_dev_run:
        build_trainer(command.trainer, task).predict(task, return_predictions=False)
        return 0
    run = _run_folder(command)
    provenance = read_fractals(str(command.checkpoint_path)).provenance
    writer = WRITERS[options.format](run.predictions, options.labels, provenance)
    trainer = build_trainer(
        command.trainer,
        task,
        [writer],
        default_root_dir=command.trainer.default_root_dir or str(run),
    )
    with exclusive(run, command.start):
        trainer.predict(task, ckpt_path=command.checkpoint_path, weights_only=True, return_predictions=False)
    if trainer.is_global_zero:
        _print_end(command, run)
    return 0


def _print_end(command: Command, run: RunFolder) -> None:
    options = command.options
    if options.format == "webdataset":
        print(f"images written to {run.predictions}, as a WebDataset labeled by {options.labels}")
        return
    print(f"images written to {run.predictions}, one folder per {options.labels}")
    size = "" if options.size is None else f" --data.size {options.size}"
    print(*format_commands(learn=f"fit --data.name folder --data.root {quote(run.predictions)}{size}"))


def _run_folder(command: Command) -> RunFolder:
    """The run of the checkpoint, the folder that is named, or the next one; rank 0 creates it."""
    named = command.options.run

    def find() -> str:
        if command.start.run is not None:
            run = command.start.run
        elif named:
            run = RunFolder.create(Path(named))
        else:
            run = RunFolder.create_next(run_stem(command.options))
        if run.predictions.exists():
            raise InputError(f"{run.predictions} exists already: move it away, or set another --run")
        return str(run)

    return RunFolder(Path(decided_by_rank_zero("run", find)))
