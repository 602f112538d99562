"""Which process this is, and what rank 0 decides for all, before a trainer exists."""

import json
import os
import time
from collections.abc import Callable
from datetime import timedelta
from functools import cache

from pytorch_lightning.plugins.environments import (
    ClusterEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)
from pytorch_lightning.utilities import rank_zero_only
from torch.distributed import DistError, Store, rendezvous

from fractalgan.errors import InputError

__all__ = ["decided_by_rank_zero", "is_rank_zero", "rank_zero_only"]

DECISION_TIMEOUT = timedelta(minutes=30)  # rank 0 may have to download a data set first
FAREWELL_TIMEOUT = timedelta(seconds=20)  # for the other ranks to read why rank 0 has failed


def is_rank_zero() -> bool:
    """Whether this process writes files and prints for all ranks."""
    return bool(getattr(rank_zero_only, "rank", 0) == 0)


def decided_by_rank_zero(name: str, decide: Callable[[], str]) -> str:
    """What ``decide()`` returns on rank 0, on every rank.

    Processes that Lightning starts from rank 0 inherit it as an environment variable; those that torchrun
    or srun start beside it wait for it.

    Args:
        name: of the decision; each is made once per program.
        decide: called on rank 0 only.

    Returns:
        Rank 0's result.

    Raises:
        InputError: on every rank, where ``decide`` raises it on rank 0.
    """
    variable = f"FRACTALGAN_{name.upper()}"
    store = _store_of_launcher()
    if not is_rank_zero():
        return _inherited(variable) if store is None else _read(store, variable)
    try:
        value = decide()
    except InputError as error:
        if store is not None:
            _announce_failure(store, variable, error)
        raise
    if store is not None:
        store.set(variable, json.dumps({"value": value}))
    os.environ[variable] = value
    return value


@cache
def _store_of_launcher() -> Store | None:
    """A key-value store that all ranks share, where another program than this one has started them.

    It is the one that torch's process group uses later, or beside it on the same port.
    """
    environment: ClusterEnvironment
    try:
        if TorchElasticEnvironment.detect():
            environment = TorchElasticEnvironment()
        elif SLURMEnvironment.detect() and "SLURM_STEP_ID" in os.environ:  # by srun, not by sbatch alone
            environment = SLURMEnvironment(auto_requeue=False)
        else:
            return None
    except RuntimeError as error:  # SLURM variables that Lightning does not accept
        raise InputError(str(error)) from error
    if environment.world_size() == 1:
        return None
    address, port = environment.main_address, environment.main_port
    ranks = f"rank={environment.global_rank()}&world_size={environment.world_size()}"
    store, _, _ = next(iter(rendezvous(f"tcp://{address}:{port}?{ranks}", timeout=DECISION_TIMEOUT)))
    return store  # type: ignore[no-any-return]


def _inherited(variable: str) -> str:
    if variable not in os.environ:
        raise InputError("this process was not started by Lightning, torchrun or srun: use one of them")
    return os.environ[variable]


def _read(store: Store, variable: str) -> str:
    try:
        told = json.loads(store.get(variable))
    except DistError as error:
        raise InputError("rank 0 has failed: see its message") from error
    if "error" in told:
        store.add(f"{variable}_READ", 1)
        raise InputError(told["error"])
    return str(told["value"])


def _announce_failure(store: Store, variable: str, error: InputError) -> None:
    """Tell the other ranks, and keep the store until they have read it."""
    store.set(variable, json.dumps({"error": error.for_command_line}))
    deadline = time.monotonic() + FAREWELL_TIMEOUT.total_seconds()
    others = int(os.environ.get("WORLD_SIZE") or os.environ["SLURM_NTASKS"]) - 1
    while store.add(f"{variable}_READ", 0) < others and time.monotonic() < deadline:
        time.sleep(0.05)
