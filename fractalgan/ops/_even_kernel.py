"""The loops that make even index sequences; see :func:`even_sequences_from_uniform`.

They also run as plain Python, slowly, so that sequences do not depend on whether numba is available.
"""

from typing import Any

import numpy as np
from numba.extending import register_jitable
from numpy.typing import NDArray

from fractalgan.ops._compile import compiled

Array = NDArray[Any]


def even_rows(first: int, last: int, probabilities: Array, uniform: Array, indices: Array) -> None:
    """Fill rows first..last-1 of indices [B, T] from probabilities [B, N] and uniform [B, T], float64."""
    length = indices.shape[1]
    labels = np.empty(length, np.int32)  # of each slot
    order = np.empty(length, np.int32)  # the slots, in the order in which their successors follow each other
    successors = np.empty(length, np.int32)  # of each slot
    cells = np.empty(length, np.int32)
    bounds = np.empty(length + 1, np.int32)
    for i in range(first, last):
        count = _label_slots(probabilities[i], uniform[i], labels, cells)
        _sort_slots(cells, bounds, order)
        for rank in range(length):
            successors[order[rank]] = rank
        _join_cycles(probabilities.shape[1], order, successors, cells)
        slot = successors[int(uniform[i, length - 1] * count)]  # one that comes after transform labels[0]
        for t in range(length):
            indices[i, t] = labels[slot]
            slot = successors[slot]


@register_jitable  # type: ignore[untyped-decorator]
def _label_slots(probabilities: Array, uniform: Array, labels: Array, cells: Array) -> int:
    """Give each transform slots in proportion to its probability, and spread their successors evenly.

    The successors of a transform's slots fall into equal parts of 0..T-1, one into each, where ``uniform``
    says. Return the number of slots of the first transform that has any.
    """
    length, number = len(labels), len(probabilities)
    total = probabilities.sum()
    reached, begin, of_first = 0.0, 0, 0
    for n in range(number):
        reached += probabilities[n]
        bound = length * (reached / total) + uniform[0]  # systematic rounding: counts are exact within 1
        end = max(begin, int(bound)) if n < number - 1 and 0 <= bound < length else length
        for slot in range(begin, end):
            labels[slot] = n
            cells[slot] = min(int((slot - begin + uniform[slot]) / (end - begin) * length), length - 1)
        if begin == 0:
            of_first = end
        begin = end
    return of_first


@register_jitable  # type: ignore[untyped-decorator]
def _sort_slots(cells: Array, bounds: Array, order: Array) -> None:
    """Sort the slots by their cells, 0..T-1, by counting."""
    bounds[:] = 0
    for slot in range(len(cells)):
        bounds[cells[slot] + 1] += 1
    for cell in range(len(cells)):
        bounds[cell + 1] += bounds[cell]
    for slot in range(len(cells)):
        order[bounds[cells[slot]]] = slot
        bounds[cells[slot]] += 1


@register_jitable  # type: ignore[untyped-decorator]
def _join_cycles(group: int, order: Array, successors: Array, cycles: Array) -> None:
    """Make one cycle of the permutation ``successors``, by exchanging successors that are neighbors.

    Neighbors within a group are exchanged first, which leaves the counts of all words as they are. With
    equal probabilities and T a multiple of N nothing else is needed.
    """
    number = _label_cycles(successors, cycles)
    parents = np.arange(number)
    for across in (False, True):
        for rank in range(1, len(order)):
            if (rank % group == 0) == across:
                before, after = order[rank - 1], order[rank]
                left, right = _root(parents, cycles[before]), _root(parents, cycles[after])
                if left != right:
                    parents[right] = left
                    successors[before], successors[after] = successors[after], successors[before]


@register_jitable  # type: ignore[untyped-decorator]
def _label_cycles(successors: Array, cycles: Array) -> int:
    """Number the cycles of a permutation, and return how many there are."""
    number = 0
    cycles[:] = -1
    for first in range(len(successors)):
        slot = first
        while cycles[slot] < 0:
            cycles[slot] = number
            slot = successors[slot]
        if slot == first and cycles[first] == number:
            number += 1
    return number


@register_jitable  # type: ignore[untyped-decorator]
def _root(parents: Array, cycle: int) -> int:
    while parents[cycle] != cycle:
        cycle = parents[cycle]
    return cycle


even_rows_compiled = compiled(even_rows)
