"""Scenes in which nobody could tell what the aurora does."""

import numpy as np

from . import lights, weather
from .arcs import Diffuse
from .optics import unit_vector
from .registry import BAD_VIEWING, add_stars, scene


def _moonlit(w):
    """What a cloud sends down under this moon."""
    up, turn, _lit = w.moon
    apart = w.apart_deg(up, turn)
    shade = w.rng.uniform(0.5, 0.8) if w.rng.random() < 0.4 else w.rng.uniform(1.4, 2.6)
    return (
        w.moonlight * shade * (1 + w.rng.uniform(0.5, 2.5) * np.exp(-apart / w.rng.uniform(8, 25)))
    ).astype(np.float32)


def _citylit(w):
    """What a cloud sends down over a town some way off."""
    rng = w.rng
    toward = unit_vector(0.0, rng.uniform(0, 360))
    near = 0.5 + 0.5 * (w.towards @ toward)
    return (w.dark * rng.uniform(0.8, 3.0) * (1 + rng.uniform(0.5, 4) * near ** rng.uniform(2, 6))).astype(
        np.float32
    )


@scene(BAD_VIEWING, "moon")
def overcast_moonlit(w):
    w.veils.append(
        weather.Murk(
            w,
            _moonlit(w),
            depth=w.rng.uniform(2.5, 6),
            mottle=w.rng.uniform(0.01, 0.08),
            creep_s=w.rng.uniform(200, 900),
        )
    )


@scene(BAD_VIEWING)
def overcast_city(w):
    w.veils.append(
        weather.Murk(
            w,
            _citylit(w),
            depth=w.rng.uniform(3, 7),
            mottle=w.rng.uniform(0.02, 0.12),
            creep_s=w.rng.uniform(200, 900),
        )
    )


@scene(BAD_VIEWING, "moon")
def broken_cloud_moonlit(w):
    add_stars(w, count=1200)
    weather.add_deck(
        w, weather.heaped, lit=_moonlit(w), cover=w.rng.uniform(0.6, 0.9), wind_ms=w.rng.uniform(3, 12)
    )
    if w.rng.random() < 0.5:
        weather.add_deck(
            w,
            weather.streaked,
            lit=_moonlit(w),
            cover=w.rng.uniform(0.3, 0.8),
            height_km=8,
            depth=1.0,
            soft=0.7,
        )


@scene(BAD_VIEWING, "moon")
def fast_cloud_moonlit(w):
    """Scud: low, broken, and across the sky within a minute or two."""
    add_stars(w, count=1200)
    height = w.rng.uniform(0.6, 1.6)
    weather.add_deck(
        w,
        weather.heaped,
        lit=_moonlit(w),
        cover=w.rng.uniform(0.6, 0.9),
        height_km=height,
        wind_ms=height * w.rng.uniform(10, 24),
        scale_km=height * w.rng.uniform(0.8, 2.0),
    )


@scene(BAD_VIEWING)
def fast_cloud_city(w):
    """Two layers in different winds over a town."""
    rng = w.rng
    add_stars(w)
    weather.add_deck(
        w,
        weather.streaked,
        lit=_citylit(w),
        cover=rng.uniform(0.5, 0.9),
        height_km=rng.uniform(3, 5),
        wind_ms=rng.uniform(10, 35),
        depth=1.5,
        soft=0.5,
    )
    height = rng.uniform(0.7, 1.8)
    weather.add_deck(
        w,
        weather.heaped,
        lit=_citylit(w),
        cover=rng.uniform(0.6, 0.9),
        height_km=height,
        wind_ms=height * rng.uniform(8, 22),
        scale_km=height * rng.uniform(0.8, 2.0),
    )


@scene(BAD_VIEWING, "moon")
def streaming_cells(w):
    """Altocumulus: rows of cells that pass one place every several seconds."""
    rng = w.rng
    add_stars(w, count=1200)
    height = rng.uniform(2.5, 5)
    weather.add_deck(
        w,
        weather.cellular,
        lit=_moonlit(w),
        cover=rng.uniform(0.75, 1.0),
        height_km=height,
        soft=0.35,
        wind_ms=height * rng.uniform(3, 12),
        depth=rng.uniform(1.5, 3.5),
        scale_km=height * rng.uniform(0.8, 1.8),
        morph=False,
    )


@scene(BAD_VIEWING, "twilight")
def twilight_cloud(w):
    rng = w.rng
    lit = (w.sky * rng.uniform(0.8, 1.6)).astype(np.float32)
    weather.add_deck(w, weather.heaped, lit=lit, cover=rng.uniform(0.6, 0.9), wind_ms=rng.uniform(4, 20))


@scene(BAD_VIEWING)
def aurora_behind_overcast(w):
    """Cloud too thick to see what lights it; only a slow glow comes through."""
    rng = w.rng
    belt = Diffuse(
        w,
        w.dark * rng.uniform(2, 6),
        half_width_km=rng.uniform(100, 250),
        change=rng.uniform(0.05, 0.2),
        change_s=rng.uniform(200, 500),
        edge_km=(200, 350),
    )
    town = _citylit(w)

    def lit(i):
        above = belt(i)
        return 0.5 * town + 0.3 * above.mean() + 0.1 * above

    weather.add_deck(
        w, weather.heaped, lit=lit, cover=1.05, depth=rng.uniform(4, 7), wind_ms=rng.uniform(2, 10)
    )


@scene(BAD_VIEWING)
def fog_with_lights(w):
    rng = w.rng
    w.veils.append(
        weather.Murk(
            w,
            np.full(w.zenith_deg.shape, w.dark * rng.uniform(0.8, 2.5), np.float32),
            depth=rng.uniform(2, 6),
            mottle=rng.uniform(0.0, 0.05),
            creep_s=rng.uniform(60, 300),
            breathing=rng.uniform(0.02, 0.1),
        )
    )
    for _ in range(rng.integers(1, 5)):
        w.near.append(lights.Lamp(w, np.ones(w.n), w.dark * rng.uniform(1, 6), wide_deg=rng.uniform(8, 25)))


@scene(BAD_VIEWING)
def flashes_on_cloud(w):
    """Overcast, and a lamp that flashes, turns or is switched, thrown onto the cloud's base."""
    rng = w.rng
    w.veils.append(
        weather.Murk(
            w,
            _citylit(w),
            depth=rng.uniform(3, 7),
            mottle=rng.uniform(0.02, 0.1),
            creep_s=rng.uniform(200, 900),
        )
    )
    kinds = (lights.beacon, lights.rotating, lights.switched)
    for _ in range(rng.integers(1, 3)):
        w.near.append(
            lights.Lamp(
                w,
                kinds[rng.integers(3)](rng, w.times_s, w.exposure_s),
                w.dark * rng.uniform(0.5, 3),
                wide_deg=rng.uniform(8, 20),
                elevation_deg=rng.uniform(2, 25),
            )
        )


@scene(BAD_VIEWING)
def snowfall(w):
    rng = w.rng
    w.veils.append(
        weather.Murk(
            w,
            _citylit(w),
            depth=rng.uniform(2.5, 6),
            mottle=rng.uniform(0.01, 0.06),
            creep_s=rng.uniform(200, 600),
        )
    )
    w.dome.append(weather.Snowfall(w, rng.uniform(60, 500), w.dark * rng.uniform(0.3, 1.2)))


@scene(BAD_VIEWING, "moon")
def frosted_dome(w):
    add_stars(w, count=1200)
    w.dome.append(weather.Frost(w, w.rng.uniform(0.85, 1.2)))
