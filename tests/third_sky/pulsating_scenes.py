"""Scenes of pulsating aurora."""

import numpy as np
from scipy import ndimage

from .arcs import Arc, omega_bands
from .clouds import Cover
from .emission import ARC_HEIGHTS, MIDDLE_S, PATCH_HEIGHTS, Emission, draw_tilt
from .film import Scenery
from .flicker import Amorphous, Pulsing, light_of_patches
from .lights import Moon, Stars, airglow, clear_night
from .registry import PULSATING, scene
from .shapes import compact_style, two_styles
from .textures import EVERYWHERE, WHOLE_TURN, belt, region


def _dark_night(camera, rng, aurora, **options):
    return Scenery(sky=clear_night(camera, rng), stars=Stars(camera, rng), aurora=aurora, **options)


@scene(PULSATING)
def p_patchy(camera, rng, times_s):
    bright = rng.lognormal(np.log(1500), 0.5)
    aurora = light_of_patches(
        camera,
        rng,
        times_s,
        two_styles(rng),
        rng.uniform(40, 90),
        rng.uniform(0.25, 0.45),
        bright,
        bright * rng.uniform(0.3, 1.2),
        soft_km=rng.uniform(2.5, 6),
    )
    return _dark_night(camera, rng, aurora)


@scene(PULSATING)
def p_amorphous(camera, rng, times_s):
    """Shapes that are new in every flash."""
    bright = rng.lognormal(np.log(1500), 0.4)
    where = region(rng, rng.uniform(0.6, 0.95))
    shapes = Amorphous(rng, times_s[-1] + 5, rng.uniform(40, 110), bright, where, step_s=(3, 8))
    glow = (ndimage.gaussian_filter(where, 8) * bright * rng.uniform(0.3, 0.9)).astype(np.float32)
    emission = Emission(camera, *PATCH_HEIGHTS, tilt=draw_tilt(rng))
    speed = rng.uniform(0, 0.5)
    return _dark_night(
        camera,
        rng,
        lambda time_s: emission(glow + shapes(time_s), speed * (time_s - MIDDLE_S), 0),
    )


@scene(PULSATING)
def p_small_patches(camera, rng, times_s):
    bright = rng.lognormal(np.log(1400), 0.4)
    aurora = light_of_patches(
        camera,
        rng,
        times_s,
        compact_style(rng),
        rng.uniform(18, 36),
        rng.uniform(0.4, 0.6),
        bright,
        bright * rng.uniform(0.2, 0.9),
        soft_km=rng.uniform(2, 4),
        on_s=(2, 6),
        off_s=(4, 14),
    )
    return _dark_night(camera, rng, aurora)


@scene(PULSATING)
def p_large_patches(camera, rng, times_s):
    bright = rng.lognormal(np.log(1800), 0.5)
    aurora = light_of_patches(
        camera,
        rng,
        times_s,
        compact_style(rng),
        rng.uniform(100, 190),
        rng.uniform(0.3, 0.5),
        bright,
        bright * rng.uniform(0.2, 0.8),
        where=EVERYWHERE,
        on_s=(3, 10),
        off_s=(4, 16),
        soft_km=rng.uniform(6, 16),
    )
    return _dark_night(camera, rng, aurora)


@scene(PULSATING)
def p_weak(camera, rng, times_s):
    """Pulses of 6 to 15 % of a glow; below 10 % not everybody would see them."""
    background = rng.uniform(900, 2500)
    part = rng.uniform(0.06, 0.15)
    aurora = light_of_patches(
        camera,
        rng,
        times_s,
        two_styles(rng),
        rng.uniform(50, 120),
        rng.uniform(0.3, 0.5),
        background * part * 1.5,
        background * 0.7,
        contrast=0.25,
    )
    return Scenery(
        sky=[airglow(camera, rng, background * 0.35)],
        stars=Stars(camera, rng),
        aurora=aurora,
        sure=part > 0.1,
    )


@scene(PULSATING)
def p_part_cloud(camera, rng, times_s):
    share = rng.uniform(0.12, 0.4)
    bright = rng.lognormal(np.log(2000), 0.4)
    aurora = light_of_patches(
        camera,
        rng,
        times_s,
        two_styles(rng),
        rng.uniform(40, 110),
        rng.uniform(0.3, 0.45),
        bright,
        bright * rng.uniform(0.3, 0.8),
        where=EVERYWHERE,
    )
    height_km, period_km = rng.uniform(2, 6), rng.uniform(40, 90)
    speed, soft = rng.uniform(4, 18), rng.uniform(0.3, 0.8)
    cover = Cover(camera, rng, height_km, period_km, share, speed=speed, soft=soft)
    sends, thickness = rng.uniform(150, 700), rng.uniform(2, 5)

    def cloud(time_s):
        passes = np.exp(-thickness * cover(time_s))
        return passes, (1 - passes) * sends * cover.shade(time_s)

    return _dark_night(camera, rng, aurora, cloud=cloud, sure=share < 0.3)


@scene(PULSATING)
def p_stable_some_pulsing(camera, rng, times_s):
    """Most patches steady."""
    bright = rng.lognormal(np.log(1800), 0.4)
    pulsating_share = rng.uniform(0.2, 0.5)
    aurora = light_of_patches(
        camera,
        rng,
        times_s,
        two_styles(rng),
        rng.uniform(35, 90),
        rng.uniform(0.3, 0.45),
        bright,
        bright * rng.uniform(0.3, 0.8),
        pulsating_share=pulsating_share,
    )
    return _dark_night(camera, rng, aurora, sure=pulsating_share > 0.3)


@scene(PULSATING)
def p_torches(camera, rng, times_s):
    """Patches in omega bands."""
    bright = rng.lognormal(np.log(2500), 0.4)
    torches, shape, speed = omega_bands(rng, bright * 0.6)
    where = ndimage.gaussian_filter(shape, 6, mode="wrap")
    where = np.clip(where / np.quantile(where, 0.97), 0, 1).astype(np.float32)
    patches = Pulsing(
        rng,
        times_s[-1] + 5,
        compact_style(rng),
        rng.uniform(30, 80),
        0.45,
        bright * rng.uniform(0.6, 1.1),
        where=where,
    )
    emission = Emission(camera, *PATCH_HEIGHTS, tilt=draw_tilt(rng))
    return _dark_night(
        camera,
        rng,
        lambda time_s: emission(torches(time_s) + patches(time_s), speed * (time_s - MIDDLE_S), 0),
    )


@scene(PULSATING)
def p_arc_poleward(camera, rng, times_s):
    """Patches south of an arc."""
    bright = rng.lognormal(np.log(1600), 0.4)
    tilt = draw_tilt(rng)
    arc = Arc(rng, rng.uniform(120, 260), rng.uniform(2, 8) * bright * 0.5, rays=rng.uniform(0, 0.4))
    curtain = Emission(camera, *ARC_HEIGHTS, tilt=tilt)
    where = belt(rng, -500, rng.uniform(20, 110))
    aurora = light_of_patches(
        camera,
        rng,
        times_s,
        two_styles(rng),
        rng.uniform(35, 110),
        rng.uniform(0.3, 0.45),
        bright,
        bright * rng.uniform(0.3, 0.9),
        where=where,
        also=lambda time_s: curtain(arc(time_s)),
        speed=rng.uniform(0, 0.3),
    )
    return _dark_night(camera, rng, aurora)


@scene(PULSATING)
def p_moonlight(camera, rng, times_s):
    moon = Moon(camera, rng, rng.uniform(700, 2200))
    bright = moon.level * rng.uniform(0.5, 1.4)
    aurora = light_of_patches(
        camera,
        rng,
        times_s,
        two_styles(rng),
        rng.uniform(40, 120),
        rng.uniform(0.3, 0.45),
        bright,
        bright * rng.uniform(0.2, 0.7),
    )
    return Scenery(
        sky=[*clear_night(camera, rng), moon],
        stars=Stars(camera, rng, rng.uniform(70, 160)),
        aurora=aurora,
        sure=bright / moon.level > 0.7,
    )


@scene(PULSATING)
def p_streaming(camera, rng, times_s):
    """Waves of light run through the patches."""
    bright = rng.lognormal(np.log(1700), 0.4)
    aurora = light_of_patches(
        camera,
        rng,
        times_s,
        str(rng.choice(["noise", "filament", "hand"])),
        rng.uniform(50, 130),
        rng.uniform(0.35, 0.5),
        bright,
        bright * rng.uniform(0.3, 0.9),
        stream=(rng.uniform(15, 70), rng.uniform(0, WHOLE_TURN)),
        stretch=rng.uniform(1, 2.5),
    )
    return _dark_night(camera, rng, aurora)


@scene(PULSATING)
def p_drifting_east(camera, rng, times_s):
    bright = rng.lognormal(np.log(1600), 0.4)
    aurora = light_of_patches(
        camera,
        rng,
        times_s,
        two_styles(rng),
        rng.uniform(30, 110),
        rng.uniform(0.25, 0.45),
        bright,
        bright * rng.uniform(0.2, 0.9),
        speed=rng.uniform(0.4, 1.0),
        heading=rng.normal(0, 0.2),
        stretch=rng.uniform(1, 1.8),
    )
    return _dark_night(camera, rng, aurora)
