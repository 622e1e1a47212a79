"""Timeline: frames at their true times -> columns of a picture."""

import statistics

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsaurora.views.timeline import Timeline

START = np.datetime64("2014-03-10T06:00:00", "us")


def _times(seconds):
    return START + np.round(np.asarray(seconds, float) * 1e6).astype("timedelta64[us]")


def test_by_hand_six_frames_in_three_columns():
    timeline = Timeline(_times([0, 3, 6, 9, 12, 15]), n_most=3)
    assert len(timeline) == 3
    assert timeline.edges.tolist() == _times([0, 6, 12, 18]).tolist()
    assert timeline.middles.tolist() == _times([3, 9, 15]).tolist()
    assert timeline.mean([1.0, 2.0, 3.0, np.nan, np.nan, np.nan]).tolist()[:2] == [1.5, 3.0]
    assert np.isnan(timeline.mean([1.0, 2.0, 3.0, np.nan, np.nan, np.nan])[2])
    assert timeline.most_frequent([0, 3, 2, 2, -1, -1], 4).tolist() == [0, 2, -1]


def test_jitter_leaves_no_hole_and_a_gap_stays_blank():
    seconds = np.arange(200) * 3.0 + np.random.default_rng(0).normal(0, 0.05, 200)
    seconds[100:] += 60
    timeline = Timeline(_times(seconds))
    shown = np.isfinite(timeline.mean(np.ones(200)))
    blank = np.flatnonzero(~shown)
    assert (np.diff(blank) == 1).all()
    # Frame 99 ends at 300 s and frame 100 begins at 360 s, to one column on either side.
    assert abs(timeline.edges[blank[0]] - _times(300)) <= np.timedelta64(3_200_000, "us")
    assert abs(timeline.edges[blank[-1] + 1] - _times(360)) <= np.timedelta64(3_200_000, "us")
    assert (timeline.most_frequent(np.full(200, 2), 4)[shown] == 2).all()
    assert (timeline.most_frequent(np.full(200, 2), 4)[~shown] == -1).all()


def test_one_frame():
    timeline = Timeline(_times([0]))
    assert len(timeline) == 1
    assert timeline.mean(np.array([[7.0], [8.0]])).tolist() == [[7.0], [8.0]]


@given(
    st.lists(st.integers(1, 40_000), min_size=1, max_size=60),
    st.integers(1, 50),
    st.randoms(use_true_random=False),
)
def test_columns_equal_the_definition(steps_ms, n_most, random):
    seconds = np.cumsum([0, *steps_ms]) / 1000
    values = np.array([random.choice([np.nan, random.random()]) for _ in seconds])
    codes = np.array([random.randrange(-1, 4) for _ in seconds])
    timeline = Timeline(_times(seconds), n_most)
    assert 1 <= len(timeline) <= n_most
    cadence_s = statistics.median(np.diff(seconds))
    assert timeline.cadence_s == pytest.approx(cadence_s)
    width_s = max(timeline.cadence_s, (seconds[-1] + timeline.cadence_s) / n_most)
    mean, code = naive.columns(seconds, values, codes, len(timeline), width_s, timeline.cadence_s)
    np.testing.assert_allclose(timeline.mean(values), mean, rtol=1e-5, atol=1e-6)
    assert timeline.most_frequent(codes, 4).tolist() == code
