"""The genes of a space, as ``evo-snn spaces NAME`` shows them."""

import re
from typing import TYPE_CHECKING, Any

from genomes.errors import RequestError

if TYPE_CHECKING:
    from genomes.space import SearchSpace


def space_of_samples(name: str, shape: str | None) -> "SearchSpace | None":
    """The space of that name with default options for samples of a shape such as ``1x8x8``.

    Without one it is made for the space's own example; None where that is no sample of the space.

    Raises:
        RequestError: the shape is none, or none for this space.
    """
    from genomes.spaces import make_space, space_class

    classes = 2  # genes are the same for any number
    if shape is not None:
        return make_space(name, _sizes(shape), classes)
    try:
        return make_space(name, space_class(name).example_shape, classes)
    except RequestError:
        return None


def _sizes(shape: str) -> tuple[int, ...]:
    sizes = shape.lower().split("x")
    if not all(size.isdecimal() for size in sizes):
        raise RequestError("--shape", shape, "channels and sizes, such as 1x8x8")
    return tuple(int(size) for size in sizes)


def genes_entry(space: "SearchSpace") -> dict[str, Any]:
    """Genes, numbers of genomes and of networks, for a sample's shape, as a JSON document."""
    import numpy as np

    return {
        "input_shape": list(space.input_shape),
        "genes": space.description()["genes"],
        "genomes": float(np.prod(space.choices.astype(float))),
        "networks": space.networks(np.random.default_rng(0)),
    }


def gene_rows(genes: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Name, how many there are, kind and choices of genes: those of numbered parts in one row."""
    rows: dict[tuple[str, str, str], int] = {}
    for gene in genes:
        name = re.sub(r"\d+(?=[.]|$)", "N", gene["name"])
        row = (name, gene["kind"], ", ".join(map(str, gene["choices"])))
        rows[row] = rows.get(row, 0) + 1
    return [(name, str(count), kind, choices) for (name, kind, choices), count in rows.items()]
