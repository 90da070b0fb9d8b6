"""The page about the cost of training: its example works, its table has the machines' numbers."""

import re
from pathlib import Path

import pytest

from evo_snn.config_file import load_config
from evo_snn.metrics import BUILT_IN
from evo_snn.training_machine import machine_of
from genomes.documents import parse_toml
from hardware.machines import DEFAULT_MACHINE, load_machine, machine_names

PAGE = (Path(__file__).parents[1] / "docs" / "training_cost.md").read_text(encoding="utf-8")


def test_the_example_is_a_configuration():
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    needed = {"data": {"name": "digits"}, "search": {"space": "plain"}}
    config = load_config(parse_toml(example) | needed)
    assert set(config.objectives.names) <= set(BUILT_IN)
    assert machine_of(config.training_machine)["share_of_peak"] == 0.05


def test_the_table_has_every_machine_with_its_numbers():
    rows = re.findall(
        r"^\| `(\w+)`( \(default\))? \| ([\d.]+) \| ([\d.]+) \| (\w+)", PAGE, re.MULTILINE
    )
    assert {name for name, *_ in rows} == set(machine_names())
    for name, default, mac, accumulate, skips in rows:
        machine = load_machine(name)
        assert (float(mac), float(accumulate)) == (machine["mac_pj"], machine["accumulate_pj"])
        assert (skips == "yes") == bool(machine["skips_silent"])
        assert bool(default) == (name == DEFAULT_MACHINE)


def test_the_python_example_runs():
    from genomes.spaces import make_space

    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    space = make_space("plain", (1, 8, 8), 10, {})
    architecture = space.decode([0] * len(space.genes))
    names = {"architecture": architecture, "workload": architecture.workload}
    exec(code, names)  # noqa: S102 - our own page
    assert names["joules"] == pytest.approx(names["work"].operations * 60 * 64 * 41e-12 / 0.05)
