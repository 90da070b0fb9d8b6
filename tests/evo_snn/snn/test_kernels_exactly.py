"""Kernels to the last bit: thresholds, saturation, extremes; equal bits again and again."""

import itertools
import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from evo_snn.snn.kernels import KERNELS as NAMES
from evo_snn.snn.kernels import choose
from genomes.errors import RequestError
from tests.evo_snn.snn.kernel_checks import (
    assert_as_norse,
    by_kernel,
    random_current,
    random_step,
    random_weight,
    spikes_of,
)
from tests.evo_snn.snn.norse_reference import ALPHAS, KERNELS, KINDS, Neurons, norse_spikes

every_kernel = pytest.mark.parametrize("kernel", KERNELS)
every_kind = pytest.mark.parametrize("kind", KINDS)
every_dtype = pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float64], ids=["float32", "float64"]
)


OUT_OF_REACH = 1e6


def membranes(neurons, current):
    """One neuron's membrane at each step as Norse computes it, if it never fires."""
    seen = []
    leak, threshold = (torch.tensor(x, dtype=current.dtype) for x in (neurons.leak, OUT_OF_REACH))
    norse_spikes(neurons, current, len(current), threshold, leak, seen)
    return [state.v.item() for state in seen]


def next_below(value, dtype):
    """The largest number of a type that is smaller."""
    ends = torch.tensor([value, -math.inf], dtype=dtype)
    return torch.nextafter(*ends).item()


@every_kernel
@every_kind
@every_dtype
@pytest.mark.parametrize("quantized", [False, True])
def test_a_membrane_of_just_the_threshold_does_not_fire(kernel, kind, dtype, quantized):
    # The last bit of a membrane is felt: operations have Norse's order, and none is fused.
    fired = 0
    for seed in range(40):
        leak = [1 / 16, 0.25, 0.3, 0.5, 1.0][seed % 5]
        current = random_current(6, 1, 1, dtype=dtype, seed=seed).abs()
        step = random_step(1, seed=seed, dtype=dtype) if quantized else None
        found = membranes(Neurons(kind, leak=leak, step=step), current)
        for number, membrane in enumerate(found):
            if membrane > max(found[:number], default=0):  # else it would fire before
                for threshold, fires in ((membrane, 0), (next_below(membrane, dtype), 1)):
                    neurons = Neurons(kind, threshold, leak, step)
                    spikes = spikes_of(kernel, neurons, current, 6).flatten().tolist()
                    assert spikes[: number + 1] == [0] * number + [fires]
                    fired += fires
    assert fired > 60


@every_kernel
@every_kind
@every_dtype
def test_ties_between_levels_go_to_the_even_one(kernel, kind, dtype):
    # Currents in halves and quarters of a step: half of all states lie between two levels. With
    # steps that are no powers of two, whether one does depends on how it is divided.
    for step in (0.25, 0.1, 0.3, 1 / 3):
        generator = torch.Generator().manual_seed(3)
        eighths = torch.randint(-40, 41, (6, 50, 2, 7), generator=generator)
        current = eighths.to(dtype) * torch.tensor(step / 4, dtype=dtype)
        steps = torch.full((2,), step, dtype=dtype)
        for leak, threshold in itertools.product((0.25, 0.5, 1.0), (2 * step, 3.5 * step)):
            assert_as_norse(kernel, Neurons(kind, threshold, leak, steps, 4), current, 6)


@every_kernel
@every_kind
@every_dtype
@pytest.mark.parametrize("bits", [2, 4, 8, 16, 32])
def test_saturated_states_are_norses(kernel, kind, dtype, bits):
    channels = 5
    step = random_step(channels, dtype=dtype) * 16 / 2**bits
    for scale in (0.3, 1.0, 5.0, 100.0):
        current = random_current(8, 4, channels, 9, dtype=dtype, mean=-0.2, spread=1) * scale
        # a threshold beyond the largest level, and one well within
        for threshold in (0.3, 5.0):
            assert_as_norse(kernel, Neurons(kind, threshold, 1.0, step, bits), current, 8)


@every_kernel
@every_kind
@every_dtype
@pytest.mark.parametrize("surrogate", ALPHAS)
def test_extremes_are_norses(kernel, kind, dtype, surrogate):
    smallest = torch.finfo(dtype).smallest_normal
    for scale in (0.0, smallest, 1e-20, 1e10):
        # an alpha of the membrane's size, beyond which Norse's own formula of circ is all rounding
        alpha = ALPHAS[surrogate] * (max(1.0, scale) if surrogate == "circ" else 1)
        for given_steps in (1, 4):
            current = random_current(given_steps, 2, 3, 5, dtype=dtype) * scale
            for step in (None, random_step(3, dtype=dtype)):
                # Norse takes v from the gradient and adds v - threshold: nothing is left of 1e10
                subtracts = kind == "lif_box" and scale < 1
                for reset in ("hard", "subtract") if subtracts else ("hard",):
                    neurons = Neurons(kind, 0.5, 0.25, step, 6, surrogate, alpha, reset)
                    assert_as_norse(kernel, neurons, current, 4, tight=1e-5)


@every_kernel
@every_kind
@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize("reset", ["hard", "subtract"])
def test_what_is_no_number_is_silence_from_there_on(kernel, kind, quantized, reset):
    reset = reset if kind == "lif_box" else "hard"
    current = torch.tensor([1.0, math.nan, 9.0, 9.0, 9.0]).reshape(-1, 1, 1)
    step = torch.tensor([0.1]) if quantized else None
    neurons = Neurons(kind, 0.3, 0.5, step, reset=reset)
    assert spikes_of(kernel, neurons, current, 5).flatten().tolist() == [1, 0, 0, 0, 0]


@every_kernel
@every_dtype
def test_what_a_subtraction_leaves_is_norses_to_the_last_bit(kernel, dtype):
    # what is above the threshold stays, to the last bit, and decides over the next spikes
    for seed in range(40):
        leak = [1 / 16, 0.25, 0.3, 0.5, 1.0][seed % 5]
        current = 3 * random_current(8, 1, 1, dtype=dtype, seed=seed).abs()
        neurons = Neurons("lif_box", 0.3, leak, reset="subtract")
        seen = []
        threshold, of_leak = (torch.tensor(x, dtype=dtype) for x in (0.3, leak))
        norse_spikes(neurons, current, 8, threshold, of_leak, seen)
        for number, state in enumerate(seen[:-1]):
            # the next current brings the membrane to about the threshold: either side counts
            short = (threshold - state.v * (1 - of_leak)) / of_leak
            tried = torch.cat([current[: number + 1], short[None]])
            spikes = spikes_of(kernel, neurons, tried, number + 2)
            assert torch.equal(spikes, norse_spikes(neurons, tried, number + 2, threshold, of_leak))


@every_kernel
@every_kind
@pytest.mark.parametrize("surrogate", ALPHAS)
def test_alpha_is_felt_where_norse_feels_it(kernel, kind, surrogate):
    current = random_current(4, 3, 2, 5)
    weight = random_weight(current, 4)
    grads = []
    for alpha in (0.25, 1.0, 3.0, 100.0):
        neurons = Neurons(kind, surrogate=surrogate, alpha=alpha)
        grads.append(assert_as_norse(kernel, neurons, current, 4, weight).current)
    same = [torch.equal(grads[0], other) for other in grads[1:]]
    assert same == [surrogate == "super"] * 3


@every_kernel
@settings(max_examples=150)
@given(data=st.data())
def test_whatever_is_given_is_norses(kernel, data):
    draw = data.draw
    sizes = st.integers(1, 5)
    shape = (draw(sizes), draw(sizes), *draw(st.lists(sizes, max_size=3)))  # batch, channels, …
    time_steps = draw(st.integers(1, 16))
    dtype = draw(st.sampled_from([torch.float32, torch.float64]))
    surrogate = draw(st.sampled_from(sorted(ALPHAS)))
    bits = draw(st.integers(2, 32))
    quantized = draw(st.booleans())
    seed = draw(st.integers(0, 2**32))
    kind = draw(st.sampled_from(KINDS))
    neurons = Neurons(
        kind,
        draw(st.floats(0.05, 10)),
        draw(st.floats(1 / 16, 1)),
        random_step(shape[1], seed, dtype) * 2.0 ** (8 - bits) if quantized else None,
        bits,
        surrogate,
        draw(st.floats(0.1, 4)),
        draw(st.sampled_from(["hard", "subtract"])) if kind == "lif_box" else "hard",
        draw(st.booleans()),
    )
    mean, spread = draw(st.floats(-1, 2)), draw(st.floats(0, 8))
    steps = draw(st.sampled_from([1, time_steps]))
    current = random_current(steps, *shape, seed=seed, dtype=dtype, mean=mean, spread=spread)
    # Few neurons far from their threshold have nothing but the rounding of Norse's own formulas.
    tight = {torch.float32: 1e-4, torch.float64: 1e-9}[dtype]
    tight = max(tight, 1e-6) if surrogate == "heavi_erfc" else tight
    assert_as_norse(kernel, neurons, current, time_steps, tight=tight, least=1.0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
@every_kind
@every_dtype
def test_on_a_gpu_torchs_kernel_is_norses(kind, dtype):
    for given_steps in (1, 4):
        current = random_current(given_steps, 3, 5, 9, 7, dtype=dtype).cuda()
        weight = random_weight(current.cpu(), 4).cuda()
        for step in (None, random_step(5, dtype=dtype).cuda()):
            assert_as_norse("torch", Neurons(kind, step=step), current, 4, weight)


# Equal bits


def bits_of(fired):
    """Everything that came out, as bytes."""
    found = (fired.spikes, fired.current, fired.threshold, fired.leak)
    return b"".join(one.contiguous().numpy().tobytes() for one in found if one is not None)


def work(kernel, kind, seed):
    current = random_current(5, 8, 6, 7, 7, dtype=torch.float32, seed=seed)
    neurons = Neurons(kind, step=random_step(6, dtype=torch.float32))
    return bits_of(by_kernel(kernel, neurons, current, 5, random_weight(current, 5)))


@every_kernel
@every_kind
def test_the_same_again_has_the_same_bits(kernel, kind):
    assert len({work(kernel, kind, 0) for _ in range(5)}) == 1
    assert work(kernel, kind, 0) != work(kernel, kind, 1)


@every_kernel
@every_kind
def test_threads_at_once_have_the_bits_of_one_after_another(kernel, kind):
    expected = [work(kernel, kind, seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda seed: work(kernel, kind, seed % 4), range(24)))
    assert found == expected * 6


@every_kernel
@every_kind
def test_nothing_that_is_given_is_changed(kernel, kind):
    current, step = random_current(4, 2, 3, 5), random_step(3)
    weight = random_weight(current, 4)
    copies = [one.clone() for one in (current, step, weight)]
    first = by_kernel(kernel, Neurons(kind, step=step), current, 4, weight)
    spikes = first.spikes.clone()
    by_kernel(kernel, Neurons(kind, step=step), -current, 4, weight)

    assert all(map(torch.equal, (current, step, weight), copies))
    assert torch.equal(first.spikes, spikes)


# Which kernel


def test_a_kernel_is_chosen_by_name():
    for name in NAMES:
        assert choose(name, "cpu").name == name
    chosen = choose("auto", "cpu")
    assert chosen.name in KERNELS
    assert chosen.reason


@pytest.mark.parametrize(
    ("name", "device"), [("numpy", "cpu"), ("", "cpu"), ("numba", "cuda"), ("numba", "mps")]
)
def test_a_kernel_that_cannot_work_here_is_refused(name, device):
    with pytest.raises(RequestError, match="numba|torch") as caught:
        choose(name, device)
    assert caught.value.field == "training.kernel"
    assert caught.value.value == name


@pytest.mark.parametrize("device", ["cuda", "cuda:1", "mps"])
def test_other_devices_have_torchs_kernel(device):
    assert choose("auto", device).name == "torch"


def child(code):
    """What some code prints in a fresh interpreter."""
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_numba_is_imported_by_its_kernel_alone():
    code = """
import sys, torch
from evo_snn.snn.kernels import Dynamics, fire
one, half = torch.ones(1, 1, 1), torch.tensor(0.5)
for kernel in ("norse", "torch", "numba"):
    spikes = fire(Dynamics("lif_box", 8), one, 2, half, half, None, kernel=kernel)
    print(int(spikes.sum()), "numba" in sys.modules)
"""
    assert child(code) == ["1", "False", "1", "False", "1", "True"]


def test_without_numba_torchs_kernel_is_chosen():
    code = """
import sys
sys.modules["numba"] = None
from evo_snn.snn.kernels import choose
from genomes.errors import RequestError
print(choose("auto", "cpu").name)
try:
    choose("numba", "cpu")
except RequestError as error:
    print(error.field, "pip" in error.remedy)
"""
    assert child(code) == ["torch", "training.kernel", "True"]


def test_where_compiled_code_can_be_kept_nowhere_some_kernel_works():
    # a read-only installation, and a user without a home
    code = """
from numba.core import caching
caching.CacheImpl._locator_classes = []
import torch
from evo_snn.snn.kernels import Dynamics, choose, fire
one, half = torch.ones(1, 1, 1), torch.tensor(0.5)
name = choose("auto", "cpu").name
print(int(fire(Dynamics("lif_box", 8), one, 2, half, half, None, kernel=name).sum()))
"""
    assert child(code) == ["1"]
