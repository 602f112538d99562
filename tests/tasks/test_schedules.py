import pytest

from fractalgan.tasks.schedules import annealed, schedule_factor


@pytest.mark.parametrize(
    ("schedule", "factors"),
    [
        ("constant", [1, 1, 1, 1]),
        ("halving", [1, 0.5, 0.25, 0.125]),
        ("cosine", [1, (1 + 0.5**0.5) / 2, 0.5, (1 - 0.5**0.5) / 2]),
    ],
)
def test_factors_at_quarters_of_the_run(schedule, factors: list[float]) -> None:
    assert [schedule_factor(schedule, share / 4) for share in range(4)] == pytest.approx(factors)


def test_cosine_ends_at_zero() -> None:
    assert schedule_factor("cosine", 1.0) == 0


def test_annealed_value_halves_its_logarithm_half_way() -> None:
    assert annealed(8.0, 0.5, 0.0) == 8
    assert annealed(8.0, 0.5, 0.3) == pytest.approx(2)
    assert annealed(8.0, 0.5, 0.6) == annealed(8.0, 0.5, 1.0) == pytest.approx(0.5)
