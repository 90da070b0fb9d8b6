"""What full training has stored of a run's designs; found without torch."""

from pathlib import Path

from evo_snn.folder import TRAINED, require_file_name


def weights_of_trained(folder: Path, key: str) -> Path | None:
    """The safetensors file of a design's full training; None if there is none.

    Raises:
        RequestError: the key cannot be the name of a file.
    """
    require_file_name(key)
    path = folder / TRAINED / f"{key}.safetensors"
    return path if path.is_file() else None
