"""The breakdown by layer and component: its sums are the two breakdowns of a cost."""

from pathlib import Path

import pytest

from genomes.workload import Workload
from hardware import details, estimate

VGG9 = Workload.from_json(Path(__file__).parents[1] / "data" / "vgg9_workload.json")
SHORT = Workload(timesteps=2, layers=VGG9.layers[:1])


@pytest.mark.parametrize("chip", ["rram_32nm", "spikesim_65nm"])
def test_sums_are_those_of_the_cost(chip: str) -> None:
    many = [SHORT, VGG9]  # of different lengths, so that one is padded
    for workload, detail, cost in zip(many, details(many, chip), estimate(many, chip), strict=True):
        assert detail.layers == tuple(layer.name for layer in workload.layers)
        for table, by_component, by_layer in (
            (
                detail.energy_uj,
                cost.energy_components_uj,
                [layer.energy_uj for layer in cost.layers],
            ),
            (
                detail.latency_ms,
                cost.latency_components_ms,
                [layer.latency_ms for layer in cost.layers],
            ),
        ):
            sums = {name: pytest.approx(sum(parts)) for name, parts in table.items()}
            assert dict(by_component) == sums
            columns = zip(*table.values(), strict=True)
            assert [sum(parts) for parts in columns] == pytest.approx(by_layer)


def test_nothing_gives_nothing() -> None:
    assert details([], "rram_32nm") == []
