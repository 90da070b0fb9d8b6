"""The benchmark of training: all programs run one network, ratios are paired, everything runs."""

import json
import os
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
import torch

from genomes.architecture import INPUT

BENCHMARKS = Path(__file__).parents[2] / "runs" / "benchmarks"
ORDERS = ["average-first", "max-after", "average-after"]


@pytest.fixture
def load(monkeypatch):
    """Import a module of the benchmarks, as a script beside it would."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return import_module


@pytest.fixture
def plan(load):
    plans = load("speed.plans")
    return plans.Plan("small", (2, 8, 8), (3, 5), time_steps=3, batch=4)


def scores(network, plan):
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(plan.batch, *plan.input_shape, generator=generator, dtype=torch.float64)
    levels = 2**8 - 1  # the package reads the image at 8 bits
    return network.double()((x * levels).round() / levels)


def gradients(network, plan):
    """Of the scores' squares, by the weights."""
    network.zero_grad()
    scores(network, plan).square().sum().backward()
    return [one.grad for one in network.parameters() if one.ndim > 1]


def with_weights(network, weights):
    """The network with those weights in its convolutions and its read-out."""
    own = [one for one in network.parameters() if one.ndim > 1]
    with torch.no_grad():
        for here, there in zip(own, weights, strict=True):
            here.copy_(there.reshape(here.shape))
        for bias in (one for one in network.parameters() if one.ndim == 1):
            bias.zero_()
    return network


def random_weights(plan):
    generator = torch.Generator().manual_seed(0)
    shapes = [(one.outputs, one.inputs, 3, 3) for one in plan.convolutions()]
    shapes.append((10, plan.features))
    return [torch.randn(shape, generator=generator) for shape in shapes]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kernel", ["norse", "torch", "numba"])
def test_the_package_trains_the_obvious_programs_network(load, plan, order, kernel):
    ours, programs = load("speed.ours"), load("speed.norse_programs")
    plan, weights = replace(plan, order=order), random_weights(plan)
    obvious = with_weights(programs.ObviousNorse(plan, "LIFBoxCell"), weights)
    expected, slopes = scores(obvious, plan), gradients(obvious, plan)

    for variant in (
        ours.Variant(kernel), ours.Variant(kernel, reuse=False), ours.Variant(kernel, merged=False)
    ):  # fmt: skip
        network = with_weights(ours.package_network(plan, variant), weights)
        torch.testing.assert_close(scores(network, plan), expected)
        for found, slope in zip(gradients(network, plan), slopes, strict=True):
            torch.testing.assert_close(found.reshape(slope.shape), slope)
    assert expected.abs().max() > 0.1  # neurons fire


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("reuse", [False, True])
def test_spikingjelly_runs_the_same_network(load, plan, order, reuse):
    pytest.importorskip("spikingjelly", reason="the extra bench is not installed")
    peers, programs = load("speed.peers"), load("speed.norse_programs")
    plan, weights = replace(plan, order=order), random_weights(plan)
    obvious = with_weights(programs.ObviousNorse(plan, "LIFBoxCell"), weights)
    network = with_weights(peers.SpikingJelly(plan, reuse=reuse), weights)

    torch.testing.assert_close(scores(network, plan), scores(obvious, plan))


@pytest.mark.parametrize("order", ORDERS)
def test_snntorch_runs_the_same_layers(load, plan, order):
    pytest.importorskip("snntorch", reason="the extra bench is not installed")
    network = load("speed.peers").SnnTorch(replace(plan, order=order))

    assert [one.shape for one in network.parameters() if one.ndim > 1] == [
        one.shape for one in random_weights(plan)
    ]
    found = with_weights(network, random_weights(plan))(torch.rand(4, 2, 8, 8))
    assert found.shape == (4, 10)
    assert found.abs().max() > 0.1


def test_operations_are_those_of_the_convolutions(load):
    plans = load("speed.plans")
    plan = plans.Plan("small", (2, 8, 8), (3, 5), time_steps=3, batch=4)
    first = 2 * (2 * 3 * 9) * 64  # of one image: multiplications and sums, weights, pixels
    second = 2 * (3 * 5 * 9) * 16

    # forward and weights' gradient once; forward and both gradients in every step
    assert plan.operations == 2 * 4 * first + 3 * 4 * 3 * second
    ours = load("speed.ours")
    apart = ours.package_network(plan, ours.Variant(merged=False))
    assert ours.operations_done(apart, plan) == plan.operations
    # both maps are small enough for one matrix, 2x8x8 with 3x4x4 and 3x4x4 with 5x2x2, made of
    # 64 x 16 and 16 x 4 places, 9 taps and 2 x 3 and 3 x 5 channels in every step
    dense = 2 * 2 * 4 * 128 * 48 + 3 * 2 * (4 * 3) * 48 * 20
    made = 2 * 2 * (64 * 16) * 9 * (2 * 3) + 2 * 2 * (16 * 4) * 9 * (3 * 5)
    assert ours.operations_done(ours.package_network(plan, ours.Variant()), plan) == dense + made
    # a 4x4 kernel a pooled pixel, for 3x3 in four
    large = plans.Plan("large", (2, 32, 32), (32,), time_steps=3, batch=2)
    merged = ours.operations_done(ours.package_network(large, ours.Variant()), large)
    assert merged == large.operations * 16 / 36
    assert plan.features == 5 * 2 * 2
    assert plan.parameters == 2 * 3 * 9 + 3 * 5 * 9 + 20 * 10


@pytest.mark.parametrize("order", ["average-first", "max-after"])
def test_a_plan_as_an_architecture(load, plan, order):
    plan = replace(plan, order=order, pooled=1)
    architecture = plan.architecture("lif", weight_bits=5, state_bits=9)

    first, second, readout = architecture.layers
    assert (first.source, first.weight_shape, first.pool) == (INPUT, (3, 2, 3, 3), (2, 2))
    assert (second.weight_shape, second.pool, second.neuron.kind) == ((5, 3, 3, 3), (1, 1), "lif")
    assert first.neuron_shape == ((3, 4, 4) if order == "average-first" else (3, 8, 8))
    assert readout.weights == plan.features * 10
    with pytest.raises(ValueError, match="do not average spikes"):
        replace(plan, order="average-after").architecture()


def test_a_ratio_and_its_interval(load):
    timing = load("speed.timing")
    found = timing.ratio([2, 4, 6, 8, 10, 12, 14, 16, 18], [2] * 9)

    # of 9 pairs the second smallest and the second largest: 10 of 512 lie beyond each
    assert (found.median, found.low, found.high) == (5, 2, 8)
    assert timing.ratio([3, 1, 2], [1, 1, 1]) == timing.Ratio(2, 1, 3)
    assert str(found) == "5.00 (2.00 to 8.00)"


def test_every_round_times_everyone_back_and_forth(load):
    timing = load("speed.timing")
    seen = []

    def subject(name, seconds):
        return lambda times: (seen.append((name, times)), seconds)[-1]

    subjects = {"a": subject("a", 0.5), "b": subject("b", 0.04)}
    found = timing.interleaved(subjects, rounds=2, block=0.1)

    a, b = [("a", 1), ("a", 1)], [("b", 1), ("b", 3)]
    assert seen == [*a, ("b", 1), ("b", 1), *a, *b, *b, *a]  # first to see how long it takes
    assert found == {"a": [0.5, 0.5], "b": [0.04, 0.04]}


def test_a_call_is_timed_as_often_as_wanted(load, monkeypatch):
    timing = load("speed.timing")
    clock, calls = iter([10.0, 16.0]), []
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(clock))

    assert timing.here(lambda: calls.append(1))(3) == 2.0
    assert len(calls) == 3


def test_others_run_in_a_process_of_their_own(load, plan):
    elsewhere, programs = load("speed.elsewhere"), load("speed.programs")
    with elsewhere.Elsewhere() as other:
        for what in ("training", "inference"):
            assert 0 < other.timed(what, plan, programs.OBVIOUS)(2) < 10
        process = other._process
        assert process.pid != os.getpid()
    assert process.exitcode == 0


def test_the_benchmark_ends_in_tables_and_a_page(load, tmp_path, monkeypatch, capsys):
    module, page_of = load("training_speed"), load("speed_page")
    monkeypatch.setattr(module, "keep_freed_memory", lambda: None)  # not of the tests' process
    out, page = tmp_path / "training_speed.json", tmp_path / "speed.md"
    line = ["--small", "--rounds", "1", "--block", "0", "--out", str(out)]
    monkeypatch.setattr("sys.argv", ["training_speed.py", *line])
    module.main()

    document, text = json.loads(out.read_text()), capsys.readouterr().out
    programs = load("speed.programs")
    results = [one for one in document["results"] if one["plan"]["order"] == "max-after"]
    assert [one["plan"]["name"] for one in results] == ["A", "B"]
    names = {programs.OBVIOUS, programs.PACKAGE, programs.DEPLOYABLE, programs.CONVOLUTIONS}
    for result in results:
        assert names <= result["training"].keys()
        assert all(time > 0 for one in result["training"].values() for time in one["seconds"])
        assert result["training"][programs.OBVIOUS]["faster_than"][programs.OBVIOUS]["median"] == 1
        assert f"{programs.PACKAGE}, deployed" in result["inference"]
        assert "its kernel, against Norse's step" in result["shares"]
    assert {row["what"] for row in document["growth"]} == {"width", "depth", "time steps", "batch"}
    assert set(document["peak"]) == {"forward", "input gradient", "weight gradient", "training"}
    assert document["environment"]["kernel"] in ("numba", "torch")
    assert "Training, B: convolution, neuron, 2x2 maximum of the spikes" in text

    page.write_text((BENCHMARKS.parents[1] / "docs" / "speed.md").read_text())
    line = ["--figures", str(tmp_path), "--page", str(page)]
    for _ in range(2):  # figures replace figures
        monkeypatch.setattr("sys.argv", ["speed_page.py", *line])
        page_of.main()
    written = page.read_text()
    assert written.count(f"\n| {programs.DEPLOYABLE} | ") == 2  # not of spikes averaged
    assert written.count("\n| first layer once | ") == 1
    assert written.count("\n| B, time steps 16 | ") == 1
    assert {found["name"] for found in page_of.BLOCK.finditer(written)} == set(page_of.TABLES)


def test_without_the_extra_peers_are_left_out(load, plan, monkeypatch, capsys, tmp_path):
    peers, programs = load("speed.peers"), load("speed.programs")
    monkeypatch.setattr(peers, "find_spec", lambda _name: None)

    with load("speed.elsewhere").Elsewhere() as elsewhere:
        assert not programs.PEERS.keys() & programs.training_subjects(plan, elsewhere).keys()
    line = ["--small", "--rounds", "1", "--block", "0", "--orders", "max-after", "--tables"]
    monkeypatch.setattr("sys.argv", ["_", *line, "inference", "--out", str(tmp_path / "x.json")])
    module = load("training_speed")
    monkeypatch.setattr(module, "keep_freed_memory", lambda: None)
    module.main()
    told = capsys.readouterr().out.splitlines()[0]
    assert told == "left out: spikingjelly, snntorch; pip install -e '.[bench]' brings them"


def test_the_limits_of_small_maps_are_measured(load, tmp_path, monkeypatch, capsys):
    module, out = load("small_maps"), tmp_path / "small_maps.json"
    monkeypatch.setattr("sys.argv", ["x", "--repeats", "1", "--layers", "9", "--out", str(out)])
    module.main()
    layers = json.loads(out.read_text())["layers"]
    assert len(layers) == 9
    for one in layers:
        assert one["chosen"] in one["microseconds"]
        assert all(time > 0 for time in one["microseconds"].values())
    assert "1x2x2 to 8" in capsys.readouterr().out
