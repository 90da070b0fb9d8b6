"""Early exits: where inferences end, and what that makes of a workload."""

import pytest
import torch

from evo_snn.snn.exits import ended, loss_of_decisions
from evo_snn.snn.network import build
from evo_snn.training import Samples, measure
from genomes.spaces import make_space
from hardware import estimate


def scores(*probabilities):
    """(decisions, 1, 2) of the first class's probability."""
    p = torch.tensor(probabilities).view(-1, 1)
    return torch.stack([p.log(), (1 - p).log()], dim=2)


@pytest.mark.parametrize(
    ("probabilities", "confidence", "place", "chosen"),
    [
        ((0.95, 0.1, 0.1), 0.9, 0, 0),
        ((0.6, 0.05, 0.99), 0.9, 1, 1),
        ((0.6, 0.7, 0.45), 0.9, 2, 1),  # nowhere sure: the last decides
        ((0.6, 0.7, 0.45), 0.55, 0, 0),
    ],
)
def test_the_first_decision_that_is_sure(probabilities, confidence, place, chosen):
    found = ended(scores(*probabilities), confidence)

    assert (found.places.tolist(), found.classes.tolist()) == ([place], [chosen])


def test_the_loss_is_the_mean_over_decisions():
    one = loss_of_decisions(scores(0.5), torch.tensor([0]))
    both = loss_of_decisions(scores(0.5, 0.25), torch.tensor([0]))

    assert one.item() == pytest.approx(0.6931472)  # ln 2
    assert both.item() == pytest.approx((0.6931472 + 1.3862944) / 2)  # and ln 4


def architecture(**options):
    small = {"max_stages": 2, "max_blocks": 1, "widths": [4], "time_steps": [4], "kernels": [3]}
    space = make_space("plain", (1, 6, 6), 3, {**small, **options})
    genome = [len(gene) - 1 if gene.name == "stages" else 0 for gene in space.genes]
    return space.decode(genome)


def test_an_exit_in_time_shortens_the_workload():
    one = architecture(time_exits=["on"])
    shares = (0.5, 0.25, 0.0, 0.25)

    workload = one.ended(one.workload, shares)

    assert workload.timesteps == 4
    assert workload.mean_timesteps == 2.0  # 1/2 + 2/4 + 4/4
    full, less = estimate(one.workload), estimate(workload)
    assert less.latency_ms < full.latency_ms
    assert less.energy_uj < full.energy_uj
    assert less.area_mm2 == full.area_mm2


def test_an_exit_in_depth_spares_what_comes_after_it():
    one = architecture(depth_exits=["on"])

    workload = one.ended(one.workload, (0.75, 0.25))

    names = [layer.name for layer in one.layers]
    assert names == ["stage1.block1", "exit1", "stage2.block1", "readout"]
    assert [layer.executed for layer in workload.layers] == [1.0, 1.0, 0.25, 0.25]
    full, less = estimate(one.workload), estimate(workload)
    assert less.latency_ms < full.latency_ms
    assert less.energy_uj < full.energy_uj
    by_layer = zip(less.layers, full.layers, strict=True)
    shares = [a.energy_uj / b.energy_uj for a, b in by_layer]
    assert shares[:2] == pytest.approx([1, 1], rel=0.05)  # but for leakage, which follows time
    assert max(shares[2:]) < 0.5


def test_a_search_on_inferences_without_exits_has_one_decision():
    one = architecture()

    assert one.decisions == 1
    assert one.ended(one.workload, (1.0,)) == one.workload
    assert build(one, 1).decisions(torch.rand(2, 1, 6, 6)).shape == (1, 2, 3)


@pytest.mark.parametrize(("option", "decisions"), [("time_exits", 4), ("depth_exits", 2)])
def test_decisions_of_a_network(option, decisions):
    one = architecture(**{option: ["on"]})
    network = build(one, 1).eval()
    x = torch.rand(5, 1, 6, 6)

    with torch.no_grad():
        found, last = network.decisions(x), network(x)

    assert one.decisions == decisions
    assert found.shape == (decisions, 5, 3)
    assert torch.allclose(found[-1], last)


@pytest.mark.parametrize("option", ["time_exits", "depth_exits"])
def test_measuring_counts_where_inferences_end(option):
    one = architecture(**{option: ["on"]}, exit_confidences=[0.4])
    network = build(one, 1).eval()
    samples = Samples(torch.rand(40, 1, 6, 6), torch.arange(40) % 3)

    found = measure(network, samples)

    with torch.no_grad():
        expected = ended(network.decisions(samples.x), 0.4)
    right = (expected.classes == samples.y).float().mean().item()
    counts = torch.bincount(expected.places, minlength=one.decisions)
    assert found.accuracy == pytest.approx(right)
    assert found.ends == pytest.approx((counts / 40).tolist())
    assert sum(found.ends) == pytest.approx(1)
