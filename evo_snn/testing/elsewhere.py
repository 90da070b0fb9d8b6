"""The same in another process: an empty folder, another order of sets, nothing left over.

Run as a module, it reads from standard input what to do, and prints what it found.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from importlib import import_module, util
from pathlib import Path
from typing import Any

_HASH_SEED = "271828"


@dataclass(frozen=True)
class Address:
    """Where a function or class is, so that another process finds it."""

    module: str
    name: str
    file: str


def expect(condition: object, message: str) -> None:
    """Raise an AssertionError with the message unless the condition holds."""
    if not condition:
        raise AssertionError(message)


def address_of(found: Any) -> Address:
    """The address of a function or class.

    Raises:
        AssertionError: it does not stand at the top level of a module's file.
    """
    name = getattr(found, "__qualname__", "<unknown>")
    module = getattr(found, "__module__", "")
    file = getattr(sys.modules.get(module), "__file__", None)
    expect(
        file and "<" not in name and "." not in name,
        f"{name} of {module or 'no module'} cannot be imported: workers need what stands at the top"
        " level of a module's file",
    )
    return Address(module, name, str(Path(str(file)).resolve()))


def found_at(address: Address) -> Any:
    """What is at an address."""
    try:
        module = import_module(address.module)
    except ImportError:
        module = None
    if module is None or str(Path(module.__file__ or "").resolve()) != address.file:
        name = f"evo_snn_testing_{Path(address.file).stem}"
        spec = util.spec_from_file_location(name, address.file)
        if spec is None or spec.loader is None:
            raise ImportError(f"no Python file: {address.file}")
        module = util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return getattr(module, address.name)


def elsewhere(function: Callable[..., Any], subject: Address | str, **arguments: Any) -> Any:
    """What a function of ``evo_snn.testing`` gives for a subject in another process.

    Args:
        function: takes the subject first, and gives JSON.
        subject: an address of what the function takes, or a name.
        arguments: further ones, JSON.

    Raises:
        AssertionError: the process fails, or leaves files in the folder that it is run in.
    """
    task = {
        "function": [function.__module__, function.__name__],
        "subject": subject if isinstance(subject, str) else asdict(subject),
        "arguments": arguments,
    }
    here = [str(Path(entry).resolve()) for entry in sys.path]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(here)}
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(  # noqa: S603 - our own module
            [sys.executable, "-m", __name__],
            input=json.dumps(task),
            cwd=folder,
            env={**environment, "PYTHONHASHSEED": _HASH_SEED},
            capture_output=True,
            text=True,
            check=False,
        )
        left = sorted(path.name for path in Path(folder).iterdir())
    last = "; ".join(done.stderr.strip().splitlines()[-1:])
    expect(done.returncode == 0, f"it works here, and fails in another process: {last}")
    expect(not left, f"it leaves files in the current folder: {', '.join(left)}")
    return json.loads(done.stdout)


def _main() -> None:
    task = json.load(sys.stdin)
    module, name = task["function"]
    subject = task["subject"]
    with redirect_stdout(sys.stderr):  # plug-ins may print
        if isinstance(subject, dict):
            subject = found_at(Address(**subject))
        result = getattr(import_module(module), name)(subject, **task["arguments"])
    sys.stdout.write(json.dumps(result))


if __name__ == "__main__":
    _main()
