"""The links of a cell, and one way to write each cell.

A *cell* is four nodes, of which the first is its input and the last its output. A link leads from
one node to another: forward, or backward, which is one time step later. The same cell can be
written in several ways, for nodes can be without effect, repeat another node or change their names;
``standard`` finds one of them.

Nodes without a forward path from the input and to the output are dropped, as SNASNet does (Y. Kim
et al., ECCV 2022); a cell without any path passes its input on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations

NODES = 4
FIRST, LAST = 0, NODES - 1

Pair = tuple[int, int]
"""The nodes of a link: where it comes from, where it leads to."""

FORWARD: tuple[Pair, ...] = tuple(combinations(range(NODES), 2))
BACKWARD: tuple[Pair, ...] = tuple((j, i) for j in range(NODES) for i in range(j))

What = tuple[int, ...]
"""What a link does: its operation and whatever else there is to decide of it."""

SKIP: What = (1,)
"""The operation that brings a current as it is."""

Links = Mapping[Pair, What]


def living(links: Iterable[Pair]) -> set[int]:
    """The nodes on a forward path from input to output; without any path, these two."""
    forward = sorted(pair for pair in links if pair[0] < pair[1])
    reached = {FIRST}
    for source, target in forward:
        if source in reached:
            reached.add(target)
    leading = {LAST}
    for source, target in reversed(forward):
        if target in leading:
            leading.add(source)
    return reached & leading or {FIRST, LAST}


def without_dead_ends(links: Links) -> dict[Pair, What]:
    """The links between nodes that matter; without a path the output repeats the input."""
    nodes = living(links)
    alive = {pair: what for pair, what in links.items() if nodes.issuperset(pair)}
    if any(source < target for source, target in alive):
        return alive
    return {(FIRST, LAST): SKIP, **alive}


def standard(links: Links) -> dict[Pair, What]:
    """One of the ways to write a cell; equal for most cells that are equal.

    A node that adds nothing but another one's current *repeats* it: what leads on from the two may
    be exchanged. A node from which nothing leads on but its current to another one is *passing*:
    what leads to the two may be exchanged. Either vanishes where nothing is left for it to do. Two
    nodes in the middle without a link between them may change places.

    Not every pair of equal cells is found where currents are fed back: see ``docs/spaces/cell.md``.
    """
    links, before = without_dead_ends(links), None
    while links != before:
        before = links
        for node in range(FIRST + 1, LAST):
            links = without_dead_ends(_with_less_repeated(links, node))
        links = _with_output_before_what_it_repeats(links)
        for node in range(FIRST + 1, LAST):
            links = without_dead_ends(_with_less_passing(links, node))
            links = _with_skip_second(links, node)
    return max(links, _renamed(links), key=_written) if _apart(links) else dict(links)


def _repeated(links: Links, node: int) -> int | None:
    """The node whose current is all that a node adds up; None where it adds anything else."""
    into = [pair for pair in links if pair[1] == node]
    if len(into) != 1 or links[into[0]] != SKIP or into[0][0] > node:
        return None
    return into[0][0]


def _passed(links: Links, node: int) -> int | None:
    """The node that gets a node's current, and all that leads on from it; None for more."""
    out = [pair for pair in links if pair[0] == node]
    if len(out) != 1 or links[out[0]] != SKIP or out[0][1] < node:
        return None
    return out[0][1]


def _with_less_repeated(links: Links, node: int) -> dict[Pair, What]:
    """What leads on from a node in the middle that repeats another leads on from that one."""
    source, found = _repeated(links, node), dict(links)
    if source is None:
        return found
    for target in range(NODES):
        if target < source or target > node:
            _larger_first(found, (source, target), (node, target))
    out = [target for start, target in found if start == node]
    if out and max(out) < node:  # it would lose its path, and with it what it feeds back
        last = max(target for target in range(node + 1, NODES) if (source, target) in found)
        found[node, last] = found.pop((source, last))
    return found


def _with_less_passing(links: Links, node: int) -> dict[Pair, What]:
    """What leads to a node in the middle that passes its current on leads to where it passes it."""
    target, found = _passed(links, node), dict(links)
    if target is None:
        return found
    for source in range(NODES):
        if source < node or source > target:
            _larger_first(found, (source, target), (source, node))
    into = [start for start, end in found if end == node]
    if into and min(into) > node:  # it would lose its path, and with it what is fed back to it
        first = min(source for source in range(node) if (source, target) in found)
        found[first, node] = found.pop((first, target))
    return found


def _with_skip_second(links: Links, node: int) -> dict[Pair, What]:
    """A node that repeats, and of which one link leads on, passes what that link does instead."""
    source, found = _repeated(links, node), dict(links)
    out = [pair for pair in links if pair[0] == node]
    if source is not None and len(out) == 1:
        found[source, node], found[out[0]] = found[out[0]], found[source, node]
    return found


def _with_output_before_what_it_repeats(links: Links) -> dict[Pair, What]:
    """What an output that repeats a node feeds back comes from the output."""
    source, found = _repeated(links, LAST), dict(links)
    for target in range(source or 0):
        _larger_first(found, (LAST, target), (source or 0, target))
    return found


def _larger_first(links: dict[Pair, What], first: Pair, second: Pair) -> None:
    """Exchange two links, of which any may be missing, so that the first is the larger one."""
    one, other = sorted((links.pop(first, ()), links.pop(second, ())), reverse=True)
    links.update({pair: what for pair, what in ((first, one), (second, other)) if what})


def _apart(links: Links) -> bool:
    return (1, 2) not in links and (2, 1) not in links


def _renamed(links: Links) -> dict[Pair, What]:
    """The cell with its two nodes in the middle in each other's place."""
    place = {0: 0, 1: 2, 2: 1, 3: 3}
    return {(place[source], place[target]): what for (source, target), what in links.items()}


def _written(links: Links) -> list[What]:
    return [links.get(pair, ()) for pair in (*FORWARD, *BACKWARD)]
