"""How faint and how small pulsation may be and still be found: patches injected, and what a model says.

Every cell of the answer is an injection of known amplitude, cover and period into frames that hold no
pulsation, real or simulated, run through features, model and steadying as `classify` runs them.
"""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pulsaurora.classes import CLASSES, PULSATING
from pulsaurora.classification.dataset import simulated_sun_moon
from pulsaurora.classification.model import load_model
from pulsaurora.classification.realframes import read_real_nights
from pulsaurora.classification.refine import steady
from pulsaurora.imaging.skymap import elevation_mask, optics_elevation
from pulsaurora.problems import UsageError
from pulsaurora.pulsation.looks import look_features
from pulsaurora.pulsation.reduction import SkyGrid, reduce_frames
from pulsaurora.pulsation.table import FEATURE_NAMES, SUN_MOON

# What is injected when nothing else is asked for; covers at one period, and periods at one cover.
SHARES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
COVERS = (0.05, 0.2, 0.5)
PERIODS_S = (6.0, 10.0, 20.0, 35.0)
COVER, PERIOD_S = 0.2, 10.0
SIMULATED = ("clear_dark", "clear_moon", "overcast_moon")
_START = "2014-03-10T06:00"
# Cells of 8 x 8 pixels, and the noise law of the real frames at hand.
_CELL_PIXELS, _NOISE_SLOPE, _READ_VARIANCE = 64, 1.68, 380.0


@dataclass(slots=True)
class Background:
    """Frames without pulsation, into which it is injected.

    Attributes
    ----------
    name : str
        The night, or the simulated scene.
    kind : str
        `real` or `simulated`.
    images : ndarray of uint16, shape (n, 256, 256)
    times : ndarray of datetime64[us], shape (n,)
    lens : ((float, float), float) or None
        Centre and radius of the sky, pixels; found in the frames where None.
    elevation : ndarray of shape (256, 256), degrees, or None
    latitude, longitude : float or None
    sun_moon : ndarray of shape (n, 3) or None
        The simulated ones, in the order of SUN_MOON; from position and time where None.
    """

    name: str
    kind: str
    images: np.ndarray
    times: np.ndarray
    lens: tuple | None = None
    elevation: np.ndarray | None = None
    latitude: float | None = None
    longitude: float | None = None
    sun_moon: np.ndarray | None = None

    @property
    def sky(self):
        """Median count of the sky at 15 degrees and more above the corners' pedestal."""
        seen = elevation_mask(optics_elevation() if self.elevation is None else self.elevation)
        some = self.images[:: max(len(self.images) // 20, 1)]
        return float(np.median(some[:, seen]) - np.median(some[:, :8, :8]))


def real_backgrounds(stream0, n_minutes=6):
    """Take the first minutes of each night of a stream0 tree as backgrounds.

    Returns
    -------
    backgrounds : list of Background
    problems : list of Problem
    """
    nights, problems = read_real_nights(stream0, n_minutes)
    return [
        Background(n.name, "real", n.images, n.times, None, n.elevation, n.latitude, n.longitude)
        for n in nights
    ], problems


def simulated_background(scene, seed=0, n_minutes=4):
    """Simulate frames of one scene, by the usual lens, as a background.

    Returns
    -------
    Background
    """
    from pulsaurora.simulation.drawn_camera import draw_camera
    from pulsaurora.simulation.night import simulate_minutes

    camera = draw_camera(np.random.default_rng([seed, 1]), (128.0, 128.0), 124.0)
    minutes = list(simulate_minutes([seed, 2], _START, n_minutes, script=[(scene, n_minutes)], camera=camera))
    return Background(
        scene,
        "simulated",
        np.concatenate([minute.images for minute in minutes]),
        np.concatenate([minute.times for minute in minutes]),
        (camera.centre, camera.radius),
        sun_moon=np.concatenate([simulated_sun_moon(minute) for minute in minutes]),
    )


def measure_sensitivity(background, model, settings, seed=0):
    """Inject pulsation into one background and record what a model says of it.

    Parameters
    ----------
    background : Background
    model : Model
    settings : iterable of (float, float, float or None)
        Amplitude as a share of the background's median light, cover, and period in seconds (None: irregular
        pulses, as they are in nature).
    seed : int
        Draws patches and photon noise.

    Returns
    -------
    DataFrame
        One row a setting: `background`, `kind`, `without` (the class that most frames get when nothing is
        injected), `seed`, `sky_counts`, `amplitude_share`,
        `amplitude_counts`, `amplitude_sigma` (over the noise of a cell in one frame), `cover`, `period_s`
        (NaN where irregular), `n_frames`, `visible_share` (of the sky that a person would see pulsate),
        `probability` (mean of the model's pulsating probability), `called` (share of frames called
        pulsating, each by itself), `probability_steadied` and `called_steadied` (as `classify` gives them).
    """
    from pulsaurora.simulation.injection import inject_pulsation

    grid = SkyGrid(background.elevation)
    sky = background.sky
    sigma = np.sqrt((_NOISE_SLOPE * max(sky, 0.0) + _READ_VARIANCE) / _CELL_PIXELS)
    rows = []
    plain = steady(_probabilities(model, background, background.images, grid), background.times)
    without = CLASSES[np.bincount(plain.argmax(axis=1), minlength=len(CLASSES)).argmax()]
    for share, cover, period_s in settings:
        images, visible = inject_pulsation(
            background.images,
            background.times,
            share * sky,
            cover=cover,
            period_s=period_s,
            seed=seed,
            lens=background.lens,
        )
        raw = _probabilities(model, background, images, grid)
        steadied = steady(raw, background.times)
        rows.append(
            {
                "background": background.name,
                "kind": background.kind,
                "without": without,
                "seed": seed,
                "sky_counts": sky,
                "amplitude_share": share,
                "amplitude_counts": share * sky,
                "amplitude_sigma": share * sky / sigma,
                "cover": cover,
                "period_s": np.nan if period_s is None else period_s,
                "n_frames": len(images),
                "visible_share": float(visible.mean()),
                "probability": float(raw[:, PULSATING].mean()),
                "called": float((raw.argmax(axis=1) == PULSATING).mean()),
                "probability_steadied": float(steadied[:, PULSATING].mean()),
                "called_steadied": float((steadied.argmax(axis=1) == PULSATING).mean()),
            }
        )
    return pd.DataFrame(rows)


def _probabilities(model, background, images, grid):
    if model.kind == "image":
        elevation = optics_elevation() if background.elevation is None else background.elevation
        return model.predict_images(images, elevation_mask(elevation))
    reduced = reduce_frames(images, background.times, grid)
    rows = look_features(reduced, None, background.latitude, background.longitude)
    if background.sun_moon is not None:
        rows[:, [FEATURE_NAMES.index(feature.name) for feature in SUN_MOON]] = background.sun_moon
    return model.predict(rows)


def usual_settings(shares=SHARES, covers=COVERS, periods_s=PERIODS_S, cover=COVER, period_s=PERIOD_S):
    """Return each amplitude with every cover at one period, and with every period at one cover.

    Returns
    -------
    list of (float, float, float or None)
        Irregular pulses (None) at the one cover among them.
    """
    pairs = [(c, period_s) for c in covers] + [(cover, p) for p in periods_s] + [(cover, None)]
    return [(share, *pair) for pair in dict.fromkeys(pairs) for share in shares]


def run_sensitivity(model_path, backgrounds, settings, seeds=3, workers=None, progress=None):
    """Measure many backgrounds with many seeds in processes; the result depends on the arguments alone.

    Parameters
    ----------
    model_path : path-like or None
        The model that comes with pulsaurora when None.
    backgrounds : list of Background or of (scene, n_minutes)
        A scene is simulated anew for each seed.
    settings : list
        As of `measure_sensitivity`.
    seeds : int
    workers : int, optional
        Processes; as many as cores when not given.
    progress : callable, optional
        Called with (done, in all).

    Returns
    -------
    DataFrame
        Rows of `measure_sensitivity`.

    Raises
    ------
    UsageError
        If there is nothing to do.
    """
    tasks = [(model_path, background, settings, seed) for background in backgrounds for seed in range(seeds)]
    if not tasks or not settings:
        raise UsageError("nothing to inject: give a background, a seed, and amplitudes, covers and periods")
    load_model(model_path)  # refused here, once, and not in every process
    parts = []
    with ProcessPoolExecutor(workers) as pool:
        jobs = [pool.submit(_run, *task) for task in tasks]
        for job in jobs:
            parts.append(job.result())
            if progress:
                progress(len(parts), len(tasks))
    return pd.concat(parts, ignore_index=True)


def _run(model_path, background, settings, seed):
    if not isinstance(background, Background):
        scene, n_minutes = background
        background = simulated_background(scene, seed, n_minutes)
    return measure_sensitivity(background, load_model(model_path), settings, seed)
