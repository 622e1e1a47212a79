"""Features and truth of simulated skies, site by site: what the embedded model learns from."""

import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields

import numpy as np

from pulsaurora.classes import CLASSES
from pulsaurora.imaging.skycircle import sky_elevation
from pulsaurora.pulsation.reduction import CADENCE_S, SkyGrid, reduce_frames, window_features
from pulsaurora.pulsation.table import SUN_MOON

# The label of what is no sky at all; a model is to be unsure of it.
UNLIKE = len(CLASSES)
# The share of sites whose pictures are made unlike any sky.
ODD_SHARE = 0.06
# Of every twelve sites, two test the model and one calibrates it.
TEST_SITES, CALIBRATION_SITES, OF_SITES = (0, 6), (3,), 12
LEFT_OUT = TEST_SITES + CALIBRATION_SITES
# The share of sites trained on as if their position were not known: with less, trees learn by heart which
# sky came with which moon (macro F1 on sites left out fell from 0.853 to 0.844 with 0.1).
UNKNOWN_SITES = 0.5
# The share of sites with a skymap; at the others the sky is where the frames show it.
SKYMAPS = 0.5
# Features look at the sky above 15 degrees; cells that reach below are left out, so less need not be drawn
# where a skymap tells which those are.
LOWEST_DEG = 12.0


@dataclass
class Dataset:
    """Features and truth of frames, with the site each came from.

    Attributes
    ----------
    features : ndarray of shape (n, n_features), float32
    labels : ndarray of shape (n,), int8
        Index into pulsaurora.classes.CLASSES, or UNLIKE.
    scenes : ndarray of shape (n,), str
    sites : ndarray of shape (n,), int
        Number of the simulated site (or of the night).
    sure : ndarray of shape (n,), bool
        Whether people whose limits differ would all give this label.
    """

    features: np.ndarray
    labels: np.ndarray
    scenes: np.ndarray
    sites: np.ndarray
    sure: np.ndarray

    def __getitem__(self, which):
        return Dataset(*(getattr(self, field.name)[which] for field in fields(self)))

    def __len__(self):
        return len(self.labels)

    @staticmethod
    def concatenate(parts):
        """Join datasets in the order given."""
        columns = ([getattr(part, field.name) for part in parts] for field in fields(Dataset))
        return Dataset(*(np.concatenate(column) for column in columns))


def simulated_sun_moon(minute):
    """Sun and moon of a SimulatedMinute as the features have them, float32 (n, 3).

    The simulator may move sun and moon to suit a scene, so theirs are its own, not the almanac's.
    """
    names = [feature.name.replace("elevation", "elevation_deg") for feature in SUN_MOON]
    return np.stack([minute.truth[name] for name in names], axis=1).astype(np.float32)


def simulate_site(number, seed, n_minutes, odd_share=ODD_SHARE):
    """Features and truth of one simulated site, every frame's sky drawn from (seed, number).

    Returns
    -------
    Dataset
    """
    from pulsaurora.simulation.camera import draw_camera
    from pulsaurora.simulation.night import SCENES, simulate_minutes
    from pulsaurora.simulation.oddities import odd_images
    from pulsaurora.simulation.programme import draw_start
    from pulsaurora.simulation.registry import WEIGHTS

    rng = np.random.default_rng([seed, number])
    label = CLASSES[rng.integers(len(CLASSES))]
    names = [name for name in SCENES if SCENES[name] == label]
    weights = np.array([WEIGHTS[name] for name in names])
    scene = str(rng.choice(names, p=weights / weights.sum()))
    skymap = rng.random() < SKYMAPS
    camera = draw_camera(rng, lowest_deg=LOWEST_DEG) if skymap else draw_camera(rng)
    script = [(scene, n_minutes)]
    minutes = list(simulate_minutes([seed, number], draw_start(rng), n_minutes, script=script, camera=camera))
    images = np.concatenate([minute.images for minute in minutes])
    times = np.concatenate([minute.times for minute in minutes])
    labels = np.concatenate([minute.labels for minute in minutes])
    sure = np.concatenate([minute.truth["sure"] for minute in minutes])
    if rng.random() < odd_share:
        images, scene = odd_images(rng, images), "unlike_any_sky"
        labels, sure = np.full_like(labels, UNLIKE), np.ones_like(sure)
    # Not rounded as at work, so that a model meets every way in which the edge may cut cells.
    grid = SkyGrid(camera.elevation_map() if skymap else sky_elevation([images], grain=1))
    rows = window_features(reduce_frames(images, times, grid))
    if rng.random() > UNKNOWN_SITES:
        rows[:, -len(SUN_MOON) :] = np.concatenate([simulated_sun_moon(minute) for minute in minutes])
    return Dataset(rows, labels, np.full(len(rows), scene), np.full(len(rows), number), sure)


def simulate_dataset(
    n_sites, n_minutes, seed=0, workers=None, progress=None, odd_share=ODD_SHARE, minutes_to_learn=None
):
    """Simulate many sites in processes; the result depends on the numbers and the seed alone.

    Parameters
    ----------
    n_sites, n_minutes : int
        Simulated sites, and minutes of sky at each.
    seed : int
    workers : int, optional
        Processes; as many as cores when not given.
    progress : callable, optional
        Called with (sites done, sites in all).
    odd_share : float, 0 to 1
        The share of sites whose pictures are unlike any sky.
    minutes_to_learn : int, optional
        Minutes of sky at sites that neither calibrate nor test, if not n_minutes.

    Returns
    -------
    Dataset
        Sites in order.
    """
    progress = progress or (lambda done, total: None)
    parts = []
    with ProcessPoolExecutor(workers or os.cpu_count()) as pool:
        jobs = [
            pool.submit(
                simulate_site,
                number,
                seed,
                n_minutes if number % OF_SITES in LEFT_OUT else minutes_to_learn or n_minutes,
                odd_share,
            )
            for number in range(n_sites)
        ]
        for job in jobs:
            parts.append(job.result())
            progress(len(parts), n_sites)
    return Dataset.concatenate(parts)


def split_by_site(dataset):
    """Training, calibration and test parts with no site in two of them."""
    turn = dataset.sites % OF_SITES
    test, calibration = np.isin(turn, TEST_SITES), np.isin(turn, CALIBRATION_SITES)
    return dataset[~test & ~calibration], dataset[calibration], dataset[test]


def site_times(n):
    """Times of n frames at the usual cadence, for what needs some."""
    return np.datetime64(0, "us") + (np.arange(n) * CADENCE_S * 1e6).astype("timedelta64[us]")
