"""docs/exits.md: its configurations are read, its picture is there, its command exists."""

import re
from pathlib import Path

import pytest

from evo_snn.config_file import load_config
from genomes.documents import parse_toml
from genomes.options import CommonOptions

PAGE = Path(__file__).parents[1] / "docs" / "exits.md"
BLOCKS = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS)
def test_configurations_are_read(block):
    document = {"data": {"name": "digits"}, "search": {"space": "plain"}} | parse_toml(block)
    config = load_config(document)
    options = CommonOptions.model_validate(dict(config.space))
    assert "on" in options.time_exits


def test_every_picture_is_there():
    images = re.findall(r"!\[[^]]+\]\(([^)]+)\)", PAGE.read_text(encoding="utf-8"))
    assert images
    assert all((PAGE.parent / image).is_file() for image in images)
