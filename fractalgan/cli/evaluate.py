"""`validate` and `test`: evaluate a checkpoint, and append the metrics to evaluations.jsonl of its run."""

import json

from pytorch_lightning import LightningModule
from pytorch_lightning.utilities.model_helpers import is_overridden

from fractalgan.cli.command import Command, prepare, prepare_data
from fractalgan.cli.trainer import build_trainer, check_trainer
from fractalgan.errors import InputError
from fractalgan.storage import RunFolder


def validate(arguments: list[str]) -> int:
    """Run `validate`; the exit status."""
    return _evaluate("validate", prepare("validate", arguments))


def test(arguments: list[str]) -> int:
    """Run `test`; the exit status."""
    command = prepare("test", arguments)
    if not is_overridden("test_step", command.task, LightningModule):
        raise InputError(f"{type(command.task).__name__} has no test: use validate")
    return _evaluate("test", command)


def _evaluate(verb: str, command: Command) -> int:
    check_trainer(command.trainer)
    prepare_data(command, verb)
    trainer = build_trainer(command.trainer, command.task)
    evaluate = trainer.validate if verb == "validate" else trainer.test
    results = evaluate(command.task, command.data, ckpt_path=command.checkpoint_path, weights_only=True)
    run = None if command.start.path is None else RunFolder.of_checkpoint(command.start.path)
    if results and trainer.is_global_zero:
        for finding in command.task.findings(results[0]):
            print(f"- {finding}")
    if run is not None and results and trainer.is_global_zero:
        row = {"verb": verb, "checkpoint": command.checkpoint_path, "step": command.start.step, **results[0]}
        with run.evaluations.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(f"metrics appended to {run.evaluations}")
    return 0
