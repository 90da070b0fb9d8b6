"""The tensors of a network by slot, to and from safetensors.

A tensor's name is the layer's name and the tensor's, such as ``stage1.block2/weight``. Equal slots
of different networks hold the same thing at different sizes, which is what inheritance needs. So a
weight that reads folded bands is (out, channels, bands, *kernel) here: channels and bands apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from evo_snn.snn.network import Network, slot
from genomes.architecture import Layer


def named_tensors(network: Network) -> dict[str, Tensor]:
    """Every parameter and buffer of a network, as they are (not copies)."""
    tensors: dict[str, Tensor] = {}
    for layer in network.architecture.layers:
        modules = [network.layers[slot(layer.name)]]
        if layer.neuron is not None:
            modules.append(network.neuron(layer.name))
        for module in modules:
            named = [*module.named_parameters(), *module.named_buffers()]
            tensors |= {f"{layer.name}/{name}": _apart(layer, tensor) for name, tensor in named}
    for node in network.architecture.nodes:
        if node.neuron is not None:
            neuron = network.neuron(node.name)
            named = [*neuron.named_parameters(), *neuron.named_buffers()]
            tensors |= {f"{node.name}/{name}": tensor for name, tensor in named}
    return tensors


def _apart(layer: Layer, tensor: Tensor) -> Tensor:
    """A view of a folding layer's weight or levels with channels and bands apart."""
    if not layer.folded or tensor.shape != layer.weight_shape:
        return tensor
    return tensor.detach().unflatten(1, (-1, layer.folded))


def to_bytes(tensors: Mapping[str, Tensor], about: Mapping[str, str] | None = None) -> bytes:
    """Tensors as the content of a ``.safetensors`` file; ``about`` becomes its metadata."""
    plain = {k: v.detach().cpu().contiguous() for k, v in sorted(tensors.items())}
    return safetensors.torch.save(plain, metadata=dict(about or {}))


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a ``.safetensors`` file, on the CPU."""
    return safetensors.torch.load_file(path)


def restore(network: Network, tensors: Mapping[str, Tensor]) -> None:
    """Copy tensors into a network of the same architecture.

    Raises:
        KeyError: a tensor is missing.
        RuntimeError: a tensor has another shape.
    """
    with torch.no_grad():
        for name, tensor in named_tensors(network).items():
            if tensors[name].shape != tensor.shape:
                raise RuntimeError(
                    f"{name}: shape {tuple(tensors[name].shape)} is stored, "
                    f"{tuple(tensor.shape)} is wanted"
                )
            tensor.copy_(tensors[name])
