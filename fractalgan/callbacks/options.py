"""The options of a run, in its folder."""

from pytorch_lightning import Callback, LightningModule, Trainer

from fractalgan.ranks import rank_zero_only
from fractalgan.run_folder import RunFolder
from fractalgan.whole_file import write_whole


class KeptOptions(Callback):
    """Writes config.yaml before the first step; the options of before a resumption are kept beside it.

    The summary of an earlier end goes: there is more to come.

    Args:
        folder: of the run.
        text: the options in force.
    """

    def __init__(self, folder: RunFolder, text: str) -> None:
        self.folder = folder
        self.text = text

    @rank_zero_only
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        path = self.folder.config
        if path.exists() and (before := path.read_text()) != self.text:
            write_whole(path.with_name(f"config_until_{trainer.global_step:06d}.yaml"), before)
        write_whole(path, self.text)
        self.folder.summary.unlink(missing_ok=True)
