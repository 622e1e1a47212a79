"""Scenes that pulsate: stable patches and amorphous ones, over what a night may add to them."""

from copy import copy

import numpy as np

from . import flicker, patches, weather
from .arcs import Arc, Arcs, Diffuse
from .registry import PULSATING, add_stars, scene
from .world import side_of_sky


def _pulsate(
    w, shape, kind, *, depth, period_s, floor=0.0, spread="whole", region=None, size_km=None, drift_ms=None
):
    """Add a sheet of patches whose brightness is `depth` times the local light when lit."""
    rng = w.rng
    weight, owner = shape(rng, rng.uniform(25, 170) if size_km is None else size_km)
    trains = kind(rng, int(owner.max()) + 1, w.duration_s, period_s)
    light = depth * w.level() * (1.0 if region is None else region)
    sheet = patches.PatchSheet(w, weight, owner, trains, light, floor=floor, spread=spread, drift_ms=drift_ms)
    w.pulsing.append(sheet)
    return sheet


def _under(w, share=(0.3, 1.2)):
    """Diffuse aurora for the patches to stand in; counts as background for their depth."""
    belt = Diffuse(
        w,
        w.level() * w.rng.uniform(*share),
        half_width_km=w.rng.uniform(150, 300),
        change=w.rng.uniform(0, 0.15),
        change_s=w.rng.uniform(200, 500),
    )
    w.aurora.append(belt)


def _where(w):
    """The whole sky, or the part of it on one side of a line."""
    if w.rng.random() < 0.45:
        return None
    return side_of_sky(w, w.rng.normal(180, 40), w.rng.uniform(-80, 150), w.rng.uniform(30, 120))


def _kind(rng):
    return flicker.KINDS[rng.integers(len(flicker.KINDS))]


@scene(PULSATING)
def ellipse_patches(w):
    add_stars(w)
    if w.rng.random() < 0.7:
        _under(w)
    _pulsate(
        w,
        patches.ellipse_unions,
        flicker.semi_markov,
        depth=w.rng.uniform(0.3, 1.6),
        period_s=(6, 20),
        floor=w.rng.uniform(0, 0.4),
        region=_where(w),
    )


@scene(PULSATING)
def cell_patches(w):
    add_stars(w)
    if w.rng.random() < 0.7:
        _under(w)
    _pulsate(
        w,
        patches.voronoi_cells,
        flicker.relaxation,
        depth=w.rng.uniform(0.3, 1.6),
        period_s=(6, 22),
        floor=w.rng.uniform(0, 0.4),
        region=_where(w),
        spread=w.rng.choice(["whole", "streaming"]),
    )


@scene(PULSATING)
def metaball_patches(w):
    add_stars(w)
    _under(w)
    _pulsate(
        w,
        patches.metaballs,
        flicker.chorus_bursts,
        depth=w.rng.uniform(0.3, 2.0),
        period_s=(5, 18),
        floor=w.rng.uniform(0, 0.3),
        region=_where(w),
        spread=w.rng.choice(["whole", "expanding"]),
    )


@scene(PULSATING)
def mostly_steady_patches(w):
    """Patchy aurora: the patches stay, and only some of them pulsate, only partly."""
    rng = w.rng
    add_stars(w)
    shape = patches.SHAPES[rng.integers(3)]
    weight, owner = shape(rng, rng.uniform(50, 150))
    count = int(owner.max()) + 1
    trains = _kind(rng)(rng, count, w.duration_s, (6, 20))
    pulsing = patches.PatchSheet(
        w,
        weight,
        owner,
        trains,
        w.level() * rng.uniform(0.8, 2.2),
        floor=rng.uniform(0.2, 0.5),
        drift_ms=rng.uniform(0, 250),
    )
    steady = copy(pulsing)
    steady.trains = np.ones_like(pulsing.trains)
    some = rng.random(count) < rng.uniform(0.3, 0.55)
    pulsing.gain, steady.gain = pulsing.gain * some, pulsing.gain * ~some
    w.pulsing.append(pulsing)
    w.aurora.append(steady)


@scene(PULSATING)
def oscillator_sheet(w):
    add_stars(w)
    if w.rng.random() < 0.6:
        _under(w)
    region = _where(w)
    w.pulsing.append(
        patches.OscillatorSheet(
            w, (7, 20), w.level() * w.rng.uniform(0.4, 1.8) * (1.0 if region is None else region)
        )
    )


@scene(PULSATING)
def flare_blobs(w):
    add_stars(w)
    if w.rng.random() < 0.6:
        _under(w)
    region = _where(w)
    w.pulsing.append(
        patches.FlareBlobs(
            w, (6, 16), w.level() * w.rng.uniform(0.5, 1.8) * (1.0 if region is None else region)
        )
    )


@scene(PULSATING)
def pulsating_bands(w):
    add_stars(w)
    _under(w)
    _pulsate(
        w,
        patches.bands,
        _kind(w.rng),
        depth=w.rng.uniform(0.3, 1.5),
        period_s=(6, 20),
        floor=w.rng.uniform(0, 0.4),
        spread=w.rng.choice(["whole", "streaming"]),
        size_km=w.rng.uniform(50, 110),
    )


@scene(PULSATING)
def faint_pulsation(w):
    """A tenth to a fifth of the background, over much of the sky."""
    add_stars(w)
    if w.rng.random() < 0.5:
        _under(w, (0.3, 0.8))
    _pulsate(
        w,
        patches.SHAPES[w.rng.integers(3)],
        _kind(w.rng),
        depth=w.rng.uniform(0.14, 0.3),
        period_s=(6, 18),
        size_km=w.rng.uniform(60, 200),
    )


@scene(PULSATING)
def fast_pulsation(w):
    add_stars(w)
    if w.rng.random() < 0.5:
        _under(w)
    _pulsate(
        w,
        patches.SHAPES[w.rng.integers(3)],
        _kind(w.rng),
        depth=w.rng.uniform(0.3, 1.3),
        period_s=(4, 8),
        region=_where(w),
    )


@scene(PULSATING)
def slow_pulsation(w):
    add_stars(w)
    if w.rng.random() < 0.5:
        _under(w)
    kind = (flicker.semi_markov, flicker.relaxation, flicker.wandering_phase)[w.rng.integers(3)]
    _pulsate(
        w,
        patches.SHAPES[w.rng.integers(3)],
        kind,
        depth=w.rng.uniform(0.4, 1.5),
        period_s=(20, 34),
        floor=w.rng.uniform(0, 0.3),
        region=_where(w),
    )


@scene(PULSATING, "moon")
def moonlit_pulsation(w):
    add_stars(w, count=1000)
    _pulsate(
        w,
        patches.SHAPES[w.rng.integers(4)],
        _kind(w.rng),
        depth=w.rng.uniform(0.16, 0.6),
        period_s=(5, 22),
        size_km=w.rng.uniform(50, 150),
    )


@scene(PULSATING, "twilight")
def twilight_pulsation(w):
    add_stars(w, count=1200)
    _pulsate(
        w, patches.SHAPES[w.rng.integers(4)], _kind(w.rng), depth=w.rng.uniform(0.2, 0.8), period_s=(5, 22)
    )


@scene(PULSATING)
def thin_cloud_pulsation(w):
    """Patches bright enough to be seen through drifting cirrus."""
    rng = w.rng
    add_stars(w)
    _pulsate(
        w,
        patches.SHAPES[rng.integers(3)],
        _kind(rng),
        depth=rng.uniform(0.7, 2.2),
        period_s=(6, 20),
        size_km=rng.uniform(60, 180),
    )
    lit = np.full(w.zenith_deg.shape, w.level() * rng.uniform(0.5, 1.2), np.float32)
    w.veils.append(
        weather.Deck(
            w,
            weather.streaked(rng),
            None,
            height_km=rng.uniform(6, 9),
            wind_ms=rng.uniform(5, 25),
            cover=rng.uniform(0.5, 1.0),
            depth=rng.uniform(0.4, 1.1),
            lit=lit,
            soft=0.8,
        )
    )


@scene(PULSATING)
def arc_with_patches(w):
    """An arc or two poleward, pulsating patches equatorward."""
    rng = w.rng
    add_stars(w)
    arcs = [
        Arc(
            rng,
            rng.uniform(120, 260) + 90 * k,
            width_km=rng.uniform(5, 14),
            light=w.level() * rng.uniform(1, 5),
            drift_kms=rng.normal(0, 0.08),
            folds_km=rng.choice([0, rng.uniform(3, 10)]),
            fold_speed_kms=0.5,
            ray_depth=0.0,
        )
        for k in range(rng.integers(1, 3))
    ]
    w.aurora.append(Arcs(w, arcs))
    _pulsate(
        w,
        patches.SHAPES[rng.integers(3)],
        _kind(rng),
        depth=rng.uniform(0.35, 1.6),
        period_s=(6, 20),
        region=side_of_sky(w, rng.normal(180, 15), rng.uniform(0, 90), rng.uniform(20, 60)),
    )
