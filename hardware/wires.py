"""Wire resistance of a crossbar: its resistive mesh, solved exactly.

Rows are driven at their first cell and columns sensed, at virtual ground, after their last cell.
From cell to cell, from the driver to the first cell and from the last cell to the sense amplifier,
a wire has the resistance r. Cells have a transistor each (1T1R): a row that is not active connects
none of its cells, so that nothing sneaks through them.

Too slow for every spike vector of an inference: `hardware.nonideal.attenuation` stands in for it,
and is held against it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


def column_currents(conductance: Array, active: NDArray[np.bool_], wire_ohm: float) -> Array:
    """Currents of all columns with the active rows at 1 V: the mesh's nodes solved exactly.

    Args:
        conductance: (n, m) in siemens.
        active: (n,).
        wire_ohm: r > 0.

    Returns:
        (m,) in ampere.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.linalg import spsolve

    n, m = conductance.shape
    rows = np.flatnonzero(active)
    on_row = np.arange(len(rows) * m).reshape(len(rows), m)
    on_column = on_row.size + np.arange(n * m).reshape(n, m)
    wire = 1 / wire_ohm
    edges = [
        (on_row[:, :-1], on_row[:, 1:]),
        (on_column[:-1], on_column[1:]),
        (on_row, on_column[rows]),
    ]
    size = on_row.size + on_column.size
    first = np.concatenate([start.ravel() for start, _ in edges])
    second = np.concatenate([end.ravel() for _, end in edges])
    value = np.full(len(first), wire)
    value[len(value) - on_row.size :] = conductance[rows].ravel()
    source, sensed = np.zeros(size), np.zeros(size)
    source[on_row[:, 0]] = wire
    sensed[on_column[-1]] = wire
    diagonal = np.bincount(first, value, size) + np.bincount(second, value, size) + source + sensed
    everywhere = np.arange(size)
    matrix = coo_matrix(
        (
            np.concatenate([diagonal, -value, -value]),
            (
                np.concatenate([everywhere, first, second]),
                np.concatenate([everywhere, second, first]),
            ),
        ),
        (size, size),
    ).tocsc()
    voltage = spsolve(matrix, source)
    return np.asarray(voltage[on_column[-1]] * wire)
