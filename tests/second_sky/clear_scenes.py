"""Scenes of a clear sky without aurora, and what moves and flashes in it."""

import numpy as np

from . import lights, weather
from .optics import ground_km, slant_factor
from .registry import NO_AURORA, add_stars, scene
from .textures import look_up, ramp, value_noise


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
    band = (
        w.dark
        * rng.uniform(0.15, 0.4)
        * np.exp(-((off / rng.uniform(8, 15)) ** 2))
        * np.clip(1 + 0.35 * mottle, 0, 2)
    )
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
    size = (
        w.dark
        * rng.uniform(0.02, 0.05)
        * np.minimum(slant_factor(w.zenith_deg, 90.0), 3)
        * ramp(90 - w.zenith_deg, 5, 25)
    )
    rate = 2 * np.pi / rng.uniform(240, 700)
    w.glow.append(lambda i: (size * np.sin(across + bend - rate * w.times_s[i])).astype(np.float32))


@scene(NO_AURORA)
def low_distant_cloud(w):
    """Clear overhead, a bank of cloud along part of the horizon."""
    rng = w.rng
    add_stars(w)
    off = np.abs((w.azimuth_deg - rng.uniform(0, 360) + 180) % 360 - 180)
    only = (1 - ramp(90 - w.zenith_deg, 9, 18)) * (1 - ramp(off, 40, 100))
    weather.add_deck(
        w,
        weather.heaped,
        lit=w.dark * rng.uniform(1, 2.5),
        cover=0.8,
        only=only.astype(np.float32),
        wind_ms=rng.uniform(2, 12),
        height_km=rng.uniform(2, 4),
    )


@scene(NO_AURORA)
def twinkling_stars(w):
    """A restless night: bright stars that scintillate hard all over the sky."""
    w.points.append(
        lights.Stars(
            w,
            w.rng.uniform(20_000, 60_000),
            count=int(w.rng.integers(2000, 4000)),
            twinkle=w.rng.uniform(0.3, 0.6),
        )
    )


@scene(NO_AURORA)
def aircraft(w):
    rng = w.rng
    add_stars(w)
    for k in range(rng.integers(1, 4)):
        w.points.append(
            lights.Flyer(
                w,
                height_km=rng.uniform(3, 11),
                speed_kms=rng.uniform(0.08, 0.25),
                steady=rng.uniform(3e3, 3e4),
                strobe=rng.uniform(3e4, 3e5),
                crossing_s=w.duration_s * (k + rng.random()) / 3,
                aside_km=6,
            )
        )


@scene(NO_AURORA)
def satellites_and_meteors(w):
    rng = w.rng
    add_stars(w)
    for _ in range(rng.integers(2, 6)):
        w.points.append(
            lights.Flyer(
                w,
                height_km=rng.uniform(400, 900),
                speed_kms=7.5,
                steady=rng.uniform(1e3, 1.5e4),
                strobe=0,
                crossing_s=rng.uniform(0, w.duration_s),
                aside_km=300,
            )
        )
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
        w.near.append(
            lights.Lamp(
                w,
                level,
                w.dark * rng.uniform(1, 6),
                wide_deg=rng.uniform(3, 8),
                sweep=sweep,
                azimuth_deg=rng.uniform(0, 360) - sweep * middle,
            )
        )
