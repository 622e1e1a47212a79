"""The scenes a night is made of, each under the name of what a person would see.

SCENES maps a name to the class it usually is. What a frame is called in truth is judged from what can be
seen in it (truth.py), so a scene drawn faint can fall to the class of its background.
"""

import numpy as np

from pulsaurora.classes import BAD_VIEWING, CLASSES, NO_AURORA, OTHER_AURORA, PULSATING
from pulsaurora.simulation.aurora import Arcs, Diffuse, Fluctuating
from pulsaurora.simulation.clouds import Dome, draw_cloud
from pulsaurora.simulation.draws import chance, log_uniform
from pulsaurora.simulation.lights import Beam, Crossing, FloodLight, GroundLight, Headlights, passing
from pulsaurora.simulation.patches import draw_drift, draw_region, pulsating_layer, steady_layer
from pulsaurora.simulation.sky import Scene

_BUILDERS = {}
SCENES = {}
WEIGHTS = {}
NEEDS = {}


def _scene(label, weight=1.0, needs="any"):
    def register(build):
        name = build.__name__.lstrip("_")
        _BUILDERS[name], WEIGHTS[name], NEEDS[name] = build, weight, needs
        SCENES[name] = CLASSES[label]
        return build

    return register


def build_scene(name, rng, duration_s, background):
    """Draw a scene.

    Parameters
    ----------
    name : str
        One of SCENES.
    rng : numpy.random.Generator
    duration_s : float
    background : float, counts
        What a clear sky without aurora gives at this time, by which aurora is scaled.

    Returns
    -------
    Scene
    """
    scene = Scene(name, needs=NEEDS[name])
    _BUILDERS[name](scene, rng, duration_s, background)
    scene.lights += passing(rng, duration_s)
    return scene


# Pulsating aurora -------------------------------------------------------------------------------


def _pulsate(scene, rng, duration, background, contrast=(0.06, 2.5), diffuse=0.7, **kind):
    level = background
    if chance(rng, diffuse):
        glow = background * log_uniform(rng, 0.1, 5)
        scene.aurora.append(Diffuse(rng, glow, torches=False))
        level += 0.6 * glow
    amplitude = level * log_uniform(rng, *contrast)
    drift = draw_drift(rng)
    scene.pulsating.append(pulsating_layer(rng, duration, amplitude, drift=drift, **kind))
    if chance(rng, 0.25):
        other = amplitude * log_uniform(rng, 0.3, 1.5)
        scene.pulsating.append(pulsating_layer(rng, duration, other, drift=draw_drift(rng)))
    if chance(rng, 0.3):
        scene.aurora.append(
            steady_layer(
                rng, duration, amplitude * log_uniform(rng, 0.2, 1.5), drift=drift, region=draw_region(rng)
            )
        )


@_scene(PULSATING, 3)
def pulsating_patchy(scene, rng, duration, background):
    """Stable patches that pulsate over most of their area."""
    _pulsate(scene, rng, duration, background, kind="patchy_pulsating")


@_scene(PULSATING, 2.5)
def pulsating_amorphous(scene, rng, duration, background):
    """Rapidly evolving pulsation without lasting patches."""
    _pulsate(scene, rng, duration, background, kind="amorphous")


@_scene(PULSATING, 1)
def pulsating_parts(scene, rng, duration, background):
    """Patchy aurora: stable structure, small parts of it pulsating."""
    glow = background * log_uniform(rng, 0.2, 3)
    drift = draw_drift(rng)
    scene.aurora.append(steady_layer(rng, duration, glow, drift=drift))
    amplitude = (background + glow) * log_uniform(rng, 0.1, 1.5)
    scene.pulsating.append(pulsating_layer(rng, duration, amplitude, kind="patchy", drift=drift))


@_scene(PULSATING, 1)
def pulsating_faint(scene, rng, duration, background):
    """Pulsation near the limit of what can be seen; judged by what can."""
    _pulsate(scene, rng, duration, background, contrast=(0.008, 0.1))


@_scene(PULSATING, 0.7)
def pulsating_bright(scene, rng, duration, background):
    """Pulsation many times brighter than the sky, up to saturation."""
    _pulsate(scene, rng, duration, background, contrast=(2, 20), diffuse=0.4)


@_scene(PULSATING, 0.5)
def pulsating_few(scene, rng, duration, background):
    """One or a few patches in a quiet sky."""
    _pulsate(
        scene,
        rng,
        duration,
        background,
        contrast=(0.15, 2.5),
        diffuse=0.4,
        kind="patchy_pulsating",
        cover=log_uniform(rng, 0.02, 0.1),
        region=None,
    )


@_scene(PULSATING, 0.5)
def pulsating_schoolbook(scene, rng, duration, background):
    """Rounded patches with a plain beat over an even sky, as models draw them."""
    glow = background * log_uniform(rng, 0.05, 2)
    scene.aurora.append(Diffuse(rng, glow, structure=0.0, torches=False, wide=True))
    amplitude = (background + glow) * log_uniform(rng, 0.08, 2)
    layer = pulsating_layer(
        rng,
        duration,
        amplitude,
        kind="patchy_pulsating",
        shapes="blobs",
        region=None,
        style="sine" if chance(rng, 0.4) else "regular",
        drift=(0, 0) if chance(rng, 0.5) else None,
    )
    layer.softness = float(rng.uniform(0.3, 1.2))
    scene.pulsating.append(layer)


@_scene(PULSATING, 0.8)
def pulsating_with_arc(scene, rng, duration, background):
    """Pulsation equatorward of an arc, as in recovery."""
    _pulsate(scene, rng, duration, background, kind=None)
    scene.aurora.append(_north(Arcs(rng, background * log_uniform(rng, 0.5, 10), rng.uniform(0, 0.4)), rng))


@_scene(PULSATING, 0.8)
def pulsating_thin_cloud(scene, rng, duration, background):
    """Pulsation behind thin or broken cloud."""
    _pulsate(scene, rng, duration, background, contrast=(0.3, 4))
    _add_thin_cloud(scene, rng)


@_scene(PULSATING, 0.8, "moon")
def pulsating_moon(scene, rng, duration, background):
    """Pulsation in a moonlit sky."""
    _pulsate(scene, rng, duration, background, contrast=(0.06, 1.0))


# Other aurora -----------------------------------------------------------------------------------


def _north(layer, rng):
    layer.offset = layer.offset + abs(rng.normal(150, 100))
    return layer


def _under_diffuse(scene, rng, background, share=0.5):
    if chance(rng, share):
        scene.aurora.append(Diffuse(rng, background * log_uniform(rng, 0.1, 3)))


@_scene(OTHER_AURORA, 1.5)
def arc_quiet(scene, rng, duration, background):
    """One or a few quiet arcs."""
    scene.aurora.append(Arcs(rng, background * log_uniform(rng, 0.4, 15), rng.uniform(0, 0.1)))
    _under_diffuse(scene, rng, background, 0.35)


@_scene(OTHER_AURORA, 1.2)
def arcs_active(scene, rng, duration, background):
    """Waving, folding and rayed arcs."""
    scene.aurora.append(Arcs(rng, background * log_uniform(rng, 1, 40), rng.uniform(0.15, 0.7)))
    _under_diffuse(scene, rng, background)


@_scene(OTHER_AURORA, 0.8)
def arcs_fluctuating(scene, rng, duration, background):
    """Arcs whose light fluctuates within seconds: what most resembles pulsation."""
    arcs = Arcs(rng, background * log_uniform(rng, 0.6, 20), rng.uniform(0, 0.5))
    scene.aurora.append(Fluctuating(rng, arcs, rng.uniform(0.1, 0.5)))
    _under_diffuse(scene, rng, background)


@_scene(OTHER_AURORA, 0.8)
def breakup(scene, rng, duration, background):
    """Arcs that brighten, break up and expand poleward."""
    start = rng.uniform(0.1, 0.6) * duration
    level = background * log_uniform(rng, 5, 100)
    scene.aurora.append(Arcs(rng, level, rng.uniform(0.5, 1.0), expansion=(start, log_uniform(rng, 0.5, 3))))
    scene.aurora.append(Diffuse(rng, background * log_uniform(rng, 0.3, 5)))


@_scene(OTHER_AURORA, 0.4)
def corona(scene, rng, duration, background):
    """Rays overhead, moving fast."""
    arcs = Arcs(rng, background * log_uniform(rng, 2, 40), rng.uniform(0.6, 1.0), n_heights=6)
    arcs.offset = arcs.offset * 0.4
    scene.aurora.append(arcs)
    _under_diffuse(scene, rng, background)


@_scene(OTHER_AURORA, 1.2)
def diffuse(scene, rng, duration, background):
    """Diffuse aurora, steady or slowly varying, smooth or with drifting structure."""
    scene.aurora.append(Diffuse(rng, background * log_uniform(rng, 0.3, 8), torches=False))
    if chance(rng, 0.3):
        scene.aurora.append(Diffuse(rng, background * log_uniform(rng, 0.2, 3)))


@_scene(OTHER_AURORA, 0.5)
def torches(scene, rng, duration, background):
    """Omega bands: tongues of light drifting along a diffuse band's border."""
    scene.aurora.append(Diffuse(rng, background * log_uniform(rng, 0.6, 15), torches=True, wide=False))


@_scene(OTHER_AURORA, 1.5)
def patches_steady(scene, rng, duration, background):
    """Patches that drift and do not pulsate."""
    scene.aurora.append(
        steady_layer(rng, duration, background * log_uniform(rng, 0.35, 6), region=draw_region(rng))
    )
    _under_diffuse(scene, rng, background)


@_scene(OTHER_AURORA, 0.6)
def streamers(scene, rng, duration, background):
    """Arcs across the parallel, as after an expansion."""
    arcs = Arcs(rng, background * log_uniform(rng, 0.6, 15), rng.uniform(0.05, 0.4), n_arcs=3)
    arcs.tilt = np.pi / 2 + rng.normal(0, 0.4)
    scene.aurora.append(arcs)
    _under_diffuse(scene, rng, background, 0.7)


@_scene(OTHER_AURORA, 0.8, "moon")
def aurora_moon(scene, rng, duration, background):
    """Arcs or diffuse aurora in a moonlit sky."""
    if chance(rng, 0.6):
        scene.aurora.append(Arcs(rng, background * log_uniform(rng, 0.5, 8), rng.uniform(0, 0.5)))
    else:
        scene.aurora.append(Diffuse(rng, background * log_uniform(rng, 0.4, 4)))


@_scene(OTHER_AURORA, 0.8)
def aurora_thin_cloud(scene, rng, duration, background):
    """Aurora that does not pulsate, behind thin or broken cloud."""
    if chance(rng, 0.5):
        scene.aurora.append(Arcs(rng, background * log_uniform(rng, 2, 30), rng.uniform(0, 0.6)))
    else:
        scene.aurora.append(Diffuse(rng, background * log_uniform(rng, 1, 6)))
    _add_thin_cloud(scene, rng)


# No aurora --------------------------------------------------------------------------------------


@_scene(NO_AURORA, 2, "moonless")
def clear_dark(scene, rng, duration, background):
    """Stars and nothing else."""


@_scene(NO_AURORA, 1.2, "moon")
def clear_moon(scene, rng, duration, background):
    """A moonlit sky with stars."""


@_scene(NO_AURORA, 0.7, "dusk")
def clear_dusk(scene, rng, duration, background):
    """The last of twilight, or its first."""


@_scene(NO_AURORA, 1)
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


@_scene(NO_AURORA, 0.4)
def clear_floodlit(scene, rng, duration, background):
    """A clear sky over which a lamp on the ground beats or is switched."""
    scene.lights.append(FloodLight(rng))


@_scene(NO_AURORA, 1)
def clear_few_clouds(scene, rng, duration, background):
    """A clear sky with some cloud in it."""
    scene.clouds.append(draw_cloud(rng, cover=rng.uniform(0.03, 0.3)))


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


@_scene(BAD_VIEWING, 0.9)
def cloud_over_aurora(scene, rng, duration, background):
    """Cloud that hides aurora, pulsating or not, and is lit by it."""
    if chance(rng, 0.6):
        _pulsate(scene, rng, duration, background, contrast=(0.3, 4))
    else:
        scene.aurora.append(Arcs(rng, background * log_uniform(rng, 2, 30), rng.uniform(0, 0.8)))
    scene.clouds.append(draw_cloud(rng, 1.0, 1 - log_uniform(rng, 1e-4, 0.015), "stratus"))


@_scene(BAD_VIEWING, 0.5)
def overcast_floodlit(scene, rng, duration, background):
    """Overcast or fog in which a lamp on the ground beats or is switched."""
    scene.clouds.append(draw_cloud(rng, 1.0, rng.uniform(0.95, 1.0), "stratus"))
    scene.lights.append(FloodLight(rng))


@_scene(BAD_VIEWING, 0.6)
def fog(scene, rng, duration, background):
    """Fog about the station."""
    scene.dome = Dome(rng, "fog", rng.uniform(0.85, 1.0))
    scene.clouds.append(draw_cloud(rng, 1.0, rng.uniform(0.8, 1.0), "stratus"))
    scene.lights += [GroundLight(rng) for _ in range(int(rng.integers(0, 3)))]


@_scene(BAD_VIEWING, 0.6)
def snow_on_dome(scene, rng, duration, background):
    """Snow lying on the dome, or falling."""
    scene.dome = Dome(rng, "snow", rng.uniform(0.75, 1.0))
    if chance(rng, 0.6):
        scene.clouds.append(draw_cloud(rng, rng.uniform(0.8, 1.0), rng.uniform(0.9, 1.0), "stratus"))


@_scene(BAD_VIEWING, 0.5)
def frost_on_dome(scene, rng, duration, background):
    """Frost or dew on the dome."""
    scene.dome = Dome(rng, "frost", rng.uniform(0.75, 1.0))
    if chance(rng, 0.4):
        scene.clouds.append(draw_cloud(rng, rng.uniform(0.5, 1.0)))


@_scene(BAD_VIEWING, 0.5)
def rain(scene, rng, duration, background):
    """Rain on the dome under cloud."""
    scene.dome = Dome(rng, "rain", rng.uniform(0.3, 1.0))
    scene.clouds.append(draw_cloud(rng, rng.uniform(0.9, 1.0), rng.uniform(0.9, 1.0)))


@_scene(BAD_VIEWING, 0.7, "twilight")
def twilight(scene, rng, duration, background):
    """Twilight too bright to see anything else."""
    if chance(rng, 0.4):
        scene.clouds.append(draw_cloud(rng, rng.uniform(0.1, 1.0)))


def _add_thin_cloud(scene, rng):
    if chance(rng, 0.5):
        scene.clouds.append(draw_cloud(rng, rng.uniform(0.2, 0.9), rng.uniform(0.1, 0.5), "cirrus"))
    else:
        scene.clouds.append(draw_cloud(rng, rng.uniform(0.05, 0.45), rng.uniform(0.7, 1.0)))
