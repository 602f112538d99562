"""Networks of torchvision and timm with a linear head of our own, for images of any size."""

import difflib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torchvision
from torch import Tensor, nn

from fractalgan.errors import InputError, has_extra, require_extra
from fractalgan.nn.network import Network

TIMM = "timm/"  # before the names of its networks: torchvision has others of the same name

COLORS = 3  # channels of the input of all of them
STEM = 3  # kernel size of a small stem
OUTSIDE_OF_BLOCKS = ("", "features", "stem")  # where the pooling of a stem is, and none of a block
POOLING = "maxpool"  # at the top of a network, of whatever kind
WITH_IMAGE_SIZE = "vit_"  # torchvision's networks that are made for one image size
WITH_AUXILIARY_LOGITS = ("googlenet", "inception_v3")  # that torchvision returns beside the logits


class Backbone(Network):
    """A network of torchvision or timm with random weights, whose last linear layer is a head of our own.

    Its ``features`` are the library's network without that layer, and their state has the library's names:
    ``timm.create_model(name, num_classes=0)`` loads it. Images in grayscale are repeated in three channels,
    so that a backbone which was trained on them takes color, too. They are not normalized.

    Args:
        name: that of torchvision, such as resnet18; or timm/ and that of timm, timm/vit_tiny_patch16_224.
        outputs: width of the head: the number of classes.
        image_size: H = W, in pixels.
        small_stem: whether the first convolution has 3 x 3 pixels and a stride of 1, with no pooling
            after it, as He et al. (2016) use for images of 32 x 32.

    Attributes:
        num_features: number of features that the head sees.

    Raises:
        InputError: for an unknown name, timm that is not installed, a size that the network does not take,
            and a small stem where there is no large one.
    """

    any_channels = True
    may_be_random = True

    def __init__(self, name: str, outputs: int, image_size: int = 32, small_stem: bool = False) -> None:
        super().__init__()
        self.name, self.small_stem = name.removeprefix(TIMM), small_stem
        make = _of_timm if name.startswith(TIMM) else _of_torchvision
        with _as_input_error(f"--data.size: {name} does not take {image_size} pixels"):
            self.features = make(name.removeprefix(TIMM), image_size)
            self.num_features = _count_features(self.features, image_size)
        if small_stem:
            make_small_stem_(self.features, name)
            with _as_input_error(f"small_stem must be false for {name}, which needs its own stem"):
                _count_features(self.features, image_size)
        self.head = nn.Linear(self.num_features, outputs)
        self.to(memory_format=torch.channels_last)

    @property
    def title(self) -> str:
        return f"{self.name} with a small stem" if self.small_stem else self.name

    def embed(self, images: Tensor) -> Tensor:
        colors = images.expand(-1, COLORS, -1, -1)
        return super().embed(colors.contiguous(memory_format=torch.channels_last))


def require_known_network(name: str, own: tuple[str, ...]) -> None:
    """Raise InputError with the nearest names unless torchvision or timm has a network of that name.

    Args:
        name: as for :class:`Backbone`.
        own: names of the networks of this package, for the message.
    """
    known = torchvision.models.list_models(module=torchvision.models)
    if name in known:
        return
    if name.startswith(TIMM):
        require_extra("backbones", f"the network {name}")
    if has_extra("backbones"):
        import timm

        if name.startswith(TIMM) and timm.is_model(name.removeprefix(TIMM)):
            return
        known += [TIMM + each for each in timm.list_models()]
    near = difflib.get_close_matches(name, [*own, *known], cutoff=0.7)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise InputError(
        f"network must be {', '.join(own)}, a model of torchvision, such as resnet18, or timm/ and one of"
        f" timm, such as timm/vit_tiny_patch16_224, got {name!r}{hint}"
    )


def _of_torchvision(name: str, image_size: int) -> nn.Module:
    options: dict[str, Any] = {}
    if name.startswith(WITH_IMAGE_SIZE):
        options["image_size"] = image_size
    if name in WITH_AUXILIARY_LOGITS:
        options |= {"aux_logits": False, "init_weights": True}
    model: nn.Module = torchvision.models.get_model(name, weights=None, **options)
    heads = [path for path, module in model.named_modules() if isinstance(module, nn.Linear)]
    if not heads:
        raise InputError(f"network must end in a linear layer, which {name} does not: use another one")
    model.set_submodule(heads[-1], nn.Identity())
    return model


def _of_timm(name: str, image_size: int) -> nn.Module:
    import timm

    config = timm.get_pretrained_cfg(name, allow_unregistered=True)
    options = {"img_size": image_size} if config is not None and config.fixed_input_size else {}
    model: nn.Module = timm.create_model(name, pretrained=False, num_classes=0, **options)
    side = getattr(getattr(model, "patch_embed", None), "patch_size", None)
    if isinstance(side, tuple) and any(image_size % each for each in side):
        raise ValueError(f"which its patches of {side[0]} pixels do not divide")
    return model


def weight_names(name: str) -> set[str]:
    """The names of all weights of a network as its library makes it, with its heads.

    Args:
        name: as for :class:`Backbone`.
    """
    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries about their own code
        if name.startswith(TIMM):
            import timm

            whole: nn.Module = timm.create_model(name.removeprefix(TIMM), pretrained=False)
        else:
            given = {"init_weights": False} if name in WITH_AUXILIARY_LOGITS else {}
            whole = torchvision.models.get_model(name, weights=None, **given)
    return set(whole.state_dict())


def make_small_stem_(model: nn.Module, name: str) -> None:
    """Replace a network's first convolution by one of 3 x 3 pixels, and leave out the pooling after it.

    Raises:
        InputError: for a network whose first convolution cuts the image into patches, or has a stride of 1.
    """
    modules = [*model.named_modules()]
    number, (path, first) = next(
        (number, each) for number, each in enumerate(modules) if isinstance(each[1], nn.Conv2d)
    )
    assert isinstance(first, nn.Conv2d)
    if first.stride in ((1, 1), first.kernel_size):
        side = first.kernel_size[0]
        reason = "has a small one" if first.stride == (1, 1) else f"cuts images into patches of {side} pixels"
        raise InputError(f"small_stem must be false for {name}, which {reason}, got true")
    bias = first.bias is not None
    small = nn.Conv2d(first.in_channels, first.out_channels, STEM, padding=STEM // 2, bias=bias)
    nn.init.kaiming_normal_(small.weight, mode="fan_out", nonlinearity="relu")  # as in He et al. (2015)
    model.set_submodule(path, small)
    poolings = [path for path, module in modules[number:] if isinstance(module, nn.MaxPool2d)]
    if POOLING in dict(modules):
        model.set_submodule(POOLING, nn.Identity())
    elif poolings and poolings[0].rpartition(".")[0] in OUTSIDE_OF_BLOCKS:
        model.set_submodule(poolings[0], nn.Identity())


def _count_features(model: nn.Module, image_size: int) -> int:
    model.eval()  # batch norm would learn from the image
    with torch.no_grad():
        features: Tensor = model(torch.zeros(1, COLORS, image_size, image_size))
    model.train()
    if features.ndim != 2 or len(features) != 1:
        raise ValueError(f"its features of one image have the shape {list(features.shape)}")
    return features.shape[1]


@contextmanager
def _as_input_error(message: str) -> Iterator[None]:
    """Raise InputError for what libraries raise about the size of an image."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of libraries about their own code
            yield
    except InputError:
        raise
    except (RuntimeError, ValueError, AssertionError, TypeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(f"{message} ({reason})" if reason else message) from error
