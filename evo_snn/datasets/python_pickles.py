"""Tables of bytes and lists out of a stranger's pickle, without running anything of it.

CIFAR's Python version is dictionaries with byte strings, lists and a numpy array of bytes. The
unpickler here knows four names alone, and puts plain records of this module in their place, so
that no code outside it is called: anything else in a file is refused.
"""

import io
import pickle
from typing import Any

import numpy as np
from numpy.typing import NDArray


class _Dtype:
    """What ``numpy.dtype`` was pickled with."""

    def __init__(self, name: Any, *_: Any) -> None:
        self.name = name.decode("ascii", "replace") if isinstance(name, bytes) else name

    def __setstate__(self, state: Any) -> None:
        """Byte order and the like: bytes have none."""


class _Array:
    """What a numpy array was pickled with."""

    state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


def _new_array(*_: Any) -> _Array:
    return _Array()


def _encoded(text: Any, encoding: Any) -> bytes:
    """How Python 3 writes bytes where Python 2 shall read them."""
    if not isinstance(text, str) or encoding != "latin1":
        raise ValueError("a text of it is none of bytes")
    return text.encode("latin-1")


_KNOWN = {
    ("_codecs", "encode"): _encoded,
    ("numpy.core.multiarray", "_reconstruct"): _new_array,
    ("numpy._core.multiarray", "_reconstruct"): _new_array,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """One of the names above; nothing is imported."""
        if (module, name) not in _KNOWN:
            raise ValueError(f"it asks for {module}.{name}, which no table of numbers needs")
        return _KNOWN[module, name]


class PickleError(ValueError):
    """A file that is no pickle of plain tables."""


def read_table(content: bytes) -> dict[str, Any]:
    """The dictionary of a pickle: byte strings, lists, and arrays of bytes as numpy arrays.

    Raises:
        PickleError: The file is none, is cut off, or asks for anything else.
    """
    try:
        table = _Reader(io.BytesIO(content), encoding="bytes").load()
        if not isinstance(table, dict):
            raise PickleError("it holds no dictionary")
        return {_text(key): _plain(value) for key, value in table.items()}
    except PickleError:
        raise
    except Exception as error:  # noqa: BLE001 - broken pickles raise anything
        raise PickleError(f"{type(error).__name__}: {error}") from None


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _plain(value: Any) -> Any:
    return _bytes_of(value.state) if isinstance(value, _Array) else value


def _bytes_of(state: Any) -> NDArray[np.uint8]:
    """The array of numpy's (version, shape, dtype, Fortran order, bytes)."""
    _, shape, dtype, fortran, data = state
    if not isinstance(dtype, _Dtype) or dtype.name != "u1" or not isinstance(data, bytes):
        raise PickleError("an array of it is none of bytes")
    return np.frombuffer(data, np.uint8).reshape(shape, order="F" if fortran else "C")
