"""The page about data sets: a section for each, with its options."""

import re
from pathlib import Path

import pytest

from evo_snn.config_file import load_config
from evo_snn.datasets import OWN_DATASETS, dataset_options
from genomes.documents import parse_toml

PAGE = (Path(__file__).parents[1] / "docs" / "datasets.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
SAME_OPTIONS = {
    "fashion_mnist": "mnist",
    "tiny_imagenet": "image_folder",
    "dvs_gesture": "nmnist",
    "events_npz": "nmnist",
    "indian_pines": "scene",
    "pavia_university": "scene",
    "salinas": "scene",
    "salinas_a": "scene",
}


def test_every_data_set_has_a_section_and_nothing_else():
    assert set(SECTIONS) - {"Your"} == set(OWN_DATASETS)


@pytest.mark.parametrize("name", sorted(OWN_DATASETS))
def test_every_option_is_in_its_section(name):
    text = SECTIONS[name] + SECTIONS.get(SAME_OPTIONS.get(name, ""), "")
    missing = [option for option in dataset_options(name).model_fields if f"`{option}" not in text]
    # what all sets of many examples have is said once
    assert set(missing) <= {"per_class"}


def test_the_example_is_a_configuration():
    example = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)[1]
    document = parse_toml(example) | {"search": {"space": "plain"}}
    config = load_config(document)
    model = dataset_options(config.data.name)
    assert model.model_validate(config.data.options).patch == 9
