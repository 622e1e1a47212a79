"""Features against their definitions in tests/naive_sky.py, known truths, and laws."""

import naive_sky
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pulsaurora
from pulsaurora._core import _cells, _defects
from pulsaurora.imaging.frames import PackedImages
from pulsaurora.problems import ContractError
from pulsaurora.pulsation.modulation import ANCHOR_S, MEDIAN_COLUMN
from pulsaurora.pulsation.reduction import Reduced, SkyGrid, reduce_frames, window_features
from pulsaurora.pulsation.table import FEATURE_NAMES, FEATURES, MODULATION, STARS, STRUCTURE, WINDOW_NAMES

START = np.datetime64("2014-03-10T05:58:00", "us")
ROW, COL = np.mgrid[:256, :256]
ELEVATION = (90 - np.hypot(ROW - 126.3, COL - 130.1) * 0.72).astype(np.float32)
GRID = SkyGrid(ELEVATION)


def times_of(seconds):
    return START + (np.asarray(seconds) * 1e6).round().astype("timedelta64[us]")


def noisy(rng, brightness, pedestal=3300.0):
    """Counts of a camera that looks at `brightness`, with the photon law's noise."""
    sky = np.where(ELEVATION > 0, brightness, 0.0)
    noise = rng.standard_normal(sky.shape) * np.sqrt(1.68 * sky + 380)
    return np.clip(pedestal + sky + noise, 0, 65535).astype(np.uint16)


def shine(images, places, flux):
    """Add stars, each in the middle of its block: `flux` counts, and a fifth of it in each pixel beside."""
    for row, col in np.asarray(places).reshape(-1, 2) // 4 * 4 + 1:
        for r, c, share in ((0, 0, 1), (-1, 0, 0.2), (1, 0, 0.2), (0, -1, 0.2), (0, 1, 0.2)):
            images[..., row + r, col + c] += np.uint16(share * flux)


def pulsating_frames(rng, seconds, period_s=12.0, amplitude=300.0, level=1200.0):
    """A steady sky with three round patches that go up and down, each with its own phase."""
    images = []
    phases = rng.uniform(0, 2 * np.pi, 3)
    for t in seconds:
        sky = np.full(ELEVATION.shape, level)
        for phase, (row, col) in zip(phases, ((90, 110), (150, 90), (140, 170)), strict=True):
            inside = np.hypot(ROW - row, COL - col) < 18
            sky += inside * amplitude * np.sin(2 * np.pi * t / period_s + phase)
        images.append(noisy(rng, sky))
    return np.array(images)


def columns(rows):
    return {name: rows[:, i] for i, name in enumerate(WINDOW_NAMES)}


@pytest.mark.parametrize("block", [2, 4, 8])
def test_cells_are_block_means_without_the_brightest_pixel(block):
    rng = np.random.default_rng(block)
    frames = rng.integers(0, 65536, (2, 8 * block, 6 * block), dtype=np.uint16)
    frames[0, :block, :block] = 65535
    means, peaks = (np.empty((2, 8, 6), np.float32) for _ in range(2))
    _cells.fill_cells(
        frames, block, np.empty(6 * block, np.uint32), np.empty(6 * block, np.uint16), means, peaks
    )
    for frame, mean, peak in zip(frames, means, peaks, strict=True):
        expected_mean, expected_peak = naive_sky.cell_means(frame, block)
        np.testing.assert_allclose(mean, expected_mean, rtol=1e-6)
        np.testing.assert_allclose(peak, expected_peak, rtol=1e-5, atol=0.02)


def test_cells_of_packed_frames_are_those_of_frames_in_order():
    rng = np.random.default_rng(4)
    frames = rng.integers(0, 65536, (5, 256, 256), dtype=np.uint16)
    starts = np.arange(5) * (frames[0].nbytes + 7) + 3
    data = np.zeros(starts[-1] + frames[0].nbytes, np.uint8)
    for start, frame in zip(starts, frames, strict=True):
        data[start : start + frame.nbytes] = frame.astype(">u2").view(np.uint8).ravel()
    times = times_of(3 * np.arange(5))
    packed, whole = (reduce_frames(one, times, GRID) for one in (PackedImages(data, starts), frames))
    for name in ("cells", "structure", "sparks"):
        assert np.array_equal(getattr(packed, name), getattr(whole, name))
    means = np.empty((1, 64, 64), np.float32)
    for start in (-1, len(data) - frames[0].nbytes + 1):
        with pytest.raises(ValueError, match="starts at byte"):
            _cells.fill_packed_cells(data, np.array([start]), True, means, means.copy())
    for n_rows in (63, 65):
        with pytest.raises(ValueError, match="expected 1 x 64 x 64"):
            _cells.fill_packed_cells(data, starts[:1], True, means, np.empty((1, n_rows, 64), np.float32))


@pytest.mark.parametrize("kind", ["noise", "arc", "stars", "bright", "dark", "patches"])
def test_structure_follows_its_definitions(kind):
    rng = np.random.default_rng(5)
    sky = np.full(ELEVATION.shape, 900.0) + 2.0 * COL
    if kind == "arc":
        sky += 3000 * np.exp(-(((ROW - 0.3 * COL - 80) / 9.0) ** 2))
    if kind == "bright":
        sky += 90000 * np.exp(-((np.hypot(ROW - 100, COL - 150) / 20.0) ** 2))
    if kind == "dark":
        sky *= 0.0
    if kind == "patches":
        for row, col, radius in ((80, 90, 20), (150, 110, 12), (120, 180, 30), (190, 160, 6)):
            sky += 700 * (np.hypot(ROW - row, COL - col) < radius)
    frame = noisy(rng, sky)
    if kind == "stars":
        shine(frame, rng.integers(70, 180, (60, 2)), 2500)
        frame[120, 120] = 65535  # its neighbours' light does not go with it: a warm pixel
    reduced = reduce_frames(frame[None], times_of([0.0]), GRID)
    found = dict(zip((f.name for f in STRUCTURE), reduced.structure[0], strict=True))
    warm = naive_sky.warm_pixels(frame[None])
    assert ((120, 120) in warm) == (kind == "stars")
    expected = naive_sky.structure_row(frame, ELEVATION, warm=warm)
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        # The oracle's scale of the brightest of 16 pixels is drawn at random, good to a part in a thousand.
        assert found[name] == pytest.approx(value, rel=4e-3, abs=4e-3), name
    if kind == "arc":
        assert found["elongation_local"] > 0.7
    if kind == "stars":
        assert 10 ** found["point_sources"] - 1 == pytest.approx(60, abs=8)


def structure_of(sky, stars=(), seed=8):
    """The structure columns of a sky without noise to speak of, with stars of 2,500 counts at pixels."""
    frame = noisy(np.random.default_rng(seed), sky)
    shine(frame, stars, 2500)
    reduced = reduce_frames(frame[None], times_of([0.0]), GRID)
    return dict(zip((f.name for f in STRUCTURE), reduced.structure[0], strict=True))


def test_the_edge_of_a_patch_is_no_star():
    row, col = 100, 140
    square = 6000.0 * ((row + 1 <= ROW) & (col + 1 <= COL) & (row + 80 > ROW) & (col + 40 > COL))
    corner = [(row, col)]  # a star next to the corner of bright sky
    assert 10 ** structure_of(np.full(ROW.shape, 1000.0), corner)["stars"] - 1 == pytest.approx(1)
    assert structure_of(1000 + square, corner)["stars"] == 0


def test_a_bright_bar_is_one_long_region():
    found = structure_of(1500.0 + 900.0 * (abs(ROW - 135.5) < 8) * (abs(COL - 127.5) < 72))
    assert 10 ** found["relief_regions"] - 1 == pytest.approx(1)
    assert found["relief_largest_elongation"] > 0.95
    assert found["relief_largest"] == pytest.approx(2 * 18 / len(GRID.background[0]), rel=0.1)
    assert found["relief_elongation_sky"] > 0.7
    round_one = structure_of(1500.0 + 900.0 * (np.hypot(ROW - 132, COL - 128) < 30))
    assert round_one["relief_largest_elongation"] < 0.1 and round_one["relief_elongation_sky"] < 0.2


def test_a_smooth_background_changes_the_relief_little():
    patches = sum(500.0 * (np.hypot(ROW - r, COL - c) < 14) for r, c in ((90, 90), (160, 130), (100, 170)))
    level, tilted = 1500 + patches, (1500 + patches) * 10 ** ((COL - 128) / 300 + ((ROW - 128) / 200) ** 2)
    flat, slope = structure_of(level), structure_of(tilted)
    assert slope["brightness_spread"] > 2 * flat["brightness_spread"]
    for name in ("relief", "relief_p98", "relief_bright", "relief_largest", "relief_elongation_local"):
        assert slope[name] == pytest.approx(flat[name], abs=0.05, rel=0.05), name


def test_the_background_functions_are_orthonormal():
    for grid in (GRID, SkyGrid(), SkyGrid(shape=(512, 512))):
        assert grid.background.dtype == np.float32 and len(grid.background) == 7
        np.testing.assert_allclose(grid.background @ grid.background.T, np.eye(7), atol=1e-5)
    few = np.full((256, 256), -1.0)
    few[128:144, 128:152] = 80.0  # 2 x 3 cells cannot tell seven functions apart
    grid = SkyGrid(few)
    assert grid.background.shape == (7, 6)
    frames = np.random.default_rng(1).integers(3000, 5000, (2, 256, 256), dtype=np.uint16)
    assert np.isfinite(reduce_frames(frames, times_of([0.0, 3.0]), grid).structure).all()


def test_stars_outside_a_bright_disc_tell_of_cloud():
    rng = np.random.default_rng(9)
    disc = np.hypot(ROW - 126, COL - 130) < 40
    places = rng.integers(50, 206, (400, 2))
    places = places[np.hypot(*(places - (126, 130)).T) < 95]
    outside = places[~disc[tuple(places.T)]]
    sky = 1500 + 700.0 * disc
    cloud, clear = structure_of(sky, outside), structure_of(sky, places)
    assert cloud["stars_in_bright"] < -0.45 and abs(clear["stars_in_bright"]) < 0.2
    holes = structure_of(2200 - 700.0 * disc, places[disc[tuple(places.T)]])
    assert holes["stars_in_dark"] > 0.3


@pytest.mark.parametrize("seed", range(4))
def test_modulation_follows_its_definitions(seed):
    rng = np.random.default_rng(seed)
    seconds = np.arange(0, 420, 3.0) + rng.normal(0, 0.03, 140)
    keep = rng.random(140) > 0.03
    keep[60:75] = seed % 2  # a gap of 45 s in two of the four
    seconds = seconds[keep]
    mask = GRID.cell_mask
    level = rng.uniform(200, 3000, mask.shape)
    patch = np.zeros(mask.shape, int)
    for number in range(1, 6):
        row, col = rng.integers(4, 20, 2)
        patch[row : row + rng.integers(1, 5), col : col + rng.integers(1, 5)] = number
    wave = np.sin(2 * np.pi * seconds[:, None] / rng.uniform(7, 60, 6) + rng.uniform(0, 6, 6))
    depth = np.array([0.0, *rng.uniform(0.02, 0.3, 5)])
    clean = level * (
        1 + (depth * wave)[:, patch] + 0.0004 * seconds[:, None, None] * (np.arange(mask.shape[1]) / 28)
    )
    cells = clean + rng.standard_normal(clean.shape) * np.sqrt((1.68 * clean + 380) / 60)
    cells = ((cells + 3300) * (mask > 0)).astype(np.float32)
    pedestals, ratios = rng.normal(3300, 0.5, len(seconds)), rng.normal(1.0, 0.02, len(seconds))
    structure = np.zeros((len(seconds), len(STRUCTURE)), np.float32)
    sky = rng.normal(3, 0.01, len(seconds)).astype(np.float32)
    structure[:, 0], structure[:, 1], structure[:, MEDIAN_COLUMN] = pedestals, ratios, sky
    reduced = Reduced(times_of(seconds), cells.reshape(len(cells), -1), structure, GRID)
    rows = columns(window_features(reduced))
    for i in (0, 3, len(seconds) // 3, 58, 61, len(seconds) - 2):
        expected = naive_sky.modulation_row(
            seconds, cells.astype(float), pedestals, ratios, mask, seconds[i], half=60.0, cadence=3.0, sky=sky
        )
        for name, value in expected.items():
            # The kernel knows the median of all cells to a thirty-second of their spread.
            slack = 1.5e-2 if name.startswith("beat_on") else 5e-3
            assert rows[name][i] == pytest.approx(value, rel=5e-3, abs=slack), (name, i)
    assert {f.name for f in MODULATION} == expected.keys()


def test_a_period_of_12_s_is_measured_as_12_s():
    seconds = np.arange(0, 180, 3.0)
    rows = columns(
        window_features(
            reduce_frames(pulsating_frames(np.random.default_rng(1), seconds), times_of(seconds), GRID)
        )
    )
    assert rows["period_s"][30] == pytest.approx(12.0, rel=0.06)
    assert rows["band_10_20"][30] > 0.8
    covered = 3 * np.pi * 18**2 / (GRID.cell_mask > 0).sum() / 64
    # Cells that a patch's edge crosses count too: up to a cell's half diagonal beyond its radius.
    assert covered < rows["frac_pulsating"][30] < covered * (1 + 5.7 / 18) ** 2
    assert 10 ** rows["n_patches"][30] - 1 == pytest.approx(3)
    assert rows["coherence_near"][30] > 0.8


def test_a_steady_sky_does_not_pulsate():
    seconds = np.arange(0, 180, 3.0)
    rng = np.random.default_rng(2)
    rows = columns(
        window_features(reduce_frames(pulsating_frames(rng, seconds, amplitude=0.0), times_of(seconds), GRID))
    )
    assert rows["frac_modulated"].max() < 0.01
    np.testing.assert_allclose(rows["excess_p50"][20:40], np.log10(1.1), atol=0.05)


def test_drift_of_the_whole_sky_is_found():
    rng = np.random.default_rng(3)
    seconds = np.arange(0, 150, 3.0)
    speed = 0.8  # pixels a second to the right
    images = [
        noisy(rng, 2000 + 900 * np.sin((COL - speed * t) / 14.0) * np.sin(ROW / 17.0 + 1)) for t in seconds
    ]
    rows = columns(window_features(reduce_frames(np.array(images), times_of(seconds), GRID)))
    assert 10 ** rows["flow_speed"][25] == pytest.approx(speed / 8, rel=0.2)
    assert rows["flow_explained"][25] > 0.85


def test_halves_of_the_sky_that_drift_apart_are_told_by_local_flow():
    rng = np.random.default_rng(3)
    seconds = np.arange(0, 150, 3.0)
    speed = np.where(ROW < 128, 0.8, -0.8)
    images = [
        noisy(rng, 2000 + 900 * np.sin((COL - speed * t) / 14.0) * np.sin(ROW / 17.0 + 1)) for t in seconds
    ]
    rows = columns(window_features(reduce_frames(np.array(images), times_of(seconds), GRID)))
    assert rows["flow_explained"][25] < 0.2
    assert rows["flow_local_explained"][25] > 0.7
    assert 10 ** rows["flow_local_speed"][25] == pytest.approx(0.8 / 8, rel=0.3)


def starry(rng, seconds, sky, stars, flux):
    """Frames of a sky with still stars of `flux` counts at some pixels."""
    images = np.array([noisy(rng, sky) for _ in seconds])
    shine(images, stars, flux)
    return images


def test_faint_stars_follow_their_definitions():
    rng = np.random.default_rng(3)
    seconds = np.arange(25) * 3.0 + np.arange(25) ** 2 * 0.2
    sky = 900.0 + 2.0 * COL + 800 * (np.hypot(ROW - 100, COL - 150) < 40)
    stars = [(r, c) for r, c in rng.integers(60, 196, (150, 2)) if np.hypot(r - 100, c - 150) > 35]
    images = starry(rng, seconds, sky, stars, 170)
    images[:, 120, 120] = 65535
    reduced = reduce_frames(images, times_of(seconds), GRID)
    rows = columns(window_features(reduced))
    for centre in (0, 11, 24):
        expected = naive_sky.star_row(seconds, images, ELEVATION, *reduced.structure[:, :2].T, centre)
        assert expected.keys() == {f.name for f in STARS}
        # Sparks are held to a sixteenth of the noise: a star at the limit may be counted by one alone.
        for name, value in expected.items():
            assert rows[name][centre] == pytest.approx(value, abs=0.03), name
    assert rows["faint_stars"][11] > 1.5


def spread(images, places, flux, width):
    """Add stars as the lens shows them: Gaussians `width` pixels wide, `flux` counts in all."""
    for row, col in places:
        shape = np.exp(-((ROW - row) ** 2 + (COL - col) ** 2) / (2 * width**2))
        images += (flux * shape / shape.sum()).astype(np.uint16)


def find_warm(images, most=1500):
    n_rows, n_cols = images.shape[1:]
    warm, places = np.zeros((n_rows, n_cols), np.uint8), np.empty(most, np.int32)
    scratch = np.empty(n_rows * n_cols, np.uint32), np.empty(n_cols, np.uint8)
    n = _defects.find_warm_pixels(*native(images), 2, 1.68, 380.0, *scratch, warm, places)
    # The same from bytes in the other order, between others.
    packed = np.r_[np.zeros(7, np.uint8), images.byteswap().view(np.uint8).ravel()]
    again, other = np.zeros_like(warm), np.empty_like(places)
    assert n == _defects.find_warm_pixels(
        packed, native(images)[1] + 7, True, 2, 1.68, 380.0, *scratch, again, other
    )
    np.testing.assert_array_equal(again, warm)
    return n, warm, places


def native(images):
    """Bytes of images, where each begins, and that they are in this machine's order."""
    size = images[0].nbytes
    return images.view(np.uint8).ravel(), np.arange(len(images)) * size, False


@given(seed=st.integers(0, 2**32 - 1), n_frames=st.integers(1, 21), level=st.sampled_from([0, 300, 4000]))
@settings(max_examples=8, deadline=None)
def test_warm_pixels_follow_their_definition(seed, n_frames, level):
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((n_frames, 64, 128)) * np.sqrt(1.68 * level + 380)
    images = (3000 + level + noise).astype(np.uint16)
    rows, cols = rng.integers(0, 64, 60), rng.integers(0, 128, 60)
    images[:, rows, cols] = np.minimum(images[:, rows, cols] + rng.integers(20, 50000, 60), 65535)
    n, warm, places = find_warm(images)
    expected = naive_sky.warm_pixels(images)
    # One at the limit may fall to either side of it, in single precision.
    assert len({(int(p) // 128, int(p) % 128) for p in places[:n]} ^ expected) <= 1
    assert warm.sum() == n


def test_blocks_are_made_without_warm_pixels():
    rng = np.random.default_rng(8)
    images = np.array([noisy(rng, 900 + 3.0 * COL) for _ in range(4)])
    clean = images.copy()
    hot = [(100, 101), (101, 101), (140, 90), (64, 64)]
    warm, places = np.zeros(ELEVATION.shape, np.uint8), np.empty(1500, np.int32)
    for k, (row, col) in enumerate(hot):
        images[:, row, col] = 40000
        warm[row, col], places[k] = 1, 256 * row + col
    means, peaks = np.zeros((2, 4, 64, 64), np.float32)
    _defects.mend_blocks(*native(images), 4, warm, places, len(hot), means, peaks)
    swapped = np.zeros((2, 4, 64, 64), np.float32)
    _defects.mend_blocks(*native(images.byteswap())[:2], True, 4, warm, places, len(hot), *swapped)
    np.testing.assert_array_equal(swapped, [means, peaks])
    with pytest.raises(ValueError, match="starts at byte"):
        _defects.mend_blocks(
            native(images)[0], np.array([7]) + 3 * 131072, False, 4, warm, places, 4, means, peaks
        )
    for i, j in {(row // 4, col // 4) for row, col in hot}:
        others = [
            clean[:, r, c].astype(float)
            for r in range(4 * i, 4 * i + 4)
            for c in range(4 * j, 4 * j + 4)
            if (r, c) not in hot
        ]
        top, total = np.max(others, axis=0), np.sum(others, axis=0)
        mean = (total - top) / (len(others) - 1)
        np.testing.assert_allclose(means[:, i, j], mean, rtol=1e-6)
        np.testing.assert_allclose(peaks[:, i, j], top - mean, rtol=1e-4)
    assert (means > 0).sum() == 4 * 3


def test_warm_pixels_are_no_stars_and_stars_are():
    rng = np.random.default_rng(9)
    seconds = np.arange(41) * 3.0
    places = rng.integers(60, 196, (60, 2)) + 0.5 * rng.random((60, 2))
    rows = {}
    for name in ("warm", "stars"):
        images = np.array([noisy(rng, np.full(ELEVATION.shape, 500.0)) for _ in seconds])
        if name == "warm":
            images[:, places[:, 0].astype(int), places[:, 1].astype(int)] += np.uint16(900)
        else:
            spread(images, places, 3500, 0.6)
        rows[name] = columns(window_features(reduce_frames(images, times_of(seconds), GRID)))
    for name in ("stars", "faint_stars", "lasting_points", "point_sources"):
        assert 10 ** rows["warm"][name][20] - 1 <= 2, name
        assert 10 ** rows["stars"][name][20] - 1 > 25, name


def test_more_sharp_pixels_than_a_ccd_has_are_left_alone():
    rng = np.random.default_rng(10)
    images = noisy(rng, np.full(ELEVATION.shape, 500.0))[None].repeat(4, axis=0)
    images[:, 3:250:6, 3:250:6] += np.uint16(5000)
    n, warm, _ = find_warm(images)
    assert n == 0 and not warm.any()


def test_flakes_pass_and_stars_last():
    rng = np.random.default_rng(6)
    seconds = np.arange(41) * 3.0
    seconds[30:] += 60  # a gap: what is beside it has one frame beside it
    stars = [(r, c) for r in range(80, 180, 14) for c in range(80, 180, 14)]
    images = starry(rng, seconds, np.full(ELEVATION.shape, 900.0), stars, 600)
    for image in images:
        shine(image, rng.integers(70, 186, (25, 2)), 800)
    images[0] = images[1]  # seen twice: last as stars do
    reduced = reduce_frames(images, times_of(seconds), GRID)
    rows = columns(window_features(reduced))
    assert 10 ** rows["lasting_points"][20] - 1 == pytest.approx(64, abs=6)
    assert 10 ** rows["passing_points"][20] - 1 == pytest.approx(25, abs=5)
    for centre in (0, 20, 40):
        expected = naive_sky.star_row(
            seconds, images, ELEVATION, reduced.structure[:, 0], reduced.structure[:, 1], centre
        )
        for name in ("passing_points", "lasting_points"):
            assert rows[name][centre] == pytest.approx(expected[name], abs=0.01), name
    alone = columns(window_features(reduced[20:21]))
    assert alone["passing_points"][0] == alone["lasting_points"][0] == 0


def test_a_twinkling_star_is_no_light_of_the_sky_that_comes_and_goes():
    rng = np.random.default_rng(7)
    seconds = np.arange(41) * 3.0
    images = np.array([noisy(rng, np.full(ELEVATION.shape, 900.0)) for _ in seconds])
    for row, col in rng.integers(64, 192, (120, 2)) // 4 * 4 + 1:  # each within one block
        images[:, row : row + 2, col : col + 2] += (rng.random((41, 1, 1)) * 900).astype(np.uint16)
    rows = columns(window_features(reduce_frames(images, times_of(seconds), GRID)))
    assert rows["frac_modulated"][20] < 0.03


def test_faint_stars_are_found_where_one_frame_does_not_show_them():
    rng = np.random.default_rng(4)
    seconds = np.arange(41) * 3.0
    stars = [(r, c) for r in range(80, 180, 10) for c in range(80, 180, 10)]
    rows = columns(window_features(reduce_frames(
        starry(rng, seconds, np.full(ELEVATION.shape, 900.0), stars, 110), times_of(seconds), GRID
    )))  # fmt: skip
    assert 10 ** rows["stars"][20] - 1 < 50
    assert 10 ** rows["faint_stars"][20] - 1 == pytest.approx(100, abs=15)
    none = columns(window_features(reduce_frames(
        starry(rng, seconds, np.full(ELEVATION.shape, 900.0), [], 0), times_of(seconds), GRID
    )))  # fmt: skip
    assert 10 ** none["faint_stars"][20] - 1 < 3


def test_faint_stars_lack_where_cloud_is_and_not_where_aurora_is():
    rng = np.random.default_rng(5)
    seconds = np.arange(41) * 3.0
    disc = np.hypot(ROW - 126, COL - 130) < 40
    sky = 1000 + 500.0 * disc
    places = rng.integers(50, 206, (300, 2))
    cloud = starry(rng, seconds, sky, places[~disc[tuple(places.T)]], 130)
    aurora = starry(rng, seconds, sky, places, 130)
    hidden, seen = (
        columns(window_features(reduce_frames(images, times_of(seconds), GRID))) for images in (cloud, aurora)
    )
    assert hidden["faint_in_bright"][20] < -0.2 < seen["faint_in_bright"][20]
    assert hidden["faint_on_relief"][20] < seen["faint_on_relief"][20] - 0.1
    assert hidden["star_voids"][20] > seen["star_voids"][20]


def starlit(rng, seconds, light, flux):
    """Frames of 81 stars as the lens shows them, light of sky and stars by time and place, and features."""
    images = np.array([noisy(rng, np.broadcast_to(light(t), ELEVATION.shape)) for t in seconds])
    profile = np.outer([0.5, 1, 0.5], [0.5, 1, 0.5])  # wider than a warm pixel
    for k, t in enumerate(seconds):
        shown = np.broadcast_to(flux(t), ELEVATION.shape)
        for row in range(81, 180, 12):
            for col in range(81, 180, 12):
                star = (profile * max(shown[row, col], 0)).astype(np.uint16)
                images[k, row - 1 : row + 2, col - 1 : col + 2] += star
    reduced = reduce_frames(images, times_of(seconds), GRID)
    return reduced, images, columns(window_features(reduced))


def test_cloud_that_passes_dims_stars_and_neither_aurora_nor_twinkling_does():
    seconds = np.arange(60) * 3.0

    def edge(t):  # crosses the stars in two minutes
        return 1 / (1 + np.exp(-(60 + t - COL) / 3.0))

    rng = np.random.default_rng(8)
    lit = starlit(rng, seconds, lambda t: 900 + 400 * edge(t), lambda t: 320 * (1 - edge(t)))[2]
    dark = starlit(rng, seconds, lambda t: 1300 - 400 * edge(t), lambda t: 320 * (1 - edge(t)))[2]
    aurora = starlit(rng, seconds, lambda t: 900 + 400 * edge(t), lambda t: 320)[2]
    shape = ELEVATION.shape
    twinkling = starlit(rng, seconds, lambda t: 900, lambda t: 320 + 100 * rng.standard_normal(shape))[2]
    i = 30
    assert lit["dimming_on_light"][i] < -0.5 and lit["dimming_slope"][i] < -1
    assert dark["dimming_on_light"][i] > 0.5 and dark["dimming_slope"][i] > 1
    assert abs(aurora["dimming_on_light"][i]) < 0.35
    assert lit["vanishing"][i] > 0.3 and aurora["vanishing"][i] < 0.05 and twinkling["vanishing"][i] < 0.05
    assert lit["dimming_p50"][i] > 2 * max(aurora["dimming_p50"][i], twinkling["dimming_p50"][i])
    assert lit["wavering_p50"][i] > twinkling["wavering_p50"][i] + 0.2


def test_starlight_follows_its_definitions():
    rng = np.random.default_rng(9)
    seconds = np.arange(26) * 3.0
    reduced, images, rows = starlit(
        rng,
        seconds,
        lambda t: 800 + 1.5 * COL + 150 * np.sin(t / 9.0 + ROW / 40.0),
        lambda t: 220 + 60 * np.sin((t + COL) / 13.0),
    )
    for centre in (6, 25):
        expected = naive_sky.star_row(seconds, images, ELEVATION, *reduced.structure[:, :2].T, centre)
        for name, value in expected.items():
            assert rows[name][centre] == pytest.approx(value, rel=0.03, abs=0.03), name
    assert rows["steady_stars"][6] > 1.8


def test_what_pulsates_reverses_time_and_again_and_what_sweeps_by_once():
    seconds = np.arange(0, 180, 3.0)
    inside = GRID.cell_mask > 0
    row, col = np.mgrid[: inside.shape[0], : inside.shape[1]]
    patch = (row >= 5) & (row < 9) & (col >= 5) & (col < 10)
    on = (seconds // 9 % 2)[:, None, None]

    def rows_of(series):
        reduced = cells_of(series, seconds)
        median = np.median(np.log10(series[:, inside] + 100), axis=1)
        reduced.structure[:, MEDIAN_COLUMN] = median
        return columns(window_features(reduced))

    pulsating = rows_of(3000 * (1 + 0.3 * patch * on))
    assert 10 ** pulsating["reversing_7"][30] - 0.003 == pytest.approx(20 / inside.sum(), rel=1e-3)
    assert 10 ** pulsating["reversing_largest"][30] - 0.003 == pytest.approx(20 / inside.sum(), rel=1e-3)
    assert 10 ** pulsating["reversals_mean"][30] - 1 == pytest.approx(12, abs=1.5)
    assert pulsating["reversing_alone"][30] == 0
    from_arc = (row - 2 - 0.12 * seconds[:, None, None]) / 1.5
    sweeping = rows_of(3000 * (1 + 0.5 * np.exp(-(from_arc**2))))
    assert 10 ** sweeping["reversing_1"][30] - 0.003 > 0.3
    assert 10 ** sweeping["reversing_4"][30] - 0.003 == pytest.approx(0, abs=1e-6)
    # What the whole sky does together turns no cell.
    together = rows_of(3000 * (1 + 0.3 * on) * np.ones(inside.shape))
    assert 10 ** together["reversing_1"][30] - 0.003 == pytest.approx(0, abs=1e-6)


def cells_of(series, seconds):
    """Cells (n, rows, cols) as if reduced from a camera without noise."""
    structure = np.tile(np.float32([3300, 1] + [0] * (len(STRUCTURE) - 2)), (len(seconds), 1))
    cells = ((series + 3300) * (GRID.cell_mask > 0)).astype(np.float32)
    return Reduced(times_of(seconds), cells.reshape(len(seconds), -1), structure, GRID)


def test_a_square_wave_beats_and_a_ramp_does_not():
    seconds = np.arange(0, 180, 3.0)
    inside = GRID.cell_mask > 0
    wave, ramp = np.zeros(inside.shape), np.zeros(inside.shape)
    wave[5:9, 5:10] = 1.0  # 20 cells on for 6 s, off for 6 s
    ramp[12:16, 10:15] = 1.0
    on = (seconds // 6 % 2)[:, None, None]
    series = 3000 * (1 + 0.3 * wave * on + 0.004 * ramp * seconds[:, None, None])
    rows = columns(window_features(cells_of(series, seconds)))
    assert rows["beat_16"][30] == rows["beat_04"][30] == pytest.approx(20 / inside.sum())
    assert rows["beat_on_bright"][30] > 0.3
    weak = columns(window_features(cells_of(3000 * (1 + 0.08 * wave * on), seconds)))
    assert weak["beat_16"][30] == 0 and weak["beat_04"][30] == pytest.approx(20 / inside.sum())
    # What the whole sky does together is no beat of any cell.
    together = columns(window_features(cells_of(3000 * (1 + 0.3 * on) * np.ones(inside.shape), seconds)))
    assert together["beat_04"][30] == 0


def test_drifting_structure_beats_where_it_is_steep():
    seconds = np.arange(0, 180, 3.0)
    row, col = np.mgrid[: GRID.cell_mask.shape[0], : GRID.cell_mask.shape[1]]
    shift = 0.8 * np.sin(2 * np.pi * seconds / 40)[:, None, None]
    bump = 3000 + 2000 * np.exp(-((np.hypot(row - 12, col - 12 - shift) / 4.0) ** 2))
    rows = columns(window_features(cells_of(bump, seconds)))
    assert rows["beat_on_edges"][30] > 0.5
    assert rows["beat_on_edges"][30] > rows["beat_on_bright"][30]


def test_every_fourth_frame_may_be_cut_out_as_a_slice():
    rng = np.random.default_rng(7)
    images = np.stack([noisy(rng, 900.0) for _ in range(40)])
    reduced = reduce_frames(images, times_of(3.0 * np.arange(40)), GRID)
    expected = window_features(reduced[np.arange(0, 40, 4)], cadence_s=12.0)
    np.testing.assert_array_equal(window_features(reduced[::4], cadence_s=12.0), expected)


def test_cuts_at_anchors_change_no_bit():
    rng = np.random.default_rng(4)
    seconds = np.arange(0, 900, 3.0)
    n_cells = GRID.cell_mask.size
    cells = (rng.normal(4500, 30, (len(seconds), n_cells)) * (GRID.cell_mask.ravel() > 0)).astype(np.float32)
    structure = np.tile(np.float32([3300, 1] + [0] * (len(STRUCTURE) - 2)), (len(seconds), 1))
    reduced = Reduced(times_of(seconds), cells, structure, GRID)
    whole = window_features(reduced)
    since_midnight = (reduced.times - START.astype("datetime64[D]")) / np.timedelta64(1, "s")
    cut = int(np.flatnonzero(since_midnight % ANCHOR_S == 0)[2])
    parts = []
    for first, last in ((0, cut), (cut, len(seconds))):
        low, high = max(first - 30, 0), min(last + 30, len(seconds))
        parts.append(window_features(reduced[low:high], slice(first - low, last - low)))
    np.testing.assert_array_equal(np.concatenate(parts), whole)


@given(shift=st.integers(-1500, 4000), seed=st.integers(0, 5))
def test_the_pedestal_drops_out(shift, seed):
    rng = np.random.default_rng(seed)
    seconds = np.arange(0, 30, 3.0)
    images = pulsating_frames(rng, seconds, amplitude=200.0)
    moved = (images.astype(np.int32) + shift).astype(np.uint16)
    here, there = (window_features(reduce_frames(a, times_of(seconds), GRID)) for a in (images, moved))
    np.testing.assert_allclose(here, there, rtol=0.02, atol=0.02)


def test_a_gap_is_told_by_its_features():
    seconds = np.r_[np.arange(0, 90, 3.0), np.arange(150, 240, 3.0)]
    images = pulsating_frames(np.random.default_rng(6), seconds)
    rows = columns(window_features(reduce_frames(images, times_of(seconds), GRID)))
    assert rows["window_gap"][29] == pytest.approx(60.0)
    assert rows["window_filled"][29] == pytest.approx(21 / 41)
    assert np.isfinite(window_features(reduce_frames(images, times_of(seconds), GRID))).all()


def test_plain_arrays_give_a_table_of_named_columns():
    seconds = np.arange(0, 60, 3.0)
    images = pulsating_frames(np.random.default_rng(7), seconds)
    table = pulsaurora.features(images, times_of(seconds), site="gill", elevation=ELEVATION)
    assert list(table.columns) == list(FEATURE_NAMES) and table.index.name == "time"
    assert (table.dtypes == np.float32).all()
    assert table["sun_elevation"].between(-40, -20).all()
    dark = pulsaurora.features(images, times_of(seconds), elevation=ELEVATION)
    assert (dark["sun_elevation"] == -90).all() and (dark["moon_illumination"] == 0).all()


def test_no_frames_give_no_rows():
    assert pulsaurora.features(np.empty((0, 256, 256), np.uint16), np.empty(0, "datetime64[us]")).shape == (
        0,
        len(FEATURES),
    )


@pytest.mark.parametrize(
    ("images", "times", "said"),
    [
        (np.zeros((2, 256, 256), np.float64), times_of([0, 3]), "float64"),
        (np.zeros((2, 256, 256), np.uint16), times_of([0]), "2 images but times"),
        (np.zeros((2, 256, 256), np.uint16), [1394431200, 1394431203], r"numbers \(int64\)"),
        (np.zeros((2, 256, 256), np.uint16), times_of([3, 0]), "do not ascend"),
        (np.zeros((2, 100, 100), np.uint16), times_of([0, 3]), "64 x 64"),
        (np.zeros((256, 256), np.uint16), times_of([0]), "shape"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_with_what_was_found(images, times, said):
    with pytest.raises(ContractError, match=said):
        pulsaurora.features(images, times)


def test_the_documented_table_is_the_table_in_use(request):
    from pulsaurora.pulsation.table import markdown

    assert (request.config.rootpath / "docs" / "features.md").read_text() == markdown()
