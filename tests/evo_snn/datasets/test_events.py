"""Events: the rule of frames by hand, and the formats written from their descriptions."""

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evo_snn.datasets import load_dataset
from evo_snn.datasets.dvs_gesture import read_aedat
from evo_snn.datasets.events import EventOptions, Events, one_of
from evo_snn.datasets.nmnist import read_events
from evo_snn.testing import check_dataset
from evo_snn.training import data_digest
from genomes.errors import RequestError

SHARED = Path(__file__).parents[4] / "shared" / "data" / "nmnist_slayer_1k100.npz"
LISTS = st.lists(
    st.tuples(st.integers(0, 33), st.integers(0, 33), st.integers(0, 1), st.integers(0, 2**23 - 1)),
    max_size=30,
)


def events(rows):
    x, y, p, t = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    return Events(x, y, p, t, "a recording")


def bits40(rows):
    """x and y of a byte each, one bit of polarity, 23 of time: from the paper's description."""
    words = [(x << 32 | y << 24 | p << 23 | t % 2**23).to_bytes(5, "big") for x, y, p, t in rows]
    return b"".join(words)


def test_frames_by_time_and_by_count():
    rows = [(0, 1, 1, 100), (0, 1, 1, 101), (2, 0, 0, 150), (3, 3, 1, 199)]

    by_time = one_of(events(rows), (4, 4), EventOptions(frames=2, clip=3))
    by_count = one_of(events(rows), (4, 4), EventOptions(frames=2, by="count", clip=3))

    expected = np.zeros((2, 2, 4, 4))
    expected[0, 1, 1, 0] = 2  # (frame, polarity, row, column)
    expected[1, 0, 0, 2] = expected[1, 1, 3, 3] = 1
    np.testing.assert_array_equal(by_time, expected)
    np.testing.assert_array_equal(by_count, expected)
    uneven = [(0, 0, 0, 0), (0, 0, 0, 1), (0, 0, 0, 2), (0, 0, 0, 99)]
    for by, sizes in (("time", [3, 1]), ("count", [2, 2])):
        found = one_of(events(uneven), (4, 4), EventOptions(frames=2, by=by, clip=9))
        assert found.sum((1, 2, 3)).tolist() == sizes


def test_counts_are_clipped_and_places_merged():
    rows = [(0, 0, 0, 0), (1, 1, 0, 1), (1, 0, 0, 2), (4, 4, 1, 3)]
    found = one_of(events(rows), (5, 5), EventOptions(frames=1, downsample=2, clip=2))
    assert found.shape == (1, 2, 3, 3)
    assert (found[0, 0, 0, 0], found[0, 1, 2, 2], found.sum()) == (2, 1, 3)


@given(LISTS, st.integers(1, 7), st.sampled_from(["time", "count"]), st.randoms())
def test_no_event_is_lost_and_their_order_does_not_matter(rows, frames, by, random):
    options = EventOptions(frames=frames, by=by, clip=255)
    found = one_of(events(rows), (34, 34), options)
    assert found.sum() == len(rows)
    if len({row[3] for row in rows}) == len(rows):
        shuffled = random.sample(rows, len(rows))
        np.testing.assert_array_equal(one_of(events(shuffled), (34, 34), options), found)


@given(LISTS)
def test_whatever_is_written_in_40_bits_is_read(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("bin") / "1.bin"
    path.write_bytes(bits40(rows))
    found = read_events(path)
    assert list(zip(found.x, found.y, found.p, found.t, strict=True)) == rows


def test_row_240_is_an_overflow_of_the_timer(tmp_path):
    path = tmp_path / "1.bin"
    path.write_bytes(bits40([(1, 1, 1, 5), (0, 240, 0, 0), (2, 2, 0, 7), (0, 240, 0, 0)]))
    found = read_events(path)
    assert (found.x.tolist(), found.t.tolist()) == ([1, 2], [5, 7 + 2**13])


def test_tonic_reads_the_same(tmp_path):
    io = pytest.importorskip("tonic.io", reason="tonic is not installed")
    rng = np.random.default_rng(0)
    rows = [tuple(int(rng.integers(0, most)) for most in (34, 34, 2, 300_000)) for _ in range(50)]
    rows.insert(20, (0, 240, 0, 0))
    path = tmp_path / "1.bin"
    path.write_bytes(bits40(rows))
    fields = np.dtype([("x", int), ("y", int), ("t", int), ("p", int)])
    theirs, ours = io.read_mnist_file(str(path), fields), read_events(path)
    for name in ("x", "y", "t", "p"):
        np.testing.assert_array_equal(theirs[name], getattr(ours, name))


def write_nmnist(folder, broken=b""):
    rng = np.random.default_rng(0)
    for part, count in (("Train", 5), ("Test", 2)):
        for digit in range(3):
            place = folder / part / str(digit)
            place.mkdir(parents=True)
            for one in range(count):
                rows = rng.integers(0, (34, 34, 2, 300_000), (40, 4)).tolist()
                (place / f"{one:05}.bin").write_bytes(bits40(rows))
    if broken:
        (folder / "Train" / "2" / "00003.bin").write_bytes(broken)


def test_the_folders_of_nmnist(tmp_path):
    write_nmnist(tmp_path)
    data = load_dataset("nmnist", tmp_path, options={"frames": 6, "downsample": 2})
    assert data.frames == 6
    assert 200 < data.recording_ms < 300  # 40 events at random in 300 ms
    assert data.train.x.shape == (12, 6, 2, 17, 17)
    assert data.input_shape == (2, 17, 17)
    assert data.test.y.tolist() == [0, 0, 1, 1, 2, 2]
    assert data.names == ("0", "1", "2")
    check_dataset("nmnist", tmp_path)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (
            bits40([(34, 0, 0, 0)]),
            r"x = 34 of event 0 in .*2/00003.bin.*0 to 33: the sensor has",
        ),
        (bits40([(0, 0, 0, 0), (0, 99, 0, 0)]), "y = 99 of event 1"),
        (bits40([(0, 0, 0, 0)])[:-1], "00003.bin.*5 bytes an event. It has 4 bytes"),
    ],
)
def test_events_beyond_the_sensor_and_cut_off_files_are_one_line(tmp_path, broken, message):
    write_nmnist(tmp_path, broken)
    with pytest.raises(RequestError, match=message) as caught:
        load_dataset("nmnist", tmp_path)
    assert "\n" not in str(caught.value)


def write_npz(path, **changes):
    rng = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", 12), ("test", 4)):
        offsets = np.arange(count + 1) * 10
        for name, most in (("x", 8), ("y", 6), ("p", 2), ("t_us", 1000)):
            arrays[f"{part}_{name}"] = rng.integers(0, most, offsets[-1])
        arrays[f"{part}_offsets"] = offsets
        arrays[f"y_{part}"] = np.arange(count) % 2
    np.savez(path, **{key: value for key, value in (arrays | changes).items() if value is not None})


OPTIONS = {"rows": 6, "columns": 8, "frames": 3}


def test_events_of_one_file(tmp_path):
    path = tmp_path / "events.npz"
    write_npz(path)
    data = load_dataset("events_npz", path, options=OPTIONS | {"clip": 4})
    assert data.train.x.shape[1:] == (3, 2, 6, 8)
    assert (data.test.x.sum((1, 2, 3, 4)) * 4).tolist() == [10] * 4
    other = load_dataset("events_npz", path, options=OPTIONS | {"clip": 4, "by": "count"})
    assert data_digest(other) != data_digest(data)


def test_a_recording_lasts_from_its_first_event_to_its_last():
    assert events([(0, 0, 0, 250), (1, 0, 0, 1249), (0, 1, 1, 700)]).duration_us == 1000
    assert events([(0, 0, 0, 9)]).duration_us == 1
    assert events([]).duration_us == 0


@pytest.mark.parametrize("by", ["time", "count"])
def test_the_mean_duration_is_that_of_recordings_for_training(tmp_path, by):
    path = tmp_path / "events.npz"
    lengths = 1000 * np.arange(1, 13)  # of the twelve recordings, in us
    times = np.array([[5, *[7] * 8, 5 + length - 1] for length in lengths]).ravel()
    write_npz(path, train_t_us=times)
    data = load_dataset("events_npz", path, 0.5, options={**OPTIONS, "by": by})

    durations = np.concatenate([data.train.durations_ms, data.validation.durations_ms])
    assert sorted(durations) == [*range(1, 13)]
    assert len(data.train) == 6
    assert data.recording_ms == data.train.durations_ms.mean() != 6.5
    assert data.recording_ms == pytest.approx(13 - data.validation.durations_ms.mean())
    some = data.train.take(np.array([4, 1]))
    assert some.durations_ms.tolist() == data.train.durations_ms[[4, 1]].tolist()


def test_what_stands_still_has_no_duration():
    digits = load_dataset("digits")
    assert digits.train.durations_ms is None
    assert digits.recording_ms == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_x": np.full(120, 8)}, "x = 8 of event 0 in recording 0 of train.*8 columns"),
        ({"train_p": np.full(120, 2)}, "p = 2 of event 0"),
        ({"train_t_us": None}, "a file with train_x.*train_t_us"),
        ({"train_t_us": np.zeros(119, int)}, "train: events of equal number"),
        ({"train_offsets": np.arange(13) * 9}, "train_offsets that end at 120"),
        ({"train_x": np.zeros(120)}, "train_x: whole numbers"),
        ({"y_test": np.full(4, 7)}, r"test labels \[7\]"),
        ({"y_train": np.r_[5, np.zeros(11, int)]}, "one example of class 5"),
    ],
)
def test_a_broken_file_is_one_line(tmp_path, changes, message):
    path = tmp_path / "events.npz"
    zeros = {"y_test": np.zeros(4, int)} if "y_train" in changes else {}
    write_npz(path, **changes, **zeros)
    with pytest.raises(RequestError, match=message) as caught:
        load_dataset("events_npz", path, options=OPTIONS)
    assert "\n" not in str(caught.value)


def aedat(rows, overflows=0):
    """An AEDAT 3.1 file: lines, a packet of another type, packets of 8-byte events."""
    lines = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n#!END-HEADER\r\n"
    special = struct.pack("<hhiiiiii", 0, 1, 8, 4, 0, 1, 1, 1) + bytes(8)
    packets = b""
    for start in range(0, len(rows), 7):
        some = rows[start : start + 7]
        packets += struct.pack("<hhiiiiii", 1, 1, 8, 4, overflows, len(some), len(some), len(some))
        packets += b"".join(
            struct.pack("<Ii", x << 17 | y << 2 | p << 1 | valid, t) for x, y, p, valid, t in some
        )
    return lines + special + packets


@given(
    st.lists(
        st.tuples(
            st.integers(0, 127),
            st.integers(0, 127),
            st.integers(0, 1),
            st.integers(0, 1),
            st.integers(0, 2**31 - 1),
        ),
        max_size=20,
    ),
    st.integers(0, 3),
)
def test_whatever_is_written_as_aedat_is_read(tmp_path_factory, rows, overflows):
    path = tmp_path_factory.mktemp("aedat") / "a.aedat"
    path.write_bytes(aedat(rows, overflows))
    found = read_aedat(path)
    expected = [(x, y, p, t + overflows * 2**31) for x, y, p, valid, t in rows if valid]
    assert list(zip(found.x, found.y, found.p, found.t, strict=True)) == expected


USERS = {"train": (1, 2, 3, 4), "test": (24,)}


def write_gestures(folder, form):
    """Two gestures of each user, in the authors' form or in tonic's; equal events in both."""
    rng = np.random.default_rng(0)
    for part, users in USERS.items():
        for user in users:
            name = f"user{user:02}_led"
            halves = [rng.integers(0, (128, 128, 2, 500), (30, 4)) for _ in range(2)]
            halves[1][:, 3] += 500
            if form == "authors":
                rows = [(x, y, p, 1, t * 1000) for half in halves for x, y, p, t in half.tolist()]
                (folder / f"{name}.aedat").write_bytes(aedat(rows))
                labels = "class,startTime_usec,endTime_usec\n1,0,500000\n4,500000,1000000\n"
                (folder / f"{name}_labels.csv").write_text(labels)
                with (folder / f"trials_to_{part}.txt").open("a") as listed:
                    listed.write(f"{name}.aedat\n")
            else:
                place = folder / f"ibmGesture{part.title()}" / name
                place.mkdir(parents=True)
                for label, half in zip((0, 3), halves, strict=True):
                    np.save(place / f"{label}.npy", half.astype(np.float64))


def test_both_forms_of_the_gestures_are_the_same_and_no_user_is_on_both_sides(tmp_path):
    loaded = []
    for form in ("authors", "tonic"):
        (tmp_path / form).mkdir()
        write_gestures(tmp_path / form, form)
        options = {"frames": 4, "downsample": 4, "clip": 2}
        loaded.append(load_dataset("dvs_gesture", tmp_path / form, 0.25, options=options))
    first, second = loaded
    assert first.names == ("hand clapping", "right arm clockwise")
    assert first.train.x.shape == (6, 4, 2, 32, 32)
    assert first.validation.y.tolist() == [0, 1]  # both gestures of one user
    assert first.test.x.sum() > 0
    assert first.recording_ms == pytest.approx(second.recording_ms)
    assert 400 < first.recording_ms < 500  # 30 events at random in 500 ms
    for name in ("train", "validation", "test"):
        np.testing.assert_array_equal(getattr(first, name).x, getattr(second, name).x)


def test_what_is_wrong_with_gestures_is_one_line(tmp_path):
    with pytest.raises(RequestError, match="trials_to_train.txt.*ibmGestureTrain"):
        load_dataset("dvs_gesture", tmp_path)
    write_gestures(tmp_path, "authors")
    path = tmp_path / "user02_led.aedat"
    whole = path.read_bytes()
    for content, message in (
        (whole[:-3], "user02_led.aedat.*A packet is cut off"),
        (b"#!AER-DAT2.0\n", "begins otherwise"),
        (aedat([(128, 0, 0, 1, 0)]), "x = 128 of event 0"),
    ):
        path.write_bytes(content)
        with pytest.raises(RequestError, match=message):
            load_dataset("dvs_gesture", tmp_path)
    path.write_bytes(whole)
    (tmp_path / "user02_led_labels.csv").write_text("class,start\n1,2\n")
    with pytest.raises(RequestError, match="user02_led_labels.csv.*endTime_usec"):
        load_dataset("dvs_gesture", tmp_path)


@pytest.mark.skipif(not SHARED.exists(), reason="the material beside the checkout is absent")
def test_real_recordings_of_digits():
    data = load_dataset("events_npz", SHARED, options={"frames": 2, "per_class": 5})
    assert len(data.train) + len(data.validation) == 50
    assert data.test.x.shape == (100, 2, 2, 34, 34)
    assert 0.05 < data.train.x.mean() < 0.5
