"""The CNN that has an architecture's graph: ordinary neurons in place of spiking ones, no time.

What such a network is called in the literature on conversion: the *iso-architecture* CNN. It is
*equally quantized* where its weights have the bits of the spiking network's, and its activations
those of the weights that make them.
"""

from __future__ import annotations

from math import ceil, log2

from genomes.architecture import INPUT, Architecture, Node
from genomes.errors import RequestError


def require_static(architecture: Architecture) -> None:
    """Refuse an architecture that means nothing without time.

    Raises:
        RequestError: it reads frames or a train of spikes, has delayed links, or an exit.
    """
    kind = architecture.exit.kind if architecture.exit else ""
    reasons = {
        f"{architecture.frames} frames a sample": architecture.frames > 0,
        f"its input coded as {architecture.coding!r}": architecture.coding != "direct",
        f"an exit in {kind}": bool(kind),
        "delayed links": any(link.delayed for node in architecture.nodes for link in node.links),
    }
    found = [reason for reason, applies in reasons.items() if applies]
    if found:
        allowed = "one that computes the same without time: static samples, coded directly"
        raise RequestError("from_cnn", f"a network with {found[0]}", allowed)


def activation_bits(architecture: Architecture) -> dict[str, int]:
    """Bits of the activations of an equally quantized CNN, by layer and node.

    A node's, which come of several layers' currents, are those of the network's widest weights.
    """
    own = {layer.name: layer.weight_bits for layer in architecture.layers}
    return own | {node.name: max(own.values()) for node in architecture.nodes}


def read_bits(architecture: Architecture) -> dict[str, int]:
    """Bits of what each layer of an equally quantized CNN reads, by layer.

    A map that merges others by a maximum has the bits of the widest; a sum of n maps has
    ceil(log2 n) more.
    """
    own = activation_bits(architecture)
    stored, read = {INPUT: architecture.input_bits}, {}
    for element in architecture.order:
        if isinstance(element, Node):
            stored[element.name] = own[element.name]
            continue
        read[element.name] = stored[element.source]
        merged = [own[element.name], *(stored[skip] for skip in element.skips)]
        more = ceil(log2(len(merged))) if element.skip_kind == "add" else 0
        stored[element.name] = max(merged) + more
    return read
