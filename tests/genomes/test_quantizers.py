"""Levels, parts and widths by hand."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genomes.quantizers import Part, largest_level, parts_of, stored_bits

BITS = st.integers(1, 8)
QUANTIZERS = st.sampled_from(["uniform", "power_of_two"])


@pytest.mark.parametrize(
    ("bits", "quantizer", "largest", "stored"),
    [
        (1, "uniform", 1, 1),
        (2, "uniform", 1, 2),
        (3, "uniform", 3, 3),
        (8, "uniform", 127, 8),
        (1, "power_of_two", 1, 1),
        (2, "power_of_two", 1, 2),
        (3, "power_of_two", 4, 4),
        (4, "power_of_two", 64, 8),
        (5, "power_of_two", 15, 5),  # uniform from here on
    ],
)
def test_largest_levels_and_stored_bits_by_hand(bits, quantizer, largest, stored):
    assert largest_level(bits, quantizer) == largest
    assert stored_bits(bits, quantizer) == stored


@given(BITS, QUANTIZERS)
def test_the_stored_bits_hold_the_levels_and_no_more(bits, quantizer):
    largest, stored = largest_level(bits, quantizer), stored_bits(bits, quantizer)

    assert stored <= 8
    assert largest <= max(1, 2 ** (stored - 1) - 1)
    assert stored <= 2 or largest > 2 ** (stored - 2) - 1


def test_parts_by_hand():
    # seven channels in three groups: two, two, three
    assert parts_of("a", 7, (2, 2, 5)) == (Part("a/1", 0, 4, 2), Part("a/2", 4, 7, 5))
    assert parts_of("a", 7, (5, 2, 5)) == (
        Part("a/1", 0, 2, 5),
        Part("a/2", 2, 4, 2),
        Part("a/3", 4, 7, 5),
    )
    assert parts_of("a", 7, (3, 3, 3)) == (Part("a", 0, 7, 3),)
    assert parts_of("a", 7, (8,)) == (Part("a", 0, 7, 8),)


@given(st.lists(BITS, min_size=1, max_size=9), st.integers(0, 40))
def test_parts_hold_every_channel_once_and_neighbours_differ(bits, more):
    channels = len(bits) + more
    parts = parts_of("a", channels, bits)

    assert parts[0].start == 0
    assert parts[-1].stop == channels
    assert all(a.stop == b.start for a, b in pairwise(parts))
    assert all(a.weight_bits != b.weight_bits for a, b in pairwise(parts))
    assert all(part.channels >= 1 for part in parts)
    # as equal as can be: a channel's bits are those of the group that it lies in
    by_channel = [part.weight_bits for part in parts for _ in range(part.channels)]
    borders = [k * channels // len(bits) for k in range(len(bits) + 1)]
    sizes = {stop - start for start, stop in pairwise(borders)}
    assert max(sizes) - min(sizes) <= 1
    assert all(
        set(by_channel[start:stop]) == {width}
        for start, stop, width in zip(borders, borders[1:], bits, strict=False)
    )
