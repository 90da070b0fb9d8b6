"""Beats: PhysioNet's files, written from the formats' descriptions, and who is in which part."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from evo_snn.datasets import load_dataset
from evo_snn.datasets.mitbih import BeatOptions, load_mitbih
from evo_snn.datasets.wfdb_files import read_annotations, read_recording
from evo_snn.testing import check_dataset
from genomes.errors import RequestError

SHARED = Path(__file__).parents[4] / "shared" / "data" / "ecg_mitbih_train_patients.npz"
NORMAL, PVC, APC, RHYTHM, NOISE = 1, 5, 8, 28, 14  # codes of annotations; the last two no beats


def format212(signals):
    """Two samples in three bytes, 12 bits each in two's complement."""
    data = bytearray()
    for first, second in signals:
        first, second = int(first) & 0xFFF, int(second) & 0xFFF  # noqa: PLW2901
        data += bytes([first & 255, second >> 8 << 4 | first >> 8, second & 255])
    return bytes(data)


def annotations(marks):
    """(time, code, text) as 16-bit words; long intervals by SKIP, texts by AUX."""
    data, last = b"", 0
    for time, code, text in marks:
        step, last = time - last, time
        if step > 1023:
            data += (59 << 10).to_bytes(2, "little")
            data += (step >> 16).to_bytes(2, "little") + (step & 0xFFFF).to_bytes(2, "little")
            step = 0
        data += (code << 10 | step).to_bytes(2, "little")
        if text:
            data += (63 << 10 | len(text)).to_bytes(2, "little") + text + b"\0" * (len(text) % 2)
        data += (61 << 10 | 3).to_bytes(2, "little")  # a subtype, which means nothing here
    return data + b"\0\0"


def write(folder, record, signals, marks, leads=("MLII", "V5"), **changes):
    lines = [f"{record} 2 360 {len(signals)}"]
    for lead, name in enumerate(leads):
        total = int(signals[:, lead].sum()) & 0xFFFF
        checksum = total - 0x10000 if total >= 0x8000 else total
        first = signals[0, lead]
        lines.append(f"{record}.dat 212 200 11 1024 {first} {checksum} 0 {name}")
    header = changes.get("header", "\n".join([*lines, "# 69 M 1085 1629 x1"]) + "\n")
    (folder / f"{record}.hea").write_text(header)
    (folder / f"{record}.dat").write_bytes(changes.get("data", format212(signals)))
    (folder / f"{record}.atr").write_bytes(changes.get("atr", annotations(marks)))


def recording(seed, beats=24):
    """A made-up recording: bumps of three kinds, every 300 samples, and the marks of them."""
    rng = np.random.default_rng(seed)
    signals = 1024 + rng.integers(-20, 20, (300 * beats + 1300, 2))
    marks = [(18, RHYTHM, b"(N\0")]
    for number in range(beats):
        at = 1200 + 300 * number + int(rng.integers(0, 40))
        code = (NORMAL, PVC, APC)[number % 3]
        signals[at - 5 : at + 5, 0] += 100 * code
        marks.append((at, code, b""))
        if number == 3:
            marks.append((at + 10, NOISE, b"abc"))
    return signals, marks


def write_records(folder, records):
    for record in records:
        write(folder, record, *recording(record))
    return folder


def test_beats_are_cut_around_their_marks(tmp_path):
    write_records(tmp_path, (101, 106, 108, 100))
    data = load_dataset("mitbih", tmp_path)

    assert data.names == ("N", "S", "V")
    assert data.input_shape == (1, 256)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [48, 24, 24]
    assert data.test.y.tolist() == [0, 2, 1] * 8
    signals, marks = recording(100)
    at = marks[1][0]
    beat = signals[at - 100 : at + 156, 0].astype(float)
    found = data.test.x[0, 0].astype(float)
    inside = (found > 0) & (found < 1)  # a straight line, but for what is clipped
    slope, offset = np.polyfit(beat[inside], found[inside], 1)
    np.testing.assert_allclose(found[inside], slope * beat[inside] + offset, atol=1e-5)


def test_the_contract_of_a_data_set_holds(tmp_path):
    check_dataset("mitbih", write_records(tmp_path, (101, 106, 108, 109, 112, 114, 100)))


def test_no_patient_is_on_both_sides(tmp_path):
    write_records(tmp_path, (101, 106, 201, 202, 100))
    parts = load_mitbih(tmp_path, BeatOptions())
    assert set(parts.groups.tolist()) == {101, 106}  # 201 and 202 are one patient
    write_records(tmp_path, (108,))
    for file in (*tmp_path.glob("202.*"), *tmp_path.glob("100.*")):
        file.unlink()
    parts = load_mitbih(tmp_path, BeatOptions())
    assert len(set(parts.groups.tolist())) == 3  # one of four records is the test
    assert len(parts.test) == 24


def test_test_patients_change_nothing_of_the_training(tmp_path):
    write_records(tmp_path, (101, 106, 100))
    before = load_mitbih(tmp_path, BeatOptions())
    signals, marks = recording(100)
    write(tmp_path, 100, np.clip(3 * signals - 2048, -2048, 2047), marks)
    after = load_mitbih(tmp_path, BeatOptions())
    np.testing.assert_array_equal(before.train.x, after.train.x)
    assert not np.array_equal(before.test.x, after.test.x)


def test_the_lead_is_found_by_its_name(tmp_path):
    write_records(tmp_path, (101, 106, 100))
    expected = load_dataset("mitbih", tmp_path)
    signals, marks = recording(106)
    write(tmp_path, 106, signals[:, ::-1], marks, leads=("V5", "MLII"))
    np.testing.assert_array_equal(load_dataset("mitbih", tmp_path).train.x, expected.train.x)


def test_options_of_beats(tmp_path):
    write_records(tmp_path, (101, 106, 100))
    options = {"before": 20, "after": 41, "downsample": 3, "per_class": 5}
    data = load_dataset("mitbih", tmp_path, options=options)
    assert data.input_shape == (1, 20)
    assert len(data.train) + len(data.validation) == 15
    with pytest.raises(RequestError, match="downsample: got 300; allowed: at most 256"):
        load_dataset("mitbih", tmp_path, options={"downsample": 300})


def test_a_centred_beat_has_no_baseline(tmp_path):
    beats = np.random.default_rng(0).normal(0, 10, (90, 40))
    wander = 300 * np.repeat([0, 1, -1], 30)[:, np.newaxis]
    whose = {"y": np.tile([0, 2], 45), "record": np.repeat([101, 106, 100], 30)}
    np.savez(tmp_path / "flat.npz", x=beats, **whose)
    np.savez(tmp_path / "wandering.npz", x=beats + wander, **whose)
    parts = {
        (name, centre): load_mitbih(tmp_path / f"{name}.npz", BeatOptions(centre=centre))
        for name in ("flat", "wandering")
        for centre in (False, True)
    }
    np.testing.assert_allclose(
        parts["wandering", True].test.x, parts["flat", True].test.x, atol=1e-5
    )
    medians = np.median(parts["wandering", True].train.x, axis=2)
    np.testing.assert_allclose(medians, medians[0, 0], atol=1e-5)
    assert np.ptp(np.median(parts["wandering", False].train.x, axis=2)) > 0.5


@given(
    hnp.arrays(np.int64, (7, 2), elements=st.integers(-2048, 2047)),
    st.lists(
        st.tuples(st.integers(0, 200_000), st.integers(1, 49), st.binary(max_size=5)),
        max_size=9,
    ),
)
def test_whatever_is_written_is_read(tmp_path_factory, signals, marks):
    folder = tmp_path_factory.mktemp("wfdb")
    marks = sorted(marks)
    write(folder, 100, signals, marks)
    found = read_recording(folder / "100.hea")
    np.testing.assert_array_equal(found.signals, signals)
    assert found.leads == ("MLII", "V5")
    assert (found.gains, found.zeros) == ((200.0, 200.0), (1024, 1024))
    times, codes = read_annotations(folder / "100.atr")
    assert list(zip(times, codes, strict=True)) == [(time, code) for time, code, _ in marks]


def test_wfdb_reads_the_same(tmp_path):
    wfdb = pytest.importorskip("wfdb", reason="wfdb is not installed")
    write_records(tmp_path, (100,))
    name = str(tmp_path / "100")
    theirs = wfdb.rdrecord(name, physical=False)
    ours = read_recording(tmp_path / "100.hea")
    np.testing.assert_array_equal(theirs.d_signal, ours.signals)
    assert tuple(theirs.sig_name) == ours.leads
    marks = wfdb.rdann(name, "atr", return_label_elements=["label_store"])
    times, codes = read_annotations(tmp_path / "100.atr")
    np.testing.assert_array_equal(marks.sample, times)
    np.testing.assert_array_equal(marks.label_store, codes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": format212(recording(106)[0])[:-4]}, r"106.dat.*25500 bytes, as its header says"),
        ({"data": format212(recording(106)[0] + 1)}, r"106.dat.*its header was made for. Signal 0"),
        ({"atr": annotations(recording(106)[1])[:-2]}, r"106.atr.*a whole annotation file"),
        ({"header": "106 1 360 100\n"}, "106.hea.*two signals in format 212"),
        ({"header": ""}, "106.hea.*two signals in format 212"),
        ({"leads": ("V1", "V5")}, "106.hea.*a recording of lead MLII. Has V1, V5"),
    ],
)
def test_a_broken_record_is_one_line(tmp_path, changes, message):
    write_records(tmp_path, (101, 100))
    write(tmp_path, 106, *recording(106), **changes)
    with pytest.raises(RequestError, match=message) as caught:
        load_dataset("mitbih", tmp_path)
    assert "\n" not in str(caught.value)


def arrays(**changes):
    rng = np.random.default_rng(0)
    return {
        "x": rng.integers(0, 2048, (60, 16)),
        "y": np.arange(60) % 3,
        "record": np.repeat([101, 106, 108, 100], 15),
    } | changes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": np.full((60, 16), np.nan)}, "x: got '960 values that are NaN"),
        ({"y": np.arange(60) % 6}, "y: got 5; allowed: 0 to 4, for NSVFQ"),
        ({"y": np.arange(60) % 3 - 1}, "y: got -1; allowed: 0 to 4, for NSVFQ"),
        ({"record": np.arange(59)}, "whole numbers"),
        ({"record": np.full(60, 102)}, "no record of DS1"),
        ({"y": np.r_[3, np.arange(59) % 2]}, "one example of class 3"),
        ({"y": np.r_[[2] * 15, np.arange(45) % 2]}, "class 2 in 1 group .patient"),
        ({"x": np.zeros((60, 16))}, "beats that differ"),
    ],
)
def test_a_broken_file_is_one_line(tmp_path, changes, message):
    np.savez(tmp_path / "a.npz", **arrays(**changes))
    with pytest.raises(RequestError, match=message) as caught:
        load_dataset("mitbih", tmp_path / "a.npz")
    assert "\n" not in str(caught.value)


def test_nothing_to_read_is_one_line(tmp_path):
    with pytest.raises(RequestError, match="a folder with records such as 101.hea"):
        load_dataset("mitbih", tmp_path)


@pytest.mark.skipif(not SHARED.exists(), reason="the material beside the checkout is absent")
def test_real_beats():
    data = load_dataset("mitbih", SHARED, options={"drop_q": True, "downsample": 2})
    assert data.names == ("N", "S", "V", "F")
    assert data.input_shape == (1, 128)
    assert len(data.train) + len(data.validation) + len(data.test) == 15145
    for part in (data.train, data.validation, data.test):
        assert set(part.y.tolist()) == set(range(4))
        assert 0.3 < part.x.mean() < 0.6
