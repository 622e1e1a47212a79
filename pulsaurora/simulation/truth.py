"""What a person who watches the film would say of a frame, from what the noise-free sky holds.

Measured on blocks of 4x4 pixels above 15 degrees of elevation, within +-30 s:

- pulsation is visible in a block when its swing exceeds 4 % of the block's light and 3 times the noise of a
  5x5-pixel area; the frame is pulsating when 2 % of the sky or more visibly pulsates;
- aurora is visible in a block when it is 12 % of the rest of the light or more, and as much above the noise;
  where it is so even over the sky that its share differs by less than 8 %, only when it is 60 % or more,
  since nobody can tell faint even light from airglow;
- viewing is bad when cloud hides over half of the sky and no aurora is visible through it, when it hides
  over 70 % and little aurora is visible, and when twilight or saturation drowns the sky.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter1d, minimum_filter1d

from pulsaurora.classes import BAD_VIEWING, NO_AURORA, OTHER_AURORA, PULSATING

HALF_WINDOW = 10  # frames
SWING_SHARE, NOISE_TIMES, PULSATING_SHARE = 0.04, 3.0, 0.02
AURORA_SHARE, AURORA_SKY = 0.12, 0.03
EVEN, EVEN_SHARE = 0.08, 0.6


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


def judge(pulsation, aurora, total, opacity, noise_slope, read_variance, dawn):
    """Judge the frames of one scene.

    Parameters
    ----------
    pulsation, aurora, total, opacity : ndarray of float32, shape (n_frames, n_blocks)
        Pulsating light, other aurora, all light (counts at the CCD, above pedestal), and how much of the
        sky beyond is hidden (0 to 1).
    noise_slope, read_variance : float
        The CCD's noise law.
    dawn : ndarray of float, shape (n_frames,)
        Twilight over the night sky (a ratio).

    Returns
    -------
    Truth
        `margin` is how far the pulsating share lies from the limit (natural log of the ratio): near zero
        people disagree.
    """
    size = 2 * HALF_WINDOW + 1
    swing = maximum_filter1d(pulsation, size, axis=0, mode="nearest") - minimum_filter1d(
        pulsation, size, axis=0, mode="nearest"
    )
    noise = np.sqrt((noise_slope * np.maximum(total, 0) + read_variance) / 25)
    limit = np.maximum(SWING_SHARE * total, NOISE_TIMES * noise)
    limit = np.where(total > 60000, np.inf, np.maximum(limit, 1e-3))
    visible = swing > limit
    pulsating = visible.mean(1)
    light = aurora + pulsation
    rest = np.maximum(total - light, 1.0)
    seen = (light > AURORA_SHARE * rest) & (light > NOISE_TIMES * noise)
    low, high = np.percentile(light / np.maximum(total, 1.0), (10, 95), axis=1)
    seen &= (light > EVEN_SHARE * rest) | (high - low > EVEN)[:, None]
    aurora_share = seen.mean(1)
    hidden = (opacity > 0.55).mean(1)
    drowned = (total > 60000).mean(1) > 0.5
    label = np.full(len(total), NO_AURORA, np.int8)
    label[aurora_share > AURORA_SKY] = OTHER_AURORA
    label[pulsating >= PULSATING_SHARE] = PULSATING
    aurora_there = label >= OTHER_AURORA
    veiled = opacity.mean(1)
    bad = ((hidden > 0.5) | (veiled > 0.6)) & ~aurora_there
    bad |= (hidden > 0.7) & (pulsating < 0.05) & (aurora_share < 0.5)
    bad |= (dawn > 12) & ~(aurora_there & (dawn < 25)) | (drowned & (light.mean(1) < 0.3 * total.mean(1)))
    label[bad] = BAD_VIEWING
    with np.errstate(divide="ignore", invalid="ignore"):
        contrast = np.where(visible, swing / np.maximum(total, 1), 0).sum(1) / np.maximum(visible.sum(1), 1)
    margin = np.log(np.maximum((swing > limit).mean(1), 1e-4) / PULSATING_SHARE)
    return Truth(
        label,
        pulsating.astype(np.float32),
        contrast.astype(np.float32),
        aurora_share.astype(np.float32),
        light.mean(1).astype(np.float32),
        veiled.astype(np.float32),
        margin.astype(np.float32),
    )
