"""The numba backend with several threads and processes."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from fractalgan.ops import _threads, render, render_threads, set_render_threads
from tests.ops.cases import Case, problem

SetThreads = Callable[[int], None]


@pytest.fixture
def set_num_threads() -> Iterator[SetThreads]:
    """``torch.set_num_threads``, undone after the test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


ONE_SEQUENCE = Case(batch=150, num_transforms=10, num_points=100)
CHAINS = Case((40, 50), batch=3, num_transforms=10, chains=11, num_points=200)


def image_and_gradient(case: Case = ONE_SEQUENCE) -> list[Tensor]:
    transforms, fractals, z, view = problem(case, "numba")
    images = render(transforms, fractals, z, **view, backend="numba")
    return [images.detach(), *torch.autograd.grad(images.square().sum(), transforms)]


def all_equal(results: list[Tensor], expected: list[Tensor]) -> bool:
    return all(each.equal(other) for each, other in zip(results, expected, strict=True))


@pytest.mark.parametrize("case", [ONE_SEQUENCE, CHAINS], ids=["one sequence", "chains"])
def test_results_do_not_depend_on_the_number_of_threads(set_num_threads: SetThreads, case: Case) -> None:
    results = []
    for number in (1, 2, 5):
        set_num_threads(number)
        results.append(image_and_gradient(case))
    assert all_equal(results[1], results[0])
    assert all_equal(results[2], results[0])


def test_number_of_render_threads_is_independent_of_torch(set_num_threads: SetThreads) -> None:
    set_num_threads(2)
    try:
        set_render_threads(5)
        assert render_threads() == 5
        assert torch.get_num_threads() == 2
    finally:
        set_render_threads(None)
    assert render_threads() == 2


def test_number_of_render_threads_must_be_positive() -> None:
    before = render_threads()
    with pytest.raises(ValueError, match="count must be >= 1, got 0"):
        set_render_threads(0)
    assert render_threads() == before


def test_concurrent_calls_agree(set_num_threads: SetThreads) -> None:
    set_num_threads(3)
    expected = image_and_gradient()
    results: list[list[Tensor]] = []

    def work() -> None:
        for _ in range(10):
            results.append(image_and_gradient())

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(results) == 40
    assert all(all_equal(result, expected) for result in results)


def test_no_more_threads_than_torch_has(set_num_threads: SetThreads) -> None:
    set_num_threads(2)
    _threads._pool.cache_clear()
    before = set(threading.enumerate())  # may include helper threads of other tests that are still exiting
    image_and_gradient()
    assert len(set(threading.enumerate()) - before) == 1  # the other one is the calling thread


# Autograd refuses a fork after some of its uses, which another test may have made: so in a new process.
FORKED = """
import multiprocessing
import torch
from fractalgan.ops import set_render_threads
from tests.ops.test_threads import image_and_gradient

def work():
    torch.set_num_threads(1)  # as data loaders do: torch's own thread pool does not survive a fork
    set_render_threads(2)
    sender.send(image_and_gradient()[0].sum().item())

torch.set_num_threads(2)
expected = image_and_gradient()[0].sum().item()
receiver, sender = multiprocessing.Pipe(duplex=False)
process = multiprocessing.get_context("fork").Process(target=work)
process.start()
sender.close()  # the other copy is the child's: if it dies, recv raises EOFError
assert receiver.recv() == expected
process.join()
assert process.exitcode == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the operating system has no fork")
def test_forked_process() -> None:
    """A worker of a data loader is forked from a process that may have used its threads already."""
    subprocess.run([sys.executable, "-c", FORKED], cwd=Path(__file__).parents[2], check=True)
