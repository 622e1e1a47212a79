import numpy as np
import pytest

from pulsaurora.classes import CLASSES
from pulsaurora.problems import UsageError
from pulsaurora.simulation.night import SCENES, simulate_minutes

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
