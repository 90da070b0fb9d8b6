"""Wire resistance of a crossbar: the exact resistive mesh, and a fixed attenuation of each cell.

Rows are driven at their first cell and columns sensed, at virtual ground, after their last cell.
From cell to cell, from the driver to the first cell and from the last cell to the sense amplifier,
a wire has the resistance r. Cells have a transistor each (1T1R): a row that is not active connects
none of its cells, so that nothing sneaks through them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

_MOST_ITERATIONS = 200


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


def attenuation(
    conductance: Array, wire_ohm: float, rate: float, *, tolerance: float = 1e-4
) -> Array:
    """The share of 1 V that lies across each cell while its row is active, for average spikes.

    The cell's own row carries its full current, every column the mean one, `rate` times that of all
    rows. With i = g A the cells' currents, row drops and column drops are sums of sums along the
    wires, a linear operator K, and

        A = 1 - r K (g A).

    I + r K g is self-adjoint and positive in the inner product weighted with g, so that conjugate
    gradients solve it for every r. It depends on weights and not on spikes: worked out once, a
    column's current is the plain sum over active rows of g A.

    Args:
        conductance: (…, n, m) in siemens, crossbars one after the other.
        wire_ohm: r.
        rate: Share of rows that are active in a read.
        tolerance: Largest residual, relative, in the weighted norm.

    Returns:
        (…, n, m), in [0, 1].
    """

    def drop(voltage: Array) -> Array:
        """R K (g voltage)."""
        current = conductance * voltage
        along_row = np.flip(np.cumsum(np.flip(current, -1), -1), -1)
        along_column = np.cumsum(current, -2)
        below = np.flip(np.cumsum(np.flip(along_column, -2), -2), -2)
        dropped: Array = wire_ohm * (np.cumsum(along_row, -1) + rate * below)
        return dropped

    def inner(first: Array, second: Array) -> Array:
        products: Array = np.einsum("...nm,...nm,...nm->...", first, conductance, second)
        return products[..., None, None]

    solution = np.ones_like(conductance)
    residual = -drop(solution)
    direction = residual
    norm = inner(residual, residual)
    enough = tolerance**2 * inner(solution, solution)
    for _ in range(_MOST_ITERATIONS):
        if (norm <= enough).all():
            break
        image = direction + drop(direction)
        curvature = inner(direction, image)
        step = np.divide(norm, curvature, out=np.zeros_like(norm), where=curvature > 0)
        solution = solution + step * direction
        residual = residual - step * image
        before, norm = norm, inner(residual, residual)
        gain = np.divide(norm, before, out=np.zeros_like(norm), where=before > 0)
        direction = residual + gain * direction
    return np.clip(solution, 0.0, 1.0)
