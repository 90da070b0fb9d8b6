"""Recordings in PhysioNet's files: a header, samples of 12 bits, annotations.

The formats are those of header(5), signal(5) and annot(5) of the WFDB Applications Guide,
https://physionet.org/physiotools/wag/. The package wfdb reads them too; it brings a dozen others,
and MIT-BIH needs format 212 and MIT annotations alone. Tests compare both where wfdb is installed.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evo_snn.datasets.reading import bad, content, read_as

_FORMAT = "212"
_SIGNALS = 2
_TRIPLE = 3  # bytes of two samples
_SKIP, _NUM, _CHN, _AUX = 59, 60, 62, 63  # codes that are no annotation
_LONG = 4  # bytes of a skipped interval
_CHECKSUMS = 2**16


@dataclass(frozen=True)
class Recording:
    """A recording of two leads.

    Attributes:
        signals: int64, shape (samples, 2), in units of the converter.
        leads: What the header calls them.
        gains: Units a millivolt of each lead.
        zeros: Units at 0 mV of each lead.
    """

    signals: NDArray[np.int64]
    leads: tuple[str, ...]
    gains: tuple[float, ...]
    zeros: tuple[int, ...]


def read_recording(header: Path) -> Recording:
    """The recording of a ``.hea`` file.

    Raises:
        RequestError: A file is missing, cut off or changed, or has another format than MIT-BIH's.
    """
    allowed = "a WFDB header of two signals in format 212"
    with read_as(header, allowed, IndexError):
        lines = [
            line.split()
            for line in content(header).decode("ascii").splitlines()
            if line.strip() and not line.startswith("#")
        ]
        if int(lines[0][1]) != _SIGNALS or len(lines) < 1 + _SIGNALS:
            raise bad(header, allowed)
        count, fields = int(lines[0][3]), lines[1 : 1 + _SIGNALS]
        if any(line[1] != _FORMAT or line[0] != fields[0][0] for line in fields):
            raise bad(header, allowed)
        gains = tuple(float(line[2].split("(")[0].split("/")[0]) for line in fields)
        zeros = tuple(int(line[4]) for line in fields)
        checksums = [int(line[6]) for line in fields]
        leads = tuple(" ".join(line[8:]) for line in fields)
        data = header.with_name(fields[0][0])
    signals = _samples(data, count)
    for lead, (column, checksum) in enumerate(zip(signals.T, checksums, strict=True)):
        if (int(column.sum()) - checksum) % _CHECKSUMS:
            raise bad(data, "the samples that its header was made for", f"Signal {lead} differs.")
    return Recording(signals, leads, gains, zeros)


def _samples(path: Path, count: int) -> NDArray[np.int64]:
    """The samples of a file of format 212, two signals in turn: (count, 2).

    Three bytes hold two samples of 12 bits in two's complement: the low byte of the first; four
    high bits of the second, four of the first; the low byte of the second.
    """
    with read_as(path, "a file of samples"):
        raw = np.frombuffer(content(path), np.uint8)
    if len(raw) != _TRIPLE * count:
        allowed = f"{_TRIPLE * count} bytes, as its header says"
        raise bad(path, allowed, f"It has {len(raw)}.")
    low, shared, high = raw.reshape(-1, _TRIPLE).astype(np.int64).T
    pairs = np.stack([low | (shared & 15) << 8, high | (shared & 240) << 4], axis=1)
    return np.where(pairs >= 2**11, pairs - 2**12, pairs)


def read_annotations(path: Path) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Times in samples and codes of the annotations of a file in MIT format.

    Words of 16 bits: a code in the upper 6, the time since the last annotation in the lower 10.
    Codes from 59 on are no annotations but change what follows.

    Raises:
        RequestError: The file is missing or cut off.
    """
    allowed = "a whole annotation file in MIT format"
    with read_as(path, allowed, IndexError):
        data = content(path)
        times: list[int] = []
        codes: list[int] = []
        at = time = 0
        while True:
            word = data[at] | data[at + 1] << 8
            at += 2
            code, value = word >> 10, word & 1023
            if word == 0:
                return np.array(times, dtype=np.int64), np.array(codes, dtype=np.int64)
            if code == _SKIP:  # the high 16 bits first, in each the low byte first
                high, low = data[at : at + 2], data[at + 2 : at + _LONG]
                time += int.from_bytes(low + high, "little", signed=True)
                at += _LONG
            elif code == _AUX:
                at += value + value % 2
            elif not _NUM <= code <= _CHN:
                time += value
                times.append(time)
                codes.append(code)
