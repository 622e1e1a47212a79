"""How the sky is laid out: against its definitions in tests/naive_sky.py, known truths, and laws."""

import naive_sky
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulsaurora.pulsation.layout import layout_row
from pulsaurora.pulsation.modulation import Light
from pulsaurora.pulsation.reduction import COARSE, PADDING, Reduced, SkyGrid
from pulsaurora.pulsation.table import LAYOUT, STRUCTURE

START = np.datetime64("2014-03-10T05:58:00", "us")
ROW, COL = np.mgrid[:256, :256]
ELEVATION = (90 - np.hypot(ROW - 126.3, COL - 130.1) * 0.72).astype(np.float32)
PEDESTAL = 3300.0
NAMES = [feature.name for feature in LAYOUT]


def coarse(elevation):
    return elevation.reshape(COARSE, 8, COARSE, 8).mean(axis=(1, 3))


def look_of(light, seconds, elevation=ELEVATION):
    """A look whose cells show `light` (n, 32, 32), counts above the pedestal."""
    grid = SkyGrid(elevation)
    cells = np.zeros((len(light), *grid.cell_mask.shape), np.float32)
    shown = (light + PEDESTAL)[:, grid.rows, grid.cols]
    cells[:, :, :-PADDING] = shown * (grid.cell_mask[:, :-PADDING] > 0)
    structure = np.zeros((len(light), len(STRUCTURE)), np.float32)
    structure[:, 0] = PEDESTAL
    times = START + (np.asarray(seconds) * 1e6).round().astype("timedelta64[us]")
    return Reduced(times, cells.reshape(len(light), -1), structure, grid)


def told(light, seconds, elevation=ELEVATION):
    look = look_of(light, seconds, elevation)
    return dict(zip(NAMES, layout_row(look, Light.of(look)), strict=True))


def drawn_sky(rng, n):
    """Light of n frames: an uneven sky with patches that beat and drift, and noise."""
    y, x = np.mgrid[:COARSE, :COARSE] / COARSE
    level = rng.uniform(200, 3000) * np.exp(rng.normal(0, 0.5) * x + rng.normal(0, 0.5) * y)
    seconds = np.cumsum(rng.choice([3.0, 3.0, 3.0, 6.0], n)) + rng.normal(0, 0.02, n)
    light = np.repeat(level[None], n, axis=0)
    for _ in range(5):
        row, col, size = rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.9), rng.uniform(0.03, 0.2)
        beat = 1 + np.sin(2 * np.pi * seconds / rng.uniform(5, 90) + rng.uniform(0, 6))
        bump = np.exp(-((y - row) ** 2 + (x - col) ** 2) / size**2)
        light = light + rng.uniform(20, 900) * beat[:, None, None] * bump
    return light + rng.normal(0, 8, light.shape), seconds


@pytest.mark.parametrize("n", [1, 2, 3, 9, 40])
@pytest.mark.parametrize("sky", ["whole", "overhead", "one side"])
def test_layout_follows_its_definitions(n, sky):
    elevation = {
        "whole": ELEVATION,
        "overhead": np.where(ELEVATION > 58, ELEVATION, -90).astype(np.float32),
        "one side": np.where(COL < 90, ELEVATION, -90).astype(np.float32),
    }[sky]
    light, seconds = drawn_sky(np.random.default_rng(n), n)
    found = told(light, seconds, elevation)
    grid = SkyGrid(elevation)
    inside = np.zeros((COARSE, COARSE), bool)
    inside.ravel()[grid.coarse_place] = True
    expected = naive_sky.layout_row(
        seconds, light + PEDESTAL, np.full(n, PEDESTAL), inside, coarse(np.maximum(elevation, -90))
    )
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        # A cell on a limit of the relief's robust fit, or of a percentile, falls either way in float32.
        assert found[name] == pytest.approx(value, rel=2e-3, abs=2e-3), name


@given(seed=st.integers(0, 50), turns=st.integers(0, 3), mirrored=st.booleans())
@settings(max_examples=25, deadline=None)
def test_it_does_not_matter_how_the_imager_is_turned(seed, turns, mirrored):
    light, seconds = drawn_sky(np.random.default_rng(seed), 20)

    def turned(values):
        values = np.rot90(values, turns, axes=(-2, -1))
        return np.ascontiguousarray(values[..., ::-1] if mirrored else values)

    before, after = told(light, seconds), told(turned(light), seconds, turned(ELEVATION))
    for name in NAMES:
        assert after[name] == pytest.approx(before[name], rel=2e-3, abs=2e-3), name


def test_a_bank_of_light_low_on_one_side_goes_round_once():
    light = np.full((COARSE, COARSE), 1000.0)
    low = coarse(ELEVATION) < 40
    light[low & (np.arange(COARSE)[:, None] < 12)] = 3000
    found = told(np.repeat(light[None], 40, axis=0), np.arange(40) * 3.0)
    assert found["light_outer_1"] > 2 * found["light_outer_3"] > 0
    assert found["light_outer_1"] > 4 * found["light_inner_1"]
    assert found["light_on_elevation"] < -0.2


def test_where_the_sky_beats_is_told_by_elevation():
    seconds = np.arange(40) * 3.0
    overhead = (coarse(ELEVATION) > 60)[None] * 300.0 * (1 + np.sin(seconds / 2))[:, None, None]
    found = told(1000 + overhead, seconds)
    assert found["varying_ring_7"] > found["varying_ring_1"] + 1.5
    assert found["varying_on_elevation"] > 0.5
    low = told(1300.0 - 0.5 * overhead, seconds)
    assert low["varying_on_relief"] * found["varying_on_relief"] < 0


def test_quick_change_is_told_from_slow():
    seconds = np.arange(42) * 3.0
    rest = np.ones((1, COARSE, COARSE))
    quick = told(1000 + 100 * rest * (-1.0) ** np.arange(42)[:, None, None], seconds)
    slow = told(1000 + 100 * rest * np.sin(seconds / 20)[:, None, None], seconds)
    assert quick["quick_p50"] > quick["slow_p50"] + 0.5
    assert slow["slow_p50"] > slow["quick_p50"] + 0.5
    assert quick["varying_p50"] == pytest.approx(np.log10(np.log10(1200 / 1000) / 2), abs=0.05)
    brightening = told(1000 * rest * 10 ** (0.1 * seconds / 60)[:, None, None], seconds)
    assert brightening["drift_p50"] == pytest.approx(np.log10(0.1 * 1000 / 1100), abs=0.05)
    assert brightening["varying_p98"] < -2.5


def test_a_ring_that_is_not_seen_takes_what_lies_beside_it():
    light = 1000 * np.ones((2, COARSE, COARSE)) * (1 + (coarse(ELEVATION) > 70))
    overhead = told(light, [0.0, 3.0], np.where(ELEVATION > 50, ELEVATION, -90).astype(np.float32))
    assert overhead["light_ring_1"] == overhead["light_ring_4"] == overhead["light_ring_5"]
    assert overhead["light_ring_7"] == pytest.approx(
        overhead["light_ring_6"] + np.log10(2100 / 1100), abs=1e-4
    )


def test_few_cells_are_described_too():
    few = np.full((256, 256), -1.0, np.float32)
    few[128:144, 128:152] = 80.0
    light, seconds = drawn_sky(np.random.default_rng(3), 12)
    assert all(np.isfinite(value) for value in told(light, seconds, few).values())
