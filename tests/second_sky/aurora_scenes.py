"""Scenes with aurora that does not pulsate: arcs, curtains, breakups, diffuse light, steady patches."""

import numpy as np

from . import flicker, patches, weather
from .arcs import Arc, Arcs, Diffuse
from .registry import OTHER_AURORA, add_stars, scene


def _arc(w, y_km, **change):
    rng = w.rng
    options = {
        "width_km": rng.uniform(4, 14),
        "light": w.level() * rng.uniform(1.0, 8.0),
        "drift_kms": rng.normal(0, 0.12),
        "folds_km": 0.0,
        "fold_speed_kms": 0.3,
        "ray_depth": 0.0,
    }
    return Arc(rng, y_km, **(options | change))


@scene(OTHER_AURORA)
def quiet_arc(w):
    add_stars(w)
    w.aurora.append(Arcs(w, [_arc(w, w.rng.normal(0, 90))]))
    if w.rng.random() < 0.4:
        w.aurora.append(Diffuse(w, w.level() * w.rng.uniform(0.2, 0.7)))


@scene(OTHER_AURORA)
def multiple_arcs(w):
    rng = w.rng
    add_stars(w)
    first, gap, tilt = rng.uniform(-200, -20), rng.uniform(50, 110), rng.normal(0, 0.15)
    w.aurora.append(Arcs(w, [_arc(w, first + k * gap, tilt=tilt) for k in range(rng.integers(2, 5))]))


@scene(OTHER_AURORA)
def folding_arc(w):
    rng = w.rng
    add_stars(w)
    w.aurora.append(
        Arcs(
            w,
            [
                _arc(
                    w,
                    rng.normal(0, 70),
                    folds_km=rng.uniform(10, 35),
                    fold_speed_kms=rng.uniform(0.3, 1.0),
                    light=w.level() * rng.uniform(2, 10),
                )
            ],
        )
    )


@scene(OTHER_AURORA)
def fast_arcs(w):
    """Arcs that sweep to and fro and ripple at one to five kilometres a second."""
    rng = w.rng
    add_stars(w)
    arcs = [
        _arc(
            w,
            rng.normal(0, 80),
            folds_km=rng.uniform(6, 25),
            fold_speed_kms=rng.choice([-1, 1]) * rng.uniform(1, 5),
            light=w.level() * rng.uniform(2, 14),
            sway_km=rng.uniform(20, 90),
            sway_s=rng.uniform(45, 150),
            ray_depth=rng.uniform(0, 0.5),
        )
        for _ in range(rng.integers(1, 4))
    ]
    w.aurora.append(Arcs(w, arcs))


@scene(OTHER_AURORA)
def rayed_curtain(w):
    rng = w.rng
    add_stars(w)
    w.aurora.append(
        Arcs(
            w,
            [
                _arc(
                    w,
                    rng.normal(40, 80),
                    folds_km=rng.uniform(5, 25),
                    ray_depth=rng.uniform(0.5, 0.9),
                    fold_speed_kms=rng.uniform(0.3, 1.5),
                    light=w.level() * rng.uniform(3, 12),
                )
            ],
        )
    )


@scene(OTHER_AURORA)
def breakup(w):
    """A substorm's bright, curling, expanding arcs that fill the sky."""
    rng = w.rng
    add_stars(w)
    speed = rng.uniform(0.2, 0.9)
    arcs = [
        _arc(
            w,
            rng.uniform(-150, 60) + 45 * k,
            drift_kms=speed * (0.5 + 0.4 * k),
            folds_km=rng.uniform(20, 60),
            fold_speed_kms=rng.choice([-1, 1]) * rng.uniform(0.8, 4),
            light=w.level() * rng.uniform(6, 25),
            ray_depth=rng.uniform(0.2, 0.7),
            width_km=rng.uniform(6, 18),
            curl=1.2,
        )
        for k in range(rng.integers(2, 5))
    ]
    w.aurora.append(Arcs(w, arcs))
    w.aurora.append(
        Diffuse(
            w,
            w.level() * rng.uniform(0.5, 2),
            half_width_km=rng.uniform(120, 300),
            change=rng.uniform(0.1, 0.4),
            change_s=rng.uniform(120, 300),
            rough=0.3,
        )
    )


@scene(OTHER_AURORA)
def diffuse_steady(w):
    add_stars(w)
    w.aurora.append(Diffuse(w, w.level() * w.rng.uniform(0.6, 3.0), rough=w.rng.uniform(0.05, 0.25)))


@scene(OTHER_AURORA)
def diffuse_slow(w):
    """Diffuse aurora that waxes and wanes over minutes; some with dark holes that drift."""
    rng = w.rng
    add_stars(w)
    w.aurora.append(
        Diffuse(
            w,
            w.level() * rng.uniform(0.6, 3.0),
            change=rng.uniform(0.15, 0.4),
            change_s=rng.uniform(180, 600),
            rough=rng.uniform(0.1, 0.3),
            holes=rng.choice([0, rng.uniform(0.3, 0.6)]),
        )
    )


@scene(OTHER_AURORA)
def steady_patches(w):
    """Patches that drift and hold their brightness."""
    rng = w.rng
    add_stars(w)
    weight, owner = patches.SHAPES[rng.integers(4)](rng, rng.uniform(40, 160))
    steady = np.ones((1, flicker.step_of(w.duration_s) + 200), np.float32)
    w.aurora.append(patches.PatchSheet(w, weight, owner, steady, w.level() * rng.uniform(0.5, 2.0)))
    if rng.random() < 0.5:
        w.aurora.append(Diffuse(w, w.level() * rng.uniform(0.2, 0.8), half_width_km=200))


@scene(OTHER_AURORA, "moon")
def moonlit_arc(w):
    rng = w.rng
    add_stars(w, count=1000)
    arcs = [
        _arc(w, rng.normal(0, 90), light=w.level() * rng.uniform(0.6, 2.5), folds_km=rng.choice([0, 8.0]))
        for _ in range(rng.integers(1, 3))
    ]
    w.aurora.append(Arcs(w, arcs))


@scene(OTHER_AURORA)
def arc_thin_cloud(w):
    rng = w.rng
    add_stars(w)
    w.aurora.append(
        Arcs(
            w,
            [
                _arc(
                    w,
                    rng.normal(0, 80),
                    light=w.level() * rng.uniform(3, 10),
                    folds_km=rng.choice([0, rng.uniform(3, 12)]),
                )
                for _ in range(rng.integers(1, 3))
            ],
        )
    )
    lit = np.full(w.zenith_deg.shape, w.level() * rng.uniform(0.5, 1.2), np.float32)
    w.veils.append(
        weather.Deck(
            w,
            weather.streaked(rng),
            None,
            height_km=rng.uniform(6, 9),
            wind_ms=rng.uniform(5, 25),
            cover=rng.uniform(0.4, 0.9),
            depth=rng.uniform(0.4, 1.1),
            lit=lit,
            soft=0.8,
        )
    )


@scene(OTHER_AURORA, "twilight")
def twilight_arc(w):
    add_stars(w, count=1200)
    w.aurora.append(Arcs(w, [_arc(w, w.rng.normal(0, 80), light=w.level() * w.rng.uniform(0.8, 4))]))


@scene(OTHER_AURORA)
def wide_faint_arc(w):
    """A broad band without fine structure, as protons or a red arc make."""
    rng = w.rng
    add_stars(w)
    w.aurora.append(
        Arcs(
            w,
            [
                _arc(
                    w,
                    rng.normal(0, 90),
                    width_km=rng.uniform(25, 55),
                    drift_kms=rng.normal(0, 0.04),
                    light=w.level() * rng.uniform(0.5, 1.3),
                )
            ],
        )
    )
