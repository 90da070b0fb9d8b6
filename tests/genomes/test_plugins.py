"""Plug-ins of installed packages: found without importing, and each fault in one line."""

import logging
import sys

import pytest

from genomes.errors import RequestError
from genomes.plugins import SPACES, find, installed, load, origin, places
from genomes.spaces import OWN_SPACES, make_space, space_class, space_classes, space_names

SPACE = '''
from pydantic import BaseModel
from genomes.plain import PlainOptions, PlainSpace


class Mine(PlainSpace):
    """A space."""

    name = "mine"
    Options = PlainOptions
'''


def test_names_are_found_without_importing(offer):
    offer("acme-a", {SPACES: {"mine": "acme_a_unimported:Mine"}}, {"acme_a_unimported.py": SPACE})
    assert list(installed(SPACES)) == ["mine"]
    assert origin(find(SPACES, "mine")) == "acme-a 1.0"
    assert space_names() == sorted(["mine", *OWN_SPACES])
    assert "acme_a_unimported" not in sys.modules


def test_an_installed_space_is_made_like_ones_own(offer):
    offer("acme-a", {SPACES: {"mine": "acme_b:Mine"}}, {"acme_b.py": SPACE})
    space = make_space("mine", (1, 8, 8), 10, {"max_stages": 1})
    own = make_space("plain", (1, 8, 8), 10, {"max_stages": 1})
    assert space.key([0] * len(space.genes)) != own.key([0] * len(own.genes))
    assert space_class("mine").Options is space_class("plain").Options
    with pytest.raises(RequestError, match=r"space.max_stages"):
        make_space("mine", (1, 8, 8), 10, {"max_stages": 0})


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("class Mine(PlainSpace)", "class Mine"), "no subclass"),
        (("class Mine", "class Other"), "AttributeError"),
        (('"mine"', '"other"'), "Mine.name is 'other'"),
        (("Options = PlainOptions", "Options = dict"), "Mine.Options is no pydantic model"),
        (("Options = PlainOptions", "version = '1'"), "Mine.version is no whole number"),
        (("from pydantic", "from pydamic"), "ModuleNotFoundError: No module named 'pydamic'"),
        (("class Mine", "raise SystemExit(3)\nclass Mine"), "SystemExit: 3"),
        (("class Mine", "class class"), "SyntaxError"),
        (
            (
                "    Options = PlainOptions",
                "    class Options(BaseModel):\n        size: int\n",
            ),
            "options without a valid default: size",
        ),
        (
            (
                "    Options = PlainOptions",
                "    def __init__(self, shape, classes, options):\n        1 / 0\n",
            ),
            "ZeroDivisionError",
        ),
    ],
)
def test_a_space_that_does_not_work_is_told_in_one_line(offer, request, change, says):
    module = f"acme_{abs(hash(request.node.name))}"
    offer(
        "acme-bad", {SPACES: {"mine": f"{module}:Mine"}}, {f"{module}.py": SPACE.replace(*change)}
    )
    with pytest.raises(RequestError, match="acme-bad 1.0: ") as caught:
        make_space("mine", (1, 8, 8), 10)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_abstract_space_is_told_what_it_lacks(offer):
    text = SPACE.replace("(PlainSpace)", "(SearchSpace)").replace(
        "import BaseModel", "import BaseModel\nfrom genomes.space import SearchSpace"
    )
    offer("acme-bad", {SPACES: {"mine": "acme_abstract:Mine"}}, {"acme_abstract.py": text})
    with pytest.raises(RequestError, match="Mine lacks active, decode, genes"):
        space_class("mine")


def test_a_listing_goes_on_with_a_warning(offer, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("evo_snn"), "propagate", True)
    offer(
        "acme-bad",
        {SPACES: {"bad": "acme_nowhere:Bad", "plain": "acme_c:Mine", "mine": "acme_c:Mine"}},
        {"acme_c.py": SPACE},
    )
    with caplog.at_level(logging.WARNING, "evo_snn"):
        found = space_classes()
    assert sorted(found) == sorted(["mine", *OWN_SPACES])
    assert found["plain"].__module__ == "genomes.plain"
    missing, taken = [record.getMessage() for record in caplog.records]
    assert missing.startswith("warning: space 'bad' is left out: acme-bad 1.0: ModuleNotFoundError")
    assert taken == "warning: space 'plain' of acme-bad 1.0 is left out: evo_snn has its own"


def test_an_unknown_name_suggests_installed_ones_too(offer):
    offer("acme-a", {SPACES: {"mine": "acme_d:Mine"}}, {"acme_d.py": SPACE})
    with pytest.raises(RequestError, match=r"search.space: got 'mint'.*mine, plain.*'mine'\?"):
        make_space("mint", (1, 8, 8), 10)
    with pytest.raises(RequestError, match="search.space"):
        find(SPACES, "nothing")


def test_a_name_of_two_packages_is_refused(offer):
    offer("acme-a", {SPACES: {"mine": "acme_e:Mine"}}, {"acme_e.py": SPACE})
    offer("acme-b", {SPACES: {"mine": "acme_e:Mine"}}, {})
    with pytest.raises(RequestError, match="acme-a 1.0 and acme-b 1.0 both have it"):
        load(SPACES, "mine")


def test_places_are_found_without_importing(tmp_path, monkeypatch):
    for path in ("single.py", "pack/__init__.py", "pack/inner/a.toml", "pack/leaf.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert places("single") == [tmp_path / "single.py"]
    assert places("pack") == [tmp_path / "pack"]
    assert places("pack.inner") == [tmp_path / "pack/inner"]
    assert places("pack.leaf") == [tmp_path / "pack/leaf.py"]
    for nothing in ("no_such_package", "pack.none", "single.inner", "", "a b", "..x"):
        assert places(nothing) == []
