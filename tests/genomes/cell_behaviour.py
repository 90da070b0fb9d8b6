"""What a cell of links does, with a number for each current: the reference for its standard form.

Every operation but the skip is some fixed function of its own, so that two cells with the same
outputs over several time steps are the same cell, for all that these numbers can tell.
"""

import math

STEPS = 4


def _does(what, current):
    if what == (1,):
        return current
    gain = 0.3 + 0.11 * sum((k + 1) * number for k, number in enumerate(what))
    return math.tanh(gain * current + 0.07 * len(what)) * math.sqrt(gain)


def outputs(links):
    """The output node's current in each time step, the input being a little series.

    Nodes on no forward path from input to output are left out, with their links.
    """
    forward = {pair for pair in links if pair[0] < pair[1]}
    paths = [(0,)]
    whole = set()
    while paths:
        path = paths.pop()
        if path[-1] == 3:
            whole |= set(path)
        paths += [(*path, end) for start, end in forward if start == path[-1]]
    nodes = whole or {0, 3}
    alive = {pair: what for pair, what in links.items() if set(pair) <= nodes}
    if not whole:
        alive[0, 3] = (1,)
    before, found = dict.fromkeys(range(4), None), []
    for step in range(STEPS):
        now = {0: 0.2 + 0.5 * step**0.7}
        for node in range(4):
            now[node] = now.get(node, 0.0)
            for (start, end), what in sorted(alive.items()):
                if end == node and start < end:
                    now[node] += _does(what, now[start])
                elif end == node and before[start] is not None:
                    now[node] += _does(what, before[start])
        before = now
        found.append(round(now[3], 9))
    return tuple(found)
