"""docs/spaces.md: a section for every space, and pictures that are there."""

import re
from pathlib import Path

from genomes.spaces import OWN_SPACES

PAGE = Path(__file__).parents[1] / "docs" / "spaces.md"


def test_every_space_has_a_section_and_a_row():
    text = PAGE.read_text()
    assert set(re.findall(r"^## `(\w+)`", text, re.MULTILINE)) == set(OWN_SPACES)
    assert set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) == set(OWN_SPACES)


def test_every_picture_is_there():
    images = re.findall(r"!\[[^]]+\]\(([^)]+)\)", PAGE.read_text())
    assert len(images) >= 4
    assert all((PAGE.parent / image).is_file() for image in images)
