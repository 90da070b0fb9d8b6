"""The contract of a search space: genomes, what they mean, and one name for one network."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import ValidationError

from evo_snn.testing.elsewhere import address_of, elsewhere, expect
from genomes.architecture import Architecture
from genomes.errors import RequestError
from genomes.genes import Gene
from genomes.space import Genome, SearchSpace
from hardware import totals

_NETWORKS = 3
_BATCH = 2
_KEY_DIGITS = 16


def check_space(
    space_class: type[SearchSpace],
    *,
    options: Mapping[str, Any] | None = None,
    input_shape: Sequence[int] = (1, 8, 8),
    classes: int = 10,
    samples: int = 200,
) -> None:
    """Check a search space on random genomes.

    Genes and options are well formed; canonical forms, keys and architectures belong together one
    to one; inactive genes are not felt; sampling and neighbours give canonical genomes; wrong
    genomes are refused; every architecture can be stored, costed, built and run; and the same
    genome has the same key and architecture in another process.

    Args:
        space_class: the subclass of ``SearchSpace``, at the top level of a module.
        options: other than the defaults.
        input_shape: (channels, *spatial) of the data that it is for.
        classes: number of classes of that data.
        samples: genomes to try.

    Raises:
        AssertionError: what is wrong.
    """
    settings: dict[str, Any] = {
        "options": dict(options or {}),
        "input_shape": list(input_shape),
        "classes": classes,
        "samples": samples,
    }
    _check_class(space_class)
    space = _made(space_class, **settings)
    _check_genes(space)
    raw = _raw_genomes(space, samples)
    _check_canonical_forms(space, raw)
    _check_sampling(space, samples)
    _check_neighbours(space, raw[: max(10, samples // 10)])
    _check_refusals(space, raw[0])
    _check_architectures(space, raw)
    _check_identity(space_class, space, raw[0])
    there = elsewhere(space_fingerprint, address_of(space_class), **settings)
    here = space_fingerprint(space_class, **settings)
    for genome, one, two in zip(raw, here, there, strict=True):
        expect(one == two, f"genome {genome.tolist()} means something else in another process")


def space_fingerprint(space_class: type[SearchSpace], **settings: Any) -> list[list[str]]:
    """Key and architecture of the genomes that are tried."""
    space = _made(space_class, **settings)
    raw = _raw_genomes(space, settings["samples"])
    return [[space.key(genome), _text(space.decode(genome))] for genome in raw]


def _made(
    space_class: type[SearchSpace],
    *,
    options: Mapping[str, Any],
    input_shape: Sequence[int],
    classes: int,
    **_: Any,
) -> SearchSpace:
    return space_class(input_shape, classes, space_class.Options.model_validate(dict(options)))


def _raw_genomes(space: SearchSpace, count: int) -> list[Genome]:
    """Random genomes, in no canonical form, and the two at the ends."""
    rows = np.random.default_rng(1).integers(0, space.choices, size=(count, len(space.genes)))
    return [np.zeros_like(space.choices), space.choices - 1, *rows]


def _text(architecture: Architecture) -> str:
    return json.dumps(architecture.describe(), sort_keys=True)


def _check_class(space_class: type[SearchSpace]) -> None:
    who = space_class.__name__
    expect(isinstance(getattr(space_class, "name", None), str), f"{who}.name is no text")
    expect(isinstance(getattr(space_class, "version", None), int), f"{who}.version is no number")
    expect(space_class.__doc__, f"{who} has no docstring; its first line is shown in lists")
    model = getattr(space_class, "Options", None)
    expect(hasattr(model, "model_fields"), f"{who}.Options is no pydantic model")
    for option, field in space_class.Options.model_fields.items():
        expect(not field.is_required(), f"option {option!r} of {who} has no default")
        expect(field.description, f"option {option!r} of {who} has no description")
    json.dumps(space_class.Options().model_dump(mode="json"))
    try:
        space_class.Options.model_validate({"no_such_option": 1})
    except ValidationError:
        return
    raise AssertionError(f"{who}.Options takes unknown options; say extra='forbid'")


def _check_genes(space: SearchSpace) -> None:
    names = [gene.name for gene in space.genes]
    expect(names, f"space {space.name!r} has no gene")
    expect(len(set(names)) == len(names), f"space {space.name!r} has a gene's name twice: {names}")
    expect(all(isinstance(gene, Gene) for gene in space.genes), "genes are genomes.genes.Gene")
    json.dumps(space.description())


def _check_canonical_forms(space: SearchSpace, raw: Sequence[Genome]) -> None:
    """Inactive genes are 0 and not felt; genomes, keys and architectures are one to one.

    A space may have several genomes for a network beyond that, one of which is canonical.
    """
    rng = np.random.default_rng(2)
    networks: dict[str, str] = {}
    for genome in raw:
        canonical = space.canonical(genome)
        shown = genome.tolist()
        active = np.asarray(space.active(genome))
        expect(
            active.shape == genome.shape and active.dtype == bool,
            f"active({shown}) is no array of one bool a gene",
        )
        expect(
            canonical.dtype == np.int64 and canonical.shape == genome.shape,
            f"canonical({shown}) is no int64 array of one entry a gene",
        )
        expect(
            np.array_equal(space.canonical(canonical), canonical),
            f"the canonical form of {shown} is not its own canonical form",
        )
        still = np.asarray(space.active(canonical))
        expect(
            np.array_equal(still, active) or not np.array_equal(canonical, genome * active),
            f"other genes are active in {shown} than in its canonical form",
        )
        expect(not canonical[~still].any(), f"an inactive gene of {canonical.tolist()} is not 0")
        other = np.where(active, genome, rng.integers(0, space.choices))
        expect(
            space.key(other) == space.key(genome) == space.key(canonical),
            f"an inactive gene changes the key of {shown}",
        )
        network = _text(space.decode(genome))
        expect(
            network == _text(space.decode(other)) == _text(space.decode(canonical)),
            f"an inactive gene changes the architecture of {shown}",
        )
        key = space.key(genome)
        expect(
            len(key) == _KEY_DIGITS and set(key) <= set("0123456789abcdef"),
            f"key({shown}) is {key!r}; allowed: {_KEY_DIGITS} hexadecimal digits",
        )
        expect(
            networks.setdefault(network, key) == key,
            f"{shown} decodes to a network that another canonical form has: one of its genes is"
            " active, and not felt",
        )
        described = set(space.describe(genome))
        names = {gene.name for gene, on in zip(space.genes, active, strict=True) if on}
        expect(described == names, f"describe({shown}) does not name the active genes")
    expect(
        len(set(networks.values())) == len(networks),
        "different architectures have one key",
    )


def _check_sampling(space: SearchSpace, count: int) -> None:
    drawn = space.sample(count, np.random.default_rng(3))
    expect(
        drawn.dtype == np.int64 and drawn.ndim == 2 and drawn.shape[1] == len(space.genes),  # noqa: PLR2004
        "sample gives no int64 array (n, genes)",
    )
    expect(0 < len(drawn) <= count, f"sample({count}) gives {len(drawn)} genomes")
    expect(len({row.tobytes() for row in drawn}) == len(drawn), "sample gives a genome twice")
    for row in drawn:
        expect(np.array_equal(space.canonical(row), row), f"sample gives {row}, not canonical")
    again = space.sample(count, np.random.default_rng(3))
    expect(np.array_equal(drawn, again), "sample gives others for an equal generator")
    if len(drawn) == count:
        others = space.sample(count, np.random.default_rng(4))
        expect(not np.array_equal(drawn, others), "sample does not use its generator")


def _check_neighbours(space: SearchSpace, raw: Sequence[Genome]) -> None:
    for genome in raw:
        start = space.canonical(genome)
        found = space.neighbours(genome)
        keys = [space.key(one) for one in found]
        shown = start.tolist()
        networks = {_text(space.decode(one)) for one in [start, *found]}
        expect(
            len(networks) == 1 + len(found),
            f"a neighbour of {shown} decodes to the same network: the gene that moves is not felt",
        )
        expect(len(set(keys)) == len(keys), f"a neighbour of {shown} is there twice")
        expect(space.key(start) not in keys, f"{shown} is its own neighbour")
        expect(np.array_equal(found, space.neighbours(start)), f"neighbours of {shown} change")
        for one in found:
            expect(np.array_equal(space.canonical(one), one), f"neighbour {one} is not canonical")
            moved = (one != start) & space.active(start) & space.active(one)
            felt = moved.any() or not np.array_equal(space.active(one), space.active(start))
            expect(felt, f"neighbour {one.tolist()} of {shown} moves no active gene")


def _check_refusals(space: SearchSpace, genome: Genome) -> None:
    wrong = {
        "too short": genome[:-1],
        "too long": np.append(genome, 0),
        "below 0": np.where(np.arange(len(genome)) == 0, -1, genome),
        "beyond the last choice": np.where(np.arange(len(genome)) == 0, space.choices, genome),
        "no whole number": genome + 0.5,
    }
    for why, bad in wrong.items():
        for method in (space.decode, space.canonical, space.key):
            try:
                method(bad)
            except RequestError:
                continue
            raise AssertionError(f"{method.__name__} takes a genome that is {why}: {bad.tolist()}")


def _check_architectures(space: SearchSpace, raw: Sequence[Genome]) -> None:
    """What every decoded network must do: be stored, costed, built and run."""
    found = [space.decode(genome) for genome in raw]
    for genome, one in zip(raw, found, strict=True):
        shown = genome.tolist()
        expect(isinstance(one, Architecture), f"decode({shown}) is no Architecture")
        fits = (one.input_shape, one.classes) == (space.input_shape, space.classes)
        expect(fits, f"decode({shown}) is for other samples or classes")
        stored = Architecture.from_description(json.loads(_text(one)))
        expect(stored == one, f"the architecture of {shown} is not read back from its description")
        read_outs = one.readouts
        expect(read_outs, f"the network of {shown} has no read-out (a layer without neurons)")
        outputs = {layer.out_channels for layer in read_outs}
        expect(outputs == {space.classes}, f"a read-out of {shown} has not one output a class")
        names = [layer.name for layer in one.layers]
        expect(len(set(names)) == len(names), f"the network of {shown} has a layer's name twice")
    for name, values in totals([one.workload for one in found]).items():
        expect(np.isfinite(values).all() and (values >= 0).all(), f"{name} of a network is invalid")
    for one in (*found[:2], *found[2 : 2 + _NETWORKS]):
        _check_network(one)


def _check_network(architecture: Architecture) -> None:
    import torch

    from evo_snn.snn import build, deploy

    generator = torch.Generator().manual_seed(0)
    x = torch.rand((_BATCH, *architecture.input_shape), generator=generator)
    network = build(architecture, 0)
    network.train()
    scores = network(x)
    scores.sum().backward()
    deployed = deploy(network.eval())(x)
    for each in (scores, deployed):
        expect(each.shape == (_BATCH, architecture.classes), f"scores of shape {each.shape}")
        expect(torch.isfinite(each).all(), f"scores are not finite: {architecture.describe()}")


def _check_identity(space_class: type[SearchSpace], space: SearchSpace, genome: Genome) -> None:
    """The key holds all that the integers' meaning depends on."""
    twin = space_class(space.input_shape, space.classes, space.options)
    expect(twin.key(genome) == space.key(genome), "two equal spaces give different keys")
    other = space_class(space.input_shape, space.classes + 1, space.options)
    if other.choices.shape == space.choices.shape:
        expect(other.key(genome) != space.key(genome), "the key does not depend on the classes")
