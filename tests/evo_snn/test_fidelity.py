"""What only lowers fidelity needs an accuracy that feels it; conditions have to fit their chips."""

import itertools
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evo_snn.config_file import load_config
from evo_snn.metrics import is_accuracy_on_chip, is_share, package_metric, seconds_of
from evo_snn.objectives import chosen_metrics
from evo_snn.plan import make_plan
from genomes.errors import RequestError
from hardware.conditions import Conditions

BASE = {
    "data": {"name": "digits"},
    "search": {"space": "plain"},
    "space": {"max_stages": 1, "widths": [4, 8]},
    "hardware": {"chip": "rram_32nm"},
    "objectives": {"names": ["accuracy", "energy_uj"]},
}
ON_CHIP = {"objectives.names": ["accuracy_on_chip", "energy_uj"]}
LOSSY = {"hardware.adc_levels": 8, "hardware.rows_per_read": 64}


def plan_of(*changes):
    merged = {key: value for each in changes for key, value in each.items()}
    return make_plan(load_config(BASE, merged))


@pytest.mark.parametrize(
    ("genes", "key"),
    [
        ({"adc_levels": [16, 32]}, "adc_levels"),
        ({"cell_bits": [1, 2]}, "cell_bits"),
        ({"r_on_ohm": [1e5, 3e5]}, "r_on_ohm"),
        ({"r_off_ohm": [1e6, 1e7]}, "r_off_ohm"),
    ],
)
def test_genes_that_only_lower_fidelity_want_an_accuracy_that_feels_them(genes, key):
    wanted = {"hardware.genes": {"crossbar_size": [64, 128], **genes}, "on_chip.variation": 0.1}
    message = rf"hardware\.genes\.{key}: got \[.*plain accuracy does not feel it.*accuracy_on_chip"
    for unfelt in (
        {},
        {"constraints.accuracy_on_chip.max": 0.9},
        {"objectives.names": ["accuracy", "accuracy_on_chip_std"]},
        {"constraints.accuracy_on_chip_stderr": 0.1},
        {"constraints.accuracy_on_chip": 0},
        {"constraints.accuracy_on_chip_worst": 0.1},  # chance, of ten classes
    ):
        with pytest.raises(RequestError, match=message):
            plan_of(wanted, unfelt)
    for felt in (
        ON_CHIP,
        {"objectives.names": ["accuracy_on_chip_worst"]},
        {"constraints.accuracy_on_chip": 0.5},
        {"objectives.names": ["accuracy_after_60"], "on_chip.device": "rram_falcone_arxiv_2025",
         "on_chip.rescale": True},
    ):  # fmt: skip
        assert plan_of(wanted, felt).settings.needs == "network"


def test_other_memory_wants_an_accuracy_that_feels_it():
    genes = {"hardware.chip": "rram_neurosim_22nm", "hardware.genes": {"memory": ["rram", "fefet"]}}
    with pytest.raises(RequestError, match=r"hardware\.genes\.memory: got .*does not feel it"):
        plan_of(genes)
    with pytest.raises(RequestError, match=r"genes\.memory: got .*variation = 0\.1"):
        plan_of(genes, ON_CHIP)
    assert plan_of(genes, ON_CHIP, {"on_chip.variation": 0.1}).settings.on_chip is not None


@pytest.mark.parametrize("key", ["cell_bits", "r_on_ohm", "r_off_ohm"])
def test_ideal_chips_feel_no_fidelity(key):
    values = {"cell_bits": [1, 2], "r_on_ohm": [1e4, 1e5], "r_off_ohm": [1e6, 1e7]}[key]
    genes = {"hardware.genes": {key: values}}
    with pytest.raises(
        RequestError, match=rf"genes\.{key}: got .*has nothing that feels it.*wire_ohm"
    ):
        plan_of(genes, ON_CHIP)
    for felt in ({"on_chip.variation": 0.1}, {"on_chip.wire_ohm": 1.0}):
        assert plan_of(genes, ON_CHIP, felt).settings.on_chip is not None
    stuck = {"on_chip.stuck_on": 0.1}
    if key == "cell_bits":
        assert plan_of(genes, ON_CHIP, stuck).settings.on_chip is not None
        assert (
            plan_of(genes, ON_CHIP, LOSSY).settings.on_chip is not None
        )  # ADCs round more of them
    else:  # a stuck cell is at one end, wherever that is
        with pytest.raises(RequestError, match="has nothing that feels it"):
            plan_of(genes, ON_CHIP, stuck)


def test_genes_of_size_alone_are_plain():
    plan = plan_of({"hardware.genes": {"crossbar_size": [64, 128], "columns_per_adc": [4, 8]}})
    assert plan.settings.on_chip is None
    assert plan.settings.needs == "training"


def test_a_chip_that_rounds_wants_an_accuracy_that_feels_it():
    with pytest.raises(
        RequestError, match=r"hardware: got 'rram_32nm'.*ADCs round nothing.*accuracy_on_chip"
    ):
        plan_of(LOSSY)
    genes = {"hardware.genes": {"crossbar_size": [32, 64], "rows_per_read": [4, 32]}}
    with pytest.raises(RequestError, match=r"with crossbar_size = 32, rows_per_read = 32'"):
        plan_of(genes, {"hardware.adc_levels": 16})
    assert plan_of(LOSSY, ON_CHIP).settings.on_chip.path == "exact"
    assert plan_of(genes, {"hardware.adc_levels": 64}).settings.on_chip is None


def test_the_path_is_the_one_that_feels_what_the_chips_do():
    assert plan_of(ON_CHIP).settings.on_chip.path == "fast"
    assert plan_of(ON_CHIP, {"on_chip.path": "exact"}).settings.on_chip.path == "exact"
    cells, levels = {"cell_bits": [1, 2]}, {"adc_levels": [16, 64]}
    noisy = {"on_chip.variation": 0.1}
    assert plan_of(ON_CHIP, noisy, {"hardware.genes": cells}).settings.on_chip.path == "fast"
    assert plan_of(ON_CHIP, {"hardware.genes": levels}).settings.on_chip.path == "exact"
    asked = {"hardware.genes": levels, "on_chip.path": "fast"}
    assert plan_of(ON_CHIP, asked).settings.on_chip.path == "fast"
    with pytest.raises(RequestError, match=r"on_chip\.path: got 'fast'; allowed: exact"):
        plan_of(ON_CHIP, LOSSY, {"on_chip.path": "fast"})
    with pytest.raises(RequestError, match=r"on_chip\.adc: got False; allowed: True"):
        plan_of(ON_CHIP, LOSSY, {"on_chip.adc": False})


def test_what_is_measured_is_what_is_named():
    section = {"on_chip.variation": 0.1, "on_chip.instances": 3, "on_chip.samples": 50}
    assert plan_of(section).settings.on_chip is None
    how = plan_of(section, ON_CHIP).settings.on_chip
    assert (how.conditions, how.instances, how.samples) == (Conditions(variation=0.1), 3, 50)
    assert (how.fresh, how.after) == (True, {})
    times = {
        "objectives.names": ["accuracy_after_1e3", "energy_uj"],
        "constraints.accuracy_after_86400": 0.5,
        "on_chip.device": "pcm_nandakumar_icecs_2019",
        "on_chip.rescale": True,
    }
    how = plan_of(section, times).settings.on_chip
    assert how.after == {"accuracy_after_1e3": 1000.0, "accuracy_after_86400": 86400.0}
    assert not how.fresh


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"objectives.names": ["accuracy_after_60"]}, r"on_chip\.device: got 'none'.*after_60"),
        ({"on_chip.device": "rram_wan"}, r"on_chip\.device: got 'rram_wan'.*Did you mean"),
        ({"on_chip.device": "pcm_nandakumar_icecs_2019", "hardware.r_on_ohm": 2e4},
         r"on_chip\.device: got .*rescale"),
        ({"on_chip.device": "rram_milo_irps_2021", "on_chip.rescale": True,
          "constraints.accuracy_after_1e12": 0.5}, r"accuracy_after_1e12: got 1000000000000"),
        ({"objectives.names": ["accuracy_on_chip", "accuracy_on_chip_std"],
          "on_chip.instances": 1}, r"on_chip\.instances: got 1; allowed: 2 or more"),
        ({"hardware.chip": "spikesim_65nm"}, r"chip: got 'spikesim_65nm'"),
        ({"constraints.accuracy_on_chip": 1.2}, r"constraints\.accuracy_on_chip: got 1\.2"),
        ({"constraints.accuracy_after_x": 0.5}, r"constraints: got .*accuracy_after_SECONDS'\?"),
        ({"constraints.accuracy_after_SECONDS": 1}, r"a number in place of SECONDS"),
        ({"on_chip.varation": 0.1}, r"on_chip: got 'varation'.*Did you mean 'variation'"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_one_line(changes, message):
    with pytest.raises(RequestError, match=message) as caught:
        plan_of(ON_CHIP, changes)
    assert "\n" not in str(caught.value)


def test_ideal_chips_are_worth_a_warning(caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("evo_snn"), "propagate", True)
    plan_of(ON_CHIP, {"on_chip.stuck_off": 0.1})
    assert not caplog.records
    plan_of(ON_CHIP)
    assert "nothing that is not ideal" in caplog.text


def test_a_pessimistic_path_is_worth_a_warning(caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("evo_snn"), "propagate", True)
    varied = {"on_chip.variation": 0.1}
    plan_of(ON_CHIP, varied, {"on_chip.path": "exact"})
    plan_of(ON_CHIP, varied, {"hardware.weight_encoding": "differential"})
    assert not caplog.records
    plan_of(ON_CHIP, varied)
    (record,) = caplog.records
    assert "the fast path is pessimistic" in record.getMessage()
    assert "\n" not in record.getMessage()


def test_a_section_that_nothing_feels_is_worth_a_warning(caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("evo_snn"), "propagate", True)
    plan_of({"on_chip.variation": 0.1, "on_chip.train_with_noise": True})
    plan_of()
    assert not caplog.records
    plan_of({"on_chip.variation": 0.1})
    (record,) = caplog.records
    assert "does not feel [on_chip]" in record.getMessage()


def test_boxes_of_accuracies_on_chip_are_known_before():
    names = ["accuracy_on_chip", "accuracy_on_chip_std", "accuracy_after_60", "energy_uj"]
    plan = plan_of({
        "objectives.names": names, "on_chip.device": "rram_falcone_arxiv_2025",
        "on_chip.rescale": True,
    })  # fmt: skip
    assert set(plan.box) == set(names)
    assert plan.box["accuracy_on_chip"] == plan.box["accuracy_after_60"] == (1.0, 0.1)
    best, worst = plan.box["accuracy_on_chip_std"]
    assert best < worst


@given(st.floats(0, 1e30), st.sampled_from(["{:.0f}", "{:.3f}", "{:.0e}"]))
def test_a_number_of_seconds_is_read_from_a_name(seconds, form):
    text = form.format(seconds).replace("+", "")
    name = f"accuracy_after_{text}"
    if "e-" in text:
        assert seconds_of(name) is None
    else:
        assert seconds_of(name) == float(text)
        assert package_metric(name).maximise
        assert is_accuracy_on_chip(name)
        assert is_share(name)
        assert chosen_metrics([name])[0].needs == "network"


@pytest.mark.parametrize(
    "text", ["", "x", "-1", "1e400", "nan", "inf", "1.", ".5", "1_0", " 1", "٣"]
)
def test_other_names_have_no_seconds(text):
    name = f"accuracy_after_{text}"
    assert seconds_of(name) is None
    assert package_metric(name) is None


def test_every_choice_of_a_study_makes_a_plan():
    study = {
        "adc_levels": [16, 32, 64, 128], "cell_bits": [1, 2], "crossbar_size": [64, 128],
        "columns_per_adc": [4, 8, 16],
    }  # fmt: skip
    plan = plan_of(ON_CHIP, {"hardware.genes": study, "on_chip.variation": 0.1})
    found = [values for values, _ in plan.space.chips.chips()]
    assert found == [
        dict(zip(study, one, strict=True)) for one in itertools.product(*study.values())
    ]
