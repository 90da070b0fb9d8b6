import platform
from importlib.metadata import version

import tomli_w

import evo_snn
from evo_snn.environment import current_environment, differences, installed_version


def test_what_results_depend_on_is_recorded():
    environment = current_environment("torch")

    assert environment["evo_snn"] == evo_snn.__version__
    assert environment["python"] == platform.python_version()
    for name in ("torch", "norse", "pymoo", "numpy", "numba", "llvmlite"):
        assert environment[name] == version(name)
    assert environment["cpu_capability"].isupper()
    # It goes into a TOML table, so every value is text and none is missing.
    assert all(isinstance(value, str) and value for value in environment.values())
    assert tomli_w.dumps(environment)
    assert environment["kernel"] == "torch"
    assert current_environment("torch") == environment
    assert differences(environment, current_environment("norse")) == ["kernel: was torch, is norse"]


def test_differences_name_what_changed():
    old = {"torch": "2.4", "python": "3.11", "gone": "1"}
    new = {"torch": "2.5", "python": "3.11", "added": "2"}

    assert differences(old, new) == [
        "added: was absent, is 2",
        "gone: was 1, is absent",
        "torch: was 2.4, is 2.5",
    ]
    assert differences(old, old) == []


def test_a_package_that_is_not_installed_is_absent():
    assert installed_version("no-such-package-at-all") == "absent"
