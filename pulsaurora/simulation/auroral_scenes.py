"""Scenes with aurora, pulsating and other.

Each function fills a Scene: ``(scene, rng, duration_s, background)``, the background being the counts by
which aurora is scaled.
"""

import numpy as np

from pulsaurora.classes import OTHER_AURORA, PULSATING
from pulsaurora.simulation.aurora import Arcs, Corona, Diffuse, Fluctuating
from pulsaurora.simulation.clouds import draw_cloud
from pulsaurora.simulation.draws import Wander, chance, log_uniform
from pulsaurora.simulation.patches import (
    draw_drift,
    draw_low_region,
    draw_region,
    pulsating_layer,
    steady_layer,
)
from pulsaurora.simulation.registry import scene as _scene

# Pulsating aurora -------------------------------------------------------------------------------


def add_pulsation(scene, rng, duration, background, contrast=(0.06, 8), diffuse=0.7, **kind):
    """Fill a scene with pulsating aurora of this contrast, often over diffuse aurora."""
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
    add_pulsation(scene, rng, duration, background, kind="patchy_pulsating")


@_scene(PULSATING, 2.5)
def pulsating_amorphous(scene, rng, duration, background):
    """Rapidly evolving pulsation without lasting patches."""
    add_pulsation(scene, rng, duration, background, kind="amorphous")


@_scene(PULSATING, 1)
def pulsating_parts(scene, rng, duration, background):
    """Patchy aurora: stable structure, small parts of it pulsating."""
    glow = background * log_uniform(rng, 0.2, 6)
    drift = draw_drift(rng)
    scene.aurora.append(steady_layer(rng, duration, glow, drift=drift))
    amplitude = (background + glow) * log_uniform(rng, 0.1, 5)
    scene.pulsating.append(pulsating_layer(rng, duration, amplitude, kind="patchy", drift=drift))


@_scene(PULSATING, 0.5)
def pulsating_faint(scene, rng, duration, background):
    """Pulsation near the limit of what can be seen; judged by what can."""
    add_pulsation(scene, rng, duration, background, contrast=(0.008, 0.1))


@_scene(PULSATING, 0.7)
def pulsating_bright(scene, rng, duration, background):
    """Pulsation many times brighter than the sky, up to saturation."""
    add_pulsation(scene, rng, duration, background, contrast=(2, 20), diffuse=0.4)


@_scene(PULSATING, 0.5)
def pulsating_few(scene, rng, duration, background):
    """One or a few patches in a quiet sky."""
    add_pulsation(
        scene,
        rng,
        duration,
        background,
        contrast=(0.15, 8),
        diffuse=0.4,
        kind="patchy_pulsating",
        cover=log_uniform(rng, 0.03, 0.2),
        size_km=log_uniform(rng, 70, 300) if chance(rng, 0.4) else None,
        region=draw_region(rng) if chance(rng, 0.4) else None,
    )


@_scene(PULSATING, 1)
def pulsating_low(scene, rng, duration, background):
    """Pulsation low in the sky alone, mostly in the south, often in a band of diffuse aurora there."""
    centre = rng.uniform(110, 370) * (-1 if chance(rng, 0.7) else 1)
    level = background
    if chance(rng, 0.65):
        glow = background * log_uniform(rng, 0.1, 5)
        band = Diffuse(rng, glow, torches=False, wide=chance(rng, 0.2))
        band.centre = Wander(rng, centre + rng.normal(0, 50), rng.uniform(0, 20), 300, 1500)
        scene.aurora.append(band)
        level += 0.6 * glow
    amplitude = level * log_uniform(rng, 0.1, 12)
    few = {}
    if chance(rng, 0.45):  # a few large patches, each of which goes its own way
        few = {"kind": "patchy_pulsating", "cover": log_uniform(rng, 0.1, 0.4)}
        few["size_km"] = log_uniform(rng, 35, 200)
    region = draw_low_region(rng, centre)
    scene.pulsating.append(pulsating_layer(rng, duration, amplitude, region=region, **few))
    if chance(rng, 0.2):
        arcs = Arcs(rng, background * log_uniform(rng, 0.5, 8), rng.uniform(0, 0.4))
        scene.aurora.append(_north(arcs, rng))


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
    """Pulsation equatorward of an arc, as in recovery, or within omega bands."""
    add_pulsation(scene, rng, duration, background, kind=None)
    level = background * log_uniform(rng, 0.5, 10)
    if chance(rng, 0.3):
        scene.aurora.append(Diffuse(rng, level, torches=True, wide=False, rim=_draw_rim(rng)))
    else:
        scene.aurora.append(_north(Arcs(rng, level, rng.uniform(0, 0.4)), rng))


@_scene(PULSATING, 0.8)
def pulsating_thin_cloud(scene, rng, duration, background):
    """Pulsation behind thin or broken cloud."""
    add_pulsation(scene, rng, duration, background, contrast=(0.3, 8))
    _add_thin_cloud(scene, rng)


@_scene(PULSATING, 0.8, "moon")
def pulsating_moon(scene, rng, duration, background):
    """Pulsation in a moonlit sky."""
    add_pulsation(scene, rng, duration, background, contrast=(0.06, 2.5))


# Other aurora -----------------------------------------------------------------------------------


def _north(layer, rng):
    layer.offset = layer.offset + abs(rng.normal(150, 100))
    return layer


def _draw_rim(rng):
    return log_uniform(rng, 0.2, 5) if chance(rng, 0.6) else 0.0


def _under_diffuse(scene, rng, background, share=0.5):
    if chance(rng, share):
        scene.aurora.append(Diffuse(rng, background * log_uniform(rng, 0.1, 3)))


@_scene(OTHER_AURORA, 1.5)
def arc_quiet(scene, rng, duration, background):
    """One or a few quiet arcs."""
    scene.aurora.append(Arcs(rng, background * log_uniform(rng, 0.35, 15), rng.uniform(0, 0.1)))
    _under_diffuse(scene, rng, background, 0.35)


@_scene(OTHER_AURORA, 1.2)
def arcs_active(scene, rng, duration, background):
    """Waving, folding and rayed arcs."""
    scene.aurora.append(Arcs(rng, background * log_uniform(rng, 1, 40), rng.uniform(0.15, 0.7)))
    _under_diffuse(scene, rng, background)


@_scene(OTHER_AURORA, 1.0)
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
    if chance(rng, 0.15):
        scene.aurora.append(Corona(rng, level * log_uniform(rng, 0.1, 1)))


@_scene(OTHER_AURORA, 0.4)
def corona(scene, rng, duration, background):
    """Rays overhead, moving fast: of arcs that pass there, or all about the magnetic zenith."""
    rays_about = chance(rng, 0.65)
    if rays_about:
        scene.aurora.append(Corona(rng, background * log_uniform(rng, 0.2, 30)))
    if not rays_about or chance(rng, 0.3):
        arcs = Arcs(rng, background * log_uniform(rng, 2, 40), rng.uniform(0.6, 1.0), n_heights=6)
        arcs.offset = arcs.offset * 0.4
        scene.aurora.append(arcs)
    _under_diffuse(scene, rng, background)


@_scene(OTHER_AURORA, 1.2)
def diffuse(scene, rng, duration, background):
    """Diffuse aurora, steady or slowly varying, smooth or with drifting structure."""
    rim = _draw_rim(rng) if chance(rng, 0.15) else 0.0
    scene.aurora.append(Diffuse(rng, background * log_uniform(rng, 0.4, 8), torches=False, rim=rim))
    if chance(rng, 0.3):
        scene.aurora.append(Diffuse(rng, background * log_uniform(rng, 0.2, 3)))


@_scene(OTHER_AURORA, 0.5)
def torches(scene, rng, duration, background):
    """Omega bands: tongues of light drifting along a diffuse band's border."""
    rim = _draw_rim(rng)
    level = background * log_uniform(rng, 0.6, 15) / (1 + 0.5 * rim)
    scene.aurora.append(Diffuse(rng, level, torches=True, wide=False, rim=rim))


@_scene(OTHER_AURORA, 1.5)
def patches_steady(scene, rng, duration, background):
    """Patches that drift and do not pulsate."""
    scene.aurora.append(
        steady_layer(rng, duration, background * log_uniform(rng, 0.5, 12), region=draw_region(rng))
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
        active = rng.uniform(0, 0.1 if chance(rng, 0.5) else 0.5)
        scene.aurora.append(Arcs(rng, background * log_uniform(rng, 0.4, 12), active))
    else:
        scene.aurora.append(Diffuse(rng, background * log_uniform(rng, 0.6, 6)))


@_scene(OTHER_AURORA, 0.8)
def aurora_thin_cloud(scene, rng, duration, background):
    """Aurora that does not pulsate, behind thin or broken cloud."""
    if chance(rng, 0.5):
        scene.aurora.append(Arcs(rng, background * log_uniform(rng, 2, 30), rng.uniform(0, 0.6)))
    else:
        scene.aurora.append(Diffuse(rng, background * log_uniform(rng, 1, 6)))
    _add_thin_cloud(scene, rng)


def _add_thin_cloud(scene, rng):
    if chance(rng, 0.5):
        scene.clouds.append(draw_cloud(rng, rng.uniform(0.2, 0.9), rng.uniform(0.1, 0.5), "cirrus"))
    else:
        scene.clouds.append(draw_cloud(rng, rng.uniform(0.05, 0.45), rng.uniform(0.7, 1.0)))
