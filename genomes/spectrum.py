"""The ``spectrum`` space: 1-D convolutions over the bands of a pixel without a position.

It is ``hyperspectral`` where there is nothing but the spectrum: 1 to ``max_layers`` convolutions,
each with its own width, kernel, stride, pooling and bits, and a linear read-out that accumulates
over time. The first layer stays within the spectrum; the others read half a kernel of zeros at both
ends. A network may read the first bands alone, where these are principal components.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import Field

from genomes.architecture import Layer, Window
from genomes.convolutional import Chosen, ConvolutionalSpace, numbered, shape_of
from genomes.genes import Gene
from genomes.hyperspectral import banded, fewer_bands
from genomes.options import Bands, CommonOptions, Integer, Kernels, Pools, Sizes


class SpectrumOptions(CommonOptions):
    """The options of the ``spectrum`` space."""

    bands: Bands = Field(
        (),
        description="bands that a network reads, the first ones; all of a sample's are a choice",
    )
    max_layers: Integer = Field(4, ge=1, le=8, description="most convolutions")
    widths: Sizes = Field((4, 8, 16, 24, 32, 64), description="channels of a layer")
    kernels: Kernels = Field((1, 3, 5, 7, 11, 15), description="kernel sizes of a layer")
    strides: Sizes = Field((1, 2, 3), description="strides of a layer")
    pools: Pools = Field(
        ("none", "average", "max"),
        description="2-fold pooling behind a layer: of the membrane input or of spikes",
    )


class SpectrumSpace(ConvolutionalSpace):
    """1-D convolutions for spectra of single pixels.

    Raises:
        RequestError: the input is no spectrum.
    """

    name = "spectrum"
    version = 2
    Options = SpectrumOptions
    options: SpectrumOptions
    example_shape = (1, 200)
    dimensions = (1,)
    input_form = "(channels, bands)"

    def _layer_genes(self) -> Iterator[Gene]:
        options = self.options
        yield Gene("bands", fewer_bands(options.bands, self.input_shape[1]))
        yield Gene("layers", tuple(range(1, options.max_layers + 1)))
        for name in numbered("layer", options.max_layers):
            yield Gene(f"{name}.width", options.widths)
            yield Gene(f"{name}.kernel", options.kernels)
            yield Gene(f"{name}.stride", options.strides)
            yield Gene(f"{name}.pool", options.pools, "categorical")
            yield from self._genes_of_any_layer(name)

    def _window(self, chosen: Chosen) -> Window:
        return (0, self.input_shape[0]), (0, chosen.number("bands"))

    def _hidden(self, chosen: Chosen, sample: tuple[int, ...]) -> Sequence[Layer]:
        layers: list[Layer] = []
        for name in numbered("layer", chosen.number("layers")):
            source = layers[-1] if layers else sample
            axis, pool = banded(chosen, name, shape_of(source)[1], padded=bool(layers))
            width = chosen.number(f"{name}.width")
            layers.append(self._convolution(chosen, name, source, width, (axis,), pool=pool))
        return layers
