"""What rank 0 decides for all ranks, with a dictionary in place of the launcher's store."""

import json

import pytest

from fractalgan import distributed
from fractalgan.distributed import decided_by_rank_zero
from fractalgan.errors import InputError


class FakeStore(dict[str, str]):
    """The part of torch's store that is used."""

    def set(self, key: str, value: str) -> None:
        self[key] = value

    def add(self, key: str, amount: int) -> int:
        self[key] = str(int(self.get(key, 0)) + amount)
        return int(self[key])


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> FakeStore:
    shared = FakeStore()
    monkeypatch.setattr(distributed, "_store_of_launcher", lambda: shared)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("FRACTALGAN_FOLDER", "")
    return shared


def be_rank(monkeypatch: pytest.MonkeyPatch, rank: int) -> None:
    monkeypatch.setattr(distributed, "is_rank_zero", lambda: rank == 0)


def fail() -> str:
    raise InputError("set --data.size 64")


def never() -> str:
    raise AssertionError("only rank 0 decides")


def test_processes_that_rank_zero_starts_inherit_the_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRACTALGAN_FOLDER", "")
    assert decided_by_rank_zero("folder", lambda: "runs/a-1") == "runs/a-1"
    be_rank(monkeypatch, 1)
    assert decided_by_rank_zero("folder", never) == "runs/a-1"


@pytest.mark.usefixtures("store")
def test_processes_of_a_launcher_read_the_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    assert decided_by_rank_zero("folder", lambda: "runs/a-1") == "runs/a-1"
    be_rank(monkeypatch, 1)
    assert decided_by_rank_zero("folder", never) == "runs/a-1"


def test_rank_of_an_unknown_launcher_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FRACTALGAN_FOLDER", raising=False)
    be_rank(monkeypatch, 1)
    with pytest.raises(InputError, match="was not started by Lightning, torchrun or srun"):
        decided_by_rank_zero("folder", never)


def test_error_of_rank_zero_is_raised_on_every_rank(
    store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.add("FRACTALGAN_FOLDER_READ", 1)  # the other rank does not keep rank 0 waiting
    with pytest.raises(InputError, match=r"^set size=64$"):
        decided_by_rank_zero("folder", fail)
    assert json.loads(store["FRACTALGAN_FOLDER"]) == {"error": "set --data.size 64"}
    be_rank(monkeypatch, 1)
    with pytest.raises(InputError, match=r"^set size=64$"):
        decided_by_rank_zero("folder", never)
