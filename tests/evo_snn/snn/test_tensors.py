"""A network's tensors by slot, to and from files."""

import pytest
import safetensors
import torch

from evo_snn.snn import build, deploy
from evo_snn.snn.tensors import named_tensors, read_tensors, restore, to_bytes


def test_names_are_slots_and_hold_everything(chain):
    network = build(chain(blocks=2, neuron="lif"), 0)
    tensors = named_tensors(network)
    block = {"weight", "scale", "shift", "mean", "variance", "threshold", "leak", "initial"}

    assert set(tensors) == {
        *(f"stage1.block1/{name}" for name in block),
        *(f"stage1.block2/{name}" for name in block),
        "readout/weight",
        "readout/shift",
    }
    own = [*network.parameters(), *network.buffers()]
    assert {id(tensor) for tensor in tensors.values()} == {id(tensor) for tensor in own}


def test_a_network_travels_through_a_file(case, tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(to_bytes(named_tensors(case.trained), {"of": "a test"}))
    other = build(case.architecture, 999).double().eval()
    assert not torch.equal(other(case.x), case.trained(case.x))
    restore(other, read_tensors(path))

    for name, value in named_tensors(case.trained).items():
        assert torch.equal(named_tensors(other)[name], value), name
    assert torch.equal(other(case.x), case.trained(case.x))
    with safetensors.safe_open(path, framework="pt") as file:
        assert file.metadata() == {"of": "a test"}


def test_a_deployed_network_travels_as_integers(case, tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(to_bytes(named_tensors(case.deployed)))
    tensors = read_tensors(path)
    other = deploy(build(case.architecture, 999).double())
    restore(other, tensors)

    assert tensors["readout/levels"].dtype == torch.int8
    assert torch.equal(other(case.x), case.deployed(case.x))


def test_equal_tensors_are_equal_bytes(chain):
    one, again = (to_bytes(named_tensors(build(chain(blocks=2), 0))) for _ in range(2))

    assert one == again
    tensors = named_tensors(build(chain(blocks=2), 0))
    assert to_bytes(dict(reversed(tensors.items()))) == one


def test_files_of_another_architecture_are_refused(chain):
    tensors = named_tensors(build(chain(blocks=2), 0))
    wider = build(chain(blocks=2, **{"stage1.width": 8}), 0)
    deeper = build(chain(blocks=3), 0)

    with pytest.raises(RuntimeError, match=r"stage1\.block1/weight: shape \(4, 1, 1, 1\) is"):
        restore(wider, tensors)
    with pytest.raises(KeyError, match=r"stage1\.block3/weight"):
        restore(deeper, tensors)
