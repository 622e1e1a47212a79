"""How the brightness of pulsating patches goes in time.

On-times and off-times are several seconds each and irregular: periods of 2 to some 40 s, patches rarely in
step, pulses of unequal height, trains of them with silences between (Yamamoto 1988, J. Geophys. Res. 93,
1977; Humberset et al. 2016, Geophys. Res. Lett. 43, 7009; Hosokawa and Ogawa 2015, J. Geophys. Res. 120,
5943). The internal modulation near 3 Hz averages out over an exposure of a second and is left out.
"""

import numpy as np

from pulsaurora._core import _simulated_patches
from pulsaurora.simulation.draws import chance, choose, log_uniform

STEP_S = 0.25
EXPOSURE_S = 1.0


def square_wave(n_patches, duration_s, period_s, duty=0.5, step_s=STEP_S):
    """Return a plain square wave, the known truth of tests, float32 (n_patches, n_samples)."""
    t = np.arange(int(duration_s / step_s) + 2) * step_s
    wave = ((t % period_s) < duty * period_s).astype(np.float32)
    return np.repeat(_exposed(wave[None], np.zeros(1)), n_patches, 0)


def pulse_series(rng, n_patches, duration_s, style=None):
    """Draw each patch's brightness over time, averaged over the exposure.

    Parameters
    ----------
    rng : numpy.random.Generator
    n_patches : int
    duration_s : float
    style : str, optional
        'irregular', 'regular', 'sine' or 'trains'; drawn when not given.

    Returns
    -------
    series : ndarray of float32, shape (n_patches, n_samples)
        Every STEP_S seconds; typically 0 to 1, single pulses may go above.
    period_s : float
        The typical period.
    """
    style = style or choose(rng, {"irregular": 0.6, "trains": 0.18, "regular": 0.12, "sine": 0.1})
    t = np.arange(int(duration_s / STEP_S) + 2) * STEP_S
    on = log_uniform(rng, 1.5, 18)
    off = on * log_uniform(rng, 0.4, 3)
    off = min(max(off, 2.5 - on), 40 - on)
    period = on + off
    together = choose(rng, {"independent": 0.65, "groups": 0.2, "common": 0.15})
    n_own = {"independent": n_patches, "common": 1, "groups": max(1, n_patches // 4)}[together]
    spread = log_uniform(rng, 1.0, 1.6)  # patches' typical periods differ by this factor
    uneven = 0.0 if style in ("regular", "sine") and chance(rng, 0.5) else rng.uniform(0.1, 0.6)
    jitter = {"regular": rng.uniform(0, 0.15), "sine": 0.0}.get(style, rng.uniform(0.2, 0.6))
    leak = 0.0 if chance(rng, 0.5) else rng.uniform(0, 0.5)
    rise, fall = log_uniform(rng, 0.15, 0.6), log_uniform(rng, 0.15, 0.8)  # shares of the on-time
    scale = np.exp(np.log(spread) * rng.uniform(-1, 1, n_own))[:, None]
    if style == "sine":
        turns = t / (period * scale) + rng.random((n_own, 1))
        own = 0.5 + 0.5 * np.sin((2 * np.pi * turns).astype(np.float32))
    else:
        own = _pulses(rng, t, on * scale, off * scale, jitter, uneven, leak, rise, fall)
    if style == "trains":
        own *= _trains(rng, t, period, n_own)
    late = np.zeros(n_patches)
    if n_own < n_patches and chance(rng, 0.6):  # followers lag by a moment
        late = rng.exponential(rng.uniform(0.2, 3), n_patches)
    return _exposed(own, late), period


def _pulses(rng, t, on, off, jitter, uneven, leak, rise, fall):
    """Return trapezoid pulses, one row for each of the typical on- and off-times (n, 1)."""
    # Periods scatter by their two thirds at most, so these are enough to the end.
    n_periods = t[-1] / max(float((on + off).min()), 1.0)
    shape = len(on), int(n_periods + 4 * np.sqrt(n_periods)) + 5
    ons = on * np.exp(jitter * rng.standard_normal(shape) - 0.5 * jitter**2)
    offs = off * np.exp(jitter * rng.standard_normal(shape) - 0.5 * jitter**2)
    start = np.cumsum(ons + offs, axis=1) - ons - rng.uniform(0.5, 2, (len(on), 1)) * (on + off)
    high = np.maximum(1 + uneven * rng.standard_normal(shape), 0.1)
    low = leak * rng.uniform(0.6, 1.4, shape)
    high = np.maximum(high, low)
    knots = np.stack([start, start + rise * ons, start + (1 - fall * (1 - rise)) * ons, start + ons], 2)
    levels = np.stack([low, high, high, low], 2)
    return _lines(t, knots.reshape(len(on), -1), levels.reshape(len(on), -1), np.zeros(len(on)))


def _trains(rng, t, period, n):
    """Return n envelopes that let some pulses through and silence others for a while."""
    # Each train and each silence lasts a period at least, so these are more than enough.
    n_pairs = int(t[-1] / (2 * period)) + 4
    loud = np.maximum(rng.exponential(6 * period, (n, n_pairs)), period)
    quiet = np.maximum(rng.exponential(3 * period, (n, n_pairs)), period)
    falls = np.cumsum(loud + quiet, axis=1) - quiet
    rises = falls + quiet
    level = rng.uniform(0, 0.25, (n, n_pairs))
    one = np.ones_like(level)
    # From loud to quiet and back, each change within 0.3 periods.
    knots = np.stack([falls, falls + 0.3 * period, rises, rises + 0.3 * period], 2).reshape(n, -1)
    levels = np.stack([one, level, level, one], 2).reshape(n, -1)
    return _lines(t, knots, levels, rng.uniform(0, 3 * period, n))


def _lines(t, knots, levels, late):
    """Return lines from knot to knot, at times t + late, float32 (n, n_samples)."""
    out = np.empty((len(knots), t.size), np.float32)
    _simulated_patches.fill_lines(out, knots, levels, late, STEP_S)
    return out


def _exposed(series, late):
    """Average over the exposure that begins at each sample; row k is `late` seconds behind, (n,) of them."""
    out = np.empty((len(late), series.shape[1]), np.float32)
    series, late = np.ascontiguousarray(series, np.float32), (late / STEP_S).astype(np.float32)
    _simulated_patches.fill_exposed(out, series, late, int(EXPOSURE_S / STEP_S))
    return out
