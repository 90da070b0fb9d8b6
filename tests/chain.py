"""A small network that can be computed by hand: two convolutions of one shape, and a read-out."""

from genomes.architecture import Architecture, Layer, Neuron

IF_LIKE = Neuron("lif_box", leak=0.5, threshold=0.5, state_bits=16, reset="subtract")
HARD = Neuron("lif_box", leak=0.5, threshold=0.5, state_bits=16)


def chain(neuron: Neuron = IF_LIKE, steps: int = 3, bits: tuple[int, int, int] = (3, 5, 2)):
    """Maps of 4 x 4, 3x3 kernels, two channels and classes, weights of the given bits."""

    def layer(name, source, channels, weight_bits, kernel, neuron):
        return Layer(
            name=name,
            source=source,
            in_shape=(channels, 4, 4),
            out_channels=2,
            kernel=kernel,
            stride=(1,) * len(kernel),
            padding=(1,) * len(kernel),
            weight_bits=weight_bits,
            input_bits=8 if source == "input" else 1,
            pool=(1,) * len(kernel),
            pool_kind="max",
            neuron=neuron,
            peak=1 if neuron else 0,
        )

    layers = (
        layer("a", "input", 1, bits[0], (3, 3), neuron),
        layer("b", "a", 2, bits[1], (3, 3), neuron),
        layer("out", "b", 2, bits[2], (), None),
    )
    return Architecture((1, 4, 4), 2, steps, 8, layers)
