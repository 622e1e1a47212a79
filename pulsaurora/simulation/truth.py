"""What a person who watches the film would say of a frame, from what the noise-free sky holds.

Measured on blocks of 4x4 pixels above 15 degrees of elevation, within +-30 s:

- pulsation is visible in a block when its light both rises and falls by more than 4 % of the block's light
  and 3 times the noise of a 5x5-pixel area; the frame is pulsating when 2 % of the sky or more visibly
  pulsates. Light that only grows or only fades, as where a patch drifts past, does not pulsate, nor does
  light that comes and goes because cloud passes before it;
- aurora is visible in a block when it is 12 % of the rest of the light or more, and as much above the noise;
  where it is so smooth that, but for 2 % of the sky at either end, its share differs by less than 10 % from a
  slope and the rise towards the horizon, only when it is 150 % or more, since nobody can tell such light from
  airglow, which differs threefold between nights, and from the glow of a town or the last of twilight; the
  frame shows aurora when it is visible in 2 % of the sky or more;
- viewing is bad when cloud lies over half of the sky and no aurora is visible through it, when it hides
  over 70 % and little aurora is visible, and when twilight or saturation drowns the sky. Cloud counts where
  it hides most of the light from beyond, and where it is thin but plainly seen: 20 % brighter or darker than
  the clear sky.

Near these limits people disagree. Nine of them are asked: with limits of light as above, half as high again
and by as much lower, each with limits of hiding as above, two fifths higher and by as much lower. A frame is
sure when all of them give it the same label.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter1d

from pulsaurora.classes import BAD_VIEWING, CLASSES, NO_AURORA, OTHER_AURORA, PULSATING

HALF_WINDOW = 10  # frames
SWING_SHARE, NOISE_TIMES, PULSATING_SHARE = 0.04, 3.0, 0.02
AURORA_SHARE, AURORA_SKY = 0.12, 0.02
EVEN, EVEN_SHARE = 0.10, 1.5
# What cloud hides where it counts, where it is plainly seen it need hide no more than VEILED; and how far
# it then stands out, as a share of the clear sky's light.
HIDDEN, VEILED, VEIL_SHARE = 0.55, 0.15, 0.2
# How far one person's limits lie from another's, as factors.
LIGHT_DOUBT, HIDING_DOUBT = 1.5, 1.4
# Of so many blocks one is ranked where no label hangs on it.
RANKED = 3
# What the labels come from, as Truth has it: shares of the sky and, by the name, logarithms of ratios.
QUANTITIES = (
    "log_pulsating",
    "aurora",
    "hidden",
    "clouded",
    "opacity",
    "opacity_p90",
    "veil_p90",
    "uneven",
    "log_aurora_p90",
    "log_swing_p98",
    "log_dawn",
    "log_light",
)


@dataclass
class Truth:
    """One row a frame: what was there to be seen; arrays of shape (n_frames,)."""

    label: np.ndarray
    pulsating_fraction: np.ndarray
    contrast: np.ndarray
    aurora_fraction: np.ndarray
    aurora_counts: np.ndarray
    cloud_fraction: np.ndarray
    margin: np.ndarray
    sure: np.ndarray
    people: np.ndarray
    quantities: np.ndarray


def beat(light):
    """Return how far light both rises and falls within HALF_WINDOW frames of each, shape as given.

    Parameters
    ----------
    light : ndarray of float32, shape (n_frames, n_blocks)
    """
    n = len(light)
    padded = np.pad(light, ((HALF_WINDOW, HALF_WINDOW), (0, 0)), mode="edge")
    low, high = padded[:n].copy(), padded[:n].copy()
    rise, fall = np.zeros_like(light), np.zeros_like(light)
    for k in range(1, 2 * HALF_WINDOW + 1):
        now = padded[k : k + n]
        np.maximum(rise, now - low, out=rise)
        np.maximum(fall, high - now, out=fall)
        np.minimum(low, now, out=low)
        np.maximum(high, now, out=high)
    return np.minimum(rise, fall)


def judge(pulsation, aurora, total, opacity, veil, noise_slope, read_variance, dawn, smooth=None):
    """Judge the frames of one scene.

    Parameters
    ----------
    pulsation, aurora, total, opacity, veil : ndarray of float32, shape (n_frames, n_blocks)
        Pulsating light and other aurora before cloud takes from them, all light as it is seen (counts at the
        CCD, above pedestal), how much of the sky beyond is hidden (0 to 1), and how much brighter or darker
        than the clear sky cloud before it is (as a share).
    noise_slope, read_variance : float
        The CCD's noise law.
    dawn : ndarray of float, shape (n_frames,)
        Twilight over the night sky (a ratio).
    smooth : ndarray of float32, shape (n_blocks, n_functions), optional
        Orthonormal functions of position that smooth light follows; even light alone when not given.

    Returns
    -------
    Truth
        `margin` is how far the pulsating share lies from the limit (natural log of the ratio); `people`
        (n_frames, 4) is the share of people who would say each label, their limits being higher or lower;
        `sure` tells frames of which all of them say the same; `quantities` (n_frames, n) is what QUANTITIES
        names.
    """
    swing = np.zeros_like(pulsation)
    if pulsation.any():
        clear = uniform_filter1d(1 - opacity, 2 * HALF_WINDOW + 1, axis=0, mode="nearest")
        swing = beat(pulsation) * clear
    noise = np.sqrt((noise_slope * np.maximum(total, 0) + read_variance) / 25)
    sky = _Sky(swing, aurora + pulsation, total, noise, opacity, veil, dawn, smooth)
    people = np.zeros((len(total), len(CLASSES)), np.float32)
    for doubt in (1 / LIGHT_DOUBT, LIGHT_DOUBT, 1.0):
        visible, pulsating, seen = sky.shows(doubt)
        clouds = sky.clouds(doubt)
        for hiding in (1 / HIDING_DOUBT, HIDING_DOUBT, 1.0):
            label = sky.label(pulsating, seen, clouds, doubt, hiding)
            people[np.arange(len(label)), label] += 1 / 9
    with np.errstate(divide="ignore", invalid="ignore"):
        contrast = np.where(visible, swing / np.maximum(total, 1), 0).sum(1) / np.maximum(visible.sum(1), 1)
    return Truth(
        label,
        pulsating.astype(np.float32),
        contrast.astype(np.float32),
        seen.astype(np.float32),
        sky.light.mean(1).astype(np.float32),
        opacity.mean(1).astype(np.float32),
        np.log(np.maximum(pulsating, 1e-4) / PULSATING_SHARE).astype(np.float32),
        people.max(axis=1) > 0.99,
        people,
        sky.quantities(pulsating, seen, clouds),
    )


@dataclass
class _Sky:
    """What the frames of a scene hold, block by block, to be judged by one person's limits or another's."""

    swing: np.ndarray
    above: np.ndarray
    total: np.ndarray
    noise: np.ndarray
    opacity: np.ndarray
    veil: np.ndarray
    dawn: np.ndarray
    smooth: np.ndarray | None

    def __post_init__(self):
        clear = 1 - self.opacity
        self.light = self.above * clear
        # Over how wide a range aurora's share of the light goes from one part of the sky to another, for
        # what it is like beyond the cloud: gaps in cloud before an even glow are no structure of aurora.
        self.uneven = np.zeros(len(self.light), np.float32)
        if self.light.any():
            smooth = self.smooth
            if smooth is None:
                smooth = np.full((self.light.shape[1], 1), self.light.shape[1] ** -0.5, np.float32)
            # Not as products of matrices, for a BLAS sums in another order where it is given another number
            # of frames or threads.
            found = np.einsum("tb,bf->tf", self.above, smooth)
            structure = clear * (self.above - np.einsum("tf,bf->tb", found, smooth))
            low, high = np.percentile(structure / np.maximum(self.total, 1.0), (2, 98), axis=1)
            self.uneven = high - low
        self.veiled = self.opacity.mean(1)
        drowned = (self.total > 60000).mean(1) > 0.5
        self.drowned = drowned & (self.light.mean(1) < 0.3 * self.total.mean(1))

    def shows(self, doubt=1.0):
        """Return where pulsation is visible, and the shares of the sky that show it and show aurora."""
        total, light = self.total, self.light
        limit = doubt * np.maximum(SWING_SHARE * total, NOISE_TIMES * self.noise)
        visible = self.swing > np.where(total > 60000, np.inf, np.maximum(limit, 1e-3))
        rest = np.maximum(total - light, 1.0)
        seen = (light > doubt * AURORA_SHARE * rest) & (light > doubt * NOISE_TIMES * self.noise)
        seen &= (light > doubt * EVEN_SHARE * rest) | (self.uneven > doubt * EVEN)[:, None]
        return visible, visible.mean(1), seen.mean(1)

    def clouds(self, doubt):
        """Return the shares of the sky that cloud hides, and that it hides or plainly veils."""
        thick = self.opacity > HIDDEN
        thin = (self.opacity > VEILED) & (np.abs(self.veil) > doubt * VEIL_SHARE)
        return thick.mean(1), (thick | thin).mean(1)

    def quantities(self, pulsating, seen, clouds):
        """Return what QUANTITIES names, float32 (n_frames, n); what it takes is of the plain limits."""

        def high(values, percent=90):
            return np.percentile(values, percent, axis=1)

        opacity, veil, light, swing, total = (
            values[:, ::RANKED] for values in (self.opacity, self.veil, self.light, self.swing, self.total)
        )
        total = np.maximum(total, 1.0)
        columns = (
            np.log(np.maximum(pulsating, 1e-3)),
            seen,
            *clouds,
            self.veiled,
            high(opacity),
            high(np.abs(veil)),
            self.uneven,
            np.log(high(light / np.maximum(total - light, 1.0)) + 0.01),
            np.log(high(swing / total, 98) + 0.003),
            np.log(self.dawn + 1),
            np.log(total.mean(1)),
        )
        return np.stack(columns, axis=1).astype(np.float32)

    def label(self, pulsating, seen, clouds, doubt=1.0, hiding=1.0):
        """Return each frame's label from the shares of its sky that pulsate, show aurora and are clouded."""
        hidden, clouded = clouds
        label = np.full(len(pulsating), NO_AURORA, np.int8)
        label[seen > doubt * AURORA_SKY] = OTHER_AURORA
        label[pulsating >= doubt * PULSATING_SHARE] = PULSATING
        aurora_there = label >= OTHER_AURORA
        bad = ((clouded > 0.5 * hiding) | (self.veiled > 0.6 * hiding)) & ~aurora_there
        bad |= (hidden > 0.7 * hiding) & (pulsating < 0.05 * doubt) & (seen < 0.5)
        bad |= (self.dawn > 12 * hiding) & ~(aurora_there & (self.dawn < 25))
        bad |= self.drowned
        label[bad] = BAD_VIEWING
        return label
