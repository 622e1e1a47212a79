"""Brightness against time of pulsating patches: four mechanisms.

On-times and off-times of several seconds, irregular, and unlike from pulse to
pulse (Yamamoto 1988; Jones et al. 2011; Humberset et al. 2016); the fast
modulation inside a pulse is the chorus elements' (Hosokawa and Ogawa 2015).
All return float32 (n_patches, n_steps) between 0 and about 1.3.
"""

import numpy as np
from scipy.ndimage import uniform_filter1d
from scipy.signal import lfilter

STEP_S = 0.1
LEAD_S = 12.0  # trains begin this long before the first frame, for patches that light up late


def _steps(duration_s):
    return int((duration_s + 2 * LEAD_S) / STEP_S)


def _lag(target, rise_s, fall_s):
    """Follow a target with one time constant upward and another downward."""
    up, down = (1 - np.exp(-STEP_S / max(tau, 0.05)) for tau in (rise_s, fall_s))
    out = np.empty_like(target)
    level = target[:, 0].copy()
    for k in range(target.shape[1]):
        gap = target[:, k] - level
        level += gap * np.where(gap > 0, up, down)
        out[:, k] = level
    return out


def semi_markov(rng, n, duration_s, period_s):
    """Two states: gamma-distributed stays lit, log-normal stays dark, pulses of unequal height."""
    target = np.zeros((n, _steps(duration_s)), np.float32)
    for row in target:
        period = rng.uniform(*period_s)
        on_s = period * rng.uniform(0.3, 0.6)
        off_s = period - on_s
        at = -rng.uniform(0, period)
        while at < row.size * STEP_S:
            lit = rng.gamma(6.0, on_s / 6.0)
            row[max(int(at / STEP_S), 0) : max(int((at + lit) / STEP_S), 0)] = rng.lognormal(-0.05, 0.25)
            at += lit + rng.lognormal(np.log(off_s), 0.3)
    return _lag(
        target, rng.uniform(0.2, 0.12 * np.mean(period_s)), rng.uniform(0.3, 0.18 * np.mean(period_s))
    )


def relaxation(rng, n, duration_s, period_s):
    """Integrate and fire: a noisy charge climbs to a threshold, the patch flares and decays (sawtooth)."""
    steps = _steps(duration_s)
    period = rng.uniform(*period_s, n)
    noise = rng.normal(0, rng.uniform(0.05, 0.2), (n, steps)) / np.sqrt(period[:, None] / STEP_S) * 2
    charge = np.cumsum(STEP_S / period[:, None] + np.maximum(noise, -STEP_S / period[:, None]), axis=1)
    charge += rng.random((n, 1))
    phase = charge % 1.0
    kind = rng.random()
    if kind < 0.4:
        pulse = (1 - phase) ** rng.uniform(1.0, 2.2)  # sharp rise, slow fall
    elif kind < 0.6:
        pulse = phase ** rng.uniform(1.0, 2.2)  # slow rise, sharp fall
    else:
        pulse = np.exp(-phase / rng.uniform(0.2, 0.4))
        pulse = (pulse - pulse.min()) / np.ptp(pulse)
    height = rng.lognormal(0, 0.2, (n, int(charge.max()) + 2))
    pulse *= np.take_along_axis(height, charge.astype(int), 1)
    return uniform_filter1d(pulse.astype(np.float32), int(rng.uniform(4, 12)), axis=1)


def chorus_bursts(rng, n, duration_s, period_s):
    """Trains of sub-second elements (2 to 5 a second) under bursts that come every few seconds."""
    envelope = semi_markov(rng, n, duration_s, period_s)
    time = np.arange(envelope.shape[1]) * STEP_S
    rate = rng.uniform(2.0, 4.5, (n, 1)) * (1 + 0.05 * rng.standard_normal((n, 1)))
    ripple = np.sin(2 * np.pi * rate * time + rng.uniform(0, 6.3, (n, 1)))
    out = envelope * (1 + rng.uniform(0.2, 0.5) * ripple)
    rough = lfilter([0.15], [1, -0.85], rng.standard_normal(out.shape), axis=1)
    return np.clip(out * (1 + 0.3 * rough), 0, None).astype(np.float32)


def wandering_phase(rng, n, duration_s, period_s):
    """Smooth pulses whose phase walks at random; neighbours in the list share half of the walk."""
    steps = _steps(duration_s)
    period = rng.uniform(*period_s, (n, 1))
    walk = rng.standard_normal((n, steps)) * np.sqrt(0.5) + rng.standard_normal((1, steps)) * np.sqrt(0.5)
    wander = rng.uniform(0.15, 0.45) * np.sqrt(STEP_S / period) * walk
    phase = np.cumsum(STEP_S / period + wander / 2, axis=1) + rng.random((n, 1))
    pulse = (0.5 - 0.5 * np.cos(2 * np.pi * phase)) ** rng.uniform(0.8, 3.0)
    slow = 1 + 0.25 * np.sin(
        2 * np.pi * np.arange(steps) * STEP_S / rng.uniform(30, 70, (n, 1)) + rng.uniform(0, 6.3, (n, 1))
    )
    return (pulse * slow).astype(np.float32)


KINDS = (semi_markov, relaxation, chorus_bursts, wandering_phase)


def exposed(trains, exposure_s):
    """Average each train over an exposure that begins at each step."""
    width = max(int(round(exposure_s / STEP_S)), 1)
    return uniform_filter1d(trains, width, axis=1, origin=-((width - 1) // 2), mode="nearest")


def step_of(time_s):
    """Index into a train of a time after the first frame."""
    return int(round((time_s + LEAD_S) / STEP_S))
