"""Neurons: Norse's own steps, hand-computed traces, state widths, what is trained."""

import pytest
import torch
from norse.torch import IAFCell, LIFBoxCell, LIFCell
from norse.torch.functional.iaf import IAFFeedForwardState, IAFParameters, iaf_feed_forward_step
from norse.torch.functional.lif import LIFFeedForwardState, LIFParameters, lif_feed_forward_step
from norse.torch.functional.lif_box import (
    LIFBoxFeedForwardState,
    LIFBoxParameters,
    lif_box_feed_forward_step,
)

from evo_snn.snn import build, deploy
from evo_snn.snn.kernels import reference
from evo_snn.snn.neurons import SMALLEST_THRESHOLD, SpikingNeuron
from genomes.architecture import Neuron
from tests.evo_snn.snn.norse_reference import OTHERS

KINDS = ["lif_box", "lif", "iaf"]


def neuron(kind, *, leak=0.5, threshold=1.0, state_bits=32, **more):
    leak = 0.0 if kind == "iaf" else leak
    return SpikingNeuron(Neuron(kind, leak, threshold, state_bits, **more))


def fire(spiking, current, time_steps=None):
    """Spikes of a current (T, batch, channels), where the product counts in ones."""
    unit = torch.ones(current.shape[2], dtype=current.dtype)
    return spiking(current, time_steps or len(current), unit)


def one_neuron(currents):
    return torch.tensor(currents).reshape(-1, 1, 1)


def spikes_of(kind, currents, **settings):
    return fire(neuron(kind, **settings), one_neuron(currents)).flatten().tolist()


def stored_states(kind, current, monkeypatch, **settings):
    """What a neuron stores after each time step."""
    stored = []
    plain = reference.quantized_state

    def spy(state, step, bits):
        stored.append(plain(state, step, bits))
        return stored[-1]

    monkeypatch.setattr(reference, "quantized_state", spy)
    return fire(neuron(kind, **settings), current), stored


def test_lif_box_by_hand(monkeypatch):
    current = one_neuron([1.0, 1.0, 2.0, 2.0, -4.0, 3.0])
    spikes, stored = stored_states("lif_box", current, monkeypatch, leak=0.5, threshold=1.0)

    # v += (i - v) / 2: 0.5, 0.75, 1.375 fires and is reset, 1 does not exceed 1, -1.5, 0.75
    assert spikes.flatten().tolist() == [0, 0, 1, 0, 0, 0]
    assert [v.item() for v in stored] == [0.5, 0.75, 0, 1.0, -1.5, 0.75]


def test_lif_by_hand(monkeypatch):
    current = one_neuron([1.0, 1.0, 0.0, 2.0])
    spikes, stored = stored_states("lif", current, monkeypatch, leak=0.25, threshold=0.5)

    # i = 1, 1.5, 0.75, 2.375 after the jump, halved after the step;
    # v += (i - v) / 4: 0.25, 0.5625 fires, 0.1875, 0.734375 fires
    assert spikes.flatten().tolist() == [0, 1, 0, 1]
    assert [v.item() for v in stored[::2]] == [0.25, 0, 0.1875, 0]
    assert [i.item() for i in stored[1::2]] == [0.5, 0.75, 0.375, 1.1875]


def test_iaf_by_hand(monkeypatch):
    current = one_neuron([0.5, 0.5, 0.25, -1.0, 2.5])
    spikes, stored = stored_states("iaf", current, monkeypatch, threshold=1.0)

    # no leak: 0.5, 1 does not exceed 1, 1.25 fires, -1, 1.5 fires
    assert spikes.flatten().tolist() == [0, 0, 1, 0, 1]
    assert [v.item() for v in stored] == [0.5, 1.0, 0, -1.0, 0]


def test_reset_is_hard():
    # 5 is far above the threshold; what is left over is lost
    assert spikes_of("iaf", [5.0, 0.5, 0.6]) == [1, 0, 1]


def test_subtraction_keeps_what_is_above_the_threshold():
    # v = 4 fires and keeps 3, of which half leaks away; 1.5 fires and keeps 0.5
    assert spikes_of("lif_box", [8.0, 0.0, 0.0, 0.0], reset="subtract") == [1, 1, 0, 0]
    assert spikes_of("lif_box", [8.0, 0.0, 0.0, 0.0]) == [1, 0, 0, 0]


def test_a_neuron_that_fires_once_is_silent_then():
    assert spikes_of("iaf", [0.5, 3.0, 3.0, 3.0], once=True) == [0, 1, 0, 0]
    assert spikes_of("iaf", [0.5, 3.0, 3.0, 3.0]) == [0, 1, 1, 1]


def test_a_neuron_says_what_is_special_about_it():
    assert str(neuron("lif_box", reset="subtract", once=True)) == (
        "SpikingNeuron(lif_box, state_bits=32, reset=subtract, once)"
    )
    assert str(neuron("lif")) == "SpikingNeuron(lif, state_bits=32)"


def _functional_step(spiking):
    threshold = spiking.threshold
    if spiking.dynamics.kind == "iaf":
        return iaf_feed_forward_step, IAFFeedForwardState, IAFParameters(v_th=threshold)
    if spiking.dynamics.kind == "lif":
        parameters = LIFParameters(
            tau_mem_inv=spiking.leak, tau_syn_inv=torch.tensor(0.5), v_th=threshold
        )
        return lif_feed_forward_step, LIFFeedForwardState, parameters
    parameters = LIFBoxParameters(tau_mem_inv=spiking.leak, v_th=threshold)
    return lif_box_feed_forward_step, LIFBoxFeedForwardState, parameters


@pytest.mark.parametrize("leak", [0.25, 0.6875, 1.0])
@pytest.mark.parametrize("kind", KINDS)
def test_neurons_are_norses_own_steps(kind, leak):
    generator = torch.Generator().manual_seed(1)
    # never as low as -16 thresholds, where a state saturates
    current = 0.2 + 0.6 * torch.randn(12, 3, 50, generator=generator, dtype=torch.float64)
    spiking = neuron(kind, leak=leak, threshold=0.5).double()
    step, state_type, parameters = _functional_step(spiking)
    state = state_type(*[torch.zeros(3, 50).double()] * len(state_type._fields))
    expected = []
    for one in current:
        fired, state = step(one, state, parameters, 1.0)
        expected.append(fired)

    expected = torch.stack(expected)
    assert 0.02 < expected.mean().item() < 0.95
    assert torch.equal(fire(spiking, current), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_neurons_are_norses_cells(kind):
    current = 0.2 + 0.6 * torch.randn(12, 3, 50, generator=torch.Generator().manual_seed(2))
    threshold, leak = torch.tensor(0.5), torch.tensor(0.25)
    cell = {
        "lif_box": lambda: LIFBoxCell(LIFBoxParameters(tau_mem_inv=leak, v_th=threshold), dt=1.0),
        "lif": lambda: LIFCell(
            LIFParameters(tau_mem_inv=leak, tau_syn_inv=torch.tensor(0.5), v_th=threshold), dt=1.0
        ),
        # a reset of our own: Norse's cell asks for its gradient
        "iaf": lambda: IAFCell(IAFParameters(v_th=threshold, v_reset=torch.tensor(0.0)), dt=1.0),
    }[kind]()
    state, expected = None, []
    for one in current:
        fired, state = cell(one, state)
        expected.append(fired)

    assert torch.equal(fire(neuron(kind, leak=0.25, threshold=0.5), current), torch.stack(expected))


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_norses_own(kind):
    generator = torch.Generator().manual_seed(3)
    values = torch.randn(6, 1, 40, generator=generator, dtype=torch.float64)
    ours, theirs = (values.clone().requires_grad_() for _ in range(2))
    spiking = neuron(kind, leak=0.5, threshold=0.5).double()
    twin = neuron(kind, leak=0.5, threshold=0.5).double()
    step, state_type, parameters = _functional_step(twin)
    state = state_type(*[torch.zeros(1, 40).double()] * len(state_type._fields))
    total = 0.0
    for one in theirs:
        fired, state = step(one, state, parameters, 1.0)
        total = total + fired.sum()
    total.backward()
    fire(spiking, ours).sum().backward()

    # the 32 bits of the state are 2^-28 apart
    assert torch.allclose(ours.grad, theirs.grad, rtol=1e-5, atol=1e-7)
    assert torch.allclose(spiking.threshold.grad, twin.threshold.grad, rtol=1e-5)
    if kind != "iaf":
        assert torch.allclose(spiking.leak.grad, twin.leak.grad, rtol=1e-5)
        assert spiking.leak.grad.item() != 0


def test_norses_defaults_are_left_alone():
    for kind in KINDS:
        spikes = fire(neuron(kind), torch.randn(3, 2, 4, requires_grad=True))
        spikes.sum().backward()

    assert not IAFParameters().v_reset.requires_grad
    assert not LIFParameters().v_reset.requires_grad
    assert not LIFBoxParameters().v_reset.requires_grad


@pytest.mark.parametrize("kind", KINDS)
def test_a_current_that_is_the_same_in_every_step_is_given_once(kind):
    current = torch.randn(1, 3, 5, generator=torch.Generator().manual_seed(4))
    spiking = neuron(kind, threshold=0.25)

    repeated = fire(spiking, current.expand(7, 3, 5))
    assert torch.equal(fire(spiking, current, 7), repeated)
    assert repeated.shape == (7, 3, 5)


@pytest.mark.parametrize("kind", KINDS)
def test_every_inference_starts_from_rest(kind):
    spiking = neuron(kind, threshold=0.25)
    current = torch.randn(3, 1, 5, generator=torch.Generator().manual_seed(4))

    assert torch.equal(fire(spiking, current), fire(spiking, current))


def stepwise(spiking, current, unit):
    """Spikes of currents (T, batch, channels, …), one time step after the other."""
    state, spikes = spiking.start(current[0]), []
    for one in current:
        fired, state = spiking.step(one, state, unit)
        spikes.append(fired)
    return torch.stack(spikes)


@pytest.mark.parametrize("kernel", ["numba", "torch", "norse"])
@pytest.mark.parametrize("state_bits", [5, 32])
@pytest.mark.parametrize("settings", [*({"kind": kind} for kind in KINDS), *OTHERS], ids=str)
def test_time_steps_one_by_one_are_those_at_once(settings, state_bits, kernel):
    generator = torch.Generator().manual_seed(8)
    values = 0.3 + torch.randn(7, 4, 3, 5, generator=generator, dtype=torch.float64)
    weight = torch.randn(7, 4, 3, 5, generator=generator, dtype=torch.float64)
    unit = torch.tensor([0.01, 0.3, 1.0], dtype=torch.float64)
    found = []
    for run in (
        lambda spiking, current: spiking(current, 7, unit, kernel),
        lambda spiking, current: stepwise(spiking, current, unit),
    ):
        spiking = neuron(**settings, threshold=0.5, state_bits=state_bits).double()
        current = values.clone().requires_grad_()
        spikes = run(spiking, current)
        gradients = torch.autograd.grad(spikes, [current, *spiking.parameters()], weight)
        found.append((spikes, gradients))
    (at_once, expected), (by_step, gradients) = found

    assert 0.05 < at_once.mean() < 0.95
    assert torch.equal(by_step, at_once)
    for one, other in zip(gradients, expected, strict=True):
        assert torch.allclose(one, other, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("bits", [4, 6, 9])
@pytest.mark.parametrize("kind", KINDS)
def test_stored_states_have_their_width_and_saturate(kind, bits, monkeypatch):
    generator = torch.Generator().manual_seed(5)
    current = 40 * torch.randn(6, 1, 5000, generator=generator)
    _, stored = stored_states(kind, current, monkeypatch, state_bits=bits, threshold=0.5, leak=1.0)
    variables = stored if kind != "lif" else stored[1::2]  # the membrane alone never gets so high

    assert len(stored) == 6 * (2 if kind == "lif" else 1)
    for values in stored:
        assert len(values.unique()) <= 2**bits
    lowest = min(values.min().item() for values in variables)
    assert lowest == -16 * 0.5
    if kind == "lif":
        highest = max(values.max().item() for values in variables)
        assert highest == 16 * 0.5 * (1 - 2 ** (1 - bits))


@pytest.mark.parametrize("kind", KINDS)
def test_a_narrower_state_is_another_network(kind):
    current = torch.randn(8, 1, 500, generator=torch.Generator().manual_seed(6))
    narrow, wide = (fire(neuron(kind, state_bits=bits), current) for bits in (4, 32))

    assert not torch.equal(narrow, wide)
    # the first step starts from rest and is not stored yet
    assert torch.equal(narrow[0], wide[0])


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_pass_stored_states_but_not_saturated_ones(kind):
    current = torch.full((2, 1, 1), 0.25, requires_grad=True)
    fire(neuron(kind, state_bits=8), current)[1].sum().backward()
    assert current.grad[0] > 0  # through the state after the first step

    current = torch.tensor([[[-1000.0]], [[0.25]]], requires_grad=True)
    fire(neuron(kind, state_bits=8), current)[1].sum().backward()
    assert current.grad[0] == 0
    assert current.grad[1] > 0


@pytest.mark.parametrize("kind", KINDS)
def test_leak_and_threshold_are_trained_and_in_the_state(kind):
    spiking = neuron(kind, leak=0.3, threshold=0.7)
    names = ["threshold"] if kind == "iaf" else ["threshold", "leak"]

    assert [name for name, _ in spiking.named_parameters()] == names
    assert set(spiking.state_dict()) == {*names, "initial"}
    assert spiking.initial.tolist() == pytest.approx([0.7, 0 if kind == "iaf" else 0.3, 0, 0])
    current = torch.rand(4, 1, 20, generator=torch.Generator().manual_seed(7))
    fire(spiking, current).sum().backward()
    assert all(parameter.grad.item() != 0 for parameter in spiking.parameters())


def test_a_deployed_leak_is_a_multiple_of_a_sixteenth():
    currents = [0.55, 0.55, 0.55, 0.55]

    # 0.3 acts as 5/16, of which 0.55 charges beyond 0.4 in the fifth step only; 0.34 as well
    for leak in (0.3, 0.34):
        expected = spikes_of("lif_box", currents, leak=5 / 16, threshold=0.4)
        assert spikes_of("lif_box", currents, leak=leak, threshold=0.4) == expected
    assert spikes_of("lif_box", currents, leak=0.5, threshold=0.4) != expected


@pytest.mark.parametrize(
    ("leak", "threshold", "kept"),
    [(-1.0, -2.0, (1 / 16, SMALLEST_THRESHOLD)), (3.0, 9.0, (1.0, 9.0)), (0.3, 0.2, (0.3, 0.2))],
)
def test_project_brings_parameters_back(leak, threshold, kept):
    spiking = neuron("lif")
    with torch.no_grad():
        spiking.leak.fill_(leak)
        spiking.threshold.fill_(threshold)
    spiking.project()

    assert (spiking.leak.item(), spiking.threshold.item()) == pytest.approx(kept)


def test_project_works_without_a_leak():
    spiking = neuron("iaf")
    with torch.no_grad():
        spiking.threshold.fill_(-1.0)
    spiking.project()

    assert spiking.threshold.item() == pytest.approx(SMALLEST_THRESHOLD)


@pytest.mark.parametrize("kind", KINDS)
def test_a_neuron_never_fires_at_rest(kind):
    spiking = neuron(kind, threshold=SMALLEST_THRESHOLD)

    assert not fire(spiking, torch.zeros(5, 1, 3)).any()


def test_trained_leaks_and_thresholds_are_deployed(chain):
    network = build(chain(neuron="lif", blocks=2), 0)
    with torch.no_grad():
        for number, spiking in enumerate(network.neurons.values()):
            spiking.threshold.fill_(0.3 + number)
            spiking.leak.fill_(0.9)
    deployed = deploy(network)

    thresholds = [spiking.threshold.item() for spiking in deployed.neurons.values()]
    assert thresholds == pytest.approx([0.3, 1.3])
    assert [spiking.leak.item() for spiking in deployed.neurons.values()] == pytest.approx(
        [0.9] * 2
    )
