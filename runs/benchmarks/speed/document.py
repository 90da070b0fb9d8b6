"""What is measured, as a JSON file with what it depends on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evo_snn.environment import current_environment
from evo_snn.snn.kernels import choose


def written(out: Path, found: Mapping[str, Any]) -> None:
    """Write what was found with the environment of this process, and say where."""
    document = {"environment": current_environment(choose("auto", "cpu").name), **found}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(document, indent=1), encoding="utf-8")
    print(out)
