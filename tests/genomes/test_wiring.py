"""Cells: the standard form keeps what a cell does, and finds equal cells."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genomes.wiring import BACKWARD, FORWARD, SKIP, living, standard, without_dead_ends
from tests.genomes.cell_behaviour import outputs

CONV, AVERAGE, OTHER = (3, 1), (4,), (2, 5)
LINKS = st.dictionaries(
    st.sampled_from([*FORWARD, *BACKWARD]), st.sampled_from([SKIP, SKIP, CONV, AVERAGE, OTHER])
)


def test_links_are_in_the_order_of_the_tables():
    assert FORWARD == ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
    assert BACKWARD == ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2))


@pytest.mark.parametrize(
    ("links", "nodes"),
    [
        ([], {0, 3}),
        ([(0, 3)], {0, 3}),
        ([(0, 1), (1, 3), (0, 2)], {0, 1, 3}),  # nothing leads on from 2
        ([(0, 3), (1, 3)], {0, 3}),  # nothing leads to 1
        ([(0, 1), (1, 2), (2, 3)], {0, 1, 2, 3}),
        ([(0, 1), (2, 3), (3, 1), (2, 1)], {0, 3}),  # a backward link is no path
    ],
)
def test_nodes_without_a_path_are_dropped(links, nodes):
    assert living(links) == nodes


def test_a_cell_without_a_path_passes_its_input_on_and_keeps_its_feedback():
    assert without_dead_ends({}) == {(0, 3): SKIP}
    assert without_dead_ends({(0, 1): CONV, (3, 0): AVERAGE, (3, 1): CONV}) == {
        (0, 3): SKIP,
        (3, 0): AVERAGE,
    }


@given(LINKS)
@settings(max_examples=400)
def test_the_standard_form_does_the_same_and_is_its_own(links):
    found = standard(links)

    assert standard(found) == found
    assert outputs(found) == outputs(links)
    assert len(found) <= len(links) + 1  # a skip, where there is no path


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {(0, 3): SKIP}),
        ({(0, 3): CONV, (0, 1): CONV}, {(0, 3): CONV}),
        ({(0, 1): SKIP, (1, 3): CONV}, {(0, 3): CONV}),
        ({(0, 1): CONV, (1, 3): SKIP}, {(0, 3): CONV}),
        ({(0, 1): CONV, (1, 3): AVERAGE}, {(0, 2): CONV, (2, 3): AVERAGE}),
        (
            {(0, 1): SKIP, (0, 3): CONV, (1, 3): AVERAGE},
            {(0, 1): AVERAGE, (0, 3): CONV, (1, 3): SKIP},
        ),
        (
            {(0, 1): CONV, (1, 3): SKIP, (1, 0): AVERAGE},
            {(0, 3): CONV, (3, 0): AVERAGE},
        ),
        (
            {(0, 1): SKIP, (0, 2): CONV, (1, 2): OTHER, (2, 3): CONV},
            {(0, 1): SKIP, (0, 2): OTHER, (1, 2): CONV, (2, 3): CONV},
        ),
    ],
)
def test_equal_cells_have_one_form(one, other):
    assert outputs(one) == outputs(other)
    assert standard(one) == standard(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({(0, 1): SKIP, (1, 3): CONV, (1, 0): CONV}, {(0, 3): CONV}),  # it feeds back
        ({(0, 1): SKIP, (1, 3): CONV, (2, 1): CONV, (0, 2): CONV, (2, 3): SKIP}, {(0, 3): CONV}),
        ({(0, 1): CONV, (1, 3): SKIP, (3, 1): CONV}, {(0, 3): CONV, (3, 0): CONV}),
    ],
)
def test_different_cells_keep_their_forms_apart(one, other):
    assert outputs(one) != outputs(other)
    assert standard(one) != standard(other)


def test_all_forward_cells_of_three_different_operations():
    """A form is one cell; a cell is one form but where a node is skipped to twice."""
    forms = {}
    for whats in itertools.product((None, SKIP, CONV, AVERAGE, OTHER), repeat=6):
        if any(whats.count(what) > 1 for what in (CONV, AVERAGE, OTHER)):
            continue
        links = {pair: what for pair, what in zip(FORWARD, whats, strict=True) if what}
        form = standard(links)
        assert outputs(form) == outputs(links)
        forms.setdefault(outputs(links), set()).add(tuple(sorted(form.items())))

    assert len(forms) == 273
    assert sum(len(several) > 1 for several in forms.values()) == 4
