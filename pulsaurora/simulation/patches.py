"""Patches of aurora: where they lie, what outline they have, and which of them pulsate.

The three kinds of pulsating aurora are those of Grono and Donovan (2018, Ann. Geophys. 36, 891; 2020, Ann.
Geophys. 38, 1): amorphous pulsating aurora evolves so fast that no patch can be followed; patchy pulsating
aurora keeps its patches, which pulsate over most of their area; patchy aurora keeps its structure and
pulsates only in small parts of it. Patches are 10 to 200 km across with outlines of any shape, and drift
with the plasma at up to some 500 m/s, mostly east or west (Humberset et al. 2018, J. Geophys. Res. 123).

A canvas is a periodic map of the emission layer: a landscape whose height above a threshold outlines each
patch, and which patch each cell belongs to.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from pulsaurora._core import _simulated_patches, _simulated_sky
from pulsaurora.simulation.draws import Mapping, Wander, chance, choose, log_uniform, remembered, texture
from pulsaurora.simulation.pulses import STEP_S, pulse_series

SIZE = 512
MOST_BLOBS = 400
LEAD_S = 15.0  # series begin and end so long before and after the scene: followers lag by less
_NO_DELAY = np.zeros((1, 1), np.float32)


@dataclass
class Canvas:
    """A landscape of patches. `base` is the threshold that outlines them at their largest."""

    potential: np.ndarray
    ids: np.ndarray
    n: int
    base: float
    cell_km: float
    cap: np.ndarray | None = None


def draw_canvas(rng, size_km, cover, kind=None):
    """Draw a canvas of patches about `size_km` across covering a share `cover` of it.

    Parameters
    ----------
    rng : numpy.random.Generator
    size_km : float
    cover : float, 0 to 1
    kind : str, optional
        'noise' (connected parts of a thresholded field), 'cells' (a warped jigsaw), 'blobs' (rounded, lobed
        patches) or 'streaks' (elongated ones); drawn when not given.
    """
    kind = kind or choose(rng, {"noise": 0.38, "cells": 0.2, "blobs": 0.27, "streaks": 0.15})
    cell_km = float(np.clip(size_km / 9, 1.5, 6.0))
    size = size_km / cell_km
    if kind == "cells":
        return _cells(rng, size, cover, cell_km)
    if kind in ("blobs", "streaks"):
        return _blobs(rng, size, cover, cell_km, kind == "streaks")
    stretch, angle = (1.0, 0.0) if chance(rng, 0.5) else (log_uniform(rng, 1.1, 3.5), rng.uniform(0, np.pi))
    field = texture(rng, size * 2.2, SIZE, spread=rng.uniform(0.3, 0.8), stretch=stretch, angle=angle)
    if chance(rng, 0.7):
        field += np.float32(rng.uniform(0.1, 0.45)) * texture(rng, max(size * 0.5, 3), SIZE)
    base = float(np.quantile(field[::4, ::4], 1 - np.clip(cover, 0.01, 0.9)))
    labels, n = ndimage.label(field > base)
    if cover > 0.3 or n < 4:  # merged patches fall apart along a coarse jigsaw
        owner, gap, n_cells = _jigsaw(rng, size * 2.0)
        field = np.minimum(field, _cap(gap, base, field.std()))
        inside = labels > 0
        pair = labels[inside] * n_cells + owner[inside]
        ids = np.full(labels.shape, -1)
        there = np.zeros((n + 1) * n_cells, bool)
        there[pair] = True
        ids[inside] = (np.cumsum(there) - 1)[pair]
        n = int(np.count_nonzero(there))
    else:
        ids = labels - 1
    return Canvas(field, np.ascontiguousarray(ids, np.int16), max(n, 1), base, cell_km)


def _cap(gap, base, scale):
    """Return what the potential may be at most, so that patches end before the next one's cells begin."""
    return (base + (gap - 3) * (scale / 4)).astype(np.float32)


def _jigsaw(rng, spacing):
    """Return owner, gap to the next owner (cells) and their number, for a warped jigsaw of this spacing.

    The owner is known to 4 cells, so it is only sure where the gap is above 3.
    """
    coarse = SIZE // 4
    n = int(np.clip((SIZE / spacing) ** 2, 6, 3000))
    seeds = rng.uniform(0, coarse, (n, 2))
    grid = np.mgrid[:coarse, :coarse].reshape(2, -1).T.astype(float)
    strength = rng.uniform(0.1, 0.5) * spacing / 4
    for axis in (0, 1):
        grid[:, axis] += strength * texture(rng, max(spacing / 4, 4), coarse).ravel()
    distance, owner = cKDTree(seeds, boxsize=coarse).query(grid % coarse, k=2)
    gap = ((distance[:, 1] - distance[:, 0]) * 4).reshape(coarse, coarse)
    gap = np.ascontiguousarray(_four_times_finer(_four_times_finer(gap.astype(np.float32)).T).T)
    return np.repeat(np.repeat(owner[:, 0].reshape(coarse, coarse), 4, 0), 4, 1), gap, n


def _four_times_finer(field):
    """Return a periodic field with four times as many rows, linear between the middles of the old ones."""
    near, far = np.float32(0.125), np.float32(0.375)
    fine = np.empty((len(field), 4, field.shape[1]), np.float32)
    before, after = np.roll(field, 1, 0) - field, np.roll(field, -1, 0) - field
    for row, (share, towards) in enumerate(((far, before), (near, before), (near, after), (far, after))):
        fine[:, row] = field + share * towards
    return fine.reshape(-1, field.shape[1])


def _cells(rng, size, cover, cell_km):
    spacing = size / np.sqrt(np.clip(cover, 0.05, 0.9)) ** 0.5
    owner, gap, n = _jigsaw(rng, spacing)
    potential = gap / spacing + rng.uniform(0, 0.15) * texture(rng, max(size * 0.4, 3), SIZE)
    kept = rng.random(n) < np.clip(cover * rng.uniform(1.0, 2.5), 0.05, 1)
    ids = np.where(kept, np.arange(n), -1).astype(np.int16)[owner]
    return Canvas(
        np.ascontiguousarray(potential, np.float32),
        np.ascontiguousarray(ids),
        n,
        max(rng.uniform(0.1, 0.3), 3 / spacing),
        cell_km,
    )


def _blobs(rng, size, cover, cell_km, elongated):
    each = np.pi / 4 * size**2 * (1.0 if not elongated else 0.6)
    n = -np.log(1 - min(cover, 0.85)) * SIZE**2 / each
    side = SIZE
    if n > MOST_BLOBS:  # many small ones are drawn on a quarter, four times; each pulsates by itself
        side, n = SIZE // 2, n / 4
    n = int(np.clip(n, 3, 2 * MOST_BLOBS))
    potential, ids = _draw_blobs(rng, side, n, size, elongated)
    if side < SIZE:
        quarters = [np.where(ids >= 0, ids + k * n, -1).astype(np.int16) for k in range(4)]
        potential, ids, n = np.tile(potential, (2, 2)), np.block([quarters[:2], quarters[2:]]), 4 * n
    return Canvas(np.ascontiguousarray(potential), np.ascontiguousarray(ids), n, 0.0, cell_km)


def _draw_blobs(rng, side, n, size, elongated):
    """Return potential and ids of n rounded patches about `size` cells across, (side, side)."""
    potential = np.full((side, side), -1.0, np.float32)
    ids = np.full((side, side), -1, np.int16)
    ratio = log_uniform(rng, 3, 9) if elongated else log_uniform(rng, 1, 2)
    common = rng.normal(0, 0.4) if chance(rng, 0.6) else None
    lobes = 0.0 if chance(rng, 0.25) else rng.uniform(0.05, 0.3)
    radius = 0.5 * size * np.exp(0.4 * rng.standard_normal(n))
    long = radius * np.sqrt(ratio) * np.exp(0.2 * rng.standard_normal(n))
    wide = radius / np.sqrt(ratio)
    angle = rng.uniform(0, np.pi, n) if common is None else common + 0.2 * rng.standard_normal(n)
    bend = rng.standard_normal(n) * wide / long**2 if elongated else np.zeros(n)
    shape = np.stack([*rng.random((2, n)), np.cos(angle), np.sin(angle), long, wide, bend], 1)
    phase, depth = rng.uniform(0, 2 * np.pi, (n, 4)), lobes / np.arange(2, 6)
    waves = np.stack([depth * np.cos(phase), depth * np.sin(phase)], 2)
    _simulated_patches.add_blobs(
        potential,
        ids,
        rng.integers(0, side, (n, 2), np.int32),
        shape.astype(np.float32),
        waves.astype(np.float32),
    )
    return potential, ids


class PatchLayer:
    """Patches on the sky over a scene: their light, outlines and drift, as time goes.

    Parameters
    ----------
    series : ndarray of float32, shape (n_patches, n_samples)
        Brightness (counts at zenith), each STEP_S seconds from `lead_s` before the scene.
    expansion : float
        How much a dim patch shrinks against a bright one, in units of the potential.
    """

    def __init__(
        self,
        canvas,
        mapping,
        series,
        softness,
        lead_s=LEAD_S,
        delay=None,
        expansion=0.0,
        second=None,
        exchange_s=None,
        envelope=None,
    ):
        self.canvas, self.mapping, self.series = canvas, mapping, series
        self.softness, self.lead_s, self.expansion = float(softness), lead_s, expansion
        self.delay, self.second, self.exchange_s, self.envelope = delay, second, exchange_s, envelope
        self._peak = np.maximum(series.max(axis=1), 1e-9) if expansion else None

    def add(self, view, t, out):
        """Add this layer's light (counts) at scene time t (s) to out, float32 (n_pixels,)."""
        canvas, series = self.canvas, self.series
        position = (t + self.lead_s) / STEP_S
        threshold = np.full(canvas.n, canvas.base, np.float32)
        if self.expansion:
            now = series[:, min(max(int(position), 0), series.shape[1] - 1)]
            threshold += (self.expansion * (1 - now / self._peak)).astype(np.float32)
        delay = self.delay
        if delay is None:  # all of a patch shines alike: two samples are enough
            low = min(max(int(position), 0), series.shape[1] - 2)
            series = np.ascontiguousarray(series[:, low : low + 2])
            position, delay = position - low, _NO_DELAY
        landscape = ()
        if self.second is not None:  # the landscape itself evolves: amorphous aurora
            turn = 2 * np.pi * t / self.exchange_s
            landscape = self.second, canvas.cap, np.cos(turn), np.sin(turn)
        target = out if self.envelope is None else np.zeros_like(out)
        _simulated_sky.add_patches(
            target,
            view.east_km,
            view.north_km,
            view.footprint_km,
            canvas.potential,
            canvas.ids,
            delay,
            self.mapping.at(t),
            series,
            position,
            threshold,
            self.softness,
            0.25 * self.softness / canvas.cell_km / 4,
            *landscape,
        )
        if self.envelope is not None:
            out += target * self.envelope(view)


def draw_drift(rng):
    """Draw a plasma drift in km/s (east, north): up to 500 m/s, mostly along the parallel."""
    speed = 0.0 if chance(rng, 0.15) else log_uniform(rng, 0.02, 0.5)
    heading = rng.choice([0, np.pi]) + rng.normal(0, 0.3)
    return speed * np.cos(heading), speed * np.sin(heading)


def draw_region(rng, share=None):
    """Draw where on the sky aurora of a kind occurs: everywhere, a band, or a rounded region; or None."""
    kind = choose(rng, {"all": 0.45, "band": 0.3, "round": 0.25}) if share is None else share
    if kind == "all":
        return None
    if kind == "band":
        return _band(rng, rng.normal(0, 180), log_uniform(rng, 50, 300))
    return _round(rng, rng.normal(0, 150), rng.normal(0, 150), log_uniform(rng, 60, 350))


def draw_low_region(rng, centre_km):
    """Draw a region low in the sky: a band so far north of the zenith, or a part of one."""
    if chance(rng, 0.65):
        return _band(rng, centre_km, log_uniform(rng, 40, 150))
    return _round(rng, rng.normal(0, 150), centre_km, log_uniform(rng, 70, 200))


def _band(rng, centre, half):
    tilt, edge = rng.normal(0, 0.15), log_uniform(rng, 10, 60)

    def band(view):
        d = np.abs(
            view.north_km * np.float32(np.cos(tilt)) - view.east_km * np.float32(np.sin(tilt)) - centre
        )
        return (1 / (1 + np.exp(np.clip((d - half) / edge, -30, 30)))).astype(np.float32)

    return remembered(band)


def _round(rng, east, north, half):
    edge = half * rng.uniform(0.05, 0.3)

    def around(view):
        d = np.hypot(view.east_km - np.float32(east), view.north_km - np.float32(north))
        return (1 / (1 + np.exp(np.clip((d - half) / edge, -30, 30)))).astype(np.float32)

    return remembered(around)


def _delay(rng, canvas, speed_km_s):
    """Return a delay field (samples): brightening that sweeps across the sky or starts within each patch."""
    if chance(rng, 0.5):
        field = np.maximum(0, 2.5 - canvas.potential / max(float(canvas.potential.std()), 1e-6))
        field *= rng.uniform(0.2, 1.2) / STEP_S
    else:
        field = (texture(rng, SIZE / 3, SIZE) + 2.5) * (rng.uniform(20, 80) / speed_km_s / 3 / STEP_S)
    return np.clip(field, 0, 8 / STEP_S).astype(np.float32)


def pulsating_layer(
    rng,
    duration_s,
    amplitude,
    kind=None,
    size_km=None,
    cover=None,
    drift=None,
    region="draw",
    style=None,
    shapes=None,
):
    """Draw pulsating aurora of one of the three kinds.

    Parameters
    ----------
    rng : numpy.random.Generator
    duration_s : float
    amplitude : float, counts at zenith
        Of a typical pulse.
    kind : str, optional
        'patchy_pulsating', 'amorphous' or 'patchy' (small pulsating parts).

    Returns
    -------
    PatchLayer
    """
    kind = kind or choose(rng, {"patchy_pulsating": 0.5, "amorphous": 0.35, "patchy": 0.15})
    small = {"patchy": (10, 45), "amorphous": (15, 150), "patchy_pulsating": (20, 200)}[kind]
    size_km = size_km or log_uniform(rng, *small)
    cover = cover or {"patchy": log_uniform(rng, 0.04, 0.3)}.get(kind, log_uniform(rng, 0.1, 0.85))
    canvas = draw_canvas(rng, size_km, cover, "noise" if kind == "amorphous" else shapes)
    series, period = pulse_series(rng, canvas.n, duration_s + 2 * LEAD_S, style)
    strength = np.exp(rng.uniform(0, 0.9) * rng.standard_normal(canvas.n))
    series *= (amplitude * strength[:, None]).astype(np.float32)
    scale = float(canvas.potential.std())
    softness = scale * log_uniform(rng, 0.05, 1.8)
    second = exchange = None
    if kind == "amorphous":
        second = texture(rng, size_km / canvas.cell_km * 2.2, SIZE)
        exchange = log_uniform(rng, 40, 400)
        ids, gap, _ = _jigsaw(rng, size_km / canvas.cell_km * log_uniform(rng, 1.5, 4))
        canvas = Canvas(
            canvas.potential,
            np.ascontiguousarray(ids % canvas.n, np.int16),
            canvas.n,
            canvas.base,
            canvas.cell_km,
            _cap(gap, canvas.base, scale),
        )
    delay = _delay(rng, canvas, log_uniform(rng, 5, 80)) if chance(rng, 0.35) else None
    mapping = Mapping(rng, 1 / canvas.cell_km, SIZE, draw_drift(rng) if drift is None else drift)
    return PatchLayer(
        canvas,
        mapping,
        series,
        softness,
        delay=delay,
        expansion=scale * rng.uniform(0.1, 1.0) if chance(rng, 0.3) else 0.0,
        second=second,
        exchange_s=exchange,
        envelope=draw_region(rng) if region == "draw" else region,
    )


def steady_layer(rng, duration_s, amplitude, size_km=None, cover=None, drift=None, region=None):
    """Draw patches that do not pulsate: their light wanders over minutes at most."""
    canvas = draw_canvas(rng, size_km or log_uniform(rng, 20, 250), cover or log_uniform(rng, 0.1, 0.7))
    t = np.arange(int((duration_s + 2 * LEAD_S) / STEP_S) + 2) * STEP_S
    depth = rng.uniform(0, 0.3) if chance(rng, 0.7) else rng.uniform(0, 0.03)
    slow = [Wander(rng, 1, depth, 100, 900, 0) for _ in range(min(canvas.n, 12))]
    coarse = np.arange(0, t[-1] + 10, 5.0)
    rows = np.stack([np.interp(t, coarse, [w(c) for c in coarse]) for w in slow]).astype(np.float32)
    strength = amplitude * np.exp(rng.uniform(0, 0.6) * rng.standard_normal(canvas.n))
    series = rows[np.arange(canvas.n) % len(rows)]
    series *= strength[:, None].astype(np.float32)
    mapping = Mapping(rng, 1 / canvas.cell_km, SIZE, draw_drift(rng) if drift is None else drift)
    return PatchLayer(
        canvas,
        mapping,
        series,
        float(canvas.potential.std()) * log_uniform(rng, 0.4, 4),
        envelope=region,
    )
