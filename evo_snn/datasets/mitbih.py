"""MIT-BIH beats: single beats of an electrocardiogram, and patients that are never on both sides.

Classes are those of ANSI/AAMI EC57; the two halves of the patients, DS1 for training and DS2 for
the test, are those of P. de Chazal, M. O'Dwyer, R. B. Reilly, IEEE Trans. Biomed. Eng. 51:1196,
2004; four paced records (102, 104, 107, 217) are in neither.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from evo_snn.datasets.base import Parts, Split, at_most
from evo_snn.datasets.groups import split_groups
from evo_snn.datasets.loader import Count, OwnLoader, Share, SizeOptions, Whole
from evo_snn.datasets.reading import bad, check_finite, class_indices, numeric_arrays
from evo_snn.datasets.wfdb_files import read_annotations, read_recording
from genomes.errors import RequestError

DS1 = (
    *(101, 106, 108, 109, 112, 114, 115, 116, 118, 119, 122),
    *(124, 201, 203, 205, 207, 208, 209, 215, 220, 223, 230),
)
DS2 = (
    *(100, 103, 105, 111, 113, 117, 121, 123, 200, 202, 210),
    *(212, 213, 214, 219, 221, 222, 228, 231, 232, 233, 234),
)
_TWICE = (201, 202)  # records of one patient, of which the usual halves have one each
_TEST_SEED = 0
_LEAD = "MLII"
_CLASSES = "NSVFQ"
_CODES = {
    **dict.fromkeys((1, 2, 3, 11, 34), 0),  # N: normal, bundle branch blocks, escape beats
    **dict.fromkeys((4, 7, 8, 9), 1),  # S: supraventricular ectopic
    **dict.fromkeys((5, 10), 2),  # V: ventricular ectopic
    6: 3,  # F: fusion
    **dict.fromkeys((12, 13, 38), 4),  # Q: paced, unknown
}
_AMPLITUDES = (0.1, 99.9)  # percentiles that become 0 and 1


class BeatOptions(SizeOptions):
    """How beats are cut and divided."""

    before: Whole = Field(100, description="samples before the R wave (360 a second); of records")
    after: Count = Field(156, description="samples from the R wave on; of records")
    downsample: Count = Field(1, description="samples that are averaged into one")
    centre: bool = Field(
        False, description="subtract the median of each beat, so that a wandering baseline is lost"
    )
    drop_q: bool = Field(False, description="leave class Q out: a handful of unclear beats")
    test_fraction: Share = Field(
        0.3, description="share of the beats for the test, by patient, where none is of DS2"
    )


@dataclass(frozen=True)
class _Beats:
    """Beats (N, samples), their classes 0 to 4 and their records."""

    x: NDArray[Any]
    y: NDArray[np.int64]
    record: NDArray[np.int64]

    def take(self, chosen: NDArray[Any]) -> "_Beats":
        return _Beats(self.x[chosen], self.y[chosen], self.record[chosen])


def load_mitbih(path: Path, options: BeatOptions) -> Parts:
    """Beats (N, 1, samples) of lead MLII in the classes N, S, V, F and Q, divided by patient.

    A folder holds PhysioNet's records: 101.hea, 101.dat, 101.atr and so on, as many as there are. A
    beat is ``before + after`` samples around its R wave; beats too near the ends of a record are
    left out. An ``.npz`` file holds beats that were cut: ``x`` (N, samples), ``y`` (N,) the class
    0 to 4, ``record`` (N,) the record.

    Records of DS1 are for training, of DS2 for the test, and validation is of whole records of DS1.
    Record 201 is left out where 202 is in the test: it is the same patient. Without any record of
    DS2 some records of DS1 are the test, always the same.

    Samples are scaled to [0, 1] by the 0.1 and 99.9 percentiles over the training part, and
    clipped. Classes are far from equally frequent: use balanced accuracy.
    """
    beats = _of_file(path) if path.is_file() else _of_records(path, options)
    if options.drop_q:
        beats = beats.take(beats.y != _CLASSES.index("Q"))
    train, test = _divided(beats, options)
    y_train, y_test, labels = class_indices(train.y, test.y)
    chosen = at_most(y_train, options.per_class)
    known, later = (_prepared(part.x, options) for part in (train, test))
    low, high = np.percentile(known[chosen], _AMPLITUDES)
    if high <= low:
        raise bad(path, "beats that differ")

    def scaled(x: NDArray[np.float64]) -> NDArray[np.float32]:
        unit: NDArray[np.float32] = np.clip((x - low) / (high - low), 0, 1).astype(np.float32)
        return unit[:, np.newaxis]

    return Parts(
        Split(scaled(known[chosen]), y_train[chosen]),
        Split(scaled(later), y_test),
        labels,
        groups=train.record[chosen],
        names=tuple(_CLASSES[label] for label in labels),
    )


def _divided(beats: _Beats, options: BeatOptions) -> tuple[_Beats, _Beats]:
    """Training and test, of different patients."""
    second = np.isin(beats.record, DS2)
    first = np.isin(beats.record, DS1)
    if not first.any():
        raise RequestError("data.path", "no record of DS1", f"records such as {DS1[0]}")
    if second.any():
        if _TWICE[1] in beats.record[second]:
            first &= beats.record != _TWICE[0]
        return beats.take(first), beats.take(second)
    known = beats.take(first)
    kept, held = split_groups(known.y, known.record, options.test_fraction, _TEST_SEED, keep=2)
    return known.take(kept), known.take(held)


def _prepared(x: NDArray[Any], options: BeatOptions) -> NDArray[np.float64]:
    """Beats (N, samples) as options want them, not scaled yet."""
    means = _averaged(x, options.downsample)
    return means - np.median(means, axis=1, keepdims=True) if options.centre else means


def _averaged(x: NDArray[Any], count: int) -> NDArray[np.float64]:
    """Means of so many samples in turn; what is left over at the end is dropped."""
    size = x.shape[1] // count
    if size == 0:
        allowed = f"at most {x.shape[1]}, the samples of a beat"
        raise RequestError("data.options.downsample", count, allowed)
    means: NDArray[np.float64] = (
        x[:, : size * count].astype(np.float64).reshape(len(x), size, count).mean(2)
    )
    return means


def _of_file(path: Path) -> _Beats:
    arrays = numeric_arrays(path, ("x", "y", "record"))
    x, y, record = arrays["x"], arrays["y"], arrays["record"]
    check_finite("x", x)
    shapes = x.ndim == 2 and y.shape == record.shape == (len(x),)  # noqa: PLR2004
    if not shapes or x.size == 0 or not {y.dtype.kind, record.dtype.kind} <= set("iu"):
        raise bad(path, "x (N, samples), whole numbers y (N,) and record (N,)")
    strange = y[(y < 0) | (y >= len(_CLASSES))]
    if len(strange):
        raise RequestError("y", int(strange[0]), f"0 to {len(_CLASSES) - 1}, for {_CLASSES}")
    return _Beats(x, y.astype(np.int64), record.astype(np.int64))


def _of_records(path: Path, options: BeatOptions) -> _Beats:
    headers = [path / f"{record}.hea" for record in (*DS1, *DS2)]
    there = [header for header in headers if header.is_file()]
    if not there:
        allowed = "an .npz file of beats, or a folder with records such as 101.hea, .dat and .atr"
        raise bad(path, allowed)
    parts = [_of_record(header, options) for header in there]
    return _Beats(
        np.concatenate([one.x for one in parts]),
        np.concatenate([one.y for one in parts]),
        np.concatenate([one.record for one in parts]),
    )


def _of_record(header: Path, options: BeatOptions) -> _Beats:
    recording = read_recording(header)
    if _LEAD not in recording.leads:
        got = ", ".join(recording.leads)
        raise bad(header, f"a recording of lead {_LEAD}", f"Has {got}.")
    signal = recording.signals[:, recording.leads.index(_LEAD)]
    times, codes = read_annotations(header.with_suffix(".atr"))
    classes = np.array([_CODES.get(int(code), -1) for code in codes], dtype=np.int64)
    whole = (times >= options.before) & (times + options.after <= len(signal))
    kept = whole & (classes >= 0)
    window = np.arange(-options.before, options.after)
    return _Beats(
        signal[times[kept][:, np.newaxis] + window],
        classes[kept],
        np.full(int(kept.sum()), int(header.stem), dtype=np.int64),
    )


MITBIH = OwnLoader(
    "MIT-BIH arrhythmia beats: one lead, five classes of AAMI, divided by patient",
    load_mitbih,
    files="a folder with PhysioNet's records (.hea, .dat, .atr), or an .npz file with x, y, record",
    shape="(N, 1, samples)",
    source="G. B. Moody, R. G. Mark, https://physionet.org/content/mitdb/ (doi:10.13026/C2F305)",
    licence="ODC-By 1.0",
    options=BeatOptions,
)
