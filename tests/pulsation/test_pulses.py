"""Trends, neighbours' means, pulses and their links against oracles, scipy and known truths."""

import naive_pulses
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import find_peaks, peak_widths

from pulsaurora._core import _pulses
from pulsaurora.pulsation.pulses import (
    LONGEST_GAP_S,
    LONGEST_STEP_S,
    PULSE_COLUMNS,
    REACH_S,
    measure_pulses,
)
from pulsaurora.pulsation.reduction import SkyGrid
from pulsaurora.pulsation.series import CellMap

COLUMN = {name: k for k, name in enumerate(PULSE_COLUMNS)}


def odd_times(rng, n):
    """Times of frames as archives have them: jitter, single frames missing, gaps."""
    steps = rng.choice([3.0, 6.0, 9.0, 400.0], n, p=[0.9, 0.06, 0.02, 0.02]) + rng.uniform(-0.03, 0.03, n)
    return np.cumsum(steps)


def test_trends_are_lines_through_the_frames_near():
    rng = np.random.default_rng(1)
    times = odd_times(rng, 90)
    levels = (3000 + 50 * rng.standard_normal((90, 3)) + np.outer(times, [0, 1, -2])).astype(np.float32)
    for first, last in ((0, 90), (17, 44)):
        trends = np.empty((last - first, 3), np.float32)
        _pulses.fill_trends(times, levels, first, 45.0, 8, np.empty(3), np.empty(3), trends)
        expected = [
            [naive_pulses.trend(times, levels[:, c], k, 45.0, 8) for c in range(3)]
            for k in range(first, last)
        ]
        np.testing.assert_allclose(trends, expected, rtol=2e-6)


def test_the_mean_over_neighbours_leaves_out_two():
    rng = np.random.default_rng(2)
    cells = CellMap(SkyGrid(shape=(128, 128)))
    values = rng.standard_normal((4, cells.n)).astype(np.float32)
    values[1, rng.integers(0, cells.n, 200)] = np.nan
    scales = np.arange(10, dtype=np.float32)
    out = np.empty_like(values)
    _pulses.fill_smoothed(values, cells.neighbours, scales, 4, out)
    for k in range(4):
        for c in range(cells.n):
            around = [values[k, j] for j in cells.neighbours[c] if j >= 0]
            mean, n = naive_pulses.trimmed([float(v) for v in around], 4)
            if np.isnan(values[k, c]):
                mean = np.nan
            np.testing.assert_allclose(out[k, c], mean * n, rtol=1e-5, atol=1e-5)


def test_a_lone_cell_leaves_nothing_in_its_neighbours():
    cells = CellMap(SkyGrid(shape=(128, 128)))
    values = np.zeros((1, cells.n), np.float32)
    values[0, cells.n // 2] = 1e6
    out = np.empty_like(values)
    _pulses.fill_smoothed(values, cells.neighbours, np.ones(10, np.float32), 4, out)
    assert not out.any()


def test_neighbours_touch():
    cells = CellMap(SkyGrid())
    for c in (0, cells.n // 2, cells.n - 1):
        near = {
            c2
            for c2 in range(cells.n)
            if max(abs(cells.row[c] - cells.row[c2]), abs(cells.col[c] - cells.col[c2])) <= 1
        }
        assert set(cells.neighbours[c].tolist()) - {-1} == near
        assert cells.neighbours[c, 0] == c


@pytest.mark.parametrize("seed", range(6))
def test_pulses_are_those_of_the_oracle(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(0, 150))
    times = odd_times(rng, n)
    series = np.round(2 * rng.standard_normal((n, 5))).astype(np.float32)  # flat tops among them
    series[:, 1:] += rng.standard_normal((n, 4)).astype(np.float32)
    series[rng.random((n, 5)) < 0.02] = np.nan
    found = measure_pulses(times, series, 2.0)
    n_expected = 0
    for s in range(5):
        mine = found[found[:, 0] == s]
        expected = naive_pulses.pulses(times, series[:, s], LONGEST_GAP_S, LONGEST_STEP_S, REACH_S, 2.0)
        columns = [COLUMN[name] for name in ("peak", "start_s", "end_s", "prominence", "is_whole")]
        np.testing.assert_allclose(
            mine[:, columns], np.array(expected, float).reshape(-1, 5), rtol=1e-9, atol=1e-6
        )
        n_expected += len(expected)
    assert len(found) == n_expected


@pytest.mark.parametrize("seed", range(3))
def test_scipy_finds_the_same_peaks_and_widths(seed):
    rng = np.random.default_rng(seed)
    times = 3.0 * np.arange(400)
    series = rng.standard_normal(400).astype(np.float32).cumsum().astype(np.float32) * np.float32(0.2)
    series += 3 * np.sin(times / 4).astype(np.float32)
    window = 2 * int(REACH_S // 3) + 1
    peaks, found = find_peaks(series.astype(float), prominence=1.5, wlen=window)
    prominences = found["prominences"]
    widths = peak_widths(
        series.astype(float), peaks, 0.5, (found["prominences"], found["left_bases"], found["right_bases"])
    )
    ours = measure_pulses(times, series[:, None], 1.5)
    assert len(peaks) > 20
    assert ours[:, COLUMN["peak"]].tolist() == peaks.tolist()
    # Of a lone pulse, and of one that is lower than those next to it, the height is the prominence.
    lower = [
        k
        for k in range(1, len(peaks) - 1)
        if series[peaks[k]] < min(series[peaks[k - 1]], series[peaks[k + 1]])
    ]
    assert len(lower) > 4
    found, widths = ours[lower], [w[lower] for w in widths]
    np.testing.assert_allclose(found[:, COLUMN["prominence"]], prominences[lower], rtol=1e-6)
    np.testing.assert_allclose(
        found[:, COLUMN["end_s"]] - found[:, COLUMN["start_s"]], 3 * widths[0], rtol=1e-5
    )
    np.testing.assert_allclose(found[:, COLUMN["start_s"]], 3 * widths[2], atol=1e-4)
    # Cut out between its neighbours, every pulse is what scipy makes of it alone.
    for k in range(1, len(peaks) - 1):
        alone = series[peaks[k - 1] : peaks[k + 1] + 1].astype(float)
        alone[[0, -1]] = alone.max() + 1  # neighbours end the valleys, be they higher or lower
        at = peaks[k] - peaks[k - 1]
        one = find_peaks(alone, prominence=0, wlen=window)
        if at in one[0]:
            np.testing.assert_allclose(
                ours[k, COLUMN["prominence"]], one[1]["prominences"][one[0].tolist().index(at)], rtol=1e-6
            )


def test_a_nine_second_square_wave_reports_nine_seconds():
    times = 3.0 * np.arange(60)
    wave = ((times % 18) >= 9).astype(np.float32)
    found = measure_pulses(times, wave[:, None], 0.5)
    whole = found[found[:, COLUMN["is_whole"]] > 0]
    np.testing.assert_allclose(whole[:, COLUMN["end_s"]] - whole[:, COLUMN["start_s"]], 9.0)
    np.testing.assert_allclose(np.diff(whole[:, COLUMN["start_s"]]), 18.0)


def test_by_hand():
    # Half of the prominence of 4 is at 3: crossed a third of the way from 1 to 5 after... 3 s, and at 10.5 s.
    times = np.array([0.0, 3, 6, 9, 12])
    found = measure_pulses(times, np.array([[0.0], [1], [5], [4], [1]], np.float32), 1.0)
    assert found[:, 1:].tolist() == [[2, 4.5, 6.0, 10.0, 4.0, 5.0, 0.0]]


def test_pulses_cut_by_a_gap_or_an_end_are_not_whole():
    times = 3.0 * np.arange(40)
    wave = np.zeros(40, np.float32)
    wave[[5, 6, 7, 20, 21, 22, 33]] = [1, 2, 1, 1, 2, 1, 2]
    everywhere = measure_pulses(times, wave[:, None], 0.5)
    assert everywhere[:, COLUMN["is_whole"]].tolist() == [1, 1, 1]
    gap = times + 100.0 * (times > 63)  # between the second pulse's peak and what follows
    found = measure_pulses(gap, wave[:, None], 0.5)
    assert found[:, COLUMN["peak"]].tolist() == [6, 33]
    missing = np.delete(times, 22), np.delete(wave, 22)  # its fall is somewhere within 6 s
    found = measure_pulses(missing[0], missing[1][:, None], 0.5)
    assert found[:, COLUMN["is_whole"]].tolist() == [1, 0, 1]
    unknown = wave.copy()
    unknown[8] = np.nan  # 1 at its last known value: how far it falls is not known
    found = measure_pulses(times, unknown[:, None], 0.5)
    assert found[:, COLUMN["is_whole"]].tolist() == [0, 1, 1]


@given(
    st.lists(st.integers(-9, 9), min_size=0, max_size=40),
    st.integers(-1000, 1000),
    st.sampled_from([0.5, 2.0, 8.0]),
)
def test_a_constant_and_a_factor_change_nothing(values, constant, factor):
    series = np.array(values, np.float32).reshape(-1, 1)
    times = 3.0 * np.arange(len(series))
    one = measure_pulses(times, series, 1.0)
    other = measure_pulses(times, series * np.float32(factor) + np.float32(constant), factor)
    same = [COLUMN[name] for name in ("peak", "start_s", "end_s", "is_whole")]
    np.testing.assert_array_equal(one[:, same], other[:, same])
    np.testing.assert_array_equal(one[:, COLUMN["prominence"]] * factor, other[:, COLUMN["prominence"]])


@given(st.integers(0, 2**32 - 1))
def test_time_turned_round_turns_pulses_round(seed):
    rng = np.random.default_rng(seed)
    series = rng.standard_normal((50, 1)).astype(np.float32)
    times = 3.0 * np.arange(50)
    one = measure_pulses(times, series, 1.0)
    other = measure_pulses(times, series[::-1], 1.0)[::-1]
    np.testing.assert_allclose(one[:, COLUMN["start_s"]], times[-1] - other[:, COLUMN["end_s"]], atol=1e-9)
    np.testing.assert_allclose(one[:, COLUMN["prominence"]], other[:, COLUMN["prominence"]])


@pytest.mark.parametrize("seed", range(3))
def test_pulses_of_a_series_do_not_overlap(seed):
    series = np.random.default_rng(seed).standard_normal((300, 3)).cumsum(axis=0).astype(np.float32)
    found = measure_pulses(3.0 * np.arange(300), series, 1.0)
    same = found[1:, 0] == found[:-1, 0]
    assert (found[1:, COLUMN["start_s"]] >= found[:-1, COLUMN["end_s"]])[same].all()
    assert found[:, COLUMN["prominence"]].min() >= 1.0
    assert same.sum() > 50


def test_a_pulse_on_a_swell_is_as_wide_as_without_it():
    times = 3.0 * np.arange(41)
    wave = ((times % 12) >= 6).astype(np.float32)
    swell = 5 * np.sin(np.pi * times / 120).astype(np.float32)
    found = measure_pulses(times, (wave + swell)[:, None], 0.3)
    width = found[:, COLUMN["end_s"]] - found[:, COLUMN["start_s"]]
    assert len(width) >= 6 and np.abs(width - 6).max() < 2.5
    peaks, _ = find_peaks((wave + swell).astype(float), prominence=0.3, wlen=21)
    assert 3 * peak_widths((wave + swell).astype(float), peaks, 0.5, wlen=21)[0].max() > 12  # the swell's own


@pytest.mark.parametrize("seed", range(4))
def test_groups_are_what_is_linked(seed):
    rng = np.random.default_rng(seed)
    cells = CellMap(SkyGrid(shape=(128, 128)))
    rows = []
    for cell in range(40):
        start = 0.0
        for _ in range(3):
            start += rng.uniform(1, 12)
            rows.append((cell, start, start + rng.uniform(3, 9), rng.uniform(1, 5)))
            start = rows[-1][2]
    cell, start, end, height = (np.array(v) for v in zip(*rows, strict=True))
    cell = cell.astype(np.int32)
    offsets = np.searchsorted(cell, np.arange(cells.n + 1)).astype(np.int32)
    groups, highest = np.empty(len(cell), np.int32), np.empty(len(cell))
    _pulses.fill_groups(cell, start, end, height, offsets, cells.neighbours, 0.5, groups, highest)

    def is_linked(a, b):
        touches = (
            max(abs(cells.row[cell[a]] - cells.row[cell[b]]), abs(cells.col[cell[a]] - cells.col[cell[b]]))
            == 1
        )
        shared = min(end[a], end[b]) - max(start[a], start[b])
        return touches and shared > 0 and shared >= 0.5 * (max(end[a], end[b]) - min(start[a], start[b]))

    expected = naive_pulses.groups(range(len(cell)), is_linked)
    assert sorted(map(sorted, expected)) == sorted(
        np.flatnonzero(groups == g).tolist() for g in np.unique(groups)
    )
    for a in range(len(cell)):
        linked = [height[b] for b in range(len(cell)) if is_linked(a, b)]
        assert highest[a] == max([height[a], *linked])
    assert len(expected) < len(cell)
