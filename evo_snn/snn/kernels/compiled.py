"""The neurons' recurrence as loops over memory, compiled by Numba when first called, then cached.

Maps lie channels last, so that all samples of one time step are one vector of (samples x pixels x
channels), however many spatial dimensions there are. A *group* of that vector, some hundred values,
stays in the processor's first cache over all time steps: it is scaled and shifted by channel,
integrated, compared, reset and rounded, and nothing but spikes is written. The backward pass
computes the states anew from the same maps, which is cheaper than fetching them from memory, and
goes back through time.

What makes these loops fast: each runs over one group with few arrays, which LLVM turns into vector
instructions; parts of large arrays are slices, since an index with an offset might be negative for
all that Numba knows. No fast-math: sums and products are rounded one by one as torch rounds them,
so that spikes are Norse's. Literals would be float64: constants come in ``p``, in the data's type.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[Any]

LIF_BOX, LIF, IAF = 0, 1, 2
SUPER, TRIANGLE, TANH, CIRC, ERFC = 0, 1, 2, 3, 4

# Places in ``p``
ZERO, ONE, TWO, THRESHOLD, LEAK, SYNAPTIC, ALPHA, LOWEST, HIGHEST, ROOT_OF_PI = range(10)
PLACES = 10

FLUSH = 16
"""Groups whose sums are added up in the type of the data before they join float64 sums."""

_compiled = njit(cache=True, nogil=True, error_model="numpy")


@_compiled
def _tiled(values: Floats, length: int) -> Floats:  # pragma: no cover
    """Values by channel, repeated up to a length, a multiple of their number."""
    out = np.empty(length, values.dtype)
    channels = len(values)
    for at in range(0, length, channels):
        out[at : at + channels] = values
    return out


@_compiled
def _scaled(x: Floats, a: Floats, b: Floats, out: Floats) -> None:  # pragma: no cover
    for j in range(len(x)):
        out[j] = x[j] * a[j] + b[j]


@_compiled
def _integrate(
    kind: int, p: Floats, current: Floats, v: Floats, i: Floats, u: Floats
) -> None:  # pragma: no cover
    """Membranes ``u`` before the reset, of states ``v`` and ``i``; ``i`` becomes what acts now."""
    leak, zero = p[LEAK], p[ZERO]
    if kind == LIF_BOX:
        for j in range(len(u)):
            u[j] = v[j] + leak * (current[j] - v[j])
    elif kind == LIF:
        for j in range(len(u)):
            i[j] = i[j] + current[j]
        for j in range(len(u)):
            u[j] = v[j] + leak * ((zero - v[j]) + i[j])
    else:
        for j in range(len(u)):
            u[j] = v[j] + current[j]


@_compiled
def _spikes(p: Floats, u: Floats, out: Floats) -> None:  # pragma: no cover
    threshold, zero, one = p[THRESHOLD], p[ZERO], p[ONE]
    for j in range(len(u)):
        out[j] = one if u[j] - threshold > zero else zero


@_compiled
def _reset(subtract: bool, p: Floats, u: Floats, v: Floats) -> None:  # pragma: no cover
    """Membranes after the reset, of those before it."""
    threshold, zero = p[THRESHOLD], p[ZERO]
    if subtract:
        for j in range(len(u)):
            v[j] = u[j] - threshold if u[j] - threshold > zero else u[j]
    else:
        for j in range(len(u)):
            v[j] = zero if u[j] - threshold > zero else u[j]


@_compiled
def _decayed(p: Floats, i: Floats, out: Floats) -> None:  # pragma: no cover
    """What is left of synaptic currents after a step."""
    loss = -p[SYNAPTIC]
    for j in range(len(i)):
        out[j] = i[j] + loss * i[j]


@_compiled
def _stored(p: Floats, step: Floats, state: Floats) -> None:  # pragma: no cover
    """States as the chip stores them."""
    lowest, highest = p[LOWEST], p[HIGHEST]
    for j in range(len(state)):
        level = min(max(np.rint(state[j] / step[j]), lowest), highest)
        state[j] = level * step[j]


@_compiled
def _inside(p: Floats, step: Floats, state: Floats, out: Floats) -> None:  # pragma: no cover
    """1 where a state does not saturate, else 0."""
    lowest, highest, zero, one = p[LOWEST], p[HIGHEST], p[ZERO], p[ONE]
    for j in range(len(state)):
        level = np.rint(state[j] / step[j])
        out[j] = one if level >= lowest and level <= highest else zero


@_compiled
def fire(
    maps: Floats,
    kind: int,
    subtract: bool,
    quantized: bool,
    scale: Floats,
    shift: Floats,
    step: Floats,
    p: Floats,
    group: int,
    out: Floats,
) -> None:  # pragma: no cover
    """Spikes of maps, from rest.

    Args:
        maps: (steps, samples x pixels x channels), or one step where all are equal.
        kind: ``LIF_BOX``, ``LIF`` or ``IAF``.
        subtract: Whether a spike takes the threshold from the membrane, and not all of it.
        quantized: Whether states are rounded to multiples of ``step``.
        scale: (channels,): maps are multiplied by it.
        shift: (channels,): and this is added.
        step: (channels,).
        p: The constants.
        group: Values at a time, a multiple of the channels.
        out: (steps, samples x pixels x channels); is written.
    """
    a, b, q = _tiled(scale, group), _tiled(shift, group), _tiled(step, group)
    current, v_all, i_all, u_all = (
        np.empty_like(a),
        np.empty_like(a),
        np.empty_like(a),
        np.empty_like(a),
    )
    steps, length = out.shape
    for at in range(0, length, group):
        n = min(group, length - at)
        v, i, u, c = v_all[:n], i_all[:n], u_all[:n], current[:n]
        v[:] = p[ZERO]
        i[:] = p[ZERO]
        for t in range(steps):
            if t < len(maps):
                _scaled(maps[t, at : at + n], a, b, c)
            _integrate(kind, p, c, v, i, u)
            _spikes(p, u, out[t, at : at + n])
            if t == steps - 1:
                break
            _reset(subtract, p, u, v)
            if kind == LIF:
                _decayed(p, i, i)
            if quantized:
                _stored(p, q, v)
                if kind == LIF:
                    _stored(p, q, i)


@_compiled
def _slopes(kind: int, p: Floats, u: Floats, out: Floats) -> None:  # pragma: no cover
    """Norse's surrogate gradients of a spike with respect to u, at u - threshold."""
    th, zero, one, two, alpha = p[THRESHOLD], p[ZERO], p[ONE], p[TWO], p[ALPHA]
    if kind == SUPER:
        for j in range(len(u)):
            y = abs(u[j] - th) + one
            out[j] = one / (y * y)
    elif kind == TRIANGLE:
        for j in range(len(u)):
            out[j] = alpha * max(zero, one - abs(u[j] - th))
    elif kind == TANH:
        for j in range(len(u)):
            y = np.tanh((u[j] - th) * alpha)
            out[j] = one - y * y
    elif kind == CIRC:
        for j in range(len(u)):
            square = (u[j] - th) * (u[j] - th)
            root = np.sqrt(alpha * alpha + square)
            out[j] = (one / (two * root) - square / (two * root * root * root)) * two * alpha
    else:
        for j in range(len(u)):
            y = (u[j] - th) * alpha
            out[j] = two * np.exp(-(y * y)) / p[ROOT_OF_PI]


@_compiled
def _through_spike(
    p: Floats, u: Floats, slope: Floats, of_spikes: Floats, gv: Floats, gs: Floats
) -> None:  # pragma: no cover
    """``gs``: the gradient of u through the spike; ``gv``: through both, the reset included."""
    threshold, zero = p[THRESHOLD], p[ZERO]
    for j in range(len(u)):
        gs[j] = (of_spikes[j] - gv[j] * u[j]) * slope[j]
    for j in range(len(u)):
        gv[j] = gs[j] + (zero if u[j] - threshold > zero else gv[j])


@_compiled
def _through_subtraction(
    p: Floats,
    u: Floats,
    slope: Floats,
    of_spikes: Floats,
    gv: Floats,
    gs: Floats,
    of_threshold: Floats,
) -> None:  # pragma: no cover
    """As `_through_spike` where the threshold is subtracted, which feels that itself."""
    threshold, zero = p[THRESHOLD], p[ZERO]
    for j in range(len(u)):
        gs[j] = (of_spikes[j] - gv[j] * threshold) * slope[j]
    for j in range(len(u)):
        of_threshold[j] -= gv[j] if u[j] - threshold > zero else zero
    for j in range(len(u)):
        gv[j] += gs[j]


@_compiled
def _added(x: Floats, y: Floats, out: Floats) -> None:  # pragma: no cover
    for j in range(len(x)):
        out[j] += x[j] * y[j]


@_compiled
def _flushed(sums: Floats, totals: Floats) -> None:  # pragma: no cover
    """Add sums over a group to totals by channel, and forget them."""
    channels = len(totals)
    for at in range(0, len(sums), channels):
        part = sums[at : at + channels]
        for c in range(channels):
            totals[c] += part[c]
    sums[:] = 0


@_compiled
def _states(
    maps: Floats,
    at: int,
    kind: int,
    subtract: bool,
    quantized: bool,
    a: Floats,
    b: Floats,
    q: Floats,
    p: Floats,
    states: Floats,
) -> None:  # pragma: no cover
    """What `fire` went through for one group: ``states`` (6, steps, n).

    The current; ``v`` before each step; ``i`` that acts in it; ``u`` before the reset; 1 where v
    and i after it do not saturate.
    """
    # indexed, since what is unpacked makes no vector instructions
    current, v, i, u = states[0], states[1], states[2], states[3]
    v_inside, i_inside = states[4], states[5]
    steps, n = u.shape
    v[0, :] = p[ZERO]
    i[0, :] = p[ZERO]
    for t in range(steps):
        if t < len(maps):
            _scaled(maps[t, at : at + n], a, b, current[t])
        _integrate(kind, p, current[min(t, len(maps) - 1)], v[t], i[t], u[t])
        if t == steps - 1:
            break
        _reset(subtract, p, u[t], v[t + 1])
        if quantized:
            _inside(p, q, v[t + 1], v_inside[t])
            _stored(p, q, v[t + 1])
        if kind == LIF:
            _decayed(p, i[t], i[t + 1])
            if quantized:
                _inside(p, q, i[t + 1], i_inside[t])
                _stored(p, q, i[t + 1])


@_compiled
def _back(
    kind: int,
    p: Floats,
    current: Floats,
    v: Floats,
    i: Floats,
    gv: Floats,
    gi: Floats,
    gc: Floats,
    of_leak: Floats,
) -> None:  # pragma: no cover
    """Through `_integrate`: ``gv`` is u's gradient and becomes v's; ``gc`` gains the current's."""
    leak, kept = p[LEAK], p[ONE] - p[SYNAPTIC]
    if kind == LIF_BOX:
        for j in range(len(gv)):
            of_leak[j] += gv[j] * (current[j] - v[j])
        for j in range(len(gv)):
            gc[j] += gv[j] * leak
            gv[j] -= gv[j] * leak
    elif kind == LIF:
        for j in range(len(gv)):
            of_leak[j] += gv[j] * (i[j] - v[j])
        for j in range(len(gv)):
            gi[j] = gi[j] * kept + gv[j] * leak
            gv[j] -= gv[j] * leak
        for j in range(len(gv)):
            gc[j] += gi[j]
    else:
        for j in range(len(gv)):
            gc[j] += gv[j]


@_compiled
def _masked(inside: Floats, gradient: Floats) -> None:  # pragma: no cover
    for j in range(len(gradient)):
        gradient[j] *= inside[j]


@_compiled
def _through_time(
    kind: int,
    surrogate: int,
    subtract: bool,
    p: Floats,
    states: Floats,
    at: int,
    of_spikes: Floats,
    of_current: Floats,
    vectors: Floats,
    sums: Floats,
) -> None:  # pragma: no cover
    """Backward through all steps of one group, whose ``states`` are (6, steps, n)."""
    current, v, i, u = states[0], states[1], states[2], states[3]
    v_inside, i_inside = states[4], states[5]
    steps, n = u.shape
    slope, gv, gi, gs = vectors[0, :n], vectors[1, :n], vectors[2, :n], vectors[3, :n]
    of_threshold, of_leak = sums[0, :n], sums[1, :n]
    gv[:] = p[ZERO]
    gi[:] = p[ZERO]
    for t in range(steps - 1, -1, -1):
        if t < steps - 1:
            _masked(v_inside[t], gv)
            if kind == LIF:
                _masked(i_inside[t], gi)
        _slopes(surrogate, p, u[t], slope)
        if subtract:
            _through_subtraction(p, u[t], slope, of_spikes[t, at : at + n], gv, gs, of_threshold)
        else:
            _through_spike(p, u[t], slope, of_spikes[t, at : at + n], gv, gs)
        for j in range(n):
            of_threshold[j] -= gs[j]
        t_in = min(t, len(of_current) - 1)
        gc = of_current[t_in, at : at + n]
        if t == steps - 1 or len(of_current) > 1:  # of equal maps all steps are added up
            gc[:] = p[ZERO]
        _back(kind, p, current[t_in], v[t], i[t], gv, gi, gc, of_leak)


@_compiled
def gradients(
    maps: Floats,
    kind: int,
    surrogate: int,
    subtract: bool,
    quantized: bool,
    scale: Floats,
    shift: Floats,
    step: Floats,
    p: Floats,
    group: int,
    of_spikes: Floats,
    of_current: Floats,
    totals: Floats,
) -> None:  # pragma: no cover
    """Gradients of what `fire` was given, from those of its spikes.

    Args:
        maps: As for `fire`, like all that have a name there.
        kind: As for `fire`.
        surrogate: ``SUPER`` and so on.
        subtract: As for `fire`.
        quantized: As for `fire`.
        scale: As for `fire`.
        shift: As for `fire`.
        step: As for `fire`.
        p: As for `fire`.
        group: As for `fire`.
        of_spikes: As `fire`'s ``out``: the gradients of the spikes.
        of_current: As ``maps``; is written: of what the neurons integrate, the scaled maps.
        totals: float64 (4, channels), zeros; becomes, by channel, the gradients of the threshold,
            of the leak, of ``shift`` and of ``scale``.
    """
    steps, length = of_spikes.shape
    a, b, q = _tiled(scale, group), _tiled(shift, group), _tiled(step, group)
    sums = np.zeros((4, group), maps.dtype)
    memory = np.empty(6 * steps * group, maps.dtype)
    memory[:] = p[ONE]  # nothing saturates where states are not rounded
    vectors = np.empty((4, group), maps.dtype)
    for number, at in enumerate(range(0, length, group)):
        n = min(group, length - at)
        states = memory[: 6 * steps * n].reshape(6, steps, n)
        if n < group:
            states[4:] = p[ONE]
        _states(maps, at, kind, subtract, quantized, a, b, q, p, states)
        _through_time(
            kind, surrogate, subtract, p, states, at, of_spikes, of_current, vectors, sums
        )
        for t in range(len(maps)):
            gc = of_current[t, at : at + n]
            for j in range(n):
                sums[2, j] += gc[j]
            _added(gc, maps[t, at : at + n], sums[3])
        if number % FLUSH == FLUSH - 1:
            for k in range(4):
                _flushed(sums[k], totals[k])
    for k in range(4):
        _flushed(sums[k], totals[k])


@_compiled
def through_normalisation(
    maps: Floats, factors: Floats, group: int, gradient: Floats
) -> None:  # pragma: no cover
    """Make gradient := factors[0] · gradient + factors[1] + factors[2] · maps, by channel.

    Args:
        maps: Flat, channels last.
        factors: (3, channels).
        group: Values at a time, a multiple of the channels.
        gradient: As ``maps``; of the normalised maps, becomes that of the maps.
    """
    f, g, h = _tiled(factors[0], group), _tiled(factors[1], group), _tiled(factors[2], group)
    for at in range(0, len(maps), group):
        x, out = maps[at : at + group], gradient[at : at + group]
        for j in range(len(x)):
            out[j] = f[j] * out[j] + (g[j] + h[j] * x[j])


@_compiled
def _sums(
    x: Floats, group: int, power: int, origin: Floats, totals: Floats
) -> None:  # pragma: no cover
    """Add powers of differences to an origin, by channel, to totals."""
    zero, sums = _tiled(origin, group), np.zeros(group, x.dtype)
    for number, at in enumerate(range(0, len(x), group)):
        part = x[at : at + group]
        if power == 1:
            for j in range(len(part)):
                sums[j] += part[j] - zero[j]
        else:
            for j in range(len(part)):
                sums[j] += (part[j] - zero[j]) * (part[j] - zero[j])
        if number % FLUSH == FLUSH - 1:
            _flushed(sums, totals)
    _flushed(sums, totals)


@_compiled
def moments(maps: Floats, group: int, out: Floats) -> None:  # pragma: no cover
    """Mean and variance by channel, the variance divided by the number.

    In two passes, so that nothing cancels where a mean is far from 0.

    Args:
        maps: Flat, channels last.
        group: Values at a time, a multiple of the channels.
        out: float64 (2, channels), zeros; is written.
    """
    channels = out.shape[1]
    pixels = len(maps) // channels
    origin = np.zeros(channels, maps.dtype)
    _sums(maps, group, 1, origin, out[0])
    for c in range(channels):
        out[0, c] /= pixels
        origin[c] = out[0, c]
    _sums(maps, group, 2, origin, out[1])
    for c in range(channels):
        out[1, c] /= pixels
