"""The third sky: repeatable, its noise as on real frames, each of its scenes there and its labels true."""

import ast
from pathlib import Path

import judge_sky
import judge_third_sky
import numpy as np
import pytest
import third_sky
from scipy.ndimage import gaussian_filter, uniform_filter1d
from third_sky.camera import READ, SHOT, Camera

PULSATING = 3


def test_it_shares_no_code_with_the_package():
    """Nor with the second sky: only then do they see with other eyes."""
    for path in Path(third_sky.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {name.split(".")[0] for name in names} & {"pulsaurora", "second_sky"}, path.name


def test_names_and_labels():
    assert all(sum(label == wanted for label in third_sky.SCENES.values()) >= 9 for wanted in range(4))
    assert all("bnop"[label] == scene[0] for scene, label in third_sky.SCENES.items())
    assert all(third_sky.SCENES[scene] != PULSATING for scene in third_sky.CONFUSERS)
    with pytest.raises(ValueError, match="no scene 'sharks'"):
        third_sky.make_clip("sharks", 1)


@pytest.mark.parametrize("scene", third_sky.SCENES)
def test_shapes(scene):
    clip = third_sky.make_clip(scene, 5, n_frames=1)
    assert clip["images"].shape == (1, 256, 256)
    assert clip["images"].dtype == np.uint16
    assert clip["times"].dtype == "datetime64[us]"
    assert clip["labels"].dtype == np.int8
    assert (clip["labels"] == third_sky.SCENES[scene]).all()
    assert clip["sure"].dtype == bool
    assert 2000 < np.median(clip["images"]) <= 65535


@pytest.mark.parametrize("scene", ["b_snowfall", "p_amorphous"])
def test_a_seed_is_a_clip(scene):
    first, again, other = (third_sky.make_clip(scene, seed, n_frames=3) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first["images"], again["images"])
    np.testing.assert_array_equal(first["times"], again["times"])
    assert (first["images"] != other["images"]).mean() > 0.5


def test_cadence():
    steps = np.diff(third_sky.make_clip("b_overcast_dark", 2, n_frames=30)["times"]).astype(float) / 1e6
    assert np.abs(steps - 3).max() < 0.1


def test_noise_law():
    """Variance against counts of an evenly lit sensor: slope 1.68, intercept 380, as on real frames."""
    rng = np.random.default_rng(4)
    camera = Camera(rng)
    means, variances = [], []
    for light in (0, 1000, 3000, 8000):
        counts = np.stack(
            [camera.expose(np.full((256, 256), light, np.float32), 0, rng) for _ in range(2)]
        ).astype(float)
        lit = (counts < 65535).all(0)
        means.append(counts[:, lit].mean() - camera.pedestal)
        variances.append((np.diff(counts, axis=0)[0][lit] ** 2).mean() / 2)
    slope, intercept = np.polyfit(means, variances, 1)
    assert slope == pytest.approx(SHOT, rel=0.03)
    assert slope == pytest.approx(1.68, rel=0.05)
    assert intercept == pytest.approx(READ, rel=0.2)


def fast_part(scene, seed):
    """What changes within about 40 s in boxes of 8 x 8 pixels, as a multiple of such boxes' noise."""
    clip = third_sky.make_clip(scene, seed, n_frames=30)
    images = np.where(clip["images"] == 65535, np.nan, clip["images"])  # without hot pixels
    boxes = np.nanmean(images.reshape(30, 32, 8, 32, 8), axis=(2, 4))
    fast = (boxes - uniform_filter1d(boxes, 13, axis=0)).std(0)
    noise = np.sqrt((SHOT * (boxes.mean(0) - clip["camera"].pedestal) + READ) / 64)
    rows, cols = np.mgrid[:32, :32]
    return gaussian_filter(fast / noise, 1)[np.hypot(rows - 15.5, cols - 15.5) < 11]


def test_pulsating_scenes_pulsate():
    assert np.max(fast_part("p_patchy", 1)) > 4


def test_steady_skies_are_steady():
    assert np.median(fast_part("o_steady_diffuse", 1)) < 1.6


@pytest.mark.parametrize("seed", range(3))
def test_lens_there_and_back(seed):
    camera = Camera(np.random.default_rng(seed))
    cols, rows = camera.project(camera.elevation.astype(float), camera.azimuth.astype(float))
    well_above = camera.elevation_deg > 3
    pixels = np.rint(rows) * 256 + np.rint(cols)
    np.testing.assert_array_equal(pixels[well_above], camera.inside[well_above])


def test_the_judge_counts_sure_frames():
    """Worked by hand: an arc called pulsating in half of its frames, of which one is not sure."""
    says = np.full((4, 4), 0.1) + 0.6 * np.eye(4)  # row k says class k
    results = [
        ("p_patchy", np.full(4, 3, np.int8), says[[3, 3, 3, 3]], np.ones(4, bool)),
        ("o_corona", np.full(4, 2, np.int8), says[[2, 2, 3, 3]], np.array([True, True, True, False])),
    ]
    summary = judge_sky.summarise(judge_third_sky.SKY, results)
    assert summary["pulsating_precision"] == pytest.approx(4 / 6)
    assert summary["sure_scores"].precision[PULSATING] == pytest.approx(4 / 5)
    assert summary["n_sure_frames"] == 7
    assert summary["confusers"] == {"o_corona": 0.5}
    assert "sure: 0.75" in judge_sky.describe(judge_third_sky.SKY, summary)
