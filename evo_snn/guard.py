"""The guard against shadowed names: ``genomes``, ``hardware`` and ``analysis`` are common words.

A folder or a script of one of these names in the current folder, or in another package, would be
imported in place of ours, and fail far from the cause.
"""

from importlib.util import find_spec
from pathlib import Path


def require_own(*names: str) -> None:
    """Check, without importing, that top-level packages are those that lie beside ``evo_snn``.

    Raises:
        ImportError: If a name is found elsewhere or nowhere; it names the file and the remedy.
    """
    home = Path(__file__).resolve().parent.parent
    for name in names:
        found = _location(name)
        if found is None:
            raise ImportError(
                f"evo_snn needs its package {name!r} in {home}, and it is not there:"
                " install evo_snn again."
            )
        if found.parent != home:
            raise ImportError(
                f"evo_snn needs its own package {name!r} in {home}, but Python finds {found}"
                " first: rename that, or run from another folder."
            )


def _location(name: str) -> Path | None:
    """The folder of a package, or the file of a module, that ``import name`` would give."""
    try:
        spec = find_spec(name)
    except ValueError:  # a module that somebody put into sys.modules by hand
        return None
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations))).resolve()
    return None if spec.origin is None else Path(spec.origin).resolve()
