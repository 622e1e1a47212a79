"""Scenes in which cloud hides what the aurora does."""

from dataclasses import replace

import numpy as np
from scipy import ndimage

from .arcs import light_of_arcs
from .camera import SIDE
from .clouds import CloudPlane, Cover, broken, moon_behind, overcast
from .film import Scenery
from .flicker import light_of_patches
from .lights import Moon, twilight
from .registry import BAD_VIEWING, scene
from .textures import EVERYWHERE, WHOLE_TURN, Sampler, power_noise, smoothstep


@scene(BAD_VIEWING)
def b_overcast_dark(camera, rng, times_s):
    return Scenery(sky=[overcast(camera, rng, rng.uniform(60, 500), rng.uniform(0.05, 0.2))])


@scene(BAD_VIEWING)
def b_overcast_moon(camera, rng, times_s):
    cloud = overcast(camera, rng, rng.uniform(1500, 6000), rng.uniform(0.01, 0.15))
    glow = moon_behind(camera, rng)
    return Scenery(sky=[lambda time_s: cloud(time_s) * glow])


@scene(BAD_VIEWING)
def b_overcast_town(camera, rng, times_s):
    cloud = overcast(camera, rng, rng.uniform(1500, 12000), rng.uniform(0.05, 0.25))
    azimuth = rng.uniform(0, WHOLE_TURN)
    toward = np.exp(1.5 * (np.cos(camera.azimuth - azimuth) * np.cos(camera.elevation) - 1))
    glow = (0.4 + 1.2 * toward * np.exp(-1.3 * np.sin(camera.elevation))).astype(np.float32)
    return Scenery(sky=[lambda time_s: cloud(time_s) * glow])


@scene(BAD_VIEWING)
def b_broken_cumulus(camera, rng, times_s):
    moon = Moon(camera, rng) if rng.random() < 0.6 else None
    share = rng.uniform(0.5, 0.85)
    height_km, period_km, speed = rng.uniform(0.8, 2.5), rng.uniform(15, 35), rng.uniform(8, 22)
    lit, thickness, soft = rng.uniform(800, 3000), rng.uniform(2.5, 6), rng.uniform(0.3, 0.7)
    town = 0 if moon else rng.uniform(800, 6000)
    cover = Cover(
        camera, rng, height_km, period_km, share, slope=3.0, low=3, high=140, speed=speed, soft=soft
    )
    return broken(camera, rng, cover, lit, thickness, moon=moon, town=town, sure=share > 0.6)


@scene(BAD_VIEWING)
def b_mackerel(camera, rng, times_s):
    """Rows of small high cloud."""
    height_km, period_km, cell_km = rng.uniform(2.5, 6), rng.uniform(25, 50), rng.uniform(0.25, 0.7)
    k, turn = min(period_km / cell_km / 2, 75), rng.uniform(0, np.pi)
    cells = power_noise(rng, 0.5, k * 0.9, k * 1.15, rng.uniform(1, 1.6), turn)
    banks = power_noise(rng, 3, 1, 8)
    plane = CloudPlane(camera, rng, height_km, period_km, rng.uniform(5, 20))
    thick = smoothstep(banks, -1.3, 0.2) * (0.35 + 0.65 * smoothstep(cells, -0.7, 0.7))
    pyramid = Sampler.pyramid(thick.astype(np.float32))
    moon = Moon(camera, rng) if rng.random() < 0.6 else None
    return broken(
        camera,
        rng,
        lambda time_s: plane(pyramid, time_s),
        rng.uniform(800, 2500),
        rng.uniform(1.5, 4),
        moon=moon,
        town=0 if moon else rng.uniform(800, 3000),
    )


@scene(BAD_VIEWING)
def b_cirrus_halo(camera, rng, times_s):
    """Thin streaks of ice and the halo that they make about the moon."""
    moon = Moon(camera, rng, rng.uniform(1200, 3000), elevation=np.radians(rng.uniform(20, 55)))
    height_km, period_km, speed = rng.uniform(7, 10), rng.uniform(60, 140), rng.uniform(10, 40)
    lit, thickness, stretch = moon.level * rng.uniform(0.8, 1.6), rng.uniform(0.8, 1.6), rng.uniform(2, 4.5)
    cover = Cover(
        camera,
        rng,
        height_km,
        period_km,
        0.75,
        slope=2.6,
        low=2,
        high=70,
        speed=speed,
        soft=1.0,
        stretch=stretch,
    )
    scenery = broken(camera, rng, cover, lit, thickness, moon=moon, n_stars=90, sure=False)
    off_deg = moon.apart_deg - 21.6  # from the halo's inner edge
    ring = np.where(moon.apart_deg > 21.6, np.exp(-off_deg / 2.5), np.exp(-((off_deg / 0.7) ** 2)))
    halo = moon.level * rng.uniform(0.2, 0.8) * ring

    def cloud(time_s):
        passes, sends = scenery.cloud(time_s)
        return passes, sends + halo * (1 - passes)

    return replace(scenery, cloud=cloud)


@scene(BAD_VIEWING)
def b_moon_veil(camera, rng, times_s):
    moon = Moon(camera, rng, rng.uniform(1500, 3500))
    height_km, period_km, speed = rng.uniform(4, 8), rng.uniform(60, 120), rng.uniform(3, 20)
    lit, thickness = moon.level * rng.uniform(1, 2), rng.uniform(1.2, 2.5)
    cover = Cover(camera, rng, height_km, period_km, 0.9, slope=3.0, low=1, high=20, speed=speed, soft=1.5)
    return broken(camera, rng, cover, lit, thickness, moon=moon, n_stars=70)


@scene(BAD_VIEWING)
def b_fog(camera, rng, times_s):
    low = np.exp(-np.sin(camera.elevation) * rng.uniform(0.5, 2.2)) * rng.uniform(300, 5000)
    toward = rng.uniform(0, 0.8) * np.cos(camera.elevation)
    glow = low * (1 + toward * np.cos(camera.azimuth - rng.uniform(0, WHOLE_TURN)))
    banks = overcast(
        camera,
        rng,
        1.0,
        rng.uniform(0.02, 0.1),
        height_km=0.05,
        period_km=2.0,
        speed=rng.uniform(0.2, 2),
        high=12,
    )
    brighter_low = 0.45 + 0.55 * np.sin(camera.elevation)
    return Scenery(sky=[lambda time_s: glow * banks(time_s) / brighter_low])


@scene(BAD_VIEWING)
def b_twilight_overcast(camera, rng, times_s):
    cloud = overcast(camera, rng, 1.0, rng.uniform(0.05, 0.2))
    arch = twilight(camera, rng, rng.uniform(2000, 15000))
    return Scenery(sky=[lambda time_s: cloud(time_s) * arch(time_s)])


@scene(BAD_VIEWING)
def b_sunlit_clouds(camera, rng, times_s):
    """Broken cloud in twilight, brighter or darker than the sky."""
    arch = twilight(camera, rng, rng.uniform(4000, 14000))
    height_km, period_km, share = rng.uniform(2, 8), rng.uniform(30, 90), rng.uniform(0.5, 0.8)
    cover = Cover(camera, rng, height_km, period_km, share, speed=rng.uniform(5, 20), soft=0.4)
    brighter = rng.uniform(1.5, 3) if rng.random() < 0.6 else rng.uniform(0.3, 0.6)

    def cloud(time_s):
        passes = np.exp(-3 * cover(time_s))
        return passes, (1 - passes) * arch(time_s) * brighter * cover.shade(time_s)

    return Scenery(sky=[arch], cloud=cloud)


def _behind_overcast(camera, rng, aurora):
    """Overcast that lets a much blurred part of the aurora's light through."""
    blur = rng.uniform(18, 40)
    cloud = overcast(camera, rng, 1.0, rng.uniform(0.08, 0.25))
    background = rng.uniform(150, 900)
    passes = rng.uniform(0.15, 0.5)

    def glow(time_s):
        small = camera.image(aurora(time_s)).reshape(SIDE // 4, 4, SIDE // 4, 4).mean((1, 3))
        small = ndimage.gaussian_filter(small, blur / 4)
        blurred = ndimage.zoom(small, 4, order=1, grid_mode=True, mode="nearest").ravel()[camera.inside]
        return cloud(time_s) * (background + passes * blurred)

    return [glow]


@scene(BAD_VIEWING)
def b_aurora_behind_slow(camera, rng, times_s):
    arcs = light_of_arcs(camera, rng, 2, rng.lognormal(np.log(7000), 0.4), between_km=(-150, 250))
    return Scenery(sky=_behind_overcast(camera, rng, arcs))


@scene(BAD_VIEWING)
def b_aurora_behind_fast(camera, rng, times_s):
    """Pulsating patches or folding arcs, of which only the cloud's flicker tells."""
    bright = rng.lognormal(np.log(5000), 0.4)
    if rng.random() < 0.5:
        size_km = rng.uniform(80, 180)
        aurora = light_of_patches(
            camera, rng, times_s, "noise", size_km, 0.4, bright, bright * 0.4, where=EVERYWHERE
        )
    else:
        aurora = light_of_arcs(
            camera, rng, 2, bright * 2, between_km=(-150, 200), fold_km=50, fold_s=10, rays=0.4
        )
    return Scenery(sky=_behind_overcast(camera, rng, aurora), sure=False)


@scene(BAD_VIEWING)
def b_broken_aurora_behind(camera, rng, times_s):
    share = rng.uniform(0.7, 0.92)
    bright = rng.lognormal(np.log(1000), 0.4)
    if rng.random() < 0.5:
        aurora = light_of_arcs(camera, rng, 2, bright)
    else:
        aurora = light_of_patches(camera, rng, times_s, "blob", 70, 0.35, bright, bright * 0.6)
    height_km, period_km, speed = rng.uniform(1, 4), rng.uniform(25, 60), rng.uniform(5, 20)
    thickness, town = rng.uniform(3, 6), rng.uniform(300, 2000)
    cover = Cover(camera, rng, height_km, period_km, share, slope=3.0, low=3, high=140, speed=speed, soft=0.4)
    return broken(camera, rng, cover, 300, thickness, town=town, aurora=aurora, sure=share > 0.8)
