"""Effects: paired differences by hand, intervals that cover at their rate, what is suggested."""

import math
import tomllib

import numpy as np
import pytest

from evo_snn.ablation_design import Block, Record, Role
from evo_snn.candidate import ObjectiveRecord
from evo_snn.effects import (
    FEWEST_PAIRS,
    LEVEL,
    Effect,
    Measured,
    interval,
    measured_genes,
    reference,
    reference_name,
    resample,
)
from evo_snn.suggestions import in_words, needless_choices, shown, suggestions

ACCURACY = ObjectiveRecord("accuracy", maximise=True)
ENERGY = ObjectiveRecord("energy_uj", maximise=False, unit="µJ", log=True)
SPIKES = ObjectiveRecord("spikes", maximise=False, unit="spikes")

POOL = Role(
    name="stage.pool",
    genes=("stage1.pool", "stage2.pool"),
    choices=("none", "average", "max"),
    kind="categorical",
    key="space.pools",
    configured=("none", "average", "max"),
)
BITS = Role(
    name="weight_bits",
    genes=("weight_bits",),
    choices=(2, 4, 6, 8),
    kind="ordered",
    key="space.weight_bits",
    configured=(2, 4, 6, 8),
)


def sample(role, values, objectives=(ACCURACY, ENERGY), **changes):
    """Blocks with values (blocks, choices, objectives), NaN for what was not measured."""
    blocks, metrics = [], {}
    for base, row in enumerate(values):
        keys = tuple(f"{base}-{k}" for k in range(len(role.choices)))
        for key, measured in zip(keys, row, strict=True):
            metrics[key] = {
                one.name: value
                for one, value in zip(objectives, measured, strict=True)
                if not math.isnan(value)
            }
        gene = role.genes[base % len(role.genes)]
        blocks.append(Block(base=base, role=0, gene=gene, among=1, keys=keys))
    return Measured(role, blocks, metrics, objectives, **changes)


def around(means, n=20, spread=0.1, seed=0):
    """Values around means (choices, objectives); costs are multiplied, not added to."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(n):
        noise = rng.normal(0, spread, (len(means), 2))
        rows.append([(a + x, e * math.exp(y)) for (a, e), (x, y) in zip(means, noise, strict=True)])
    return rows


def test_a_categorical_choice_is_compared_with_none_or_with_the_others():
    assert [reference(POOL, k) for k in range(3)] == [(1, 2), (0,), (0,)]
    assert [reference_name(POOL, reference(POOL, k)) for k in range(3)] == [
        "the others", "none", "none"
    ]  # fmt: skip
    neuron = POOL.model_copy(update={"choices": ("lif", "iaf", "lif_box")})
    assert [reference(neuron, k) for k in range(3)] == [(1, 2), (0, 2), (0, 1)]


def test_an_ordered_choice_is_compared_with_the_one_before():
    assert [reference(BITS, k) for k in range(4)] == [(), (0,), (1,), (2,)]
    assert reference_name(BITS, (2,)) == "6"


def test_effects_are_means_of_paired_differences():
    values = [
        [(0.50, 1.0), (0.60, 2.0), (0.40, 1.0)],
        [(0.70, 5.0), (0.72, 2.5), (0.80, 5.0)],
        [(0.10, 2.0), (0.13, 16.0), (0.10, 2.0)],
    ]
    accuracy, energy = sample(POOL, values).effects(1, (0,))
    assert accuracy.unit == "points"
    assert accuracy.effect == pytest.approx(100 * (0.10 + 0.02 + 0.03) / 3)
    assert energy.unit == "%"
    assert energy.effect == pytest.approx(100 * ((2 * 0.5 * 8) ** (1 / 3) - 1))
    assert accuracy.pairs == energy.pairs == 3 < FEWEST_PAIRS
    assert not accuracy.is_measured
    assert accuracy.outcome == "unclear"
    accuracy, energy = sample(POOL, values).effects(0, (1, 2))
    assert accuracy.effect == pytest.approx(100 * (0.0 - 0.06 - 0.015) / 3)
    # of costs the others are taken together by their geometric mean
    logs = [math.log(1 / 2**0.5), math.log(5 / 12.5**0.5), math.log(2 / 32**0.5)]
    assert energy.effect == pytest.approx(100 * (math.exp(sum(logs) / 3) - 1))


def test_other_objectives_keep_their_unit():
    values = [[(10.0,), (13.0,), (10.0,)], [(20.0,), (21.0,), (20.0,)]]
    (spikes,) = sample(POOL, values, (SPIKES,)).effects(1, (0,))
    assert (spikes.unit, spikes.effect) == ("spikes", 2.0)


def test_what_was_not_measured_costs_its_pairs_alone():
    values = around([(0.5, 1.0), (0.6, 2.0), (0.6, 2.0)], n=8, spread=0)
    values[2][1] = (math.nan, 2.0)
    values[5][0] = (math.nan, math.nan)
    measured = sample(POOL, values)
    accuracy, energy = measured.effects(1, (0,))
    assert (accuracy.pairs, energy.pairs) == (6, 7)
    assert accuracy.effect == pytest.approx(10)
    assert energy.effect == pytest.approx(100)
    assert [one.pairs for one in measured.effects(0, (1, 2))] == [6, 7]


def test_an_interval_on_the_better_side_helps():
    helps = [(0.5, 4.0), (0.9, 1.0), (0.1, 16.0)]
    accuracy, energy = sample(POOL, around(helps)).effects(1, (0,))
    assert (accuracy.outcome, energy.outcome) == ("helps", "helps")
    assert accuracy.low < accuracy.effect < accuracy.high
    accuracy, energy = sample(POOL, around(helps)).effects(2, (0,))
    assert (accuracy.outcome, energy.outcome) == ("harms", "harms")
    accuracy, energy = sample(POOL, around([(0.5, 4.0)] * 3)).effects(2, (0,))
    assert (accuracy.outcome, energy.outcome) == ("unclear", "unclear")


def test_a_gene_by_itself_stands_for_all_bases_that_feel_it():
    values = [[(0.5, 1.0), (0.6, 1.0), (0.5, 1.0)], [(0.5, 1.0), (0.9, 1.0), (0.5, 1.0)]]
    metrics = {
        f"{base}-{k}": {"accuracy": accuracy, "energy_uj": energy}
        for base, row in enumerate(values)
        for k, (accuracy, energy) in enumerate(row)
    }
    keys = [tuple(f"{base}-{k}" for k in range(3)) for base in range(2)]
    blocks = (
        Block(base=0, role=0, gene="stage1.pool", among=1, keys=keys[0]),
        # drawn from three genes that are felt: it stands for three blocks
        Block(base=1, role=0, gene="stage1.pool", among=3, keys=keys[1]),
    )
    record = Record(roles=(POOL,), unmeasured={}, blocks=blocks)
    (name, first), (other, second) = measured_genes(record, metrics, (ACCURACY,))
    assert (name, other) == ("stage1.pool", "stage2.pool")
    assert first.effects(1, (0,))[0].effect == pytest.approx((10 + 3 * 40) / 4)
    assert second.effects(1, (0,))[0].pairs == 0
    assert shown(second.effects(1, (0,))[0]) == "-"


@pytest.mark.parametrize("n", [FEWEST_PAIRS, 12, 25])
@pytest.mark.parametrize("shape", ["normal", "mixed", "weighted"])
def test_intervals_cover_the_truth_at_their_rate(n, shape):
    """Of 1,500 samples with a known mean; "mixed" is an effect that few bases feel strongly."""
    rng = np.random.default_rng(n)
    counts = resample(n)[:2000]
    covered = 0
    repeats = 1500
    for _ in range(repeats):
        differences = rng.normal(1, 1, n)
        if shape == "mixed":
            differences = np.where(rng.random(n) < 0.3, 2.5, 0.25) + rng.normal(0, 0.5, n)
            differences -= 0.3 * 2.5 + 0.7 * 0.25 - 1
        weights = rng.integers(1, 4, n).astype(float) if shape == "weighted" else np.ones(n)
        low, high = interval(differences, weights, counts)
        covered += low <= 1 <= high
    # three standard errors of the rate are 0.017
    assert LEVEL - 0.035 < covered / repeats < LEVEL + 0.02


def test_the_margin_says_what_is_worth_having():
    values = around([(0.500, 1.0), (0.505, 1.03), (0.500, 1.0)], spread=0.001)
    few, many = (sample(POOL, values, margin=margin).effects(1, (0,)) for margin in (1.0, 0.1))
    assert [(one.outcome, one.may_help) for one in few] == [("same", False), ("harms", False)]
    assert [(one.outcome, one.may_help) for one in many] == [("helps", True), ("harms", False)]
    wide = sample(POOL, around([(0.5, 1.0)] * 3, spread=0.2)).effects(1, (0,))
    assert [(one.outcome, one.may_help) for one in wide] == [("unclear", True)] * 2


def test_rounding_is_no_effect():
    values = [[(0.1 + 0.2, 1.0), (0.3, 1.0), (0.1, 1.0)] for _ in range(FEWEST_PAIRS)]
    accuracy = sample(POOL, values, margin=0.0).effects(1, (0,))[0]
    assert (accuracy.effect, accuracy.low, accuracy.high, accuracy.outcome) == (0, 0, 0, "same")


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((0.123, -0.96, 1.64), "+0.1 [-1.0, 1.6]"),
        ((-0.04, -0.04, 0.0), "0.0 [0.0, 0.0]"),
        ((102.4, 9.96, 999.6), "+102 [10, 1000]"),
        ((-3.9, math.nan, math.nan), "-3.9"),
    ],
)
def test_effects_are_shown_with_a_digit_or_whole(values, text):
    assert shown(Effect("accuracy", "points", 9, *values, "unclear", may_help=True)) == text


def test_a_constant_difference_has_an_interval_of_no_width():
    assert interval(np.full(7, 0.25), np.ones(7), resample(7)) == pytest.approx((0.25, 0.25))


def test_a_choice_that_only_harms_is_needless_and_one_that_trades_is_not():
    better_and_dearer, dearer = (0.9, 4.0), (0.5, 4.0)
    measured = sample(POOL, around([(0.5, 1.0), better_and_dearer, dearer], spread=0.02))
    (found,) = needless_choices(measured)
    assert (found.choice, found.against, found.role) == ("max", "none", "stage.pool")
    line = in_words(found)
    assert line.startswith("max (stage.pool) against none: accuracy ")
    assert "energy_uj +3" in line
    assert "%" in line


def test_where_too_little_is_known_nothing_is_needless():
    same = sample(POOL, around([(0.5, 1.0)] * 3))
    assert needless_choices(same) == []
    few = sample(POOL, around([(0.5, 1.0), (0.5, 4.0), (0.5, 1.0)], n=FEWEST_PAIRS - 1))
    assert needless_choices(few) == []
    values = around([(0.5, 1.0), (0.5, 4.0), (0.5, 1.0)], spread=0.01)
    for row in values:
        row[1] = (math.nan, row[1][1])  # over a budget: its accuracy is not known
    assert needless_choices(sample(POOL, values)) == []


def test_ends_of_an_ordered_gene_go_as_long_as_none_of_them_helps():
    # 8 is no better than 6; 4 and 6 are each better than what is below
    measured = sample(BITS, around([(0.3, 1.0), (0.5, 1.2), (0.9, 1.4), (0.9, 2.0)], spread=0.005))
    assert [one.choice for one in needless_choices(measured)] == [8]
    # steps that are not worth having one by one, and are together: no more than the last goes
    rises = [(0.500, 1.0), (0.506, 1.2), (0.512, 1.4), (0.518, 1.7)]
    measured = sample(BITS, around(rises, spread=0.001))
    assert {measured.effects(k, (k - 1,))[0].outcome for k in (2, 3)} == {"same"}
    assert measured.effects(3, (1,))[0].outcome == "helps"
    assert [one.choice for one in needless_choices(measured)] == [8]
    # from below: 2 loses accuracy and costs more
    measured = sample(BITS, around([(0.3, 3.0), (0.5, 1.0), (0.9, 1.4), (0.95, 2.0)], spread=0.02))
    assert [(one.choice, one.against) for one in needless_choices(measured)] == [(2, "4")]


def suggested(roles, measured, **unmeasured):
    record = Record(roles=tuple(roles), unmeasured=unmeasured, blocks=())
    return suggestions(record, measured)


def test_a_suggestion_names_the_key_and_the_value_to_write():
    measured = sample(POOL, around([(0.5, 1.0), (0.9, 4.0), (0.5, 4.0)], spread=0.02))
    (found,) = suggested([POOL], [measured], **{"other.pool": "space.pools"})
    assert found.setting == '[space] pools = ["none", "average"]'
    section, _, line = found.setting.partition(" ")
    assert tomllib.loads(f"{section}\n{line}") == {"space": {"pools": ["none", "average"]}}
    assert found.unmeasured == ("other.pool",)


def test_a_choice_stays_while_any_role_of_its_key_needs_it():
    flat = around([(0.9, 1.0), (0.9, 1.4), (0.9, 2.0), (0.9, 3.0)], spread=0.005)
    rising = around([(0.3, 1.0), (0.5, 1.4), (0.9, 2.0), (0.9, 3.0)], spread=0.005)
    readout = BITS.model_copy(update={"name": "readout.weight_bits"})
    (found,) = suggested([BITS, readout], [sample(BITS, flat), sample(readout, rising)])
    assert found.value == (2, 4, 6)
    assert [one.role for one in found.needless] == ["weight_bits", "readout.weight_bits"]
    assert len(suggested([BITS], [sample(BITS, flat)])[0].value) == 1


def test_a_largest_number_can_be_lowered_and_not_raised():
    stages = BITS.model_copy(
        update={"choices": (1, 2, 3, 4), "key": "space.max_stages", "configured": 4}
    )
    rising = around([(0.3, 1.0), (0.9, 1.4), (0.9, 2.0), (0.9, 3.0)], spread=0.005)
    (found,) = suggested([stages], [sample(stages, rising)])
    assert found.setting == "[space] max_stages = 2"
    falling = around([(0.3, 3.0), (0.5, 1.0), (0.9, 1.4), (0.95, 2.0)], spread=0.005)
    (found,) = suggested([stages], [sample(stages, falling)])
    assert [one.choice for one in found.needless] == [1]
    assert (found.value, found.setting) == (None, "")


def test_never_are_all_choices_needless():
    lone = BITS.model_copy(update={"choices": ("a", "b"), "kind": "categorical", "key": ""})
    mirrored = around([(0.5, 1.0), (0.5, 1.0)], spread=0.0)
    assert needless_choices(sample(lone, mirrored)) == []
    worse = sample(lone, around([(0.9, 1.0), (0.5, 2.0)], spread=0.01))
    assert [one.choice for one in needless_choices(worse)] == ["b"]
    (found,) = suggested([lone], [worse])
    assert (found.key, found.setting) == ("", "")
