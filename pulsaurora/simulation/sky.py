"""The whole sky of one moment: light from above, what cloud does to it, and what the lens passes on."""

from dataclasses import dataclass, field

import numpy as np
from scipy.ndimage import gaussian_filter

from pulsaurora._core import _simulated_imager
from pulsaurora.simulation.clouds import Dome
from pulsaurora.simulation.lighting import GivenHeavens, SunMoon
from pulsaurora.simulation.patches import PatchLayer
from pulsaurora.simulation.precipitation import Flakes, Specks

MARGIN_S = 60.0


@dataclass
class Scene:
    """What is in the sky for a while, apart from the lights of night itself.

    Attributes
    ----------
    name : str
    pulsating, aurora, airglow : list
        Layers with ``add(view, t, out)``; counts at zenith. Airglow is seen as aurora is, and is none.
    clouds : list
        Layers with ``at(view, t)``.
    dome : Dome or None
    flakes : Flakes, Specks or None
        Before the dome or on it: a few where the sky is seen all the same, many in bad weather.
    lights : list
        With ``add(view, t, image, rng)``.
    needs : str
        What the scene's name promises of sun and moon: 'dark', 'moon', 'moonless', 'twilight', 'any'.
    light : GivenHeavens or None
        In place of the real sun and moon.
    covered : bool
        No light reaches the CCD.
    """

    name: str
    pulsating: list = field(default_factory=list)
    aurora: list = field(default_factory=list)
    airglow: list = field(default_factory=list)
    clouds: list = field(default_factory=list)
    dome: Dome | None = None
    flakes: Flakes | Specks | None = None
    lights: list = field(default_factory=list)
    needs: str = "any"
    light: GivenHeavens | None = None
    covered: bool = False


def _diffused(camera, light):
    """Return light as cloud spreads it: over some 20 degrees, float32 (n_pixels,)."""
    coarse = np.bincount(camera.tile, light, 256) / camera.tile_count
    return camera.between_tiles(gaussian_filter(coarse.reshape(16, 16), 1.6, mode="nearest"))


@dataclass
class View:
    """One rendered moment: the signal, and what it was made of on the judged blocks (n_blocks,).

    `pulsation` and `aurora` are without what cloud and dome take from them; `veil` is the light of cloud over
    that of the clear sky which it stands before.
    """

    image: np.ndarray
    pulsation: np.ndarray
    aurora: np.ndarray
    total: np.ndarray
    opacity: np.ndarray
    veil: np.ndarray
    dawn: float
    sun_moon: SunMoon


def render(scene, camera, lighting, stars, t, time, rng, surroundings=()):
    """Render a scene's signal at scene time t (s) and UTC `time`.

    Returns
    -------
    View
        With `image` float32 (256, 256): counts above pedestal before noise.
    """
    view = camera.sky
    beat, glow = _auroral(scene, view, t)
    where = (scene.light or lighting.heavens).at(time)
    clear, cloudy = lighting.at(time, scene.light, cloud=bool(scene.clouds))
    for layer in scene.airglow:
        layer.add(view, t, clear)
    passes = veil = from_above = None
    if scene.clouds and (scene.pulsating or scene.aurora):
        from_above = np.float32(0.6) * _diffused(view, beat + glow)
    through_cloud = None
    for cloud in scene.clouds:  # from the highest down
        opacity, bright = cloud.at(view, t)
        lit = cloudy
        if where.moon_elevation > -1 and where.moon_lit > 0.02:
            if through_cloud is None:
                through_cloud = lighting.moon_through(where)
            thin = np.float32((0.6 * (1 - cloud.thickness) + 0.02) * cloud.moonlit)
            lit = cloudy + thin * through_cloud
        bright *= opacity
        bright *= lit if from_above is None else lit + from_above
        np.subtract(1, opacity, out=opacity)
        if passes is None:
            passes, veil = opacity, bright
        else:
            veil *= opacity
            veil += bright
            passes *= opacity
    s = view.sample
    stands_out = np.zeros(s.size, np.float32)
    if passes is not None:
        stands_out = (veil[s] + (passes[s] - 1) * clear[s]) / np.maximum(clear[s], 1)
    total = clear  # nobody else's: from here on it is the whole light
    if scene.pulsating or scene.aurora:
        total += beat
        total += glow
    if passes is not None:
        total *= passes
        total += veil
    ghosts = lighting.moon_ghosts(where)
    if ghosts is not None:
        if passes is not None:  # cloud before the moon, not before its ghosts, takes their light
            ghosts *= passes[view.nearest(where.moon_elevation, where.moon_azimuth)]
        total += ghosts
    image = sky = view.pictured(total)
    if stars is not None:
        row, col, flux, pixel = stars.at(time, rng)
        if passes is not None:
            flux = flux * passes[pixel]
        _simulated_imager.add_points(image, row, col, flux * np.float32(camera.sensitivity), camera.psf)
    for light in surroundings:
        light.add(camera, t, image, rng)
    for light in scene.lights:
        light.add(camera, t, image, rng)
    judged, counted = camera.sampled
    pulsation, aurora = beat[s] * counted, glow[s] * counted
    hidden = np.zeros(s.size, np.float32) if passes is None else 1 - passes[s]
    if scene.dome is not None:
        image = scene.dome.apply(camera, image, t, rng)
        clear_of = 1 - scene.dome.hide.ravel()[judged]
        smear = np.float32(1 / (1 + (scene.dome.blur / 12) ** 2))
        pulsation, aurora = pulsation * smear, aurora * smear
        hidden = 1 - (1 - hidden) * clear_of
    if scene.flakes is not None:
        scene.flakes.add(camera, camera.mean_of_sky(image), t, rng, image)
    image += camera.stray * camera.mean_of_sky(sky)
    if scene.covered:
        image[:] = 0
    return View(
        image,
        pulsation,
        aurora,
        image.ravel()[judged],
        hidden,
        stands_out,
        lighting.dawn(where.sun_elevation),
        where,
    )


def _auroral(scene, camera, t):
    """Return the light of pulsating and of other aurora, without what hides it, float32 (n_pixels,)."""
    beat, glow = np.zeros((2, camera.index.size), np.float32)
    if scene.pulsating:
        for layer in scene.pulsating:
            layer.add(camera, t, beat)
        beat = camera.slanted(beat)
        beat *= camera.sheet
    sheets = [layer for layer in scene.aurora if isinstance(layer, PatchLayer)]
    if sheets:
        for layer in sheets:
            layer.add(camera, t, glow)
        glow = camera.slanted(glow)
    for layer in scene.aurora:
        if layer not in sheets:
            layer.add(camera, t, glow)
    if scene.aurora:
        glow *= camera.sheet
    return beat, glow
