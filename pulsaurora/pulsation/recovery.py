"""How well patches are found: patches of known place, size, brightness and times added to frames, and looked
for again.

The frames keep their own background, noise, lens and defects; what is added brings its photon noise. The
brightness of a patch is told in units of the noise of one superpixel (8 x 8 pixels) in one frame, there where
the patch is. `pulsaurora recovery` runs all of it and writes a table and a picture.
"""

from dataclasses import dataclass

import numpy as np

from pulsaurora.pulsation.events import LEAST_CONFIDENCE, find_patches
from pulsaurora.pulsation.linking import outline_of
from pulsaurora.pulsation.measuring import cells_of, times_of
from pulsaurora.pulsation.pulses import find_cell_pulses
from pulsaurora.pulsation.reduction import Reduced, SkyGrid, reduce_frames
from pulsaurora.pulsation.series import CellMap, detrend, seconds_since
from pulsaurora.simulation.injection import PulsingDisc, inject_discs

SNRS = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 10.0, 20.0)
RADII_PX = (12.0, 16.0, 20.0, 28.0)
PERIODS_S = (7.0, 36.0)
LEAST_S = 3.0  # on-times and off-times: a frame
AT_ONCE = 4
# A patch is found where at least half of the cells reported lie on it, and these are a quarter of it or more.
LEAST_ON_IT, LEAST_OF_IT = 0.5, 0.25


@dataclass
class Trial:
    """One patch that was added, and what was found of it; times in seconds, NaN where not found.

    Attributes
    ----------
    snr : float
        Of one superpixel in one frame.
    radius : float, pixels
    on_s, off_s, period_s : float
        Medians of what was added.
    is_found : bool
    n_pulses : int
        Added within the frames.
    n_found : int
        Measured.
    found_on_s, found_off_s, found_period_s : float
        Medians of what was measured.
    n_pieces : int
        Patches reported on this one.
    """

    snr: float
    radius: float
    on_s: float
    off_s: float
    period_s: float
    n_pulses: int
    is_found: bool = False
    n_found: int = 0
    found_on_s: float = np.nan
    found_off_s: float = np.nan
    found_period_s: float = np.nan
    n_pieces: int = 0


class Sky:
    """Frames to add patches to, with what is known of them before.

    Parameters
    ----------
    images : ndarray of uint16, shape (n, 256, 256)
    times : ndarray of datetime64, shape (n,)
    elevation : ndarray of shape (256, 256), degrees, optional
    """

    def __init__(self, images, times, elevation=None):
        self.images, self.times = images, times
        self.cells = CellMap(SkyGrid(elevation, images.shape[1:]))
        self.origin = times[0].astype("datetime64[D]")
        self.reduced = reduce_frames(images, times, self.cells.grid)
        residuals = detrend(self.reduced, self.cells, seconds_since(times, self.origin), slice(None))
        self.sigma = np.nanmedian(residuals.sigma, axis=0)
        self.duration_s = float((times[-1] - times[0]) / np.timedelta64(1, "s"))

    def find(self, reduced, least_confidence=LEAST_CONFIDENCE):
        """Return the patches in reduced frames."""
        sky = find_cell_pulses(reduced, self.cells, self.origin)
        return find_patches(sky, self.cells, self.origin, least_confidence)


def draw_discs(rng, sky, snr, at_once=AT_ONCE):
    """Draw patches that do not touch, each wholly on the sky that is looked at.

    Their periods are even in logarithm over PERIODS_S; a third to two thirds of it is on-time. Every on-time
    and off-time varies by a fifth about its mean, and pulses do not vary in height.

    Returns
    -------
    list of (PulsingDisc, ndarray of int)
        With the cells whose centres lie on the patch.
    """
    cells, drawn = sky.cells, []
    row, col = cells.block * (cells.row + 0.5) - 0.5, cells.block * (cells.col + 0.5) - 0.5
    is_inside = np.zeros(sky.images.shape[1:], bool)
    for i, j in zip(cells.row, cells.col, strict=True):
        is_inside[cells.block * i : cells.block * (i + 1), cells.block * j : cells.block * (j + 1)] = True
    for _ in range(200):
        if len(drawn) == at_once:
            break
        radius = float(rng.choice(RADII_PX))
        middle = rng.uniform(radius, is_inside.shape[0] - radius, 2)
        disc = PulsingDisc(middle[0], middle[1], radius, 1.0, np.empty(0), np.empty(0))
        if not is_inside[disc.profile(is_inside.shape) > 0].all():
            continue
        if any(np.hypot(*(middle - [d.row, d.col])) < radius + d.radius + 2 * cells.block for d, _ in drawn):
            continue
        own = np.flatnonzero(np.hypot(row - middle[0], col - middle[1]) <= radius)
        period = np.exp(rng.uniform(*np.log(PERIODS_S)))
        on = np.clip(period * rng.uniform(1 / 3, 2 / 3), LEAST_S, period - LEAST_S)
        n = int(sky.duration_s / period * 1.5) + 8
        ons = np.maximum(on * (1 + 0.2 * rng.standard_normal(n)), LEAST_S)
        offs = np.maximum((period - on) * (1 + 0.2 * rng.standard_normal(n)), LEAST_S)
        ends = np.cumsum(ons + offs) - rng.uniform(0.5, 2.5) * period
        amplitude = snr * float(sky.sigma[own].mean())
        drawn.append((PulsingDisc(*middle, radius, amplitude, ends - ons, ends), own))
    return drawn


def try_discs(sky, snr, seed):
    """Add patches to the frames and look for them.

    Parameters
    ----------
    sky : Sky
    snr : float
    seed : int or sequence of int

    Returns
    -------
    trials : list of Trial
    n_elsewhere : int
        Patches reported where none was added.
    """
    rng = np.random.default_rng(seed)
    drawn = draw_discs(rng, sky, snr)
    images = inject_discs(sky.images, sky.times, [disc for disc, _ in drawn], rng.integers(2**32))
    patches = sky.find(reduce_frames(images, sky.times, sky.cells.grid))
    near = [_grown(own, sky.cells) for _, own in drawn]
    claimed = [[] for _ in drawn]
    n_elsewhere = 0
    for patch in patches:
        outline = np.array(cells_of(outline_of(patch.track.events)))
        on_it = [np.isin(outline, own).mean() if len(outline) else 0.0 for own in near]
        best = int(np.argmax(on_it)) if on_it else -1
        if best < 0 or on_it[best] < LEAST_ON_IT:
            n_elsewhere += 1
        else:
            claimed[best].append((np.isin(outline, drawn[best][1]).sum() / len(drawn[best][1]), patch))
    return [_judge(disc, snr, mine, sky) for (disc, _), mine in zip(drawn, claimed, strict=True)], n_elsewhere


def _grown(own, cells):
    """Return cells and their neighbours: an outline of superpixels may reach one beyond the edge."""
    near = np.unique(cells.neighbours[own])
    return near[near >= 0]


def _judge(disc, snr, claims, sky):
    within = (disc.starts_s > 0) & (disc.ends_s < sky.duration_s)
    starts, ends = disc.starts_s[within], disc.ends_s[within]
    trial = Trial(
        snr,
        disc.radius,
        float(np.median(ends - starts)),
        float(np.median(starts[1:] - ends[:-1])),
        float(np.median(np.diff(starts))),
        len(starts),
    )
    covering = [claim for claim in claims if claim[0] >= LEAST_OF_IT]
    trial.n_pieces = len(claims)
    if covering:
        _, patch = max(covering, key=lambda claim: (len(claim[1].pulses), claim[0]))
        on, off, period = times_of(patch.pulses, patch.series.times_s)
        trial.is_found, trial.n_found = True, len(patch.pulses)
        trial.found_on_s, trial.found_off_s, trial.found_period_s = (
            float(np.nanmedian(v)) if np.isfinite(v).any() else np.nan for v in (on, off, period)
        )
    return trial


def resample(sky, n_minutes, seed, block_s=60.0):
    """Make a longer stretch of the frames' own noise and cloud, without a pixel read again.

    Blocks of a minute of each cell's change, all cells at once, drawn at random and every other one on
    average backwards in time, are put on the sky's mean: what lasts less than a minute is as it was.

    Returns
    -------
    Reduced
    """
    rng = np.random.default_rng(seed)
    residuals = detrend(sky.reduced, sky.cells, seconds_since(sky.times, sky.origin), slice(None))
    change = np.nan_to_num(residuals.change)
    length = min(int(round(block_s / 3)), len(change))
    parts = []
    for _ in range(int(np.ceil(n_minutes * 20 / length))):
        first = int(rng.integers(0, len(change) - length + 1))
        block = change[first : first + length]
        parts.append(block[::-1] if rng.random() < 0.5 else block)
    change = np.concatenate(parts)
    cells = np.zeros((len(change), sky.reduced.cells.shape[1]), np.float32)
    cells[:, sky.cells.inside] = sky.reduced.cells[:, sky.cells.inside].mean(axis=0) + change
    structure = np.repeat(sky.reduced.structure.mean(axis=0, keepdims=True), len(change), axis=0)
    times = sky.times[0] + np.arange(len(change)) * np.timedelta64(3, "s")
    return Reduced(times, cells, structure, sky.reduced.grid)


def count_false(sky, reduced, least_confidence=LEAST_CONFIDENCE):
    """Return how many patches are reported in reduced frames that hold none, and in how many minutes."""
    minutes = float((reduced.times[-1] - reduced.times[0]) / np.timedelta64(1, "s") + 3) / 60
    return len(sky.find(reduced, least_confidence)), minutes
