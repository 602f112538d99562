"""Discriminators that see or name the class of an image, beside the LeNet alone."""

import pytest
import torch
import torch.nn.functional as F

from fractalgan.nn import AuxiliaryDiscriminator, Discriminator, LeNet, ProjectionDiscriminator, r1_penalty
from fractalgan.nn.conditional import DISCRIMINATORS, make_discriminator

LABELS = torch.tensor([2, 0, 2, 1])


def images(dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.rand(4, 1, 16, 16, generator=torch.Generator().manual_seed(0), dtype=dtype)


def seeded(kind: type, *arguments: int) -> LeNet:
    torch.manual_seed(0)
    net: LeNet = kind(*arguments)
    return net


def test_without_labels_it_is_a_lenet_to_the_bit() -> None:
    net, plain = seeded(Discriminator, 16), seeded(LeNet, 1, 16)
    assert isinstance(net, Discriminator)
    assert net.state_dict().keys() == plain.state_dict().keys()
    logits, class_loss = net.judge(images(), LABELS)
    assert logits.equal(plain(images()).squeeze(1))
    assert class_loss.tolist() == [0, 0, 0, 0]


def test_projection_adds_the_product_of_features_and_the_embedding_of_the_class() -> None:
    net = ProjectionDiscriminator(3, 16).double()
    assert net.classes.weight.shape == (3, 84)
    features = net.embed(images(torch.float64))
    expected = [
        net.head.weight[0] @ each + net.head.bias[0] + net.classes.weight[label] @ each
        for each, label in zip(features, LABELS, strict=True)
    ]
    logits, class_loss = net.judge(images(torch.float64), LABELS)
    torch.testing.assert_close(logits, torch.stack(expected))
    assert class_loss.tolist() == [0, 0, 0, 0]


def test_gradient_of_an_embedding_is_the_features_of_its_class() -> None:
    net = ProjectionDiscriminator(4, 16)
    net.judge(images(), LABELS).logits.sum().backward()
    features = net.embed(images()).detach()
    expected = torch.stack([features[label == LABELS].sum(0) for label in range(4)])
    torch.testing.assert_close(net.classes.weight.grad, expected)
    assert net.classes.weight.grad[3].count_nonzero() == 0


def test_auxiliary_head_names_the_class_and_leaves_the_logit() -> None:
    net = AuxiliaryDiscriminator(3, 16)
    logits, class_loss = net.judge(images(), LABELS)
    assert logits.equal(net(images()).squeeze(1))
    scores = net.classes(net.embed(images()))
    expected = scores.logsumexp(1) - scores[torch.arange(4), LABELS]
    torch.testing.assert_close(class_loss, expected)


@pytest.mark.parametrize("kind", DISCRIMINATORS)
def test_gradients_are_those_of_finite_differences(kind) -> None:
    net = make_discriminator(kind, 3, 16, 1).double()

    def judged(weights: torch.Tensor, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return torch.func.functional_call(_Judge(net), {"net.classes.weight": weights}, (pixels, LABELS[:2]))

    pixels = images(torch.float64)[:2].requires_grad_()
    assert torch.autograd.gradcheck(judged, (net.classes.weight, pixels), eps=1e-7, atol=1e-5)


class _Judge(torch.nn.Module):
    """``judge`` as ``forward``."""

    def __init__(self, net: Discriminator) -> None:
        super().__init__()
        self.net = net

    def forward(self, pixels: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(self.net.judge(pixels, labels))


def test_r1_penalty_is_of_the_logit_for_the_class() -> None:
    net = ProjectionDiscriminator(3, 16)
    penalties = []
    for labels in (LABELS, LABELS.flip(0)):
        real = images().requires_grad_()
        penalties.append(r1_penalty(net.judge(real, labels).logits, real))
    assert penalties[0] != penalties[1]
    penalties[0].backward()
    assert net.classes.weight.grad.count_nonzero() > 0


def test_cross_entropy_is_the_mean_of_its_terms() -> None:
    net = AuxiliaryDiscriminator(3, 16)
    expected = F.cross_entropy(net.classes(net.embed(images())), LABELS)
    torch.testing.assert_close(net.judge(images(), LABELS).class_loss.mean(), expected)


@pytest.mark.parametrize(("conditional", "classes"), [(None, 10), ("projection", 0)])
def test_without_classes_there_is_no_second_head(conditional, classes: int) -> None:
    assert type(make_discriminator(conditional, classes, 16, 1)) is Discriminator
