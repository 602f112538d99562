import torch

from fractalgan.nn import clip_per_fractal


def test_gradients_are_clipped_per_fractal() -> None:
    gradients = [torch.randn(5, 3, 2, 2), torch.randn(5, 3)]
    gradients[0][4], gradients[1][4] = 1e-4, 0.0
    clipped = clip_per_fractal(gradients, 0.7)
    for k in range(5):
        parts = [gradient[k].clone() for gradient in gradients]
        norm = torch.cat([part.flatten() for part in parts]).norm()
        for found, part in zip(clipped, parts, strict=True):
            torch.testing.assert_close(found[k], part * min(1.0, 0.7 / norm.item()))


def test_gradient_of_zero_and_an_infinite_limit_change_nothing() -> None:
    gradients = [torch.zeros(2, 3), torch.tensor([[1e3], [0.0]])]
    assert clip_per_fractal(gradients, float("inf"))[1].equal(gradients[1])
    assert clip_per_fractal(gradients, 1.0)[0].equal(gradients[0])
