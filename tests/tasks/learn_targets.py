"""A reconstruction by one rank or two, as a program: ``python learn_targets.py 2 collage``."""

import sys
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.strategies import DDPStrategy

from fractalgan import Reconstruction, TargetData


class SaveBetweenValidations(Callback):
    """Saves after step 3, when each rank knows the fractals of its own targets only."""

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        if trainer.global_step == 3:
            before = {name: value.clone() for name, value in pl_module.state_dict().items()}
            trainer.save_checkpoint(f"{trainer.world_size}-3.ckpt")
            after = pl_module.state_dict()
            assert all(value.equal(after[name]) for name, value in before.items()), "saving changed the task"


def main(ranks: int, start: str) -> None:
    """Leave ``<ranks>-<step>.ckpt`` after the steps 3 and 6, and ``<ranks>-rank<rank>.pt`` of each rank."""
    task = Reconstruction(
        num_transforms=3,
        num_points=20,
        num_sequences=8,
        image_size=16,
        candidates=4,
        halvings=[2, 4],
        noise_interval=2,
        start=start,
        sequences="even" if start == "collage" else "random",
    )
    trainer = Trainer(
        accelerator="cpu",
        devices=ranks,
        strategy=DDPStrategy(broadcast_buffers=False) if ranks > 1 else "auto",
        max_steps=6,
        val_check_interval=4,
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[SaveBetweenValidations()],
    )
    trainer.fit(task, TargetData(size=16, count=5))
    trainer.save_checkpoint(f"{ranks}-6.ckpt")
    torch.save(task.state_dict(), f"{ranks}-rank{trainer.global_rank}.pt")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
