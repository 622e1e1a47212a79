"""Cloud, and what settles on the dome.

Cloud is a drifting field seen in gnomonic projection, as flat layers are: angular speed is wind over height,
0.1 to 80 mrad/s at the zenith. Cover is a smooth step of a Gaussian random field about a threshold; kinds
differ in spectrum, stretch, edge and thickness (stratus, stratocumulus in waves, the small rolls and grains
of altocumulus, broken cumulus, cirrus).
Thick cloud darkens towards the horizon up to as the standard overcast sky does (CIE S 011, Moon and Spencer
1942), (1 + 2 sin elevation) / 3.
Cloud hides what is above it and shows what lights it from there, from the side and from below.
"""

import numpy as np

from pulsaurora._core import _simulated_sky
from pulsaurora.simulation.camera import SHAPE, image_plane, soften
from pulsaurora.simulation.draws import Mapping, Wander, chance, choose, log_uniform, remembered, texture
from pulsaurora.simulation.precipitation import Flakes, lit_from_one_side

KINDS = ("stratus", "stratocumulus", "altocumulus", "cumulus", "cirrus")


class Cloud:
    """A layer of cloud of one kind.

    Parameters
    ----------
    rng : numpy.random.Generator
    kind : str
        One of KINDS.
    cover : float, 0 to 1
        Share of the sky it covers.
    thickness : float, 0 to 1
        How much of the light from above its covered parts take away.
    """

    def __init__(self, rng, kind, cover, thickness):
        self.kind, self.thickness = kind, thickness
        speed = log_uniform(rng, 1e-4, 0.06)
        heading = rng.uniform(0, 2 * np.pi)
        wind = np.array([np.cos(heading), np.sin(heading)]) * speed
        sizes = {
            "stratus": (0.5, 8),
            "stratocumulus": (0.2, 2),
            "altocumulus": (0.06, 0.25),
            "cumulus": (0.1, 4),
            "cirrus": (0.4, 5),
        }
        size = log_uniform(rng, *sizes[kind])
        # Small elements still come in fields that are far larger; a texture has 256 cells.
        per_size = 8 if kind == "altocumulus" else 24
        cell = size / per_size
        stretch = {
            "stratus": 1.5,
            "stratocumulus": log_uniform(rng, 1, 5),
            "altocumulus": log_uniform(rng, 1, 6),
            "cumulus": 1.0,
            "cirrus": log_uniform(rng, 2, 8),
        }[kind]
        angle = rng.uniform(0, np.pi)
        slope = rng.uniform(2.4, 3.6)
        self.fields = [texture(rng, 48, 256, slope=slope, stretch=stretch, angle=angle) for _ in range(2)]
        if kind in ("stratocumulus", "altocumulus"):
            self.fields[0] = 0.6 * self.fields[0] + 0.8 * texture(
                rng, per_size, 256, spread=0.2, stretch=stretch, angle=angle
            )
        turn = rng.uniform(0, 2 * np.pi)
        # Cloud changes as it goes by, or hardly does.
        evolves = 1.0 if chance(rng, 0.5) else 0.1
        change = wind * (1 + evolves * rng.uniform(-0.3, 0.3, 2)) + rng.normal(0, 0.1 * evolves * speed, 2)
        self.mappings = [Mapping(rng, 1 / cell, 256, v, turn) for v in (wind, change)]
        self.gains = (0.75, 0.65)
        self.softness = {
            "stratus": rng.uniform(1, 3),
            "stratocumulus": rng.uniform(0.5, 3),
            "altocumulus": rng.uniform(0.5, 3),
            "cumulus": log_uniform(rng, 0.15, 2.5),
            "cirrus": rng.uniform(1.5, 4),
        }[kind]
        closed = cover >= 1 and chance(rng, 0.6)  # a deck without a gap
        self.cover = Wander(rng, 1.3 if closed else cover, rng.uniform(0, 0.05), 120, 900)
        self.relief = log_uniform(rng, 3e-4, 0.1) if kind == "stratus" else log_uniform(rng, 0.02, 0.4)
        self.bright = log_uniform(rng, 0.3, 1.3 if kind == "stratus" else 3.5)
        # Thick cloud is dark below, all of it or where it is thickest; its edges shine.
        self.core = 0.0
        if kind in ("stratocumulus", "altocumulus", "cumulus"):
            if chance(rng, 0.22):
                self.bright *= log_uniform(rng, 0.12, 0.6)
            if chance(rng, 0.4):
                self.core, self.bright = log_uniform(rng, 0.2, 3), self.bright * log_uniform(rng, 1, 2.5)
        self.moonlit = log_uniform(rng, 0.3, 8)  # how much of the moon's own light comes through
        # 1 is the standard overcast sky, a third as bright at the horizon; below 0 where towns, twilight or
        # the moon light what is far off from below or from the side.
        self.limb = 0.0
        if chance(rng, 0.65):
            self.limb = rng.uniform(-0.35, 0) if chance(rng, 0.35) else rng.uniform(0, 1)
        self.lit = lit_from_one_side(rng) if chance(rng, 0.5) else None
        self.bank = None
        self._still = remembered(self._shade_and_bank)

    def at(self, view, t):
        """Return (opacity, brightness): 0 to 1, and what to multiply white cloud's light by; (n_pixels,)."""
        cover = float(np.clip(self.cover(t), 0.0, 1.0))
        threshold = np.sqrt(2) * _inverse_erf(1 - 2 * min(max(cover, 0.001), 0.999))
        thin = 0.3 if self.kind == "stratus" and self.thickness > 0.9 else 1.0
        shade, bank = self._still(view)
        opacity, bright = np.empty((2, view.cloud_east.size), np.float32)
        _simulated_sky.fill_cloud(
            opacity,
            bright,
            view.cloud_east,
            view.cloud_north,
            view.cloud_blur,
            shade,
            *self.fields,
            self.mappings[0].at(t),
            self.mappings[1].at(t),
            *self.gains,
            -np.inf if cover >= 0.995 else threshold,
            self.softness,
            (1 - thin) * self.thickness,
            self.thickness,
            self.bright,
            self.relief,
            self.core,
        )
        if bank is not None:
            opacity *= bank
        return opacity, bright

    def _shade_and_bank(self, view):
        """Return what multiplies brightness and what opacity, None where that is all the sky's."""
        shade = (1 + 2 * self.limb * view.direction[2]) / np.float32(1 + 2 * self.limb)
        if self.lit is not None:
            shade *= view.of_image(self.lit)
        return shade.astype(np.float32), None if self.bank is None else self.bank.over(view)


class Bank:
    """Where cloud lies low over a part of the horizon, or all about it; the rest of the sky is free."""

    def __init__(self, rng):
        self.top_deg, self.soft_deg = rng.uniform(16, 50), log_uniform(rng, 1, 10)
        self.middle_deg, self.width_deg = rng.uniform(0, 360), log_uniform(rng, 25, 400)

    def over(self, view):
        """Return where there is cloud, 0 to 1, float32 (n_pixels,)."""
        off = np.abs((view.azimuth - np.float32(self.middle_deg) + 180) % 360 - 180)
        top = self.top_deg - np.maximum(off - self.width_deg / 2, 0)
        low = 1 / (1 + np.exp(np.clip((view.elevation - top) / self.soft_deg, -30, 30)))
        return low.astype(np.float32)


def _inverse_erf(x):
    """Invert the error function closely enough for a threshold (Winitzki's approximation)."""
    a = 0.147
    log = np.log(max(1 - x * x, 1e-9))
    first = 2 / (np.pi * a) + log / 2
    return float(np.sign(x) * np.sqrt(np.sqrt(first * first - log / a) - first))


class Dome:
    """What lies on the dome: 'frost', 'snow', 'rain', 'dew', 'mist'; or before it: 'fog', snow 'falling'.

    Mist is dew too fine to show its drops; dew has large ones, between which the sky is seen.

    ``apply`` blurs, hides and lights the sky's image as such a dome does.
    """

    def __init__(self, rng, kind, amount):
        self.kind, self.amount = kind, amount
        rows, cols = image_plane()
        if kind == "fog":
            self.blur, self.hide = log_uniform(rng, 4, 20), np.full(SHAPE, 0.5 + 0.5 * amount)
        elif kind == "mist":
            field = texture(rng, log_uniform(rng, 2, 60), 256, slope=rng.uniform(2.0, 3.6))
            uneven = rng.uniform(0, 0.15) * field
            self.blur, self.hide = log_uniform(rng, 2, 12), np.clip(amount * (1 + uneven), 0, 1)
        elif kind in ("dew", "falling"):
            self.blur, self.hide = log_uniform(rng, 0.5, 12), np.full(SHAPE, 0.3 * amount)
        else:
            wavelength = {"frost": (3, 25), "snow": (10, 150), "rain": (6, 14)}[kind]
            if kind == "rain" or chance(rng, 0.5):
                field = texture(rng, log_uniform(rng, *wavelength), 256, spread=rng.uniform(0.3, 0.9))
            else:  # of all sizes at once
                field = texture(rng, log_uniform(rng, 60, 400), 256, slope=rng.uniform(2.0, 3.6))
            if kind != "rain" and chance(rng, 0.5):  # more on one side, on top or towards the rim
                angle, round_, slope = rng.uniform(0, 2 * np.pi), rng.uniform(-3, 3), log_uniform(rng, 0.3, 3)
                field = field + slope * (rows * np.sin(angle) + cols * np.cos(angle))
                field += round_ * (rows**2 + cols**2)
            if kind == "rain":
                hide = 1 / (1 + np.exp(-(field - np.quantile(field, 1 - 0.35 * amount)) * 8)) * 0.7
            else:
                hide = 1 / (1 + np.exp(-(field - np.quantile(field, 1 - amount)) * log_uniform(rng, 1.5, 10)))
            # Between pieces of snow or frost the sky is sharp, or seen through what melts.
            sharp = kind != "rain" and chance(rng, 0.5)
            self.blur, self.hide = 0.0 if sharp else log_uniform(rng, 1, 8), hide
        falls = kind == "falling" or (kind == "snow" and chance(rng, 0.3))
        self.flakes = Flakes(rng) if falls else None
        self.hide = self.hide.astype(np.float32)
        grain = texture(rng, log_uniform(rng, 30, 400), 256, slope=rng.uniform(2.0, 3.8))
        relief = log_uniform(rng, 0.003, 0.06) if kind in ("fog", "dew") else log_uniform(rng, 0.01, 0.3)
        # Drops and crystals throw light on by some degrees: what is bright has a wide halo there, in pixels.
        scatters = kind not in ("snow", "falling") and chance(rng, 0.5)
        self.halo = log_uniform(rng, 8, 60) if scatters else 0.0
        # Snow that lies passes little light or much.
        bright = log_uniform(rng, 0.15, 1.1) if kind == "snow" else rng.uniform(0.4, 1.1)
        veil = bright * np.maximum(1 + relief * grain, 0.1)
        # Lamps light what lies on the dome, and the air before it, from where they stand.
        veil *= 1 + (0.0 if chance(rng, 0.4) else rng.uniform(-0.4, 2.0)) * (rows**2 + cols**2)
        self.veil = (veil * (self.flakes.lit if self.flakes else lit_from_one_side(rng))).astype(np.float32)
        self.wander = Wander(rng, 1, rng.uniform(0, 0.03), 60, 600, 0.2)
        self._still = remembered(lambda view: self.veil * view.spread(view.through))

    def apply(self, view, image, t, rng):
        """Return the image, float32 (256, 256), as seen through the dome at scene time t (s)."""
        mean = view.mean_of_sky(image)
        hide = self.hide * np.float32(self.wander(t))
        out = soften(image, self.blur) if self.blur else image.copy()
        veil = (soften(image, self.halo) if self.halo else mean) * self._still(view)
        veil -= out
        veil *= hide
        out += veil
        if self.flakes:
            self.flakes.add(view, mean, t, rng, out)
        return out


def draw_cloud(rng, cover=None, thickness=None, kind=None):
    """Draw a cloud layer; what is not given is drawn."""
    often = {"stratus": 0.25, "stratocumulus": 0.22, "altocumulus": 0.1, "cumulus": 0.28, "cirrus": 0.15}
    kind = kind or choose(rng, often)
    if cover is None:
        cover = rng.uniform(0.05, 0.95)
    if thickness is None:
        thickness = rng.uniform(*{"cirrus": (0.2, 0.7), "altocumulus": (0.45, 1.0)}.get(kind, (0.7, 1.0)))
    return Cloud(rng, kind, cover, thickness)
