"""Scenes of aurora that does not pulsate."""

import numpy as np
from scipy.ndimage import gaussian_filter

from .arcs import Arc, light_of_arcs, omega_bands
from .clouds import Cover
from .emission import (
    ARC_HEIGHTS,
    CORONA_HEIGHTS,
    MIDDLE_S,
    PATCH_HEIGHTS,
    RAY_HEIGHTS,
    RED_HEIGHTS,
    Emission,
    draw_tilt,
)
from .film import Scenery
from .lights import Moon, Stars, clear_night, twilight
from .registry import OTHER_AURORA, scene
from .shapes import compact_style, draw_patches
from .textures import (
    EAST_KM,
    NORTH_KM,
    WHOLE_TURN,
    belt,
    logistic,
    power_noise,
    region,
    slow_noise,
    smoothstep,
)


@scene(OTHER_AURORA)
def o_quiet_arc(camera, rng, times_s):
    return Scenery(
        sky=clear_night(camera, rng),
        stars=Stars(camera, rng),
        aurora=light_of_arcs(camera, rng, 1, rng.lognormal(np.log(2500), 0.6)),
    )


@scene(OTHER_AURORA)
def o_multiple_arcs(camera, rng, times_s):
    return Scenery(
        sky=clear_night(camera, rng),
        stars=Stars(camera, rng),
        aurora=light_of_arcs(
            camera, rng, rng.integers(2, 6), rng.lognormal(np.log(3000), 0.5), between_km=(-300, 350)
        ),
    )


@scene(OTHER_AURORA)
def o_rayed_curls(camera, rng, times_s):
    return Scenery(
        sky=clear_night(camera, rng),
        stars=Stars(camera, rng, 100),
        aurora=light_of_arcs(
            camera,
            rng,
            rng.integers(1, 4),
            rng.lognormal(np.log(9000), 0.5),
            heights=RAY_HEIGHTS,
            rays=rng.uniform(0.4, 0.8),
            fold_km=rng.uniform(12, 35),
            fold_s=rng.uniform(8, 20),
            poleward_km=(5, 14),
            equatorward_km=(3, 8),
        ),
    )


@scene(OTHER_AURORA)
def o_breakup_surge(camera, rng, times_s):
    """An arc that brightens and expands poleward, with a head that travels west."""
    old, new = (
        Arc(
            rng,
            rng.uniform(-150, 0),
            1,
            rays=rng.uniform(0.3, 0.7),
            fold_km=rng.uniform(20, 42),
            fold_s=rng.uniform(8, 16),
            poleward_km=(8, 30),
            equatorward_km=(5, 12),
        )
        for _ in range(2)
    )
    emission = Emission(camera, *RAY_HEIGHTS, tilt=draw_tilt(rng))
    peak = rng.lognormal(np.log(15000), 0.4)
    north_speed, west_speed = rng.uniform(0.4, 1.5), rng.uniform(0.8, 2.5)
    onset_s, head_km, arc_km = rng.uniform(-20, 70), rng.uniform(150, 500), rng.uniform(-200, 0)
    wiggle = slow_noise(rng, 3, 2, 20, tau_s=12)
    uneven = slow_noise(rng, 3, 2, 40, tau_s=18)

    def texture(time_s):
        grown = smoothstep(time_s, onset_s, onset_s + 50)
        border_km = arc_km + north_speed * max(time_s - onset_s, 0)
        front_km = head_km - west_speed * max(time_s - onset_s, 0)
        behind_head = logistic(-((front_km - EAST_KM + 40 * wiggle(time_s)) / 40))
        inside_km = border_km + 60 * behind_head - NORTH_KM + 30 * wiggle(time_s)
        inside = behind_head / (1 + np.exp(np.clip(-inside_km / 12, -30, 30)))
        inside = inside * np.exp(-np.clip(inside_km, 0, None) / 130) * (0.5 + 0.25 * uneven(time_s))
        light = peak * grown * np.clip(inside, 0, None)
        light = light + old(time_s, 2000 + peak * grown * 0.6, arc_km)
        return (light + new(time_s, 200 + peak * grown * 0.8, border_km)).astype(np.float32)

    return Scenery(
        sky=clear_night(camera, rng),
        stars=Stars(camera, rng, 90),
        aurora=lambda time_s: emission(texture(time_s)),
    )


@scene(OTHER_AURORA)
def o_fast_folds(camera, rng, times_s):
    speed, tilt = rng.uniform(1, 3) * rng.choice([-1, 1]), draw_tilt(rng)
    curtains = [
        Arc(
            rng,
            north_km,
            rng.lognormal(np.log(8000), 0.5),
            fold_km=rng.uniform(25, 48),
            fold_s=rng.uniform(10, 25),
            rays=0.3,
            wave_km=(40, 90),
        )
        for north_km in rng.uniform(-150, 200, rng.integers(1, 3))
    ]
    emission = Emission(camera, *ARC_HEIGHTS, tilt=tilt)
    return Scenery(
        sky=clear_night(camera, rng),
        stars=Stars(camera, rng, 90),
        aurora=lambda time_s: emission(sum(arc(time_s) for arc in curtains), speed * time_s, 0),
    )


@scene(OTHER_AURORA)
def o_steady_diffuse(camera, rng, times_s):
    where = belt(rng, -700, rng.uniform(-60, 150), rng.uniform(60, 150), 40)
    uneven = 1 + 0.18 * power_noise(rng, 3.5, 1, 12)
    texture = where * uneven * np.float32(rng.lognormal(np.log(1800), 0.4))
    emission = Emission(camera, *PATCH_HEIGHTS, tilt=draw_tilt(rng))
    speed = rng.uniform(0, 0.2)
    return Scenery(
        sky=clear_night(camera, rng),
        stars=Stars(camera, rng),
        aurora=lambda time_s: emission(texture, speed * time_s, 0),
    )


@scene(OTHER_AURORA)
def o_steady_patches(camera, rng, times_s):
    """The shapes of pulsating patches, which do not pulsate."""
    labels, light = draw_patches(rng, compact_style(rng), rng.uniform(35, 120), rng.uniform(0.25, 0.4))
    bright = rng.lognormal(np.log(1600), 0.4)
    of_patch = rng.lognormal(0, 0.3, labels.max() + 1).astype(np.float32)[labels]
    where = region(rng, 0.8)
    change = slow_noise(rng, 3, 2, 12, tau_s=80)
    emission = Emission(camera, *PATCH_HEIGHTS, tilt=draw_tilt(rng))
    speed, heading = rng.uniform(0.05, 0.4), rng.normal(0, 0.3)
    texture = where * (light * of_patch + rng.uniform(0.3, 0.9)) * bright

    def aurora(time_s):
        moved_km = speed * (time_s - MIDDLE_S)
        now = texture * (1 + 0.06 * change(time_s))
        return emission(now, moved_km * np.cos(heading), moved_km * np.sin(heading))

    return Scenery(sky=clear_night(camera, rng), stars=Stars(camera, rng), aurora=aurora)


@scene(OTHER_AURORA)
def o_slow_diffuse(camera, rng, times_s):
    """A glow that swells and fades within minutes."""
    change = slow_noise(rng, 3.5, 1, 8, tau_s=rng.uniform(60, 120))
    where = belt(rng, -700, rng.uniform(0, 200), 100) * np.float32(rng.lognormal(np.log(1800), 0.4))
    emission = Emission(camera, *PATCH_HEIGHTS, tilt=draw_tilt(rng))
    rate, phase = WHOLE_TURN / rng.uniform(120, 300), rng.uniform(0, WHOLE_TURN)

    def aurora(time_s):
        swell = 1 + 0.15 * np.sin(rate * time_s + phase)
        return emission(where * swell * np.clip(1 + 0.3 * change(time_s), 0.1, None))

    return Scenery(sky=clear_night(camera, rng), stars=Stars(camera, rng), aurora=aurora)


@scene(OTHER_AURORA)
def o_red_arc(camera, rng, times_s):
    bright = rng.uniform(500, 1800)
    return Scenery(
        sky=clear_night(camera, rng),
        stars=Stars(camera, rng),
        aurora=light_of_arcs(
            camera,
            rng,
            rng.integers(1, 3),
            bright,
            between_km=(150, 450),
            heights=RED_HEIGHTS,
            poleward_km=(30, 70),
            equatorward_km=(20, 50),
        ),
        sure=bright > 800,
    )


@scene(OTHER_AURORA)
def o_horizon_arc(camera, rng, times_s):
    bright = rng.uniform(1200, 5000)
    return Scenery(
        sky=clear_night(camera, rng),
        stars=Stars(camera, rng),
        aurora=light_of_arcs(camera, rng, 1, bright, between_km=(330, 480), tilt=rng.uniform(-0.15, 0.15)),
        sure=False,
    )


@scene(OTHER_AURORA)
def o_omega_steady(camera, rng, times_s):
    torches, _, speed = omega_bands(rng, rng.lognormal(np.log(3000), 0.4))
    emission = Emission(camera, *PATCH_HEIGHTS, tilt=draw_tilt(rng))
    return Scenery(
        sky=clear_night(camera, rng),
        stars=Stars(camera, rng),
        aurora=lambda time_s: emission(torches(time_s), speed * (time_s - MIDDLE_S), 0),
    )


@scene(OTHER_AURORA)
def o_corona(camera, rng, times_s):
    """Rays that meet overhead, new within seconds."""
    rays = slow_noise(
        rng,
        1.8,
        14,
        90,
        tau_s=rng.uniform(4, 9),
        stretch=rng.uniform(1.2, 2.2),
        turn=rng.normal(np.pi / 2, 0.2),
    )
    change = slow_noise(rng, 3, 2, 9, tau_s=rng.uniform(15, 30))
    bright = rng.lognormal(np.log(7000), 0.4)
    away = np.hypot(EAST_KM, NORTH_KM - 10) / rng.uniform(140, 260)
    near = np.exp(-(away**2)).astype(np.float32)
    emission = Emission(camera, *CORONA_HEIGHTS, coarse_above_km=165)
    rng.uniform(size=2)  # belonged to a drift that is no more; without it seeds would mean other skies

    def aurora(time_s):
        lit = smoothstep(change(time_s), -0.8, 1.2)
        return emission(bright * near * np.exp(0.8 * rays(time_s) - 0.5) * lit)

    return Scenery(sky=clear_night(camera, rng), stars=Stars(camera, rng, 80), aurora=aurora)


@scene(OTHER_AURORA)
def o_arc_moonlight(camera, rng, times_s):
    moon = Moon(camera, rng, rng.uniform(700, 2500))
    return Scenery(
        sky=[*clear_night(camera, rng), moon],
        stars=Stars(camera, rng, rng.uniform(60, 150)),
        aurora=light_of_arcs(camera, rng, rng.integers(1, 3), moon.level * rng.uniform(1, 3)),
    )


@scene(OTHER_AURORA)
def o_through_thin_cloud(camera, rng, times_s):
    height_km, period_km = rng.uniform(6, 9), rng.uniform(80, 200)
    speed, stretch = rng.uniform(5, 20), rng.uniform(1, 3)
    cover = Cover(
        camera, rng, height_km, period_km, 0.7, low=1, high=25, speed=speed, soft=1.2, stretch=stretch
    )
    arcs = light_of_arcs(
        camera, rng, rng.integers(1, 3), rng.uniform(4000, 10000), between_km=(-150, 220), rays=0.2
    )
    thickness = rng.uniform(0.4, 0.8)
    blur = rng.uniform(2, 5)

    def aurora(time_s):
        light = arcs(time_s)
        scattered = gaussian_filter(camera.image(light), blur).ravel()[camera.inside]
        return 0.45 * light + 0.45 * scattered

    def cloud(time_s):
        passes = np.exp(-thickness * cover(time_s))
        return passes, (1 - passes) * 400

    return Scenery(
        sky=clear_night(camera, rng),
        stars=Stars(camera, rng, 150),
        aurora=aurora,
        cloud=cloud,
        sure=False,
    )


@scene(OTHER_AURORA)
def o_arc_twilight(camera, rng, times_s):
    level = rng.uniform(400, 2500)
    return Scenery(
        sky=[*clear_night(camera, rng), twilight(camera, rng, level)],
        stars=Stars(camera, rng, 90),
        aurora=light_of_arcs(camera, rng, rng.integers(1, 3), level * rng.uniform(1.5, 4)),
    )
