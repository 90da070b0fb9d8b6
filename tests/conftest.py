"""Settings of the whole suite."""

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
