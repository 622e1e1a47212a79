"""Scenes without visible aurora: clear skies, and skies that cannot be seen.

Each function fills a Scene: ``(scene, rng, duration_s, background)``.
"""

import numpy as np

from pulsaurora.classes import BAD_VIEWING, NO_AURORA
from pulsaurora.simulation.aurora import Arcs
from pulsaurora.simulation.auroral_scenes import add_pulsation
from pulsaurora.simulation.clouds import Bank, Dome, draw_cloud
from pulsaurora.simulation.draws import chance, log_uniform
from pulsaurora.simulation.lights import Beam, CloudGlow, Crossing, FloodLight, GroundLight, Headlights
from pulsaurora.simulation.precipitation import Specks
from pulsaurora.simulation.registry import scene as _scene

# No aurora --------------------------------------------------------------------------------------


@_scene(NO_AURORA, 2, "moonless")
def clear_dark(scene, rng, duration, background):
    """Stars and nothing else."""


@_scene(NO_AURORA, 1.2, "moon")
def clear_moon(scene, rng, duration, background):
    """A moonlit sky with stars."""


@_scene(NO_AURORA, 1.3, "dusk")
def clear_dusk(scene, rng, duration, background):
    """The last of twilight, or its first."""


@_scene(NO_AURORA, 1.3)
def clear_passing(scene, rng, duration, background):
    """A clear sky with aircraft, flashing lamps, cars, beams."""
    for _ in range(int(rng.integers(1, 4))):
        scene.lights.append(Crossing(rng, "aircraft", duration))
    if chance(rng, 0.5):
        scene.lights += [GroundLight(rng, "flashing") for _ in range(int(rng.integers(1, 4)))]
    if chance(rng, 0.4):
        scene.lights += [Headlights(rng, duration) for _ in range(int(rng.integers(1, 4)))]
    if chance(rng, 0.2):
        scene.lights.append(Beam(rng))


@_scene(NO_AURORA, 0.7)
def clear_lamps(scene, rng, duration, background):
    """A clear sky with lamps on the ground that flash, turn or flicker, and their glow in the air."""
    for _ in range(int(rng.integers(1, 4))):
        lamp = GroundLight(rng, "flashing" if chance(rng, 0.7) else "flickering")
        if not lamp.haze:
            lamp.haze, lamp.width = background * log_uniform(rng, 0.1, 6), log_uniform(rng, 2, 12)
        scene.lights.append(lamp)


@_scene(NO_AURORA, 0.6)
def clear_floodlit(scene, rng, duration, background):
    """A clear sky over which a lamp on the ground beats or is switched."""
    scene.lights.append(FloodLight(rng))


@_scene(NO_AURORA, 1.6)
def clear_few_clouds(scene, rng, duration, background):
    """A clear sky with some cloud in it, or a bank of it over the horizon."""
    if chance(rng, 0.5):
        scene.clouds.append(draw_cloud(rng, cover=rng.uniform(0.03, 0.3)))
    else:
        scene.clouds.append(draw_cloud(rng, cover=rng.uniform(0.4, 1.0)))
        scene.clouds[0].bank = Bank(rng)


@_scene(NO_AURORA, 0.5)
def clear_thin_cloud(scene, rng, duration, background):
    """Thin cirrus through which stars are seen."""
    scene.clouds.append(draw_cloud(rng, rng.uniform(0.2, 0.9), rng.uniform(0.05, 0.35), "cirrus"))


@_scene(NO_AURORA, 0.6)
def clear_fast_clouds(scene, rng, duration, background):
    """Small clouds that cross a clear sky fast."""
    cloud = draw_cloud(rng, rng.uniform(0.1, 0.4), rng.uniform(0.3, 1.0), "cumulus")
    for mapping in cloud.mappings:
        mapping.velocity = mapping.velocity * (rng.uniform(0.01, 0.06) / np.hypot(*mapping.velocity))
    scene.clouds.append(cloud)


# Bad viewing ------------------------------------------------------------------------------------


@_scene(BAD_VIEWING, 1.5)
def overcast(scene, rng, duration, background):
    """Stratus from horizon to horizon."""
    scene.clouds.append(draw_cloud(rng, 1.0, 1 - log_uniform(rng, 1e-4, 0.07), "stratus"))


@_scene(BAD_VIEWING, 1.5, "moon")
def overcast_moon(scene, rng, duration, background):
    """Stratus lit by the moon."""
    scene.clouds.append(draw_cloud(rng, 1.0, 1 - log_uniform(rng, 1e-4, 0.15), "stratus"))


@_scene(BAD_VIEWING, 1.2)
def cloudy(scene, rng, duration, background):
    """Decks and broken cloud over most of the sky."""
    scene.clouds.append(draw_cloud(rng, rng.uniform(0.72, 1.0), rng.uniform(0.85, 1.0)))
    if chance(rng, 0.3):
        scene.clouds.insert(0, draw_cloud(rng, kind="cirrus"))


@_scene(BAD_VIEWING, 1.2, "moon")
def cloudy_moon(scene, rng, duration, background):
    """Broken, moving cloud lit by the moon."""
    scene.clouds.append(draw_cloud(rng, rng.uniform(0.7, 1.0), rng.uniform(0.85, 1.0)))


@_scene(BAD_VIEWING, 0.9, "dusk")
def cloudy_dusk(scene, rng, duration, background):
    """Cloud lit by the last of twilight."""
    scene.clouds.append(draw_cloud(rng, rng.uniform(0.6, 1.0), rng.uniform(0.8, 1.0)))


@_scene(BAD_VIEWING, 0.9, "moon")
def veil_moon(scene, rng, duration, background):
    """Thin cloud over all of the sky, lit by the moon, through which the brighter stars are seen."""
    kind = "cirrus" if chance(rng, 0.5) else "stratus"
    scene.clouds.append(draw_cloud(rng, rng.uniform(0.8, 1.0), rng.uniform(0.3, 0.9), kind))


@_scene(BAD_VIEWING, 0.8)
def cloudy_fast(scene, rng, duration, background):
    """Broken cloud that crosses fast."""
    cloud = draw_cloud(rng, rng.uniform(0.65, 0.95), rng.uniform(0.85, 1.0))
    for mapping in cloud.mappings:
        mapping.velocity = mapping.velocity * (rng.uniform(0.01, 0.08) / np.hypot(*mapping.velocity))
    scene.clouds.append(cloud)


@_scene(BAD_VIEWING, 0.9)
def cloud_over_aurora(scene, rng, duration, background):
    """Cloud that hides aurora, pulsating or not, and is lit by it."""
    if chance(rng, 0.6):
        add_pulsation(scene, rng, duration, background, contrast=(0.3, 4))
    else:
        scene.aurora.append(Arcs(rng, background * log_uniform(rng, 2, 30), rng.uniform(0, 0.8)))
    scene.clouds.append(draw_cloud(rng, 1.0, 1 - log_uniform(rng, 1e-4, 0.015), "stratus"))


@_scene(BAD_VIEWING, 0.5)
def overcast_floodlit(scene, rng, duration, background):
    """Overcast or fog in which a lamp on the ground beats or is switched."""
    scene.clouds.append(draw_cloud(rng, 1.0, rng.uniform(0.95, 1.0), "stratus"))
    scene.lights.append(FloodLight(rng))


@_scene(BAD_VIEWING, 1.6)
def overcast_glowing(scene, rng, duration, background):
    """Cloud or fog on which lights from below come and go."""
    if chance(rng, 0.5):
        scene.clouds.append(draw_cloud(rng, 1.0, rng.uniform(0.95, 1.0), "stratus"))
    else:
        scene.clouds.append(draw_cloud(rng, rng.uniform(0.75, 1.0), rng.uniform(0.85, 1.0)))
    scene.lights += [CloudGlow(rng) for _ in range(int(rng.integers(1, 7)))]


@_scene(BAD_VIEWING, 0.9)
def fog(scene, rng, duration, background):
    """Fog about the station."""
    scene.dome = Dome(rng, "fog", rng.uniform(0.85, 1.0))
    scene.clouds.append(draw_cloud(rng, 1.0, rng.uniform(0.8, 1.0), "stratus"))
    scene.lights += [GroundLight(rng) for _ in range(int(rng.integers(0, 3)))]
    if chance(rng, 0.25):
        scene.flakes = Specks(rng)


@_scene(BAD_VIEWING, 0.7)
def drops_on_dome(scene, rng, duration, background):
    """Drops or grains on the dome that lamps or the moon light, under cloud."""
    scene.dome = Dome(rng, "fog" if chance(rng, 0.3) else "dew", rng.uniform(0.2, 1.0))
    scene.clouds.append(draw_cloud(rng, rng.uniform(0.85, 1.0), rng.uniform(0.85, 1.0)))
    scene.flakes = Specks(rng)


@_scene(BAD_VIEWING, 0.6)
def snow_on_dome(scene, rng, duration, background):
    """Snow lying on the dome, or falling."""
    scene.dome = Dome(rng, "snow", rng.uniform(0.5, 1.0))
    if chance(rng, 0.35):
        scene.clouds.append(draw_cloud(rng, rng.uniform(0.8, 1.0), rng.uniform(0.9, 1.0), "stratus"))
    if chance(rng, 0.3):
        scene.flakes = Specks(rng)


@_scene(BAD_VIEWING, 1.3)
def snowfall(scene, rng, duration, background):
    """Snow falling from cloud, lit from the ground."""
    scene.dome = Dome(rng, "falling", rng.uniform(0.2, 1.0))
    scene.clouds.append(draw_cloud(rng, rng.uniform(0.9, 1.0), rng.uniform(0.9, 1.0), "stratus"))
    scene.lights += [GroundLight(rng) for _ in range(int(rng.integers(0, 3)))]


@_scene(BAD_VIEWING, 0.2)
def covered(scene, rng, duration, background):
    """A lens covered or a shutter that stays closed: the CCD's own noise."""
    scene.clouds.append(draw_cloud(rng, 1.0, 1.0, "stratus"))
    scene.covered = True


@_scene(BAD_VIEWING, 0.7)
def frost_on_dome(scene, rng, duration, background):
    """Frost or dew on the dome."""
    if chance(rng, 0.65):
        scene.dome = Dome(rng, "frost", rng.uniform(0.75, 1.0))
    else:
        scene.dome = Dome(rng, "mist", rng.uniform(0.55, 1.0))
    if chance(rng, 0.4):
        scene.clouds.append(draw_cloud(rng, rng.uniform(0.5, 1.0)))
    if chance(rng, 0.2):
        scene.flakes = Specks(rng)


@_scene(BAD_VIEWING, 0.5)
def rain(scene, rng, duration, background):
    """Rain on the dome under cloud."""
    scene.dome = Dome(rng, "rain", rng.uniform(0.3, 1.0))
    scene.clouds.append(draw_cloud(rng, rng.uniform(0.9, 1.0), rng.uniform(0.9, 1.0)))
    if chance(rng, 0.5):
        scene.flakes = Specks(rng)


@_scene(BAD_VIEWING, 0.7, "twilight")
def twilight(scene, rng, duration, background):
    """Twilight too bright to see anything else."""
    if chance(rng, 0.4):
        scene.clouds.append(draw_cloud(rng, rng.uniform(0.1, 1.0)))
