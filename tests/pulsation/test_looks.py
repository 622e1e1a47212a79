"""Looks against a plain reading of what they are said to be, and against the ways a night can be cut."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pulsaurora.imaging.ephemeris import sun_moon
from pulsaurora.problems import ContractError
from pulsaurora.pulsation.looks import look_features, look_row
from pulsaurora.pulsation.reduction import Reduced, SkyGrid, window_features
from pulsaurora.pulsation.table import FEATURE_NAMES, MODULATION, N_HIDDEN, STARS, STRUCTURE, WINDOW_NAMES

START = np.datetime64("2014-03-10T23:57:00", "us")
GRID = SkyGrid()
N_CELLS = GRID.cell_mask.size
MINUTE_US = 60_000_000
OF_FRAME = [feature.name for feature in STRUCTURE[N_HIDDEN:]]
OF_TIME = [feature.name for feature in MODULATION + STARS]


def frames_at(seconds, seed=0, beat=0.0):
    """Frames of a noisy sky, those from two minutes on beating by a share `beat` with a period of 12 s."""
    rng = np.random.default_rng(seed)
    seconds = np.asarray(seconds, float)
    light = 4500 * (1 + beat * (seconds >= 120) * np.sin(seconds * np.pi / 6))
    cells = light[:, None] + rng.normal(0, 30, (len(seconds), N_CELLS))
    cells = (cells * (GRID.cell_mask.ravel() > 0)).astype(np.float32)
    structure = rng.normal(3, 1, (len(seconds), len(STRUCTURE))).astype(np.float32)
    structure[:, :2] = 3300, 1
    times = START + (seconds * 1e6).round().astype("timedelta64[us]")
    return Reduced(times, cells, structure, GRID)


def window_about(reduced, frame):
    """The window about one frame, at a time of day at which the frame is the middle of its 20 s."""
    late = (reduced.times[frame] - START.astype("datetime64[D]")) % np.timedelta64(20, "s")
    times = reduced.times + (np.timedelta64(10, "s") - late)
    return window_features(replace(reduced, times=times), slice(frame, frame + 1))[0]


def named(rows):
    assert rows.shape[1] == len(FEATURE_NAMES)
    return {name: rows[:, i] for i, name in enumerate(FEATURE_NAMES)}


def plain_looks(times):
    """The frames of each frame's look, by going through them one by one."""
    stamps = [int(t) for t in times.astype("datetime64[us]").astype(np.int64)]
    looks = []
    for stamp in stamps:
        minute = stamp // MINUTE_US
        found = []
        for begin in (minute - 1, minute):
            frames = [i for i, t in enumerate(stamps) if begin <= t // MINUTE_US <= begin + 1]
            found.append((abs(stamp - (begin + 1) * MINUTE_US), frames))
        (_, near), (_, far) = found if found[0][0] < found[1][0] else found[::-1]
        looks.append(far if 3 * len(far) > 4 * len(near) else near)
    return looks


@given(
    gaps=st.lists(st.sampled_from([3.0, 3.0, 3.0, 3.02, 2.97, 6.0, 33.0, 200.0]), min_size=1, max_size=90),
    offset=st.floats(0, 59),
)
@example(gaps=[3.0, 3.0, 3.0, 96.0, 18.0, 3.0], offset=0.0)  # four frames to three: the nearer look, of three
@settings(max_examples=40)
def test_each_frame_is_described_by_the_look_that_it_lies_in_the_middle_of(gaps, offset):
    reduced = frames_at(offset + np.cumsum(gaps))
    rows = named(look_features(reduced))
    for frame, look in enumerate(plain_looks(reduced.times)):
        assert frame in look
        own = reduced.structure[look, N_HIDDEN:].astype(float)
        for column, name in enumerate(OF_FRAME):
            assert rows[name][frame] == pytest.approx(own[:, column].mean(), rel=1e-5)
            assert rows[f"{name}_sd"][frame] == pytest.approx(own[:, column].std(), rel=1e-4, abs=1e-5)


def test_what_takes_time_is_told_of_the_whole_look_and_of_its_halves():
    reduced = frames_at(np.arange(0, 240, 3.0), beat=0.1)
    rows = named(look_features(reduced))
    look = reduced[20:60]  # the second minute and the third, in whose middle minute frame 40 lies
    whole = window_about(look, 19)
    ends = [window_about(look[:20], 0), window_about(look[19:], 20)]
    for name in OF_TIME:
        column = WINDOW_NAMES.index(name)
        assert rows[name][40] == whole[column]
        first, last = (end[column] for end in ends)
        assert rows[f"{name}_halves"][40] == pytest.approx((first + last) / 2, rel=1e-5, abs=1e-5)
        assert rows[f"{name}_change"][40] == pytest.approx(abs(first - last), rel=1e-5, abs=1e-5)
    # Only the last half beats.
    assert rows["amplitude_p90_change"][40] > 0.5 > 5 * rows["amplitude_p90_change"][10]


@given(cuts=st.lists(st.integers(0, 200), min_size=1, max_size=3), seed=st.integers(0, 3))
@settings(max_examples=15)
def test_a_look_is_the_same_however_a_night_is_cut(cuts, seed):
    rng = np.random.default_rng(seed)
    seconds = np.cumsum(3 + rng.normal(0, 0.03, 230) + 40 * (rng.random(230) < 0.02))
    reduced = frames_at(seconds, seed, beat=0.05)
    whole = look_features(reduced, None, 56.4, -94.6)
    edges = sorted({0, len(seconds), *cuts})
    parts = []
    for first, last in zip(edges, edges[1:], strict=False):
        low, high = np.searchsorted(seconds, [seconds[first] - 120, seconds[last - 1] + 120])
        parts.append(look_features(reduced[low:high], slice(first - low, last - low), 56.4, -94.6))
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_beside_a_gap_and_at_the_ends_the_fuller_look_counts():
    seconds = np.r_[np.arange(0, 180, 3.0), np.arange(600, 620, 3.0)]
    rows = named(look_features(frames_at(seconds)))
    filled = rows["window_filled"]
    assert (filled[:60] > 0.9).all() and (filled[60:] < 0.2).all()
    # Frames of the first minute and a half share a look, and so do the others before the gap.
    assert np.flatnonzero(np.diff(rows["brightness"][:60])).tolist() == [29]


def test_sun_and_moon_are_those_of_the_middle_of_the_look():
    reduced = frames_at(np.arange(0, 120, 3.0))
    rows = named(look_features(reduced, None, 56.4, -94.6))
    expected = sun_moon(reduced.times[19:20], 56.4, -94.6)
    assert rows["sun_elevation"] == pytest.approx(np.full(40, expected.sun_elevation_deg[0]), abs=0.02)
    assert len(np.unique(rows["sun_elevation"])) == 1
    nowhere = named(look_features(reduced))
    assert (nowhere["sun_elevation"] == -90).all() and (nowhere["moon_illumination"] == 0).all()


def test_frames_every_12_s_are_looked_at_ten_at_a_time():
    slow = frames_at(np.arange(0, 120, 12.0))
    rows = named(look_features(slow, cadence_s=12.0))
    assert rows["window_filled"] == pytest.approx(np.full(10, 10 / 11), abs=0.01)
    np.testing.assert_array_equal(look_features(slow, cadence_s=12.0)[3], look_row(slow, cadence_s=12.0))


@pytest.mark.parametrize("n", [1, 2, 4])
def test_a_few_frames_are_a_look_too(n):
    rows = named(look_features(frames_at(np.arange(n) * 3.0)))
    assert all(np.isfinite(column).all() for column in rows.values())
    assert (rows["frac_modulated"] == 0).all()


def test_times_that_do_not_ascend_are_refused():
    reduced = frames_at(np.arange(0, 60, 3.0))
    with pytest.raises(ContractError, match="do not ascend"):
        look_features(reduced[::-1])
    with pytest.raises(ContractError, match="window of 20.0 s"):
        look_features(reduced, window_s=20.0)
    assert look_features(reduced, slice(5, 5)).shape == (0, len(FEATURE_NAMES))
