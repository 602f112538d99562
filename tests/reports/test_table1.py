"""Table 1 from invented cells."""

import pytest

from fractalgan.reports import table1


def cell(data: str, row: str, seed: int, mse: float, exploded: int = 0) -> dict:
    return {
        "data": data,
        "row": row,
        "seed": seed,
        "mse_min": mse,
        "mse_mean": mse + 0.01,
        "mse_max": mse + 0.02,
        "exploded": exploded,
        "targets": 10,
    }


CELLS = [
    cell("FashionMNIST", "raw", 0, 0.2, 7),
    cell("FashionMNIST", "F", 0, 0.04),
    cell("FashionMNIST", "F", 1, 0.06),
    cell("digits", "F", 0, 0.01) | {"psnr": 12.0, "iou": 0.5},  # cells of earlier versions have neither
]


def test_means_and_deviations_over_seeds() -> None:
    summary = table1.summarize(CELLS, ["F", "raw"])
    found = summary["FashionMNIST"]["F"]
    assert found["mse_min"]["mean"] == pytest.approx(0.05)
    assert found["mse_min"]["std"] == pytest.approx(0.02 / 2**0.5)
    assert summary["digits"]["F"]["mse_mean"] == {"mean": pytest.approx(0.02), "std": None}
    assert list(summary["FashionMNIST"]) == ["F", "raw"]


def test_table_has_the_papers_numbers_beside_ours() -> None:
    lines = table1.as_markdown(table1.summarize(CELLS, ["F", "raw"])).splitlines()
    assert (
        "| F | 0.0500 ± 0.0141 | 0.0538 ± 0.0006 | 0.0600 ± 0.0141 | 0.0700 ± 0.0141 | - | - | 0 of 20 |"
        in lines
    )
    assert "| raw | 0.2000 | exploded | 0.2100 | 0.2200 | - | - | 7 of 10 |" in lines
    assert "| F | 0.0100 |  | 0.0200 | 0.0300 | 12.00 | 0.500 | 0 of 10 |" in lines
