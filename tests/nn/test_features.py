"""The gray levels and colors of an embedding: what is learned, what is saved, and how they are drawn."""

import pytest
import torch

from fractalgan.nn import FractalEmbedding, FractalFeatures, FractalGenerator, parameter_groups
from fractalgan.ops import Features, anderson_farrell, random_features

PARTS = ["values", "blend", "background"]


def features(number: int = 3) -> Features:
    return Features(torch.rand(4, 3, number), torch.rand(4, 3), torch.rand(4, number))


def generator(number: int = 3, **options) -> FractalGenerator:
    embedding = FractalEmbedding(anderson_farrell(4, 3), "raw", features=features(number))
    return FractalGenerator(embedding, 16, 100, **options)


def test_without_features_there_are_no_parameters_and_no_state() -> None:
    embedding = FractalEmbedding(anderson_farrell(4, 3), "raw")
    assert set(embedding.state_dict()) == {"matrices.A", "b"}
    assert not [*embedding.features.parameters()]
    assert [each.shape for each in embedding.features()] == [(4, 3, 0), (4, 3), (4, 0)]
    assert FractalGenerator(embedding).draw(0).shape == (1, 1, 32, 32)


@pytest.mark.parametrize("learned", [["values", "background"], PARTS, ["values"], []])
def test_only_what_is_to_be_learned_is_a_parameter_and_everything_is_saved(learned) -> None:
    initial = features()
    own = FractalFeatures(initial, learned)
    assert sorted(name for name, _ in own.named_parameters()) == sorted(learned)
    other = FractalFeatures(features(), learned)
    other.load_state_dict(own.state_dict())
    assert all(one.equal(expected) for one, expected in zip(other(), initial, strict=True))


def test_parameters_return_into_their_range() -> None:
    own = FractalFeatures(features())
    with torch.no_grad():
        own.values[0], own.values[1] = -0.5, 1.5
    own.constrain_()
    assert own.values[0].max() == 0
    assert own.values[1].min() == 1


@pytest.mark.parametrize("number", [1, 3])
def test_gradient_descent_finds_the_color_of_an_image(number: int) -> None:
    drawing, color = generator(number, probabilities="uniform"), torch.tensor([0.9, 0.2, 0.6])[:number]
    target = color.view(1, number, 1, 1).expand(4, number, 16, 16)
    (group,) = [each for each in parameter_groups(drawing.parameters(), drawing.embedding.features)
                if each["params"][0] is drawing.embedding.features.values]  # fmt: skip
    optimizer = torch.optim.Adam(group["params"], 0.1)
    for _ in range(80):
        optimizer.zero_grad()
        (drawing.draw(range(4)) - target).square().mean().backward()
        optimizer.step()
        drawing.embedding.constrain_()
    values, _, background = drawing.embedding.features()
    torch.testing.assert_close(background.detach(), color.expand(4, number), atol=0.03, rtol=0)
    torch.testing.assert_close(drawing.draw(range(4)).detach(), target, atol=0.15, rtol=0)
    assert values.shape == (4, 3, number)


def test_jitter_varies_colors_within_their_range() -> None:
    drawing = generator(jitter=0.3)
    with torch.no_grad():
        drawing.embedding().A.zero_()
        drawing.embedding.b.zero_()
        drawing.embedding.features.values.fill_(1.0)
    drawing.tau = 200.0  # the image is full, whatever the place of the points
    images = drawing.draw([0] * 50)
    levels = images[:, :, 8, 8]
    assert 0 <= levels.min() < levels.max() <= 1
    assert levels.std(0).min() > 0.02


def test_parameters_of_features_are_a_group_with_a_lower_learning_rate() -> None:
    drawing = generator()
    groups = parameter_groups(drawing.parameters(), drawing.embedding.features)
    assert [group["lr_scale"] for group in groups] == [1.0, 0.25]
    assert {*groups[1]["params"]} == {*drawing.embedding.features.parameters()}
    everything = [parameter for group in groups for parameter in group["params"]]
    assert len(everything) == len([*drawing.parameters()])
    plain = FractalEmbedding(anderson_farrell(4, 3))
    assert len(parameter_groups(plain.parameters(), plain.features)) == 1


def test_random_features_are_uniform_on_black_and_follow_the_generator() -> None:
    b = anderson_farrell(200, 10).b
    first, again = (random_features(b, 3, torch.Generator().manual_seed(1)) for _ in range(2))
    assert first.values.equal(again.values)
    assert first.values.mean().item() == pytest.approx(0.5, abs=0.02)
    assert not first.background.any()
    assert not first.blend.any()
    assert random_features(b, 0).num_features == 0
