"""The second sky: repeatable, its noise as measured on real frames, and its labels true."""

import ast
from pathlib import Path

import judge_second_sky
import judge_sky
import numpy as np
import pytest
import second_sky
from scipy.ndimage import gaussian_filter, uniform_filter1d
from second_sky import almanac, optics
from second_sky.world import World

PULSATING = 3


def series(clip, row, col):
    """Mean counts of a 9x9 box in each frame, and the noise expected of that mean."""
    box = clip["images"][:, row - 4 : row + 5, col - 4 : col + 5].astype(float)
    box = np.where(box == 65535, np.nan, box)
    brightness = np.nanmean(box, axis=(1, 2))
    camera = clip["camera"]
    noise = np.sqrt((camera.shot * (brightness.mean() - camera.pedestal) + camera.read) / 81)
    return brightness, noise


def fast_part(brightness):
    """What changes within about 40 s (13 frames)."""
    return brightness - uniform_filter1d(brightness, 13)


def brightest_place(depth):
    """Where patches pulsate most over some area, away from the horizon."""
    rows, cols = np.mgrid[:256, :256]
    smooth = gaussian_filter(depth, 4) * (np.hypot(rows - 127.5, cols - 127.5) < 85)
    return np.unravel_index(smooth.argmax(), smooth.shape)


def test_it_shares_no_code_with_the_package():
    """Only judging means anything if the sky is another's."""
    for path in Path(second_sky.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not any(name.split(".")[0] == "pulsaurora" for name in names), path.name


def test_names_and_labels():
    assert all(sum(label == wanted for label in second_sky.SCENES.values()) >= 10 for wanted in range(4))
    assert all(second_sky.SCENES[scene] != PULSATING for scene in second_sky.CONFUSERS)
    assert not set(second_sky.UNSURE) & set(second_sky.SCENES)
    with pytest.raises(ValueError, match="no scene 'sharks'"):
        second_sky.make_clip("sharks", 1)


@pytest.mark.parametrize(
    "scene",
    [scene for scene, label in second_sky.SCENES.items() if label != PULSATING] + list(second_sky.UNSURE),
)
def test_shapes(scene):
    clip = second_sky.make_clip(scene, 5, n_frames=2)
    assert clip["images"].shape == (2, 256, 256)
    assert clip["images"].dtype == np.uint16
    assert clip["times"].dtype == "datetime64[us]"
    assert clip["labels"].dtype == np.int8
    assert (clip["labels"] == second_sky.SCENES.get(scene, -1)).all()
    assert not clip["depth"].any()
    assert 2000 < np.median(clip["images"]) < 30000


@pytest.mark.parametrize("scene", ["snowfall", "oscillator_sheet", "aircraft", "television_noise"])
def test_a_seed_is_a_clip(scene):
    first, again, other = (second_sky.make_clip(scene, seed, n_frames=20) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first["images"], again["images"])
    np.testing.assert_array_equal(first["times"], again["times"])
    assert (first["images"] != other["images"]).mean() > 0.5


def test_cadence():
    rng = np.random.default_rng(2)
    steps = np.diff(World(rng, "2015-01-20T08:00:00", 3000, 58.0, -100.0, "dark").times).astype(float) / 1e6
    skipped = steps > 5
    assert 1 <= skipped.sum() <= 15
    assert np.abs(steps[~skipped] - 3).max() < 0.3
    assert 0.01 < steps[~skipped].std() < 0.1


def test_noise_law():
    """Variance against counts over a steady overcast: slope near 1.68, intercept near 380."""
    slopes, intercepts = [], []
    for seed in range(3):
        clip = second_sky.make_clip("overcast_city", seed, n_frames=40)
        images = clip["images"].astype(float)
        mean = images.mean(0) - clip["camera"].pedestal
        variance = (np.diff(images, axis=0) ** 2).mean(0) / 2
        edges = np.quantile(mean, np.linspace(0.02, 0.98, 20))
        which = np.digitize(mean, edges)
        points = [(np.median(mean[which == k]), variance[which == k].mean()) for k in range(1, 20)]
        slope, intercept = np.polyfit(*np.transpose(points), 1)
        assert slope == pytest.approx(clip["camera"].shot, rel=0.12)
        slopes.append(slope)
        intercepts.append(intercept)
    assert np.mean(slopes) == pytest.approx(1.68, rel=0.2)
    assert np.mean(intercepts) == pytest.approx(380, rel=0.5)


@pytest.mark.parametrize(
    "scene",
    [
        "ellipse_patches",
        "cell_patches",
        "metaball_patches",
        "oscillator_sheet",
        "flare_blobs",
        "faint_pulsation",
        "moonlit_pulsation",
        "arc_with_patches",
    ],
)
def test_pulsating_scenes_pulsate(scene):
    """Where the truth says so the counts rise and fall well above the noise, mostly at 6 to 40 s."""
    clip = second_sky.make_clip(scene, 11, n_frames=60)
    assert (clip["labels"] == PULSATING).all()
    brightness, noise = series(clip, *brightest_place(clip["depth"]))
    fast = fast_part(brightness)
    assert fast.std() > 4 * noise
    assert np.ptp(fast) > 0.06 * (brightness.mean() - clip["camera"].pedestal)
    power = np.abs(np.fft.rfft(fast * np.hanning(60))) ** 2
    period_s = 180 / np.maximum(np.arange(power.size), 0.5)
    assert power[(period_s >= 6) & (period_s <= 40)].sum() > 0.7 * power.sum()


@pytest.mark.parametrize("scene", ["clear_moonlit", "diffuse_steady", "overcast_moonlit"])
def test_steady_skies_are_steady(scene):
    clip = second_sky.make_clip(scene, 11, n_frames=40)
    quiet = [
        fast_part(brightness).std() / noise
        for brightness, noise in (series(clip, row, col) for row in (90, 128, 166) for col in (90, 128, 166))
    ]
    assert np.median(quiet) < 1.5


@pytest.mark.parametrize("seed", range(6))
def test_lens_there_and_back(seed):
    camera = optics.Camera(np.random.default_rng(seed))
    np.testing.assert_allclose(np.linalg.norm(camera.towards, axis=1), 1, atol=1e-5)
    rows, cols = camera.project(camera.towards.astype(float))
    np.testing.assert_allclose(np.rint(rows) * 256 + np.rint(cols), camera.seen)


def test_sun_and_moon():
    up, _turn = almanac.sun("2015-03-20T12:07:00", 0.0, 0.0)  # equinox, noon, equator
    assert up > 89
    up, turn = almanac.sun("2015-01-20T19:00:00", 58.0, -100.0)  # about noon in Manitoba
    assert up == pytest.approx(90 - 58 - 20.2, abs=1)
    assert turn == pytest.approx(180, abs=5)
    assert almanac.moon("2015-01-20T13:14:00", 58.0, -100.0)[2] < 0.005  # new moon
    assert almanac.moon("2015-01-05T04:53:00", 58.0, -100.0)[2] > 0.995  # full moon


@pytest.mark.parametrize("scene", ["clear_dark", "moonlit_arc", "clear_twilight"])
def test_start_suits_the_scene(scene):
    start = second_sky.start_for(scene, 9, 56.4, -94.6)
    sun_up, moon_up = almanac.sun(start, 56.4, -94.6)[0], almanac.moon(start, 56.4, -94.6)[0]
    assert sun_up < -8
    assert scene != "moonlit_arc" or moon_up > 10
    assert (sun_up > -12) == (scene == "clear_twilight")


def test_the_judge_counts():
    """Worked by hand: three scenes of four frames, one confuser frame in four called pulsating."""
    sure = np.array([0.0, 0.1, 0.2, 0.7])
    frames = np.stack([np.roll(sure, label + 1) for label in range(4)])  # row k says class k
    sure_of_all = np.ones(4, bool)
    results = [
        ("ellipse_patches", np.full(4, 3, np.int8), frames[[3, 3, 3, 2]], sure_of_all),
        ("fast_arcs", np.full(4, 2, np.int8), frames[[2, 2, 2, 3]], sure_of_all),
        ("clear_dark", np.full(4, 1, np.int8), frames[[1, 1, 1, 1]], sure_of_all),
        ("fireworks", np.full(4, -1, np.int8), np.full((4, 4), 0.25), sure_of_all),
    ]
    summary = judge_sky.summarise(judge_second_sky.SKY, results)
    assert summary["n_frames"] == 12
    assert summary["pulsating_precision"] == pytest.approx(0.75)
    assert summary["pulsating_recall"] == pytest.approx(0.75)
    assert summary["macro_f1"] == pytest.approx((0.75 + 0.75 + 1) / 3)
    assert summary["confusers_pulsating"] == pytest.approx(0.25)
    assert summary["recall"] == {"ellipse_patches": 0.75, "fast_arcs": 0.75, "clear_dark": 1.0}
    assert summary["calibration_error"] == pytest.approx(10 / 12 - 0.7)
    assert summary["unsure"] == {"fireworks": 0.25}
    assert "clear_dark" in judge_sky.describe(judge_second_sky.SKY, summary)
