"""The fractals of a reconstruction as files, with a score for each target."""

import json
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from fractalgan import __version__
from fractalgan.distributed import rank_zero_only
from fractalgan.storage import RunFolder, atomic_write
from fractalgan.tasks import Reconstruction
from fractalgan.tasks.protocols import Targets, datamodule_of, origin_of


class SaveFittedFractals(Callback):
    """Writes the fractal of each target after every validation of Reconstruction.

    ``fractals.safetensors`` is to draw from; ``fractals.json`` is for people, one line per target, with its
    transforms and scores.

    Args:
        run: the run folder.
    """

    def __init__(self, run: RunFolder) -> None:
        self.path = run.fractals

    @rank_zero_only
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        data = datamodule_of(trainer)
        if trainer.state.fn != "fit" or not isinstance(data, Targets):
            return
        assert isinstance(pl_module, Reconstruction)
        assert pl_module.results is not None
        fractals, results = pl_module.learned_fractals(), pl_module.results._asdict()
        scores = {name: None if each.isnan().all() else each.mean().item() for name, each in results.items()}
        provenance = {"step": trainer.global_step, "seed": pl_module.hparams["seed"], "data": origin_of(data)}
        provenance |= {"scores": scores, "version": __version__}
        fractals.save(self.path, provenance)

        numbers = fractals.embedding()._asdict()
        if fractals.embedding.features.num_features:
            values, blend, background = fractals.embedding.features()
            numbers |= {"features": values, "blend": blend, "background": background}
        names = ("image_size", "window", "tau", "num_points", "probabilities", "sequences")
        settings: dict[str, Any] = {name: getattr(fractals, name) for name in names}
        labels = fractals.embedding.labels
        settings |= {} if labels is None else {"classes": list(fractals.embedding.classes)}
        targets = [
            {"name": name}
            | ({} if labels is None else {"label": int(labels[k])})
            | {key: as_plain_numbers(each[k]) for key, each in results.items()}
            | {key: as_plain_numbers(each[k]) for key, each in numbers.items()}
            for k, name in enumerate(data.names)
        ]
        lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in (provenance | settings).items()]
        lines.append('"targets": [\n' + ",\n".join(map(json.dumps, targets)) + "\n]")
        atomic_write(self.path.with_suffix(".json"), "{\n" + ",\n".join(lines) + "\n}\n")


def as_plain_numbers(tensor: Tensor) -> Any:
    """A tensor as nested lists of numbers with seven digits; numbers that are not finite become None."""
    if tensor.ndim:
        return [as_plain_numbers(each) for each in tensor]
    value = float(tensor)
    return float(f"{value:.7g}") if value - value == 0 else None
