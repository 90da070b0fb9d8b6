"""Random workloads and chips for what must hold of the NeuroSim-structured model."""

from typing import Any

from hypothesis import strategies as st

from genomes.workload import Workload
from hardware.chip import Chip, load_chip

#: Largest pooling window that is drawn: 3 a dimension.
LARGEST_WINDOW = 27

WORDS: dict[str, list[Any]] = {
    "technology_nm": [22, 32, 45, 65],
    "crossbar_rows": [32, 64, 128, 256],
    "cell_bits": [1, 2, 4],
    "weight_encoding": ["offset", "differential"],
    "mapping": ["kernel", "flat"],
    "adc_kind": ["sar", "flash"],
    "adc_levels": [0, 16, 64, 256],
    "rows_per_read": [0, 7, 32],
    "parallel_read": [False, True],
    "columns_per_adc": [4, 8, 16],
    "adc_figures": ["circuit", "table"],
    "bus": ["xy", "htree"],
    "speed_up_degree": [1, 4],
    "silent_reads": ["converted", "skipped"],
    "spike_format": ["raster", "events", "shorter"],
    "schedule": ["steps", "layers"],
    "static_inputs": ["held", "again"],
    "bus_bits": [64.0, 1024.0, 2048.0],
    "memory": ["rram", "rram", "sram", "fefet"],
    "r_on_ohm": [1e5, 2.5e4, 4e5],
}


@st.composite
def clean_chips(draw: st.DrawFn, **fixed: Any) -> dict[str, Any]:
    """Parameters of a clean chip: everything that a user chooses."""
    values = {name: draw(st.sampled_from(words)) for name, words in WORDS.items()}
    values["pipelined"] = draw(st.booleans())
    values |= fixed
    if values["pipelined"]:
        values["schedule"] = "steps"  # the other one is refused
    values["crossbar_columns"] = values["crossbar_rows"]
    values["r_off_ohm"] = 20 * values["r_on_ohm"]
    if values["memory"] == "sram":
        values["cell_bits"] = 1
    return values


def chip_of(values: dict[str, Any]) -> Chip:
    return load_chip("rram_neurosim_22nm", values)


def common(top_rate: float = 1.0) -> dict[str, st.SearchStrategy[Any]]:
    """Fields of any layer."""
    return {
        "weight_bits": st.one_of(st.integers(1, 8), st.integers(1, 32)),
        "input_bits": st.one_of(st.just(1), st.integers(1, 16)),
        "input_rate": st.floats(0, top_rate),
        "output_rate": st.floats(0, top_rate),
        "static_input": st.booleans(),
        "domain": st.sampled_from(["memory", "memory", "memory", "digital"]),
        "neuron_state_bits": st.integers(0, 40),
        "residual_inputs": st.integers(0, 3),
        "current_inputs": st.integers(0, 3),
        "populations": st.integers(1, 3),
        "executed": st.floats(0.01, 1),
    }


@st.composite
def convolutions(draw: st.DrawFn) -> dict[str, Any]:
    """One to three dimensions; plain, grouped or depthwise; padded, strided, pooled or not."""
    dimensions = draw(st.integers(1, 3))

    def sizes(low: int, high: int) -> list[int]:
        return draw(st.lists(st.integers(low, high), min_size=dimensions, max_size=dimensions))

    kind = draw(st.sampled_from(["plain", "plain", "grouped", "depthwise"]))
    groups = 1 if kind == "plain" else draw(st.integers(2, 70))
    inputs = groups * (1 if kind == "depthwise" else draw(st.integers(1, 9)))
    if kind == "plain":
        inputs = draw(st.one_of(st.integers(1, 30), st.integers(1, 600)))
    per_group = draw(st.one_of(st.integers(1, 12), st.integers(1, 300)))
    kernel = draw(st.sampled_from([[1] * dimensions, [3] * dimensions, None])) or sizes(1, 7)
    stride = draw(st.sampled_from([1, 1, 2, 3]))
    padding = [side // 2 for side in kernel] if draw(st.booleans()) else [0] * dimensions
    size = [side + extra for side, extra in zip(kernel, sizes(0, 14), strict=True)]
    out = [
        (extent + 2 * pad - side) // stride + 1
        for extent, pad, side in zip(size, padding, kernel, strict=True)
    ]
    pool = [min(window, side) for window, side in zip(sizes(1, 3), out, strict=True)]
    return draw(st.fixed_dictionaries(common())) | {
        "name": "conv",
        "kind": f"conv{dimensions}d",
        "in_channels": inputs,
        "out_channels": groups * per_group,
        "groups": groups,
        "kernel": kernel,
        "stride": [stride] * dimensions,
        "padding": padding,
        "in_size": size,
        "out_size": out,
        "pool": pool,
        "pool_kind": draw(st.sampled_from(["max", "average"])),
    }


linears = st.fixed_dictionaries(
    common()
    | {
        "name": st.just("out"),
        "kind": st.just("linear"),
        "in_features": st.one_of(st.integers(1, 40), st.integers(1, 5000)),
        "out_features": st.one_of(st.integers(1, 12), st.integers(1, 1500)),
    }
)


@st.composite
def workloads(draw: st.DrawFn, most: int = 7) -> Workload:
    """Up to `most` layers that need not fit each other, as a cost model does not ask for it."""
    layers = draw(st.lists(st.one_of(convolutions(), linears), min_size=1, max_size=most))
    named = [layer | {"name": f"{layer['name']}{i}"} for i, layer in enumerate(layers)]
    steps = draw(st.integers(1, 12))
    document = {"timesteps": steps, "layers": named}
    if draw(st.booleans()):
        document["mean_timesteps"] = draw(st.floats(1, steps))
    return Workload.model_validate(document)


def with_layer(workload: Workload, index: int = 0, **changes: Any) -> Workload:
    """The workload with other fields in one layer."""
    document = workload.to_document()
    document["layers"][index] |= changes
    return Workload.from_document(document)
