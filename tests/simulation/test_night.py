from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from pulsaurora.classes import CLASSES
from pulsaurora.problems import UsageError
from pulsaurora.simulation import night
from pulsaurora.simulation.injection import inject_pulsation
from pulsaurora.simulation.night import SCENES, simulate_minutes
from pulsaurora.simulation.scenes import markdown

START = "2015-01-20T08:00"


def one_scene(name, seed, minutes=2):
    return list(simulate_minutes(seed, START, minutes, script=[(name, minutes)]))


def test_the_same_seed_gives_the_same_bytes():
    first = list(simulate_minutes(5, START, 2, script="varied"))
    again = list(simulate_minutes(5, START, 2, script="varied"))
    other = list(simulate_minutes(6, START, 2, script="varied"))
    for a, b in zip(first, again, strict=True):
        assert np.array_equal(a.images, b.images)
        assert np.array_equal(a.times, b.times)
        assert np.array_equal(a.labels, b.labels)
    assert not np.array_equal(first[0].images[0], other[0].images[0])


@pytest.mark.parametrize("scene", ["overcast_glowing", "clear_lamps", "corona"])
def test_threads_of_blas_change_no_byte(scene):
    def minute(threads):
        with threadpool_limits(threads):
            return next(simulate_minutes(7, "2014-03-10T06:00", 1, script=[(scene, 1)]))

    one, two = minute(1), minute(2)
    np.testing.assert_array_equal(one.images, two.images)
    np.testing.assert_array_equal(one.quantities, two.quantities)


def test_a_minute_is_what_it_says():
    minute = next(simulate_minutes(1, START, 1))
    n = len(minute.times)
    assert minute.images.shape == (n, 256, 256)
    assert minute.images.dtype == np.uint16
    assert minute.images.flags.c_contiguous
    assert minute.times.dtype == "datetime64[us]"
    assert minute.labels.dtype == np.int8
    assert len(minute.scenes) == n == len(minute.pulsating_fraction)
    assert set(minute.labels) <= {0, 1, 2, 3}
    assert all(len(values) == n for values in minute.truth.values())
    assert (np.array(minute.pulsating_fraction) >= 0).all()


def test_frames_come_every_three_seconds_with_jitter_and_some_are_skipped():
    times = np.concatenate([m.times for m in simulate_minutes(3, START, 60, script=[("clear_dark", 60)])])
    step = np.diff(times) / np.timedelta64(1, "s")
    assert 1185 <= len(times) <= 1200
    usual = step[step < 4]
    assert abs(usual.mean() - 3) < 0.01
    assert 0.005 < usual.std() < 0.05
    assert np.all(np.abs(step[step > 4] % 3 - 0) < 0.2) or np.all(step[step > 4] < 10)


@pytest.mark.parametrize("label", CLASSES)
def test_scenes_are_mostly_called_what_they_are(label):
    right = total = 0
    for k, name in enumerate(n for n in SCENES if SCENES[n] == label):
        for minute in one_scene(name, 100 + k, 1):
            right += int((minute.labels == CLASSES.index(label)).sum())
            total += len(minute.labels)
    assert right > 0.75 * total


def test_an_unknown_scene_is_refused_by_name():
    with pytest.raises(UsageError, match="no scene is called 'aurorra'"):
        next(simulate_minutes(1, START, 1, script=[("aurorra", 1)]))


def test_the_page_about_scenes_is_what_the_table_says():
    page = Path(__file__).resolve().parents[2] / "docs" / "simulation.md"
    assert page.read_text(encoding="utf-8") == markdown()


def test_gaps_leave_no_frame_and_no_empty_minute():
    minutes = list(simulate_minutes(2, START, 4, script=[("clear_dark", 4)], gaps=[(0.5, 2.5)]))
    times = np.concatenate([m.times for m in minutes])
    assert [len(m.times) for m in minutes] == [10, 10, 20]
    assert np.diff(times).max() / np.timedelta64(1, "s") == pytest.approx(123, abs=0.1)


def test_minutes_are_judged_alike_whichever_are_judged_together(monkeypatch):
    script = [("pulsating_patchy", 2.5), ("arcs_active", 2), ("clear_few_clouds", 2)]
    told = []
    for together in (1, 2, 3):
        monkeypatch.setattr(night, "JUDGED_AT_ONCE", together)
        told.append(list(simulate_minutes(8, "2014-03-10T06:00", 6, script=script, gaps=[(3, 4.2)])))
    for others in told[1:]:
        assert [len(minute.times) for minute in others] == [len(minute.times) for minute in told[0]]
        for minute, other in zip(told[0], others, strict=True):
            np.testing.assert_array_equal(other.people, minute.people)
            np.testing.assert_array_equal(other.quantities, minute.quantities)
            assert other.scenes == minute.scenes


def test_labels_switch_halfway_through_a_fade():
    script = [("overcast", 2), ("pulsating_bright", 2)]
    minutes = list(simulate_minutes(8, START, 4, script=script))
    scenes = np.concatenate([m.scenes for m in minutes])
    fading = np.concatenate([m.truth["fading"] for m in minutes])
    labels = np.concatenate([m.labels for m in minutes])
    assert list(dict.fromkeys(scenes)) == ["overcast", "pulsating_bright"]
    change = int((scenes == "overcast").sum())
    assert abs(change - 40) <= 1
    assert fading[change - 1] > 0.2
    assert fading[0] == fading[-1] == 0
    assert set(labels[:change]) == {0}
    assert set(labels[change:]) == {3}


def test_pulsation_can_be_put_into_frames():
    images = np.concatenate([m.images for m in simulate_minutes(12, START, 2, script=[("overcast", 2)])])
    times = np.datetime64(START, "us") + np.arange(len(images)) * np.timedelta64(3_000_000, "us")
    same, nothing = inject_pulsation(images, times, 0.0, period_s=12)
    assert np.array_equal(same, images)
    assert nothing.max() == 0
    lit, visible = inject_pulsation(images, times, 3000.0, cover=0.4, period_s=12)
    assert visible.min() > 0.1
    added = lit.astype(int) - images
    assert 1000 < added.max() < 20000
    assert added.min() > -400
