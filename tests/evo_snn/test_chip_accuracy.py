"""Accuracy on chip instances: what is measured, from which draws, and how sure it is."""

from dataclasses import replace
from math import sqrt

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from evo_snn.chip_accuracy import fixed_part, hits_on_chip, metrics_on_chip, summary
from evo_snn.fidelity import OnChip
from evo_snn.snn import build, deploy
from evo_snn.snn.exits import decided
from evo_snn.snn.on_chip import on_chip
from evo_snn.training import Samples, measure
from genomes.spaces import make_space
from hardware import load_chip
from hardware.conditions import Conditions

CHIP = load_chip("rram_32nm")
NOISY = Conditions(variation=0.5, stuck_off=0.1)
HOW = OnChip(NOISY, "fast", instances=3, samples=0, calibration=8, fresh=True, after={})


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def network():
    space = make_space("plain", (1, 8, 8), 10, {"max_stages": 1, "widths": [8]})
    return deploy(build(space.decode([0] * len(space.genes)), 0))


@pytest.fixture(scope="module")
def samples(network):
    """Sixty samples with the classes that the network itself gives them: it is always right."""
    x = torch.rand(60, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return Samples(x, network(x).argmax(1))


def measured(network, samples, how=HOW, chip=CHIP, seed=1):
    rates = measure(network, samples).rates
    return metrics_on_chip(
        network, chip, how, train=samples, validation=samples, rates=rates, seed=seed
    )


def test_a_summary_by_hand():
    hits = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0]], dtype=torch.bool)
    # Accuracies 3/4 and 1/2; shares of the instances 1, 1, 1/2, 0, whose variance is 11/48.
    found = summary(hits, 8)
    assert found["accuracy_on_chip"] == 5 / 8
    assert found["accuracy_on_chip_worst"] == 1 / 2
    assert found["accuracy_on_chip_std"] == pytest.approx(sqrt(2) / 8)
    error = sqrt((1 / 32) / 2 + (11 / 48) / 4 * (1 - 4 / 8))
    assert found["accuracy_on_chip_stderr"] == pytest.approx(error)
    # Of all samples there is no doubt about samples.
    assert summary(hits, 4)["accuracy_on_chip_stderr"] == pytest.approx(1 / 8)
    alone = summary(hits[:1], 4)
    assert (alone["accuracy_on_chip_std"], alone["accuracy_on_chip_stderr"]) == (0.0, 0.0)


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 4), st.data())
def test_a_summary_is_within_its_bounds(instances, count, more, data):
    row = st.lists(st.booleans(), min_size=count, max_size=count)
    hits = torch.tensor(data.draw(st.lists(row, min_size=instances, max_size=instances)))
    found = summary(hits, count + more)
    accuracy, worst = found["accuracy_on_chip"], found["accuracy_on_chip_worst"]
    assert 0 <= worst <= accuracy + 1e-12 <= 1 + 1e-9
    assert 0 <= found["accuracy_on_chip_std"] <= sqrt(1 / 2) + 1e-9
    assert 0 <= found["accuracy_on_chip_stderr"] <= 1
    if hits.all():
        assert set(found.values()) == {0.0, 1.0}


def test_a_standard_error_tells_how_parts_and_instances_differ():
    """Over many parts of one population, the mean's deviation is about what the formula says."""
    generator = torch.Generator().manual_seed(3)
    easy = torch.rand(400, generator=generator)
    means, errors = [], []
    for _ in range(300):
        quality = 0.1 * torch.randn(8, 1, generator=generator)
        hits = torch.rand(8, 400, generator=generator) < easy + quality
        part = torch.randperm(400, generator=generator)[:100]
        found = summary(hits[:, part], 400)
        means.append(found["accuracy_on_chip"])
        errors.append(found["accuracy_on_chip_stderr"])
    seen, said = torch.tensor(means).std().item(), torch.tensor(errors).mean().item()
    assert 0.9 < said / seen < 1.3  # rather too large


def test_it_is_a_pure_function_of_network_chip_and_seed(network, samples):
    first = measured(network, samples)
    assert measured(network, samples) == first
    assert measured(network, samples, seed=2) != first
    assert set(first) == {
        "accuracy_on_chip", "accuracy_on_chip_worst", "accuracy_on_chip_std",
        "accuracy_on_chip_stderr",
    }  # fmt: skip
    assert 0 < first["accuracy_on_chip"] < 1


def test_each_instance_is_that_of_its_number(network, samples):
    hits = hits_on_chip(network, CHIP, HOW, samples, instances=[4, 1], seed=7)
    for row, number in zip(hits, (4, 1), strict=True):
        with torch.no_grad():
            drawn = on_chip(network, CHIP, NOISY, seed=7, instance=number)
            assert torch.equal(row, drawn(samples.x).argmax(1) == samples.y)
    assert not torch.equal(hits[0], hits[1])


@pytest.mark.parametrize("path", ["fast", "exact"])
def test_ideal_chips_are_the_network(network, samples, path):
    how = replace(HOW, conditions=Conditions(), path=path)
    found = measured(network, samples, how)
    assert found["accuracy_on_chip"] == found["accuracy_on_chip_worst"] == 1.0
    assert found["accuracy_on_chip_std"] == 0.0


def test_many_forward_passes_give_the_same(network, samples, monkeypatch):
    whole = measured(network, samples)
    monkeypatch.setattr("evo_snn.chip_accuracy.ELEMENTS_AT_ONCE", 8 * 64 * 7)  # seven samples
    assert measured(network, samples) == whole


def test_the_exact_path_feels_the_adc(network, samples):
    """One bit a cell and 8 levels for 64 rows at once: sums above 7 are clipped."""
    chip = load_chip("rram_32nm", {"adc_levels": 8, "rows_per_read": 64})
    ideal = replace(HOW, conditions=Conditions(), path="exact")
    fine = measured(network, samples, ideal)["accuracy_on_chip"]
    assert fine == 1.0
    assert measured(network, samples, ideal, chip)["accuracy_on_chip"] < fine


def test_time_is_felt_where_the_device_says_so(network, samples):
    conditions = Conditions(device="pcm_nandakumar_icecs_2019", rescale=True)
    after = {"accuracy_after_0": 0.0, "accuracy_after_86400": 86400.0}
    how = replace(HOW, conditions=conditions, fresh=False, after=after)
    found = measured(network, samples, how)
    assert set(found) == set(after)
    assert found["accuracy_after_86400"] < found["accuracy_after_0"]
    both = measured(network, samples, replace(how, fresh=True))
    assert both["accuracy_on_chip"] == found["accuracy_after_0"]
    assert {name: both[name] for name in after} == found


def test_a_part_is_always_the_same(samples):
    part = fixed_part(samples, 20)
    assert len(part) == 20
    again = fixed_part(Samples(samples.x.clone(), samples.y.clone()), 20)
    assert torch.equal(part.x, again.x)
    assert torch.equal(part.y, again.y)
    places = [int((samples.x == one).flatten(1).all(1).nonzero()) for one in part.x]
    assert places == sorted(set(places))
    assert places != list(range(20))
    for everything in (0, 60, 99):
        assert fixed_part(samples, everything) is samples


def test_a_part_is_what_is_measured(network, samples):
    how = replace(HOW, samples=20)
    part = fixed_part(samples, 20)
    hits = hits_on_chip(network, CHIP, how, part, instances=range(3), seed=1)
    assert measured(network, samples, how) == summary(hits, 60)


@pytest.mark.parametrize("option", ["time_exits", "depth_exits"])
def test_with_an_exit_the_decisions_count(option):
    options = {"max_stages": 2, "widths": [8], "time_steps": [4], "exit_confidences": [0.15]}
    space = make_space("plain", (1, 8, 8), 10, {**options, option: ["on"]})
    genome = [len(gene) - 1 if gene.name == "stages" else 0 for gene in space.genes]
    network = deploy(build(space.decode(genome), 0))
    x = torch.rand(60, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        decisions, last = decided(network, x).classes, network(x).argmax(1)
    assert (decisions != last).any()

    hits = hits_on_chip(
        network, CHIP, replace(HOW, conditions=Conditions()), Samples(x, decisions),
        instances=[0], seed=0,
    )  # fmt: skip
    assert hits.all()  # on ideal cells
