"""What full training has stored of a run's designs; read without torch."""

import json
from pathlib import Path
from typing import Any

from evo_snn.folder import TRAINED, require_file_name


def stored_result(folder: Path, key: str) -> dict[str, Any] | None:
    """The result of the last full training of a design; None if there is none.

    Args:
        folder: the run's.
        key: the design's, in full.

    Returns:
        Its row of `evo_snn.train`, ``rates`` (layer → input and output rate on the test part), and
        ``energies`` (`evo_snn.cnn_energy.CNNEnergy`) if it was a CNN first.

    Raises:
        RequestError: the key cannot be the name of a file.
    """
    require_file_name(key)
    path = folder / TRAINED / f"{key}.json"
    if not path.is_file():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def weights_of_trained(folder: Path, key: str) -> Path | None:
    """The safetensors file of a design's full training; None if there is none.

    Raises:
        RequestError: the key cannot be the name of a file.
    """
    require_file_name(key)
    path = folder / TRAINED / f"{key}.safetensors"
    return path if path.is_file() else None
