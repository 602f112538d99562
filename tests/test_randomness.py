import torch

from fractalgan.randomness import Purpose, RandomSource, RankShard, generator_for


def test_keys_that_differ_anywhere_give_other_numbers() -> None:
    keys = [(0,), (1,), (0, 0), (0, 1), (1, 0), (0, 0, 0), (2**40, 3), (3, 2**40)]
    firsts = {torch.rand(1, generator=generator_for(*key)).item() for key in keys}
    assert len(firsts) == len(keys)


def test_numbers_depend_on_the_key_only() -> None:
    expected = torch.rand(5, generator=generator_for(4, 2))
    torch.rand(100)
    assert torch.rand(5, generator=generator_for(4, 2)).equal(expected)


def test_numbers_of_neighboring_keys_are_unrelated() -> None:
    numbers = torch.stack([torch.randn(2000, generator=generator_for(0, step)) for step in range(20)])
    correlation = torch.corrcoef(numbers) - torch.eye(20)
    assert correlation.abs().max() < 0.1


def test_ranks_together_draw_what_one_draws() -> None:
    def numbers(shard: RankShard, rows: int) -> torch.Tensor:
        return RandomSource(generator_for(4, 2), shard).randn(rows, 3, 2)

    whole = numbers(RankShard(), 12)
    for world_size in (1, 2, 3, 4):
        parts = [numbers(RankShard(rank, world_size), 12 // world_size) for rank in range(world_size)]
        assert torch.cat(parts).equal(whole)


def test_purposes_differ_in_every_value() -> None:
    assert len({purpose.value for purpose in Purpose.__members__.values()}) == len(Purpose.__members__)


def test_source_is_made_of_a_generator_or_is_one_already() -> None:
    generator = generator_for(3)
    source = RandomSource.of(generator)
    assert RandomSource.of(source) is source
    assert source.rand(4, 2).equal(torch.rand(4, 2, generator=generator_for(3)))
    assert RandomSource.of(None).generator is None
