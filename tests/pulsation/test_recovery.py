"""Injection and recovery, on simulated frames."""

import numpy as np
import pytest

from pulsaurora.problems import UsageError
from pulsaurora.pulsation.recovery import Sky, count_false, draw_discs, resample, try_discs
from pulsaurora.pulsation.recovery_report import Recovery, measure_recovery, wilson, write_recovery
from pulsaurora.simulation.injection import PulsingDisc, inject_discs
from pulsaurora.simulation.night import simulate_minutes
from pulsaurora.views.recovery import draw_recovery, write_figure


@pytest.fixture(scope="module")
def sky():
    parts = list(simulate_minutes([0, 9], "2014-03-10T06:00", 3, script=[("overcast_moon", 3)]))
    return Sky(np.concatenate([m.images for m in parts]), np.concatenate([m.times for m in parts]))


def test_a_disc_adds_what_it_says():
    disc = PulsingDisc(100, 120, 10, 200.0, np.array([0.0, 10.5]), np.array([4.0, 13.0]))
    assert [disc.lit(t) for t in (0, 3, 3.5, 6, 10, 12, 12.5)] == [1, 1, 0.5, 0, 0.5, 1, 0.5]
    assert disc.profile()[100, 120] == 1 and disc.profile()[100, 140] == 0
    assert disc.profile().sum() == pytest.approx(np.pi * 100, rel=0.03)
    images = np.full((3, 256, 256), 5000, np.uint16)
    images[:, 100, 121] = 65535
    times = np.datetime64("2014-03-10T06:00", "us") + np.array([0, 6, 12]) * np.timedelta64(1, "s")
    lit = inject_discs(images, times, [disc])
    inside = disc.profile() == 1
    inside[100, 121] = False
    assert (lit[1] == images[1]).all() and (lit[:, 100, 121] == 65535).all()
    added = lit[0][inside].astype(float) - 5000
    assert added.mean() == pytest.approx(200, abs=5)
    assert added.var() == pytest.approx(1.68 * 200, rel=0.3)


def test_bright_patches_are_found_with_their_times(sky):
    trials, n_elsewhere = try_discs(sky, 10.0, 1)
    assert len(trials) >= 3 and n_elsewhere <= 1
    found = [trial for trial in trials if trial.is_found]
    assert len(found) >= len(trials) - 1
    assert np.median([abs(trial.found_on_s - trial.on_s) for trial in found]) < 3
    assert np.median([abs(trial.found_period_s / trial.period_s - 1) for trial in found]) < 0.2


def test_what_is_too_faint_is_not_found(sky):
    trials, n_elsewhere = try_discs(sky, 0.1, 1)
    assert not any(trial.is_found for trial in trials) and n_elsewhere == 0


def test_discs_lie_apart_on_the_sky(sky):
    drawn = draw_discs(np.random.default_rng(0), sky, 3.0)
    for k, (disc, own) in enumerate(drawn):
        assert len(own) >= 5
        assert (np.diff(disc.starts_s) > 0).all() and (disc.ends_s - disc.starts_s >= 3 - 1e-9).all()
        for other, theirs in drawn[:k]:
            assert not set(own) & set(theirs)
            assert np.hypot(disc.row - other.row, disc.col - other.col) > disc.radius + other.radius


def test_longer_stretches_keep_the_noise(sky):
    longer = resample(sky, 10, 0)
    assert len(longer) == 200
    n, minutes = count_false(sky, longer)
    assert minutes == pytest.approx(10, abs=0.1)
    assert n <= 4  # ten skies of this scene have 0 to 4 in ten minutes
    inside = sky.cells.inside
    fresh, again = (np.diff(r.cells[:, inside], axis=0).std() for r in (sky.reduced, longer))
    assert again == pytest.approx(fresh, rel=0.2)


def test_a_report_and_a_picture(tmp_path):
    result = measure_recovery(None, 1, snrs=(3.0, 10.0), simulated=0)
    assert isinstance(result, Recovery) and len(result.false) == 2
    paths = write_recovery(result, tmp_path)
    text = paths[0].read_text(encoding="utf-8")
    assert "At 3 sigma a superpixel" in text and "resampled to 300 minutes" in text
    assert len(paths[1].read_text(encoding="utf-8").splitlines()) == len(result.trials) + 1
    write_figure(draw_recovery(result), tmp_path / "recovery.png")
    assert (tmp_path / "recovery.png").stat().st_size > 10_000
    with pytest.raises(UsageError, match="holds no frames"):
        measure_recovery(tmp_path, 1)


def test_intervals_by_hand():
    low, high = wilson(95, 100)
    assert (low, high) == (pytest.approx(0.8882, abs=1e-3), pytest.approx(0.9785, abs=1e-3))
    assert wilson(0, 0) == (0.0, 1.0) and wilson(5, 5)[1] == pytest.approx(1.0)
