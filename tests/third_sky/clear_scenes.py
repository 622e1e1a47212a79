"""Scenes of a sky without aurora."""

import numpy as np
from scipy.ndimage import gaussian_filter

from .clouds import Cover
from .film import Scenery, streaks
from .lights import Moon, Stars, airglow, clear_night, milky_way, town_glow, twilight
from .registry import NO_AURORA, scene
from .textures import WHOLE_TURN, smoothstep


@scene(NO_AURORA)
def n_dark_stars(camera, rng, times_s):
    return Scenery(sky=[airglow(camera, rng)], stars=Stars(camera, rng, rng.uniform(200, 400)))


@scene(NO_AURORA)
def n_milkyway(camera, rng, times_s):
    return Scenery(
        sky=[airglow(camera, rng, rng.uniform(250, 600)), milky_way(camera, rng)], stars=Stars(camera, rng)
    )


@scene(NO_AURORA)
def n_moonlit(camera, rng, times_s):
    return Scenery(
        sky=[airglow(camera, rng), Moon(camera, rng)], stars=Stars(camera, rng, rng.uniform(60, 160))
    )


@scene(NO_AURORA)
def n_airglow_waves(camera, rng, times_s):
    return Scenery(sky=[airglow(camera, rng, rng.uniform(600, 1500), waves=True)], stars=Stars(camera, rng))


@scene(NO_AURORA)
def n_city_dome(camera, rng, times_s):
    return Scenery(sky=[airglow(camera, rng), town_glow(camera, rng)], stars=Stars(camera, rng))


@scene(NO_AURORA)
def n_twilight(camera, rng, times_s):
    return Scenery(
        sky=[airglow(camera, rng), twilight(camera, rng, rng.uniform(800, 9000))],
        stars=Stars(camera, rng, rng.uniform(40, 150)),
    )


def _streak(col, row, cols_long, rows_long, bright):
    return streaks(*(np.array([value]) for value in (col, row, cols_long, rows_long, bright)))


@scene(NO_AURORA)
def n_satellites_aircraft(camera, rng, times_s):
    passing = []
    for _ in range(rng.integers(1, 5)):
        is_aircraft = rng.random() < 0.5
        heading, aside = rng.uniform(0, WHOLE_TURN), rng.uniform(-90, 90)
        speed = rng.uniform(0.4, 1.3) if is_aircraft else rng.uniform(0.5, 1.6)
        start, bright = rng.uniform(-140, 20), rng.lognormal(np.log(9000 if is_aircraft else 1500), 0.6)
        passing.append((is_aircraft, heading, aside, speed, start, bright))

    def full(i, image):
        for is_aircraft, heading, aside, speed, start, bright in passing:
            along = start + speed * times_s[i]
            col = camera.col0 + along * np.cos(heading) - aside * np.sin(heading)
            row = camera.row0 + along * np.sin(heading) + aside * np.cos(heading)
            out = np.hypot(col - camera.col0, row - camera.row0)
            if out > camera.radius * 0.97:
                continue
            near = (1 - out / camera.radius) ** 1.2 + 0.08
            moves = speed * np.cos(heading), speed * np.sin(heading)
            if is_aircraft:  # strobes and steady lamps
                lit = _streak(col, row, *moves, bright * near * rng.uniform(0.5, 1.5))
                image = image + gaussian_filter(lit, 0.8) + gaussian_filter(lit, 4) * 0.2
            else:
                lit = _streak(col, row, *moves, bright * (0.3 + near))
                image = image + gaussian_filter(lit, 0.6)
        return image

    return Scenery(sky=clear_night(camera, rng), stars=Stars(camera, rng), full=full)


@scene(NO_AURORA)
def n_meteors(camera, rng, times_s):
    when = set(rng.integers(0, len(times_s), rng.integers(2, 6)).tolist())

    def full(i, image):
        if i not in when:
            return image
        out = camera.radius * 0.85 * np.sqrt(rng.random())
        bearing, heading = rng.uniform(0, WHOLE_TURN), rng.uniform(0, WHOLE_TURN)
        length = rng.uniform(5, 35)
        meteor = _streak(
            camera.col0 + out * np.cos(bearing),
            camera.row0 + out * np.sin(bearing),
            length * np.cos(heading),
            length * np.sin(heading),
            length * rng.lognormal(np.log(1500), 0.8),
        )
        return image + gaussian_filter(meteor, 0.6)

    return Scenery(sky=clear_night(camera, rng), stars=Stars(camera, rng), full=full)


@scene(NO_AURORA)
def n_few_clouds(camera, rng, times_s):
    """Cloud low in the sky, over less than about a sixth of it."""
    height_km, period_km, share = rng.uniform(1.5, 4), rng.uniform(40, 90), rng.uniform(0.05, 0.3)
    cover = Cover(camera, rng, height_km, period_km, share, speed=rng.uniform(3, 15), soft=0.4)
    top_deg, phase = 45.0, rng.uniform(0, 6)
    while True:
        below = top_deg - camera.elevation_deg + 8 * np.sin(camera.azimuth + phase)
        low = smoothstep(below, 0, 18)
        covered = (4 * cover(90.0) * low > 0.5)[camera.elevation_deg > 8].mean()
        if covered < 0.17 or top_deg < 12:
            break
        top_deg -= 3
    sends = rng.uniform(200, 2200)

    def cloud(time_s):
        passes = np.exp(-4 * cover(time_s) * low)
        return passes, (1 - passes) * sends * cover.shade(time_s)

    return Scenery(sky=clear_night(camera, rng), stars=Stars(camera, rng), cloud=cloud)
