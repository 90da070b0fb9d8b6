"""Options of data sets: from the configuration to the loader, and what people are told of them."""

import json

import numpy as np
import pytest

from evo_snn.config import DataSection
from evo_snn.config_file import load_config, to_toml
from evo_snn.datasets import (
    OWN_DATASETS,
    dataset_description,
    dataset_facts,
    dataset_options,
    load_dataset,
)
from evo_snn.training import dataset
from genomes.errors import RequestError

SCENE = {
    "data": {"name": "scene", "path": "a.npz", "options": {"patch": 7, "split": "random"}},
    "search": {"space": "plain"},
}


def test_options_travel_through_a_configuration(tmp_path):
    config = load_config(SCENE, {"data.options.patch": 9, "data.options.labelled": 10})

    options = {"patch": 9, "split": "random", "labelled": 10}
    assert config.data.options == options
    (tmp_path / "config.toml").write_text(to_toml(config))
    again = load_config(tmp_path / "config.toml")
    assert again == config
    assert hash(again.data) == hash(config.data)
    assert again.first_difference(config) is None
    other = load_config(SCENE)
    assert config.first_difference(other)[0] == "data.options"


def test_a_configuration_without_options_means_what_it_meant():
    document = {"data": {"name": "digits"}, "search": {"space": "plain"}}
    assert load_config(document).data.options == {}
    assert load_config(document).data == DataSection(name="digits")


def test_the_cache_is_found_from_the_file_and_may_move(tmp_path):
    text = (
        '[data]\nname = "image_folder"\npath = "images"\n[data.options]\n'
        'cache_folder = "cache"\nsize = 32\n[search]\nspace = "plain"\n'
    )
    (tmp_path / "a.toml").write_text(text)
    config = load_config(tmp_path / "a.toml")
    assert config.data.options["cache_folder"] == str(tmp_path / "cache")
    moved = load_config(config, {"data.options.cache_folder": "/elsewhere"})
    assert config.first_difference(moved) is None
    assert moved.data.options["cache_folder"] == "/elsewhere"


def test_options_reach_the_loader(tmp_path):
    rng = np.random.default_rng(0)
    truth = (np.arange(40) // 4 % 3)[np.newaxis].repeat(40, 0)
    np.savez(tmp_path / "a.npz", cube=rng.random((40, 40, 3)), gt=truth)
    section = DataSection(name="scene", path=tmp_path / "a.npz", options={"patch": 7})
    assert dataset(section).input_shape == (1, 3, 7, 7)


@pytest.mark.parametrize(
    ("name", "path", "options", "message"),
    [
        (
            "digits",
            None,
            {"patch": 3},
            "data.options: got 'patch'; allowed: nothing: digits has",
        ),
        ("npz", "a.npz", {"patch": 3}, "npz has no options"),
        ("scene", "a.npz", {"pach": 3}, "data.options: got 'pach'.*Did you mean 'patch'"),
        ("scene", "a.npz", {"patch": "3"}, "data.options.patch: got '3'; allowed: a valid integer"),
        ("nmnist", "a", {"clip": 256}, "data.options.clip: got 256"),
        ("image_folder", "a", {"size": [3, 0]}, r"data.options.size\[1\]: got 0"),
        ("cifar100", "a", {"labels": "all"}, "'fine' or 'coarse'"),
    ],
)
def test_unknown_options_and_values_are_one_line(name, path, options, message):
    with pytest.raises(RequestError, match=message) as caught:
        load_dataset(name, path, options=options)
    assert "\n" not in str(caught.value)


def test_options_of_a_package_are_refused(offer):
    source = (
        "import numpy as np\nfrom evo_snn.datasets import Split\n"
        'def load():\n    """Two classes."""\n'
        "    x = np.linspace(0, 1, 8, dtype=np.float32).reshape(8, 1)[:, :, None]\n"
        "    part = Split(x, np.arange(8) % 2)\n    return part, part, (0, 1)\n"
    )
    offer("acme-tuple", {"evo_snn.datasets": {"old_form": "acme_tuple:load"}},
          {"acme_tuple.py": source})  # fmt: skip
    data = load_dataset("old_form")
    assert (data.classes, data.names, data.frames, data.leaky) == (2, (), 0, "")
    with pytest.raises(RequestError, match="old_form has no options"):
        load_dataset("old_form", options={"a": 1})


@pytest.mark.parametrize("name", sorted(OWN_DATASETS))
def test_every_data_set_says_what_it_is(name):
    facts = dataset_facts(name)
    assert set(facts) == {"path", "inputs", "source", "licence"}
    assert all(facts.values())
    assert len(dataset_description(name).splitlines()[0]) <= 100
    model = dataset_options(name)
    assert model() == model.model_validate({})  # every option has a default
    assert all(field.description for field in model.model_fields.values())


def test_the_command_shows_files_options_and_licence(command):
    code, out, _ = command("datasets", "salinas")
    assert code == 0
    for text in ("Salinas_corrected.mat", "licence: none stated", "test_fraction", "(N, 1, 204,"):
        assert text in out
    code, out, _ = command("datasets", "nmnist", "--json")
    entry = json.loads(out)[0]
    assert entry["licence"] == "CC BY-SA 4.0"
    assert {"name": "frames", "default": 10, "description": "frames of a recording"} in (
        entry["options"]
    )
