"""Inheritance: which cells of which tensors are copied, from whom, in which order."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis.strategies import data, integers, tuples

from evo_snn.candidate import Candidate
from evo_snn.inheritance import STRATEGIES, _resampled, inherit, unlikeness
from evo_snn.snn import build
from evo_snn.snn.tensors import named_tensors, read_tensors, restore, to_bytes
from evo_snn.store import Store
from genomes.spaces import make_space
from tests.counts import count
from tests.genomes.by_name import genome_of

CHANNELS = ("scale", "shift")


def architecture(*, shape=(1, 6, 6), **values):
    """One stage of one block, but as ``values`` say by gene name."""
    options = {"resets": ["hard", "subtract"], "hidden_codes": ["any", "once"]}
    options |= {"surrogates": ["super", "tanh"], "max_stages": 2, "max_blocks": 2}
    space = make_space("plain", shape, 3, {**options, "widths": [2, 3, 5]})
    genome = [
        gene.choices.index(values[gene.name]) if gene.name in values else 0 for gene in space.genes
    ]
    return space.decode(genome)


def network(*, seed=0, **values):
    return build(architecture(**values), seed)


def parent(**values):
    """A network whose every tensor is different from a fresh one's, as after training."""
    trained = network(seed=99, **values)
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, tensor in named_tensors(trained).items():
            if not name.endswith("/initial"):
                tensor.copy_(0.1 + torch.rand(tensor.shape, generator=generator))
    return {name: tensor.detach().clone() for name, tensor in named_tensors(trained).items()}


def copies(module):
    return {name: tensor.detach().clone() for name, tensor in named_tensors(module).items()}


def test_the_same_architecture_inherits_everything():
    values = {"stages": 2, "stage1.blocks": 2, "neuron": "lif"}
    source, child = parent(**values), network(**values)

    fresh = copies(child)
    assert inherit(child, [source]) == 1.0
    for name, tensor in named_tensors(child).items():
        stale = name.endswith(("/mean", "/variance"))
        assert torch.equal(tensor, fresh[name] if stale else source[name]), name


def test_no_source_changes_nothing():
    child = network()
    before = copies(child)

    assert inherit(child, []) == 0.0
    assert all(torch.equal(tensor, before[name]) for name, tensor in copies(child).items())


def test_the_copy_is_no_alias():
    source, child = parent(), network()
    inherit(child, [source])
    with torch.no_grad():
        for tensor in named_tensors(child).values():
            tensor.zero_()

    assert all(tensor.any() for name, tensor in source.items() if "initial" not in name)


def test_a_wider_child_gets_the_first_channels():
    source, child = parent(**{"stage1.width": 2}), network(**{"stage1.width": 5})
    before = copies(child)
    inherited = inherit(child, [source])
    now = copies(child)

    assert torch.equal(now["stage1.block1/weight"][:2], source["stage1.block1/weight"])
    assert torch.equal(now["stage1.block1/weight"][2:], before["stage1.block1/weight"][2:])
    for name in CHANNELS:
        own, old = now[f"stage1.block1/{name}"], before[f"stage1.block1/{name}"]
        assert torch.equal(own[:2], source[f"stage1.block1/{name}"])
        assert torch.equal(own[2:], old[2:])
    # the read-out reads 2 of its 5 channels from the source
    assert torch.equal(now["readout/weight"][:, :2], source["readout/weight"])
    assert not now["readout/weight"][:, 2:].any()  # and from nowhere else
    assert torch.equal(now["readout/shift"], source["readout/shift"])
    # 2 of 5 weights of the block, 3 * 2 * 36 of 3 * 5 * 36 of the read-out
    assert inherited == pytest.approx((2 + 216) / (5 + 540))


def test_a_narrower_child_gets_what_it_has_room_for():
    source, child = parent(**{"stage1.width": 5}), network(**{"stage1.width": 2})
    inherited = inherit(child, [source])
    now = copies(child)

    assert torch.equal(now["stage1.block1/weight"], source["stage1.block1/weight"][:2])
    assert torch.equal(now["stage1.block1/shift"], source["stage1.block1/shift"][:2])
    assert torch.equal(now["readout/weight"], source["readout/weight"][:, :2])
    assert inherited == 1.0  # its statistics hold no longer


@pytest.mark.parametrize("shape", [(1, 6), (1, 6, 6), (1, 6, 6, 6)])
def test_kernels_overlap_about_their_centre(shape):
    dimensions = len(shape) - 1
    small = parent(shape=shape, **{"stage1.block1.kernel": 3})["stage1.block1/weight"]
    large = network(shape=shape, **{"stage1.block1.kernel": 5})
    inherit(large, [{"stage1.block1/weight": small}])
    now = copies(large)["stage1.block1/weight"]
    centre = (slice(None), slice(None), *[slice(1, 4)] * dimensions)

    assert torch.equal(now[centre], small)
    outside = torch.ones_like(now, dtype=torch.bool)
    outside[centre] = False
    assert not now[outside].any()


def test_a_smaller_kernel_is_cut_from_the_centre():
    large = parent(**{"stage1.block1.kernel": 5})
    child = network(**{"stage1.block1.kernel": 3})
    inherited = inherit(child, [large])

    assert torch.equal(
        copies(child)["stage1.block1/weight"], large["stage1.block1/weight"][:, :, 1:4, 1:4]
    )
    assert inherited == 1.0


def test_a_wider_source_of_input_is_sliced_too():
    """The second block reads what the first one gives: both its dimensions overlap."""
    two = {"stages": 2, "stage1.width": 3, "stage2.width": 5}
    source, child = parent(**two), network(**{**two, "stage1.width": 5, "stage2.width": 3})
    inherit(child, [source])
    now = copies(child)["stage2.block1/weight"]

    assert torch.equal(now[:3, :3], source["stage2.block1/weight"][:3, :3])
    assert not now[:, 3:].any()


@pytest.mark.parametrize(("own", "theirs"), [("none", "max"), ("max", "none")])
def test_a_readout_of_a_map_of_another_size_scores_equal_maps_equally(own, theirs):
    source = parent(**{"stage1.pool": theirs})
    child = network(**{"stage1.pool": own})

    assert inherit(child, [source]) == 1.0
    now = copies(child)["readout/weight"]
    assert now.shape[2:] != source["readout/weight"].shape[2:]
    assert torch.allclose(now.sum((2, 3)), source["readout/weight"].sum((2, 3)), rtol=1e-5)


@given(data())
def test_resampling_keeps_sums_whatever_the_sizes(drawn):
    old = drawn.draw(tuples(integers(1, 9), integers(1, 9)))
    new = drawn.draw(tuples(integers(1, 9), integers(1, 9)))
    weight = torch.randn(3, 2, *old, generator=torch.Generator().manual_seed(0)).double()
    resampled = weight
    for dimension, size in enumerate(new, start=2):
        resampled = _resampled(resampled, dimension, size)

    assert resampled.shape == (3, 2, *new)
    assert torch.allclose(resampled.sum((2, 3)), weight.sum((2, 3)))
    if old == new:
        assert torch.equal(resampled, weight)


def test_a_readout_of_a_halved_map_adds_up_what_it_merges():
    weight = torch.arange(4.0).view(1, 1, 4)
    assert _resampled(weight, 2, 2).tolist() == [[[1.0, 5.0]]]
    assert _resampled(weight, 2, 3).tolist() == [[[1.0, 2.0, 3.0]]]
    assert _resampled(weight, 2, 8).tolist() == [[[0, 0, 0.5, 0.5, 1, 1, 1.5, 1.5]]]


def test_a_convolution_without_a_source_passes_its_map_on():
    source = parent()
    child = network(**{"stage1.blocks": 2, "stage1.block2.kernel": 3})
    inherit(child, [source])
    weight = copies(child)["stage1.block2/weight"]

    assert weight.shape == (2, 2, 3, 3)
    for channel in range(2):
        centre = weight[channel, channel, 1, 1]
        rest = weight[channel].flatten().abs().sum() - centre.abs()
        assert centre > 0.5
        assert rest < 0.3 * centre


def test_a_channel_keeps_its_ratio_to_what_fires_a_neuron():
    source = parent(threshold=0.25, leak=0.5)
    source["stage1.block1/threshold"] = torch.tensor(0.6)  # as it was trained
    source["stage1.block1/leak"] = torch.tensor(0.76)  # runs as 12/16
    child = network(threshold=1.0, leak=0.25)
    inherit(child, [source])
    now = copies(child)

    for name in CHANNELS:  # a current of 0.8 fired its neurons, one of 4 fires the child's
        assert torch.allclose(
            now[f"stage1.block1/{name}"], 5 * source[f"stage1.block1/{name}"], rtol=1e-5
        )


def test_with_the_trained_neuron_comes_the_gain_as_it_is():
    source = parent(threshold=0.25, leak=0.5)
    source["stage1.block1/threshold"] = torch.tensor(0.6)
    child = network(threshold=0.25, leak=0.5)
    inherit(child, [source])
    for name in (*CHANNELS, "threshold"):
        expected = source[f"stage1.block1/{name}"]
        assert torch.equal(copies(child)[f"stage1.block1/{name}"], expected)


def test_an_integrating_neuron_needs_the_whole_threshold():
    source = parent(neuron="lif_box", threshold=0.5, leak=0.25)
    source |= {
        "stage1.block1/threshold": torch.tensor(0.5),
        "stage1.block1/leak": torch.tensor(0.25),
    }
    child = network(neuron="iaf", threshold=0.5)
    inherit(child, [source])
    # a current of 2 fired the one, 0.5 fires the other
    expected = source["stage1.block1/scale"] / 4
    assert torch.allclose(copies(child)["stage1.block1/scale"], expected)


@pytest.mark.parametrize(
    ("changed", "inherited"),
    [
        ({}, True),
        ({"threshold": 0.75}, False),
        ({"leak": 0.5}, False),
        ({"stage1.width": 5}, True),
        ({"neuron": "iaf"}, False),
    ],
)
def test_trained_leaks_and_thresholds_need_equal_genes(changed, inherited):
    source, child = parent(neuron="lif"), network(**{"neuron": "lif", **changed})
    before = copies(child)
    inherit(child, [source])
    now = copies(child)

    for name in ("threshold", "leak"):
        if f"stage1.block1/{name}" in now:
            expected = source if inherited else before
            assert torch.equal(now[f"stage1.block1/{name}"], expected[f"stage1.block1/{name}"])
    assert torch.equal(now["stage1.block1/initial"], before["stage1.block1/initial"])


@pytest.mark.parametrize(
    ("changed", "inherited"),
    [
        ({"reset": "subtract"}, False),
        ({"hidden_code": "once"}, False),
        ({"surrogate": "tanh"}, True),  # it trains otherwise, and fires as it did
    ],
)
def test_a_neuron_that_fires_otherwise_is_another_one(changed, inherited):
    source, child = parent(neuron="lif_box"), network(neuron="lif_box", **changed)
    before = copies(child)
    inherit(child, [source])
    now = copies(child)

    for name in ("threshold", "leak"):
        expected = source if inherited else before
        assert torch.equal(now[f"stage1.block1/{name}"], expected[f"stage1.block1/{name}"])
    assert torch.equal(now["stage1.block1/weight"], source["stage1.block1/weight"])


def test_a_layer_comes_from_the_source_of_what_it_reads():
    shallow, deep = parent(), parent(**{"stages": 2, "stage1.width": 5})
    child = network(stages=2)
    inherit(child, [shallow, deep])
    now = copies(child)

    assert torch.equal(now["stage1.block1/weight"], shallow["stage1.block1/weight"])
    centre = tuple(size // 2 for size in now["stage2.block1/weight"].shape[2:])
    identity = now["stage2.block1/weight"][(slice(None), slice(None), *centre)]
    assert torch.allclose(identity, torch.eye(2), atol=0.2)  # the deep one's reads other channels
    inherit(child, [deep, shallow])
    now = copies(child)
    assert torch.equal(now["stage1.block1/weight"], deep["stage1.block1/weight"][:2])
    assert torch.equal(now["stage2.block1/weight"], deep["stage2.block1/weight"][:, :2])


def test_cells_that_nobody_wrote_are_not_copied():
    source, child = parent(), network()
    source["stage1.block1/weight"][1] = torch.nan
    source["stage1.block1/mean"][1] = torch.nan
    before = copies(child)
    inherited = inherit(child, [source])
    now = copies(child)

    assert torch.equal(now["stage1.block1/weight"][0], source["stage1.block1/weight"][0])
    assert torch.equal(now["stage1.block1/weight"][1], before["stage1.block1/weight"][1])
    assert torch.equal(now["stage1.block1/mean"][1], before["stage1.block1/mean"][1])
    assert all(torch.isfinite(tensor).all() for tensor in now.values())
    assert inherited == pytest.approx(217 / 218)


def test_weights_of_another_type_are_converted():
    source = {name: tensor.double() for name, tensor in parent().items()}
    child = network()
    inherit(child, [source])

    assert child.trainable_layers()[0].weight.dtype == torch.float32
    assert torch.equal(copies(child)["readout/weight"], source["readout/weight"].float())


# Strategies


@pytest.fixture
def store(tmp_path):
    with Store.create(
        tmp_path / "run",
        config_toml="",
        environment={},
        space={},
        objectives=[],
        constraints={},
    ) as store:
        yield store


def record(
    store, key, genome=(0, 0, 0), *, accuracy=0.5, weights=None, trained=True, architecture=None
):
    candidate = Candidate(
        key=key,
        genome=genome,
        parents=(),
        generation=0,
        state="ok",
        metrics={"accuracy": accuracy},
        trained=trained,
        architecture=architecture or {},
    )
    store.record(candidate, to_bytes(weights) if weights is not None else None)
    return candidate


def finish(store, strategy, number, trained):
    store.record_generation(number, [], None, 0.0, strategy.shared_bank(trained))


def test_without_inheritance_there_is_no_source(store):
    one = record(store, "a", weights=parent())
    strategy = STRATEGIES["none"](store)
    finish(store, strategy, 0, [one])

    assert strategy.sources(architecture(), (0, 0, 0), [one]) == ()
    assert store.shared_bank_path() is None


def test_the_nearer_parent_comes_first(store):
    far = record(store, "far", (1, 1, 0), weights=parent())
    near = record(store, "near", (0, 1, 0), weights=parent())
    strategy = STRATEGIES["parents"](store)
    expected = (store.weights_path("near"), store.weights_path("far"))

    assert strategy.sources(architecture(), (0, 0, 0), [far, near]) == expected
    assert strategy.sources(architecture(), (0, 0, 0), [near, far]) == expected
    assert strategy.sources(architecture(), (1, 1, 1), [near, far]) == expected[::-1]


def test_equally_near_parents_keep_their_order(store):
    one = record(store, "one", (1, 0, 0), weights=parent())
    other = record(store, "other", (0, 1, 0), weights=parent())
    strategy = STRATEGIES["parents"](store)
    paths = (store.weights_path("one"), store.weights_path("other"))

    assert strategy.sources(architecture(), (0, 0, 0), [one, other]) == paths
    assert strategy.sources(architecture(), (0, 0, 0), [other, one]) == paths[::-1]


def test_parents_without_trained_weights_are_passed_over(store):
    untrained = record(store, "a", trained=False, weights=parent())
    pruned = record(store, "b")
    twice = record(store, "c", weights=parent())
    strategy = STRATEGIES["parents"](store)

    assert strategy.sources(architecture(), (0, 0, 0), [untrained, pruned, twice, twice]) == (
        store.weights_path("c"),
    )
    assert strategy.sources(architecture(), (0, 0, 0), []) == ()


def test_a_shared_bank_exists_after_a_generation_that_trained(store):
    strategy = STRATEGIES["shared"](store)
    assert strategy.sources(architecture(), (0, 0, 0), []) == ()
    finish(store, strategy, 0, [])
    assert strategy.sources(architecture(), (0, 0, 0), []) == ()
    finish(store, strategy, 1, [record(store, "a", weights=parent())])
    assert strategy.sources(architecture(), (0, 0, 0), []) == (store.shared_bank_path(),)


def test_the_bank_grows_to_the_largest_of_each_slot(store):
    strategy = STRATEGIES["shared"](store)
    narrow = record(store, "a", accuracy=0.2, weights={"x/weight": torch.full((1, 2, 1), 1.0)})
    long = record(store, "b", accuracy=0.4, weights={"x/weight": torch.full((2, 1, 3), 2.0)})
    finish(store, strategy, 0, [narrow, long])
    bank = read_tensors(store.shared_bank_path())["x/weight"]
    never = float("nan")

    # (1, 2, 1) and, over it, (2, 1, 3) whose kernel of 3 has its centre where 1 has it
    expected = [[[2.0, 2.0, 2.0], [never, 1.0, never]], [[2.0, 2.0, 2.0], [never] * 3]]
    assert np.array_equal(bank.numpy(), np.array(expected, dtype=np.float32), equal_nan=True)


def test_the_bank_keeps_what_a_later_generation_does_not_write(store):
    strategy = STRATEGIES["shared"](store)
    first = record(store, "a", weights={"x/weight": torch.ones(3, 1, 1), "y/shift": torch.ones(2)})
    finish(store, strategy, 0, [first])
    second = record(store, "b", accuracy=0.1, weights={"x/weight": torch.full((1, 1, 1), 5.0)})
    finish(store, strategy, 1, [second])
    bank = read_tensors(store.shared_bank_path())

    assert bank["x/weight"].flatten().tolist() == [5, 1, 1]
    assert bank["y/shift"].tolist() == [1, 1]


def test_the_most_accurate_is_written_last_whatever_the_order(store):
    trained = [
        record(store, key, accuracy=accuracy, weights={"x/weight": torch.full((1, 1), value)})
        for key, accuracy, value in (("c", 0.3, 1.0), ("b", 0.9, 2.0), ("a", 0.9, 3.0))
    ]
    strategy = STRATEGIES["shared"](store)
    written = set()
    for number, order in enumerate(itertools.permutations(trained)):
        finish(store, strategy, number, order)
        written.add(store.shared_bank_path().read_bytes())
        bank = read_tensors(store.shared_bank_path())
        assert bank["x/weight"].tolist() == [[2.0]]  # of equal accuracy the later key

    assert len(written) == 1


def test_a_readout_of_another_map_size_replaces_the_banks(store):
    strategy = STRATEGIES["shared"](store)
    small = record(store, "a", accuracy=0.1, weights={"readout/weight": torch.ones(2, 3, 2, 2)})
    large = record(
        store, "b", accuracy=0.2, weights={"readout/weight": torch.full((2, 2, 4, 4), 7.0)}
    )
    finish(store, strategy, 0, [small, large])

    bank = read_tensors(store.shared_bank_path())["readout/weight"]
    assert bank.shape == (2, 2, 4, 4)
    assert (bank == 7).all()


def test_a_network_inherits_from_the_bank_what_was_written(store):
    source = parent(**{"stage1.width": 3, "neuron": "lif"})
    strategy = STRATEGIES["shared"](store)
    finish(store, strategy, 0, [record(store, "a", weights=source)])
    bank = [read_tensors(path) for path in strategy.sources(architecture(), (), [])]
    twin, wider = (network(**{"stage1.width": width, "neuron": "lif"}) for width in (3, 5))

    assert inherit(twin, bank) == 1.0
    trained = {name for name in source if not name.endswith(("/mean", "/variance"))}
    assert all(torch.equal(copies(twin)[name], source[name]) for name in trained)
    inherited = inherit(wider, bank)
    assert inherited == pytest.approx(0.6)
    assert all(torch.isfinite(tensor).all() for tensor in copies(wider).values())


# Folded bands

SCENE = {"planes": 1, "patch": 3, "plane1.width": 3}


def scene(bands=6, **values):
    """A hybrid network: one cube, and a plane that reads its bands as channels."""
    options = {"widths": [2, 3, 5], "bands": [4, 6, 8], "max_cubes": 2, "max_planes": 2}
    space = make_space("hyperspectral", (1, 12, 5, 5), 3, options)
    return space.decode(genome_of(space, **{**SCENE, "bands": bands, **values}))


def trained_scene(**values):
    network = build(scene(**values), 5)
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for layer in network.trainable_layers():
            layer.weight.copy_(torch.rand(layer.weight.shape, generator=generator))
    return network


def test_a_weight_of_folded_bands_has_channels_and_bands_apart():
    network = trained_scene()
    weight = network.layers["plane1"].weight
    apart = named_tensors(network)["plane1/weight"]

    assert weight.shape == (3, 2 * 6, 1, 1)
    assert apart.shape == (3, 2, 6, 1, 1)
    assert torch.equal(apart.flatten(1, 2), weight)
    with torch.no_grad():
        apart[0, 1, 2] = 9.0
    assert weight[0, 6 + 2].item() == 9.0  # the third band of the second channel
    again = build(scene(), 0)
    restore(again, read_back(network))
    assert torch.equal(again.layers["plane1"].weight, weight)


def read_back(network):
    return {name: tensor.detach().clone() for name, tensor in named_tensors(network).items()}


def test_a_plane_follows_the_channels_of_the_map_that_it_folds():
    source, child = trained_scene(), build(scene(**{"cube1.width": 3}), 0)
    inherit(child, [read_back(source)])
    theirs, now = (named_tensors(one)["plane1/weight"] for one in (source, child))

    assert torch.equal(now[:, :2], theirs)
    assert not now[:, 2:].any()


@pytest.mark.parametrize("bands", [4, 8])
def test_a_plane_of_more_or_fewer_bands_sums_equal_bands_equally(bands):
    source, child = trained_scene(), build(scene(bands), 0)
    assert inherit(child, [read_back(source)]) == 1.0
    theirs, now = (named_tensors(one)["plane1/weight"] for one in (source, child))

    assert now.shape[2] == bands
    assert torch.allclose(now.sum(2), theirs.sum(2), rtol=1e-5)


def test_a_new_plane_passes_on_all_bands_of_a_channel():
    source, child = trained_scene(planes=0), build(scene(), 0)
    inherit(child, [read_back(source)])
    weight = named_tensors(child)["plane1/weight"]

    for channel in range(2):
        assert (weight[channel, channel] > 0.5).all()
        assert (weight[channel, 1 - channel].abs() < 0.3).all()


def test_networks_that_fold_other_bands_are_less_alike():
    assert unlikeness(scene(4), scene(6)) > unlikeness(scene(6), scene(6)) == 0


def test_the_bank_keeps_folded_maps_of_one_size(store):
    strategy = STRATEGIES["shared"](store)
    small, large = (
        record(
            store,
            f"{bands}",
            accuracy=bands / 10,
            weights=read_back(trained_scene(bands=bands)),
            architecture=scene(bands).describe(),
        )
        for bands in (4, 6)
    )
    finish(store, strategy, 0, [small, large])
    bank = read_tensors(store.shared_bank_path())["plane1/weight"]

    assert bank.shape == (3, 2, 6, 1, 1)  # not grown about the middle of the bands
    assert torch.equal(bank, named_tensors(trained_scene(bands=6))["plane1/weight"])


GENOMES = {
    "hyperspectral": ((1, 9, 5, 5), {"widths": [2, 3, 5], "bands": [3, 6], "max_cubes": 3}),
    "spectrum": ((1, 21), {"widths": [2, 3, 5], "bands": [9]}),
    "signal": ((2, 40), {"widths": [2, 3, 5]}),
}


@pytest.mark.parametrize("name", GENOMES)
def test_children_of_other_spaces_inherit(name):
    """All of what their parent had, and where it is all the same, its very scores."""
    shape, options = GENOMES[name]
    space = make_space(name, shape, 3, options)
    rng = np.random.default_rng(0)
    x = torch.rand(4, *shape, generator=torch.Generator().manual_seed(0))
    for genome in space.sample(count(3, 50), rng):
        source = build(space.decode(genome), 1)
        twin = build(space.decode(genome), 2)
        assert inherit(twin, [read_back(source)]) == 1.0
        assert torch.equal(twin.eval()(x), source.eval()(x))
        for other in space.neighbours(genome)[:: count(7, 1)]:
            child = build(space.decode(other), 3)
            assert inherit(child, [read_back(source)]) > 0
            assert torch.isfinite(child(x)).all()


@pytest.mark.parametrize("name", GENOMES)
def test_a_child_with_other_bits_or_steps_alone_has_the_very_weights(name):
    shape, options = GENOMES[name]
    space = make_space(name, shape, 3, options)
    free = [g.name == "time_steps" or g.name.endswith("weight_bits") for g in space.genes]
    rng = np.random.default_rng(1)
    for genome in space.sample(5, rng):
        other = np.where(free, rng.integers(0, space.choices), genome)
        source, child = build(space.decode(genome), 1), build(space.decode(other), 2)
        assert inherit(child, [read_back(source)]) == 1.0
        theirs, now = read_back(source), read_back(child)
        assert all(torch.equal(tensor, now[key]) for key, tensor in theirs.items())


# The most alike networks

ALIKE = (
    {"stage1.block1.weight_bits": 8},
    {"threshold": 0.75},
    {"stage1.width": 5},
    {"stage1.pool": "max"},
    {"stage1.block1.kernel": 3},
    {"stages": 2},
)
"""Single changes, from those that a copy hardly feels to those that it hardly survives."""


def test_a_network_is_like_itself_alone():
    one = architecture()

    assert unlikeness(one, one) == 0
    losses = [unlikeness(architecture(**change), one) for change in ALIKE]
    assert losses[0] == 0  # weights are the same at any number of bits
    assert all(loss > 0 for loss in losses[1:])
    assert losses[1] < losses[2] < losses[-1]


@given(data())
def test_every_further_layer_makes_networks_less_alike(drawn):
    blocks = drawn.draw(integers(1, 2))
    small = architecture(**{"stage1.blocks": blocks})
    large = architecture(**{"stage1.blocks": blocks, "stages": 2})

    assert unlikeness(large, small) >= 1
    assert unlikeness(small, large) >= 1


def recorded(store, key, *, weights, accuracy=0.5, **values):
    candidate = Candidate(
        key=key,
        genome=(0,),
        parents=(),
        generation=0,
        state="ok",
        metrics={"accuracy": accuracy},
        architecture=architecture(**values).describe(),
        trained=True,
    )
    store.record(candidate, to_bytes(weights))
    return candidate


def test_the_most_alike_kept_network_is_the_first_source(store):
    changes = {"a": {"stages": 2}, "b": {"threshold": 0.75}, "c": {"stage1.block1.kernel": 3}}
    for key, values in changes.items():
        recorded(store, key, weights=parent(**values), **values)
    strategy = STRATEGIES["nearest"](store)
    assert strategy.sources(architecture(), (0,), []) == ()  # not of an unfinished generation
    store.record_generation(0, list(changes), None, 0.0, None)

    path = store.weights_path
    assert strategy.sources(architecture(), (0,), []) == (path("b"),)
    assert strategy.sources(architecture(stages=2), (0,), [])[0] == path("a")
    store.prune_weights({"a", "c"})
    store.record_generation(1, [], None, 0.0, None)
    assert strategy.sources(architecture(), (0,), []) == (path("c"),)


def test_of_equally_alike_networks_the_more_accurate_comes_first(store):
    for key, accuracy in (("a", 0.3), ("b", 0.9), ("c", 0.6)):
        recorded(store, key, weights=parent(), accuracy=accuracy)
    store.record_generation(0, ["a", "b", "c"], None, 0.0, None)
    sources = STRATEGIES["nearest"](store).sources(architecture(), (0,), [])

    assert sources == (store.weights_path("b"),)


@pytest.mark.parametrize("number", range(6))
def test_a_network_of_cells_inherits_all_of_an_equal_one(number):
    """Neurons of nodes too, and what reads a node's spikes."""
    space = make_space("cell", (1, 8, 8), 4, {"depth_exits": ["off"]})
    architecture = space.decode(space.sample(6, np.random.default_rng(number))[number])
    parent, child = build(architecture, 1), build(architecture, 2)
    with torch.no_grad():
        for name, tensor in named_tensors(parent).items():
            if name.endswith("/threshold"):
                tensor.add_(0.1)

    share = inherit(child, [named_tensors(parent)])

    assert share == 1.0
    ours = named_tensors(child)
    for name, tensor in named_tensors(parent).items():
        assert torch.equal(ours[name], tensor), name
