"""The hardware that an experiment asks for."""

import pytest
import torch

from fractalgan.experiments.distillation_plan import DistillationPlan
from fractalgan.experiments.hardware import require_hardware

WARNING = "--plan.precision bf16-mixed can be many times slower than 32-true here"


@pytest.mark.parametrize(
    ("options", "slow"),
    [
        ({"precision": "bf16-mixed"}, True),
        ({"precision": "32-true"}, False),
        ({"precision": "bf16-mixed", "cluster": "local"}, True),
        ({"precision": "bf16-mixed", "accelerator": "gpu"}, False),
        ({"precision": "bf16-mixed", "cluster": "tcp://host:8786"}, False),  # other machines may have them
    ],
)
def test_bfloat16_without_instructions_for_it_is_warned_of(
    options: dict, slow: bool, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    require_hardware(DistillationPlan(**options))
    assert (WARNING in caplog.text) == slow
