"""The scan over a minute file's bytes: counted frames, damage stepped over, nothing read outside."""

import datetime

import naive
import numpy as np
import pytest
import synthetic
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pulsaurora._core import _pgm

IMAGES = synthetic.pixels(3)
PIECES = synthetic.pieces(IMAGES)
MINUTE = b"".join(header + pixels for header, pixels in PIECES)
STARTS = np.cumsum([0] + [len(header) + len(pixels) for header, pixels in PIECES])


def scan(data):
    """Frame table, events and images of some bytes."""
    # An array of its own: exactly as long as the data, with nothing readable behind it by courtesy.
    buffer = np.frombuffer(data, np.uint8).copy()
    table = np.empty((len(data) // _pgm.FRAME_BYTES, _pgm.N_FRAME_COLUMNS), np.int64)
    events = np.empty((16, _pgm.N_EVENT_COLUMNS), np.int64)
    n_frames, n_events = _pgm.scan_frames(buffer, table, events)
    images = np.empty((n_frames, 256, 256), np.uint16)
    _pgm.fill_pixels(buffer, table[:n_frames, _pgm.PIXELS_START], images)
    return table[:n_frames], [tuple(event) for event in events[:n_events].tolist()], images


def kinds(events):
    return [event[_pgm.KIND] for event in events]


def test_a_whole_minute():
    table, events, images = scan(MINUTE)
    assert events == []
    assert np.array_equal(images, IMAGES)
    assert table[:, _pgm.HEADER_START].tolist() == STARTS[:-1].tolist()
    assert table[:, _pgm.POSITION].tolist() == [0, 1, 2]
    assert np.array_equal(table[:, _pgm.TIME_US].view("datetime64[us]"), synthetic.frame_times(3))


def test_pixels_by_hand():
    data = synthetic.header() + bytes(range(256)) * 512
    _, _, images = scan(data)
    assert images[0, 0, 0] == 0x0001 and images[0, 0, 127] == 0xFEFF and images[0, 255, 255] == 0xFEFF


def test_a_header_inside_pixels_is_pixels():
    images = np.full((2, 256, 256), 3300, np.uint16)
    fake = np.frombuffer(synthetic.header(1)[: len(synthetic.header(1)) // 2 * 2], ">u2")
    images[0].reshape(-1)[500 : 500 + len(fake)] = fake
    _, events, found = scan(synthetic.minute(images))
    assert events == [] and np.array_equal(found, images)


def cuts():
    """Every byte of the headers and round every boundary, and each 997th of the pixels."""
    near = {int(start) + step for start in STARTS for step in range(-40, 700)}
    return sorted({cut for cut in near | set(range(0, len(MINUTE), 997)) if 0 <= cut <= len(MINUTE)})


def test_cut_anywhere_keeps_every_whole_frame_and_says_that_it_is_cut():
    for cut in cuts():
        table, events, images = scan(MINUTE[:cut])
        n_whole = np.searchsorted(STARTS, cut, side="right") - 1
        assert len(table) == n_whole, cut
        assert np.array_equal(images, IMAGES[:n_whole]), cut
        assert bool(events) == (cut not in STARTS), cut


@given(st.integers(0, len(MINUTE)))
def test_cut_anywhere_is_what_the_oracle_reads(cut):
    _, _, images = scan(MINUTE[:cut])
    expected = naive.pgm_frames(MINUTE[:cut])
    assert len(images) == len(expected)
    assert all(np.array_equal(image, pixels) for image, (_, pixels) in zip(images, expected, strict=True))


def test_short_frame_does_not_take_the_next_one_with_it():
    (h0, p0), (h1, p1), (h2, p2) = PIECES
    table, events, images = scan(h0 + p0 + h1 + p1[:90112] + h2 + p2)
    assert np.array_equal(images, IMAGES[[0, 2]])
    assert table[:, _pgm.POSITION].tolist() == [0, 2]
    assert [(e[0], e[1], e[3]) for e in events] == [(_pgm.SHORT_FRAME, 1, 90112)]


@pytest.mark.parametrize("n_missing", [1, 2, 5, 1000, 131071, 131072])
def test_bytes_missing_from_a_frame(n_missing):
    (h0, p0), (h1, p1), (h2, p2) = PIECES
    _, events, images = scan(h0 + p0 + h1 + p1[n_missing:] + h2 + p2)
    assert np.array_equal(images, IMAGES[[0, 2]])
    assert events[0][_pgm.FOUND] == 131072 - n_missing


def test_bytes_between_frames():
    (h0, p0), (h1, p1), _ = PIECES
    table, events, images = scan(h0 + p0 + b"\x00rubbish\n" + h1 + p1)
    assert np.array_equal(images, IMAGES[:2])
    assert [(e[0], e[1], e[3]) for e in events] == [(_pgm.BYTES_AFTER, 0, 9)]
    assert table[:, _pgm.FLAGS].tolist() == [_pgm.FLAG_BYTES_AFTER, 0]


def test_space_at_the_end_is_nothing():
    assert scan(MINUTE + b"\r\n \n")[1] == []


def test_rubbish_at_the_end_is_told():
    _, events, images = scan(MINUTE + b"\0" * 700)
    assert len(images) == 3 and kinds(events) == [_pgm.BYTES_AFTER]


def test_other_geometry_is_named_and_stepped_over():
    (h0, p0), (h1, p1), (h2, p2) = PIECES
    wide = h1.replace(b"256 256", b"512 512") + p1 * 4
    _, events, images = scan(h0 + p0 + wide + h2 + p2)
    assert np.array_equal(images, IMAGES[[0, 2]])
    assert [(e[0], e[1], e[3], e[4]) for e in events] == [(_pgm.WRONG_SIZE, 1, 512, 512)]


def test_size_that_is_a_lie_loses_one_frame():
    (h0, p0), (h1, p1), (h2, p2) = PIECES
    for size in (b"999999 999999", b"0 0", b"255 256", b"256 256 "[:7] + b"0"):
        _, events, images = scan(h0 + p0 + h1.replace(b"256 256", size) + p1 + h2 + p2)
        assert np.array_equal(images, IMAGES[[0, 2]]), size
        assert kinds(events) == [_pgm.WRONG_SIZE], size


def test_other_largest_value_is_named():
    (h0, p0), (h1, p1), (h2, p2) = PIECES
    _, events, images = scan(h0 + p0 + h1.replace(b"\n65535\n", b"\n255\n") + p1[:65536] + h2 + p2)
    assert np.array_equal(images, IMAGES[[0, 2]])
    assert [(e[0], e[3]) for e in events] == [(_pgm.WRONG_MAXIMUM, 255)]


@pytest.mark.parametrize(
    ("old", "new", "flag"),
    [
        (b"full", b"f\xfcll", _pgm.FLAG_NOT_ASCII),
        (b'#"CCD', b'#"CCD', 0),
        (b'#"Mode u', b'x"Mode u', _pgm.FLAG_ODD_LINE),
        (b"256 256\n", b"", _pgm.FLAG_NO_SIZE),
        (b"256 256\n", b"256 2x6\n", _pgm.FLAG_ODD_LINE | _pgm.FLAG_NO_SIZE),
        (b"\n65535\n", b"\n6\x005535\n", _pgm.FLAG_ODD_LINE),
        (b"P5\n", b"Q5\n", 0),
        (b'P5\n#"', b"P5\n##", 0),
        (b"\n", b"\r\n", 0),
        (b"\n256 256\n", b"\n# by hand\n\n  256\t256 \n", 0),
        (b"\n256 256\n65535\n", b"\n256 256 65535\n", 0),
    ],
)
def test_header_damage_that_leaves_the_pixels_whole(old, new, flag):
    (h0, p0), (h1, p1), (h2, p2) = PIECES
    table, events, images = scan(h0 + p0 + h1.replace(old, new) + p1 + h2 + p2)
    assert np.array_equal(images, IMAGES)
    # a first line that is none of ours is an odd line too
    assert table[1, _pgm.FLAGS] & ~_pgm.FLAG_ODD_LINE == flag & ~_pgm.FLAG_ODD_LINE
    assert events == []


def test_header_that_never_ends():
    (h0, p0), (h1, p1), (h2, p2) = PIECES
    cut = h1.replace(b"256 256\n65535\n", b"")
    _, events, images = scan(h0 + p0 + cut + h2 + p2)
    assert np.array_equal(images, IMAGES[[0, 2]]) and kinds(events) == [_pgm.HEADER_DAMAGED]
    _, events, images = scan(h0 + p0 + cut + p1 + h2 + p2)
    assert np.array_equal(images, IMAGES[[0, 2]])


def test_what_is_no_pgm():
    for data in (b"<!DOCTYPE html>" * 99, b"\0" * 200000, b"x", b"65535\n" + bytes(131072)):
        _, events, images = scan(data)
        assert len(images) == 0 and kinds(events) == [_pgm.NOT_PGM]
    assert scan(b"")[1] == []
    _, events, images = scan(b"HTTP/1.1 200 OK\r\n\r\n" + MINUTE)
    assert np.array_equal(images, IMAGES) and kinds(events) == [_pgm.BYTES_BEFORE]


def test_events_beyond_the_table_are_counted():
    data = (b'P5\n#"x"\n' + b"256 256\n1\n") * 1000
    events = np.full((4, _pgm.N_EVENT_COLUMNS), -7, np.int64)
    n_frames, n_events = _pgm.scan_frames(data, np.empty((1, _pgm.N_FRAME_COLUMNS), np.int64), events)
    assert (n_frames, n_events) == (0, 1000) and (events[:, _pgm.KIND] == _pgm.WRONG_MAXIMUM).all()


def test_hostile_repetition_takes_linear_time():
    # One pass over 16 MiB takes tens of milliseconds; a quadratic scan would take hours.
    for unit in (b'P5\n#"', b"P5\n", b"P", b"256 256\n65535\n", b'P5\n#"\n256 256\n65535\n'):
        data = b'P5\n#"' + unit * (16 * 2**20 // len(unit))
        table = np.empty((len(data) // _pgm.FRAME_BYTES, _pgm.N_FRAME_COLUMNS), np.int64)
        _pgm.scan_frames(data, table, np.empty((8, _pgm.N_EVENT_COLUMNS), np.int64))


# -- laws ---------------------------------------------------------------------------------------------

damage = st.tuples(
    st.integers(0, len(MINUTE) - 1),
    st.integers(0, 3000),
    st.binary(max_size=40).filter(lambda text: b"P5\n" not in text),
)


@settings(max_examples=300)
@given(damage)
@example((int(STARTS[1]), 0, b"x"))
@example((int(STARTS[1]), 3, b""))
@example((int(STARTS[2]) - 1, 1, b""))
def test_one_wound_leaves_the_frames_it_does_not_touch(wound):
    at, n_removed, inserted = wound
    table, _, images = scan(MINUTE[:at] + inserted + MINUTE[at + n_removed :])
    untouched = [
        i
        for i in range(3)
        if STARTS[i + 1] <= at or (STARTS[i] >= at + n_removed and (STARTS[i] > at or not inserted))
    ]
    found = [
        int(np.flatnonzero([np.array_equal(image, one) for one in IMAGES])[0])
        for image in images
        if any(np.array_equal(image, one) for one in IMAGES)
    ]
    assert set(untouched) <= set(found)
    assert found == sorted(set(found))


tokens = st.one_of(
    st.sampled_from(
        [
            b"P5\n",
            b'P5\n#"',
            b'#"',
            b'"',
            b"\n",
            b"\r\n",
            b"256 256\n",
            b"65535\n",
            b"65535",
            b"512 512\n",
            b"99999999999999999999 1\n",
            b'#"Image request start" ',
            b"2014-03-10 06:00:00.063119 UTC\n",
            b" ",
            b"\xff",
            b"\0",
            b"P",
            b"256 256 65535\n",
            bytes(131072),
            bytes(131071),
            bytes(131073),
            b"\n" * 20000,
        ]
    ),
    st.binary(max_size=60),
)


@settings(max_examples=400)
@given(st.lists(tokens, max_size=14).map(b"".join))
def test_any_bytes_give_tables_inside_the_file(data):
    table, events, _ = scan(data)
    assert (table[:, _pgm.HEADER_START] >= 0).all()
    assert (table[:, _pgm.HEADER_START] < table[:, _pgm.PIXELS_START]).all()
    assert (table[:, _pgm.PIXELS_START] + _pgm.FRAME_BYTES <= len(data)).all()
    ends = table[:, _pgm.PIXELS_START] + _pgm.FRAME_BYTES
    assert (table[1:, _pgm.HEADER_START] >= ends[:-1]).all()
    assert all(0 <= event[_pgm.OFFSET] <= len(data) for event in events)


def scanned_time(text):
    data = b'P5\n#"Image request start" ' + text + b"\n256 256\n65535\n" + bytes(131072)
    table, _, _ = scan(data)
    return table[0, _pgm.TIME_US].view("datetime64[us]")


@given(st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(2199, 12, 31, 23, 59, 59)))
def test_times_are_those_of_the_calendar(moment):
    text = moment.strftime("%Y-%m-%d %H:%M:%S.%f UTC")
    text = text.rjust(len("2014-03-10 06:00:00.063119 UTC"), "0")
    assert scanned_time(text.encode()) == naive.image_time(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"2014-03-10 06:00:00.063119 UTC", "2014-03-10T06:00:00.063119"),
        (b"  2014-03-10 06:00:00 UTC ", "2014-03-10T06:00:00"),
        (b"2014-03-10T06:00:00.5Z", "2014-03-10T06:00:00.5"),
        (b"2014-03-10 06:00:00.063119999 UTC", "2014-03-10T06:00:00.063119"),
        (b"2016-12-31 23:59:60.25 UTC", "2017-01-01T00:00:00.25"),
        (b"2012-02-29 00:00:00.0", "2012-02-29T00:00:00"),
        (b"2013-02-29 00:00:00.0 UTC", "NaT"),
        (b"2014-13-10 06:00:00.0 UTC", "NaT"),
        (b"2014-03-10 24:00:00.0 UTC", "NaT"),
        (b"2014-03-10 06:61:00.0 UTC", "NaT"),
        (b"2014-03-10 06:00:00.0 MST", "NaT"),
        (b"2014-03-10 06:00:00. UTC", "NaT"),
        (b"0000-00-00 00:00:00.0 UTC", "NaT"),
        (b"2014-03-10", "NaT"),
        (b"now", "NaT"),
        (b"", "NaT"),
    ],
)
def test_times_by_hand(text, expected):
    found = scanned_time(text)
    assert str(found) == str(np.datetime64(expected, "us"))


def test_tables_of_the_wrong_shape_are_refused():
    events = np.empty((4, _pgm.N_EVENT_COLUMNS), np.int64)
    with pytest.raises(ValueError, match="frame table"):
        _pgm.scan_frames(MINUTE, np.empty((2, _pgm.N_FRAME_COLUMNS), np.int64), events)
    with pytest.raises(ValueError, match="event table"):
        _pgm.scan_frames(MINUTE, np.empty((4, _pgm.N_FRAME_COLUMNS), np.int64), np.empty((4, 2), np.int64))
    images = np.empty((1, 256, 256), np.uint16)
    for start in (-1, len(MINUTE) - _pgm.FRAME_BYTES + 1):
        with pytest.raises(ValueError, match="starts at byte"):
            _pgm.fill_pixels(MINUTE, np.array([start]), images)
    starts = np.zeros(2, np.int64)
    with pytest.raises(ValueError, match="for 1 images"):
        _pgm.fill_pixels(MINUTE, starts, images)
    with pytest.raises(ValueError, match="expected 256 x 256"):
        _pgm.fill_pixels(MINUTE, starts, np.empty((2, 256, 255), np.uint16))
