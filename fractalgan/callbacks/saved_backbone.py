"""The weights of a backbone as a plain file, to load without this package."""

from pytorch_lightning import Callback, LightningModule, Trainer

from fractalgan import __version__
from fractalgan.distributed import rank_zero_only
from fractalgan.storage import RunFolder, write_backbone
from fractalgan.storage.backbone_file import NETWORK, BackboneFile
from fractalgan.tasks.classification import ClassificationTask
from fractalgan.tasks.protocols import datamodule_of


class SaveBackbone(Callback):
    """Writes ``backbone.safetensors`` after every validation: the weights of the network without its head.

    They have the names of torchvision or timm: ``timm.create_model(name, num_classes=0)`` loads them.

    Args:
        run: the run folder.
    """

    def __init__(self, run: RunFolder) -> None:
        self.path = run.backbone

    @rank_zero_only
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn != "fit":
            return
        assert isinstance(pl_module, ClassificationTask)
        weights = {name: each.cpu() for name, each in pl_module.network.features.state_dict().items()}
        options = {name: pl_module.hparams[name] for name in NETWORK}
        provenance = {"task": type(pl_module).__name__, "step": trainer.global_step, "version": __version__}
        provenance |= {"data": getattr(datamodule_of(trainer), "source", None)}
        write_backbone(self.path, BackboneFile(weights, options, provenance))
