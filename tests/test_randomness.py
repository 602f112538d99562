import torch

from fractalgan.randomness import RankShard, generator_for


def test_keys_that_differ_anywhere_give_other_numbers() -> None:
    keys = [(0,), (1,), (0, 0), (0, 1), (1, 0), (0, 0, 0), (2**40, 3), (3, 2**40)]
    firsts = {torch.rand(1, generator=generator_for(*key)).item() for key in keys}
    assert len(firsts) == len(keys)


def test_the_same_key_gives_the_same_numbers_whatever_came_before() -> None:
    expected = torch.rand(5, generator=generator_for(4, 2))
    torch.rand(100)
    assert torch.rand(5, generator=generator_for(4, 2)).equal(expected)


def test_numbers_of_neighbouring_keys_are_unrelated() -> None:
    numbers = torch.stack([torch.randn(2000, generator=generator_for(0, step)) for step in range(20)])
    correlation = torch.corrcoef(numbers) - torch.eye(20)
    assert correlation.abs().max() < 0.1


def test_processes_draw_together_what_one_draws() -> None:
    def numbers(share: RankShard, rows: int) -> torch.Tensor:
        return share.draw(torch.randn, rows, 3, 2, generator=generator_for(4, 2))

    whole = numbers(RankShard(), 12)
    for processes in (1, 2, 3, 4):
        shares = [numbers(RankShard(rank, processes), 12 // processes) for rank in range(processes)]
        assert torch.cat(shares).equal(whole)
