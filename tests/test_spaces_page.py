"""docs/spaces.md and docs/spaces/: a row and a page for every space, pictures that are there."""

import re
from pathlib import Path

import pytest

from genomes.spaces import OWN_SPACES

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted((DOCS / "spaces").glob("*.md"))


def test_every_space_has_a_page_and_a_row():
    rows = re.findall(
        r"^\| \[`(\w+)`\]\(spaces/(\w+)\.md\) \|", (DOCS / "spaces.md").read_text(), re.M
    )
    assert set(rows) == {(name, name) for name in OWN_SPACES}
    assert {page.stem for page in PAGES} == set(OWN_SPACES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_page_has_a_picture_of_a_network_and_its_links_lead_somewhere(page):
    text = page.read_text()
    assert re.search(r"!\[[^]]+\]\(\.\./images/space_\w+\.png\)", text)
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text)]
    assert all((page.parent / link).is_file() for link in links if not link.startswith("http"))
