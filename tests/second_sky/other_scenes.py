"""Scenes without aurora to see: clear skies with what moves and flashes in them, and bad viewing."""

import numpy as np

from . import lights, weather
from .arcs import Diffuse
from .optics import ground_km, slant_factor, unit_vector
from .registry import BAD_VIEWING, NO_AURORA, add_stars, scene
from .textures import look_up, ramp, value_noise

# ---------------------------------------------------------------- no aurora

@scene(NO_AURORA)
def clear_dark(w):
    add_stars(w)


@scene(NO_AURORA)
def milky_way(w):
    rng = w.rng
    add_stars(w, milky_way=1.0, count=int(rng.integers(2500, 4000)))
    plane = w.points[-1].plane
    off = np.degrees(np.arcsin(np.clip(w.towards @ plane, -1, 1)))
    grain = value_noise(rng, 256, 12, 4)
    mottle = look_up(grain, 128 * w.towards[:, 0], 128 * w.towards[:, 1])
    band = w.dark * rng.uniform(0.15, 0.4) * np.exp(-(off / rng.uniform(8, 15)) ** 2) * np.clip(1 + 0.35 * mottle, 0, 2)
    band = band.astype(np.float32)
    w.glow.append(lambda i: band)


@scene(NO_AURORA, "moon")
def clear_moonlit(w):
    add_stars(w, count=1200)


@scene(NO_AURORA, "twilight")
def clear_twilight(w):
    add_stars(w, count=1200)


@scene(NO_AURORA)
def airglow_waves(w):
    """Faint bands a few parts in a hundred deep that crawl."""
    rng = w.rng
    add_stars(w)
    x, y = ground_km(w.towards, 90.0)
    turn, wave = rng.uniform(0, 2 * np.pi), 2 * np.pi / rng.uniform(25, 80)
    across = (x * np.cos(turn) + y * np.sin(turn)) * wave
    bend = 0.8 * look_up(value_noise(rng, 256, 5, 2), y / 6, x / 6)
    size = w.dark * rng.uniform(0.02, 0.05) * np.minimum(slant_factor(w.zenith_deg, 90.0), 3) * ramp(
        90 - w.zenith_deg, 5, 25)
    rate = 2 * np.pi / rng.uniform(240, 700)
    w.glow.append(lambda i: (size * np.sin(across + bend - rate * w.times_s[i])).astype(np.float32))


@scene(NO_AURORA)
def low_distant_cloud(w):
    """Clear overhead, a bank of cloud along part of the horizon."""
    rng = w.rng
    add_stars(w)
    off = np.abs((w.azimuth_deg - rng.uniform(0, 360) + 180) % 360 - 180)
    only = (1 - ramp(90 - w.zenith_deg, 9, 18)) * (1 - ramp(off, 40, 100))
    _deck(w, weather.heaped, lit=w.dark * rng.uniform(1, 2.5), cover=0.8, only=only.astype(np.float32),
          wind_ms=rng.uniform(2, 12), height_km=rng.uniform(2, 4))


@scene(NO_AURORA)
def twinkling_stars(w):
    """A restless night: bright stars that scintillate hard all over the sky."""
    w.points.append(lights.Stars(w, w.rng.uniform(20_000, 60_000), count=int(w.rng.integers(2000, 4000)),
                                 twinkle=w.rng.uniform(0.3, 0.6)))


@scene(NO_AURORA)
def aircraft(w):
    rng = w.rng
    add_stars(w)
    for k in range(rng.integers(1, 4)):
        w.points.append(lights.Flyer(w, height_km=rng.uniform(3, 11), speed_kms=rng.uniform(0.08, 0.25),
                                     steady=rng.uniform(3e3, 3e4), strobe=rng.uniform(3e4, 3e5),
                                     crossing_s=w.duration_s * (k + rng.random()) / 3, aside_km=6))


@scene(NO_AURORA)
def satellites_and_meteors(w):
    rng = w.rng
    add_stars(w)
    for _ in range(rng.integers(2, 6)):
        w.points.append(lights.Flyer(w, height_km=rng.uniform(400, 900), speed_kms=7.5, steady=rng.uniform(1e3, 1.5e4),
                                     strobe=0, crossing_s=rng.uniform(0, w.duration_s), aside_km=300))
    w.points.append(lights.Meteor(w, 0.05, rng.uniform(5e3, 4e4)))


@scene(NO_AURORA)
def flashing_lights(w):
    """A clear sky, and lamps on the ground that flash, turn, flicker or are switched."""
    rng = w.rng
    add_stars(w)
    kinds = (lights.beacon, lights.rotating, lights.switched, lights.flickering)
    for _ in range(rng.integers(1, 4)):
        level = kinds[rng.integers(4)](rng, w.times_s, w.exposure_s)
        w.near.append(lights.Lamp(w, level, w.dark * rng.uniform(0.5, 6), wide_deg=rng.uniform(2, 7)))


@scene(NO_AURORA)
def passing_cars(w):
    """Steady lamps, and headlights that come, sweep along the horizon and go."""
    rng = w.rng
    add_stars(w)
    for _ in range(rng.integers(1, 4)):
        w.near.append(lights.Lamp(w, np.ones(w.n), w.dark * rng.uniform(0.5, 5), wide_deg=rng.uniform(2, 6)))
    for _ in range(rng.integers(2, 6)):
        middle, long = rng.uniform(0, w.duration_s), rng.uniform(4, 15)
        level = np.exp(-0.5 * ((w.times_s - middle) / long) ** 2)
        sweep = rng.choice([-1, 1]) * rng.uniform(0.3, 3)
        w.near.append(lights.Lamp(w, level, w.dark * rng.uniform(1, 6), wide_deg=rng.uniform(3, 8), sweep=sweep,
                                  azimuth_deg=rng.uniform(0, 360) - sweep * middle))


# -------------------------------------------------------------- bad viewing

def _deck(w, texture, *, lit, cover, only=None, wind_ms=None, height_km=None, depth=None, soft=0.3, morph=True,
          scale_km=None):
    rng = w.rng
    lit = np.broadcast_to(np.asarray(lit, np.float32), w.zenith_deg.shape) if not callable(lit) else lit
    height_km = rng.uniform(1, 5) if height_km is None else height_km
    w.veils.append(weather.Deck(
        w, texture(rng), texture(rng) if morph else None, height_km=height_km,
        wind_ms=rng.uniform(4, 14) if wind_ms is None else wind_ms, cover=cover,
        depth=rng.uniform(2, 5) if depth is None else depth, lit=lit, soft=soft, only=only,
        scale_km=height_km * rng.uniform(1.0, 2.5) if scale_km is None else scale_km))


def _moonlit(w):
    """What a cloud sends down under this moon."""
    up, turn, _lit = w.moon
    apart = w.apart_deg(up, turn)
    shade = w.rng.uniform(0.5, 0.8) if w.rng.random() < 0.4 else w.rng.uniform(1.4, 2.6)
    return (w.moonlight * shade * (1 + w.rng.uniform(0.5, 2.5) * np.exp(-apart / w.rng.uniform(8, 25)))
            ).astype(np.float32)


def _citylit(w):
    """What a cloud sends down over a town some way off."""
    rng = w.rng
    toward = unit_vector(0.0, rng.uniform(0, 360))
    near = 0.5 + 0.5 * (w.towards @ toward)
    return (w.dark * rng.uniform(0.8, 3.0) * (1 + rng.uniform(0.5, 4) * near ** rng.uniform(2, 6))).astype(np.float32)


@scene(BAD_VIEWING, "moon")
def overcast_moonlit(w):
    w.veils.append(weather.Murk(w, _moonlit(w), depth=w.rng.uniform(2.5, 6), mottle=w.rng.uniform(0.01, 0.08),
                                creep_s=w.rng.uniform(200, 900)))


@scene(BAD_VIEWING)
def overcast_city(w):
    w.veils.append(weather.Murk(w, _citylit(w), depth=w.rng.uniform(3, 7), mottle=w.rng.uniform(0.02, 0.12),
                                creep_s=w.rng.uniform(200, 900)))


@scene(BAD_VIEWING, "moon")
def broken_cloud_moonlit(w):
    add_stars(w, count=1200)
    _deck(w, weather.heaped, lit=_moonlit(w), cover=w.rng.uniform(0.6, 0.9), wind_ms=w.rng.uniform(3, 12))
    if w.rng.random() < 0.5:
        _deck(w, weather.streaked, lit=_moonlit(w), cover=w.rng.uniform(0.3, 0.8), height_km=8, depth=1.0, soft=0.7)


@scene(BAD_VIEWING, "moon")
def fast_cloud_moonlit(w):
    """Scud: low, broken, and across the sky within a minute or two."""
    add_stars(w, count=1200)
    height = w.rng.uniform(0.6, 1.6)
    _deck(w, weather.heaped, lit=_moonlit(w), cover=w.rng.uniform(0.6, 0.9), height_km=height,
          wind_ms=height * w.rng.uniform(10, 24), scale_km=height * w.rng.uniform(0.8, 2.0))


@scene(BAD_VIEWING)
def fast_cloud_city(w):
    """Two layers in different winds over a town."""
    rng = w.rng
    add_stars(w)
    _deck(w, weather.streaked, lit=_citylit(w), cover=rng.uniform(0.5, 0.9), height_km=rng.uniform(3, 5),
          wind_ms=rng.uniform(10, 35), depth=1.5, soft=0.5)
    height = rng.uniform(0.7, 1.8)
    _deck(w, weather.heaped, lit=_citylit(w), cover=rng.uniform(0.6, 0.9), height_km=height,
          wind_ms=height * rng.uniform(8, 22), scale_km=height * rng.uniform(0.8, 2.0))


@scene(BAD_VIEWING, "moon")
def streaming_cells(w):
    """Altocumulus: rows of cells that pass one place every several seconds."""
    rng = w.rng
    add_stars(w, count=1200)
    height = rng.uniform(2.5, 5)
    _deck(w, weather.cellular, lit=_moonlit(w), cover=rng.uniform(0.75, 1.0), height_km=height, soft=0.35,
          wind_ms=height * rng.uniform(3, 12), depth=rng.uniform(1.5, 3.5), scale_km=height * rng.uniform(0.8, 1.8),
          morph=False)


@scene(BAD_VIEWING, "twilight")
def twilight_cloud(w):
    rng = w.rng
    lit = (w.sky * rng.uniform(0.8, 1.6)).astype(np.float32)
    _deck(w, weather.heaped, lit=lit, cover=rng.uniform(0.65, 1.0), wind_ms=rng.uniform(4, 20))


@scene(BAD_VIEWING)
def aurora_behind_overcast(w):
    """Cloud too thick to see what lights it; only a slow glow comes through."""
    rng = w.rng
    belt = Diffuse(w, w.dark * rng.uniform(2, 6), half_width_km=rng.uniform(100, 250), change=rng.uniform(0.05, 0.2),
                   change_s=rng.uniform(200, 500), edge_km=(200, 350))
    town = _citylit(w)

    def lit(i):
        above = belt(i)
        return 0.5 * town + 0.3 * above.mean() + 0.1 * above

    _deck(w, weather.heaped, lit=lit, cover=1.05, depth=rng.uniform(4, 7), wind_ms=rng.uniform(2, 10))


@scene(BAD_VIEWING)
def fog_with_lights(w):
    rng = w.rng
    w.veils.append(weather.Murk(w, np.full(w.zenith_deg.shape, w.dark * rng.uniform(0.8, 2.5), np.float32),
                                depth=rng.uniform(2, 6), mottle=rng.uniform(0.0, 0.05), creep_s=rng.uniform(60, 300),
                                breathing=rng.uniform(0.02, 0.1)))
    for _ in range(rng.integers(1, 5)):
        w.near.append(lights.Lamp(w, np.ones(w.n), w.dark * rng.uniform(1, 6), wide_deg=rng.uniform(8, 25)))


@scene(BAD_VIEWING)
def flashes_on_cloud(w):
    """Overcast, and a lamp that flashes, turns or is switched, thrown onto the cloud's base."""
    rng = w.rng
    w.veils.append(weather.Murk(w, _citylit(w), depth=rng.uniform(3, 7), mottle=rng.uniform(0.02, 0.1),
                                creep_s=rng.uniform(200, 900)))
    kinds = (lights.beacon, lights.rotating, lights.switched)
    for _ in range(rng.integers(1, 3)):
        w.near.append(lights.Lamp(w, kinds[rng.integers(3)](rng, w.times_s, w.exposure_s), w.dark * rng.uniform(0.5, 3),
                                  wide_deg=rng.uniform(8, 20), elevation_deg=rng.uniform(2, 25)))


@scene(BAD_VIEWING)
def snowfall(w):
    rng = w.rng
    w.veils.append(weather.Murk(w, _citylit(w), depth=rng.uniform(2.5, 6), mottle=rng.uniform(0.01, 0.06),
                                creep_s=rng.uniform(200, 600)))
    w.dome.append(weather.Snowfall(w, rng.uniform(60, 500), w.dark * rng.uniform(0.3, 1.2)))


@scene(BAD_VIEWING, "moon")
def frosted_dome(w):
    add_stars(w, count=1200)
    w.dome.append(weather.Frost(w, w.rng.uniform(0.85, 1.2)))
