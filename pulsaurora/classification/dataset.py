"""Features and truth of simulated skies, site by site: what the embedded model learns from."""

import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields

import numpy as np

from pulsaurora.classes import CLASSES
from pulsaurora.imaging.skycircle import sky_elevation
from pulsaurora.pulsation.looks import look_features, look_row
from pulsaurora.pulsation.reduction import CADENCE_S, SkyGrid, reduce_frames
from pulsaurora.pulsation.table import SUN_MOON

# The label of what is no sky at all; a model is to be unsure of it.
UNLIKE = len(CLASSES)
# The share of sites whose pictures are made unlike any sky.
ODD_SHARE = 0.06
# What is no sky is soon learned.
ODD_EFFORT = 0.5
# How often sites that teach show a scene beside its weight: about what is still wrong of it (log loss, less
# what people's doubts make of it, and three times the share called pulsating by mistake; of sites that teach,
# each half judged by a model of the other) over what a site of it costs to simulate. Shown more than that are
# cloud and what settles on the dome, since other synthetic skies have them as training does not, and what
# should hardly ever be taken for pulsation. Scenes that are not named count 1.
EFFORT = {
    **dict.fromkeys(("aurora_thin_cloud", "clear_few_clouds"), 3.5),
    **dict.fromkeys(
        (
            "clear_lamps",
            "clear_thin_cloud",
            "cloudy",
            "cloudy_dusk",
            "cloudy_moon",
            "corona",
            "diffuse",
            "frost_on_dome",
            "pulsating_faint",
            "pulsating_low",
            "snow_on_dome",
            "snowfall",
            "veil_moon",
        ),
        2.3,
    ),
    **dict.fromkeys(
        (
            "arcs_fluctuating",
            "clear_dusk",
            "clear_fast_clouds",
            "clear_passing",
            "cloud_over_aurora",
            "drops_on_dome",
            "patches_steady",
            "pulsating_thin_cloud",
            "pulsating_with_arc",
            "torches",
        ),
        1.7,
    ),
    **dict.fromkeys(
        (
            "arc_quiet",
            "arcs_active",
            "clear_floodlit",
            "cloudy_fast",
            "overcast_glowing",
            "pulsating_amorphous",
            "pulsating_moon",
            "pulsating_parts",
            "pulsating_patchy",
            "rain",
            "twilight",
        ),
        1.3,
    ),
    **dict.fromkeys(("clear_moon", "overcast", "pulsating_schoolbook"), 0.7),
    **dict.fromkeys(("covered", "fog", "overcast_moon", "pulsating_bright"), 0.4),
}
MEAN_EFFORT = 1.0
# Of every 32 sites, three test the model and one calibrates it.
TEST_SITES, CALIBRATION_SITES, OF_SITES = (0, 8, 16), (4,), 32
LEFT_OUT = TEST_SITES + CALIBRATION_SITES
# The share of sites trained on as if their position were not known: with less, trees learn by heart which
# sky came with which moon (macro F1 on sites left out fell from 0.853 to 0.844 with 0.1).
UNKNOWN_SITES = 0.5
# The share of sites with a skymap; at the others the sky is where the frames show it.
SKYMAPS = 0.5
# Features look at the sky above 15 degrees; cells that reach below are left out, so less need not be drawn
# where a skymap tells which those are.
LOWEST_DEG = 12.0
# Extended light is drawn on every second pixel of every second row, at two thirds of the cost of a site: no
# mean of a feature moves by more than a tenth of its spread.
GRAIN = 2
# Sites that teach show a look at all their frames and so many at some of them in a row, a minute's or more,
# as at a gap or where a night ends.
PARTS, SHORTEST_PART = 3, 20
# They show every fourth frame once more as if no other were there, as those of a PFRR filter come: every
# 12 s. On sites held out macro F1 at that cadence was 0.80 without, 0.86 with them; every 3 s it was 0.906
# and 0.905.
SLOW = 4


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
    people : ndarray of shape (n, UNLIKE + 1), float32, optional
        Share of those people who would give each label; all of them the frame's own where not given.
    quantities : ndarray of shape (n, n_quantities), float32, optional
        What the sky held (pulsaurora.simulation.truth.QUANTITIES), NaN where it is no sky; none when not
        given.
    weights : ndarray of shape (n,), float32, optional
        How much each frame counts, 1 where not given: sites that teach show hard scenes more often.
    """

    features: np.ndarray
    labels: np.ndarray
    scenes: np.ndarray
    sites: np.ndarray
    sure: np.ndarray
    people: np.ndarray | None = None
    quantities: np.ndarray | None = None
    weights: np.ndarray | None = None

    def __post_init__(self):
        if self.people is None:
            self.people = np.eye(UNLIKE + 1, dtype=np.float32)[np.asarray(self.labels, int)]
        if self.quantities is None:
            self.quantities = np.zeros((len(self.labels), 0), np.float32)
        if self.weights is None:
            self.weights = np.ones(len(self.labels), np.float32)

    def __getitem__(self, which):
        return Dataset(*(getattr(self, field.name)[which] for field in fields(self)))

    def __len__(self):
        return len(self.labels)

    @staticmethod
    def concatenate(parts):
        """Join datasets in the order given."""
        columns = ([getattr(part, field.name) for part in parts] for field in fields(Dataset))
        return Dataset(*(np.concatenate(column) for column in columns))


def even_rows(weights, every, phase=0):
    """Return which rows to take, one in `every` of mean weight 1, so that those taken count alike.

    Where weights are equal those are each `every`-th row from `phase` on.
    """
    steps = np.floor((np.cumsum(weights, dtype=float) - weights / 2 - phase - 0.5) / every + 1e-9)
    return np.flatnonzero(np.diff(steps, prepend=-1.0) > 0)


def simulated_sun_moon(minute):
    """Sun and moon of a SimulatedMinute as the features have them, float32 (n, 3).

    The simulator may move sun and moon to suit a scene, so theirs are its own, not the almanac's.
    """
    names = [feature.name.replace("elevation", "elevation_deg") for feature in SUN_MOON]
    return np.stack([minute.truth[name] for name in names], axis=1).astype(np.float32)


def scene_shares(teach):
    """Return how often a site shows each scene: names, and shares that add up to 1.

    Classes are shown equally often; sites that `teach` show each scene by its effort too.
    """
    from pulsaurora.simulation.night import SCENES
    from pulsaurora.simulation.registry import WEIGHTS

    of_class = {label: sum(WEIGHTS[name] for name in SCENES if SCENES[name] == label) for label in CLASSES}
    shares = np.array([WEIGHTS[name] / of_class[SCENES[name]] for name in SCENES])
    if teach:
        shares = shares * np.array([EFFORT.get(name, MEAN_EFFORT) for name in SCENES])
    return list(SCENES), shares / shares.sum()


def simulate_site(number, seed, n_minutes, odd_share=ODD_SHARE, teach=False):
    """Features and truth of one simulated site, every frame's sky drawn from (seed, number).

    Parameters
    ----------
    number, seed, n_minutes : int
    odd_share : float, 0 to 1
        How often its pictures are unlike any sky.
    teach : bool
        Draw hard scenes more often and easy ones, and what is no sky, less; weights make up for it. The
        site's rows are then looks at all of its frames, at PARTS of them and at those that SLOW leaves, and
        not its frames.

    Returns
    -------
    Dataset
    """
    from pulsaurora.simulation.drawn_camera import draw_camera
    from pulsaurora.simulation.night import simulate_minutes
    from pulsaurora.simulation.oddities import odd_images
    from pulsaurora.simulation.programme import draw_start

    rng = np.random.default_rng([seed, number])
    names, shares = scene_shares(teach)
    drawn = rng.choice(len(names), p=shares)
    scene, weight = names[drawn], scene_shares(False)[1][drawn] / shares[drawn]
    skymap = rng.random() < SKYMAPS
    lowest = {"lowest_deg": LOWEST_DEG} if skymap else {}
    camera = draw_camera(rng, grain=GRAIN, **lowest)
    script = [(scene, n_minutes)]
    minutes = list(simulate_minutes([seed, number], draw_start(rng), n_minutes, script=script, camera=camera))
    images = np.concatenate([minute.images for minute in minutes])
    times = np.concatenate([minute.times for minute in minutes])
    labels = np.concatenate([minute.labels for minute in minutes])
    sure = np.concatenate([minute.truth["sure"] for minute in minutes])
    quantities = np.concatenate([minute.quantities for minute in minutes])
    people = np.pad(np.concatenate([minute.people for minute in minutes]), ((0, 0), (0, 1)))
    share = odd_share * ODD_EFFORT if teach else odd_share
    odd = rng.random() < share
    if odd:
        images, scene = odd_images(rng, images), "unlike_any_sky"
        labels, sure = np.full_like(labels, UNLIKE), np.ones_like(sure)
        people, quantities = np.eye(UNLIKE + 1, dtype=np.float32)[labels], np.full_like(quantities, np.nan)
        weight = 1.0
    weight *= odd_share / share if odd else (1 - odd_share) / (1 - share)
    # Not rounded as at work, so that a model meets every way in which the edge may cut cells.
    grid = SkyGrid(camera.elevation_map() if skymap else sky_elevation([images], grain=1))
    reduced = reduce_frames(images, times, grid)
    knows_sun_moon = rng.random() > UNKNOWN_SITES
    n = len(images)
    if teach:
        parts = [(part, 1) for part in (slice(None), *_parts_of(n, rng))]
        parts.append((slice(None, None, SLOW), SLOW))
        rows = np.stack([look_row(reduced[part], cadence_s=step * CADENCE_S) for part, step in parts])
        # What is said of a look is said of its middle.
        which = np.array([np.arange(n)[part][(len(range(n)[part]) - 1) // 2] for part, _ in parts])
    else:
        rows, which = look_features(reduced), np.arange(n)
    if knows_sun_moon:
        told = np.concatenate([simulated_sun_moon(minute) for minute in minutes])
        rows[:, -len(SUN_MOON) :] = told[which]
    return Dataset(
        rows,
        labels[which],
        np.full(len(rows), scene),
        np.full(len(rows), number),
        sure[which],
        people[which],
        quantities[which],
        np.full(len(rows), weight, np.float32),
    )


def _parts_of(n, rng):
    """Return PARTS slices of n frames, of any length from SHORTEST_PART on and anywhere."""
    lengths = rng.integers(min(SHORTEST_PART, n), n + 1, PARTS)
    starts = rng.integers(0, n - lengths + 1)
    return [slice(start, start + length) for start, length in zip(starts, lengths, strict=True)]


def simulate_dataset(
    n_sites,
    n_minutes,
    seed=0,
    workers=None,
    progress=None,
    odd_share=ODD_SHARE,
    minutes_to_learn=None,
    teach=False,
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
    teach : bool
        Whether those sites draw scenes as `simulate_site` does for what teaches.

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
                teach and number % OF_SITES not in LEFT_OUT,
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
