"""Settings of the whole suite."""

from hypothesis import settings

# The machine decides how long an example takes; what is tested does not depend on it.
settings.register_profile("evo_snn", deadline=None, print_blob=True)
settings.load_profile("evo_snn")
