"""The ``hyperspectral`` space: 3-D convolutions over bands, rows and columns, then 2-D ones.

A network reads the middle of a stored patch, and the first of its bands: the first principal
components, where the data set made such. 1 to ``max_cubes`` convolutions (*cubes*) go over bands,
rows and columns. Then 0 to ``max_planes`` convolutions (*planes*) go over rows and columns alone,
of which the first reads the bands as channels: without planes the network is purely 3-D, with them
a 3-D/2-D hybrid. A linear read-out accumulates over time.

Kernels do not reach beyond the patch, which they make smaller. Along the bands half a kernel of
zeros is added at both ends, but for the first layer.

Both shapes of ACE-SNN are genomes of the default space (G. Datta, S. Kundu, A. R. Jaiswal,
P. A. Beerel, Frontiers in Neuroscience 16, 815258, 2022), see ``docs/spaces/hyperspectral.md``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from pydantic import Field

from genomes.architecture import Layer, Window
from genomes.convolutional import (
    POOLED_BY,
    Axis,
    Chosen,
    ConvolutionalSpace,
    Source,
    chosen_axis,
    numbered,
    shape_of,
)
from genomes.errors import RequestError
from genomes.genes import Gene
from genomes.options import Bands, CommonOptions, Integer, Kernels, Pools, Sizes


class HyperspectralOptions(CommonOptions):
    """The options of the ``hyperspectral`` space."""

    patches: Sizes = Field(
        (1, 3, 5, 7, 9, 11),
        description="odd sides of the patch that a network reads; those that a sample has",
    )
    bands: Bands = Field(
        (4, 8, 16, 32, 64, 128),
        description="bands that a network reads, the first ones; all of a sample's are a choice",
    )
    max_cubes: Integer = Field(6, ge=1, le=8, description="most 3-D convolutions")
    max_planes: Integer = Field(3, ge=0, le=8, description="most 2-D convolutions behind them")
    widths: Sizes = Field((4, 8, 12, 20, 35, 64), description="channels of a layer")
    spectral_kernels: Kernels = Field(
        (1, 2, 3, 5, 7), description="kernel sizes of a 3-D convolution along the bands"
    )
    spectral_strides: Sizes = Field((1, 2, 3), description="strides along the bands")
    spatial_kernels: Kernels = Field(
        (1, 3, 5), description="kernel sizes along rows and columns, of 3-D and 2-D convolutions"
    )
    spatial_strides: Sizes = Field((1, 2), description="strides along rows and columns")
    pools: Pools = Field(
        ("none", "average", "max"),
        description="2-fold pooling behind a layer, of bands (3-D) or of rows and columns (2-D)",
    )


class HyperspectralSpace(ConvolutionalSpace):
    """3-D convolutions, purely or with 2-D ones behind them, for patches of hyperspectral scenes.

    Raises:
        RequestError: the input is no patch, or has no side that is asked for.
    """

    name = "hyperspectral"
    version = 2
    Options = HyperspectralOptions
    options: HyperspectralOptions
    example_shape = (1, 30, 9, 9)
    dimensions = (3,)
    input_form = "(channels, bands, rows, columns)"

    def __init__(
        self, input_shape: Sequence[int], classes: int, options: HyperspectralOptions
    ) -> None:
        super().__init__(input_shape, classes, options)
        self._patches = tuple(p for p in options.patches if p <= min(self.input_shape[2:]))
        if not self._patches or any(p % 2 == 0 for p in options.patches):
            allowed = f"odd sizes, of which one is at most {min(self.input_shape[2:])}"
            raise RequestError("space.patches", list(options.patches), allowed)

    def _layer_genes(self) -> Iterator[Gene]:
        options = self.options
        yield Gene("patch", self._patches)
        yield Gene("bands", fewer_bands(options.bands, self.input_shape[1]))
        yield Gene("cubes", tuple(range(1, options.max_cubes + 1)))
        yield Gene("planes", tuple(range(options.max_planes + 1)))
        for cube in numbered("cube", options.max_cubes):
            yield Gene(f"{cube}.width", options.widths)
            yield Gene(f"{cube}.spectral_kernel", options.spectral_kernels)
            yield Gene(f"{cube}.spectral_stride", options.spectral_strides)
            yield Gene(f"{cube}.spatial_kernel", options.spatial_kernels)
            yield Gene(f"{cube}.spatial_stride", options.spatial_strides)
            yield Gene(f"{cube}.pool", options.pools, "categorical")
            yield from self._genes_of_any_layer(cube)
        for plane in numbered("plane", options.max_planes):
            yield Gene(f"{plane}.width", options.widths)
            yield Gene(f"{plane}.spatial_kernel", options.spatial_kernels)
            yield Gene(f"{plane}.spatial_stride", options.spatial_strides)
            yield Gene(f"{plane}.pool", options.pools, "categorical")
            yield from self._genes_of_any_layer(plane)

    def _window(self, chosen: Chosen) -> Window:
        channels, _, *sides = self.input_shape
        patch = chosen.number("patch")
        first = [side // 2 - patch // 2 for side in sides]
        return (
            (0, channels),
            (0, chosen.number("bands")),
            *((start, start + patch) for start in first),
        )

    def _hidden(self, chosen: Chosen, sample: tuple[int, ...]) -> Sequence[Layer]:
        layers: list[Layer] = []
        for name in numbered("cube", chosen.number("cubes")):
            layers.append(self._cube(chosen, name, layers[-1] if layers else sample))
        for name in numbered("plane", chosen.number("planes")):
            layers.append(self._plane(chosen, name, layers[-1]))
        return layers

    def _cube(self, chosen: Chosen, name: str, source: Source) -> Layer:
        """A 3-D convolution; along the bands it pools."""
        _, bands, side, _ = shape_of(source)
        across = _across(chosen, name, side)
        along, pool = banded(chosen, name, bands, "spectral_", padded=isinstance(source, Layer))
        width = chosen.number(f"{name}.width")
        axes = (along, across, across)
        return self._convolution(chosen, name, source, width, axes, pool=pool)

    def _plane(self, chosen: Chosen, name: str, source: Layer) -> Layer:
        """A 2-D convolution, which reads bands as channels where there still are any."""
        side = source.stored_shape[-1]
        across = replace(_across(chosen, name, side), pool=POOLED_BY)
        pooled = across.positions(side) >= POOLED_BY
        return self._convolution(
            chosen,
            name,
            source,
            chosen.number(f"{name}.width"),
            (across, across),
            pool=chosen.word(f"{name}.pool") if pooled else "none",
            folded=source.stored_shape[1] if source.kind == "conv3d" else 0,
        )


def fewer_bands(wanted: Sequence[int], stored: int) -> tuple[int, ...]:
    """Numbers of bands to choose from: what is wanted of fewer than all, and all."""
    return (*(bands for bands in wanted if bands < stored), stored)


def banded(
    chosen: Chosen, name: str, bands: int, prefix: str = "", *, padded: bool
) -> tuple[Axis, str]:
    """How the layer of that name goes along its bands, and how it pools them, if it can."""
    kernel, stride = f"{name}.{prefix}kernel", f"{name}.{prefix}stride"
    axis = chosen_axis(chosen, bands, kernel, stride, padded=padded)
    pools = axis.positions(bands) >= POOLED_BY
    return replace(axis, pool=POOLED_BY), chosen.word(f"{name}.pool") if pools else "none"


def _across(chosen: Chosen, name: str, side: int) -> Axis:
    kernel, stride = f"{name}.spatial_kernel", f"{name}.spatial_stride"
    return chosen_axis(chosen, side, kernel, stride, padded=False)
