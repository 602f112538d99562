"""The options of a run, saved in its folder."""

from pytorch_lightning import Callback, LightningModule, Trainer

from fractalgan.distributed import rank_zero_only
from fractalgan.storage import RunFolder, atomic_write


class SaveConfig(Callback):
    """Writes config.yaml before the first step, and removes the summary of an earlier end.

    On resuming with other options the earlier ones are kept as ``config_until_<step>.yaml``. Unlike
    Lightning's SaveConfigCallback, it can run twice in one folder.

    Args:
        run: the run folder.
        config: the options as YAML.
    """

    def __init__(self, run: RunFolder, config: str) -> None:
        self.run = run
        self.config = config

    @rank_zero_only
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        path = self.run.config
        if path.exists() and (earlier := path.read_text()) != self.config:
            atomic_write(path.with_name(f"config_until_{trainer.global_step:06d}.yaml"), earlier)
        atomic_write(path, self.config)
        self.run.summary.unlink(missing_ok=True)
