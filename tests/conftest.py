"""Settings of the whole suite."""

import importlib
import logging
import sys

import pytest
from hypothesis import settings

# The machine decides how long an example takes; what is tested does not depend on it.
settings.register_profile("evo_snn", deadline=None, print_blob=True)
settings.load_profile("evo_snn")


@pytest.fixture(scope="session", autouse=True)
def own_state(tmp_path_factory):
    """What tests trust is no business of whoever runs them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(autouse=True)
def own_logger():
    """A command gives the logger a handler for good; the next test begins without it."""
    logger = logging.getLogger("evo_snn")
    logger.handlers.clear()
    logger.setLevel(logging.NOTSET)
    logger.propagate = True


@pytest.fixture
def offer(tmp_path, monkeypatch):
    """Offer plug-ins as an installed package would: entry points by group, and its files."""
    site = tmp_path / "site"
    offered = set()

    def make(package, entry_points, files):
        information = site / f"{package.replace('-', '_')}-1.0.dist-info"
        information.mkdir(parents=True)
        (information / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n"
        )
        lines = [
            f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in names.items())
            for group, names in entry_points.items()
        ]
        (information / "entry_points.txt").write_text("\n".join(lines))
        for name, text in files.items():
            (site / name).parent.mkdir(parents=True, exist_ok=True)
            (site / name).write_text(text)
            offered.add(name.split("/")[0].removesuffix(".py"))
        importlib.invalidate_caches()
        return site

    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    yield make
    # another test's package may have the same name, and an imported one is found before it
    for name in [one for one in sys.modules if one.split(".")[0] in offered]:
        del sys.modules[name]
