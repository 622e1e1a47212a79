"""Cloud on a plane at some height: broken, or all over the sky."""

import numpy as np

from .film import Scenery
from .lights import Moon, Stars, clear_night
from .textures import SIDE_TEXTURE, WHOLE_TURN, Sampler, power_noise, smoothstep


class CloudPlane:
    """A moving periodic texture on a plane, `period_km` across; speed in m/s, heading in rad."""

    def __init__(self, camera, rng, height_km, period_km, speed=None, heading=None):
        distance, footprint, _ = camera.ground(height_km)
        east, north = distance * np.sin(camera.azimuth), distance * np.cos(camera.azimuth)
        self.sampler = Sampler(east, north, period_km / SIDE_TEXTURE, footprint)
        km_s = (rng.uniform(5, 25) if speed is None else speed) / 1000
        heading = rng.uniform(0, WHOLE_TURN) if heading is None else heading
        self.east_km_s, self.north_km_s = km_s * np.cos(heading), km_s * np.sin(heading)
        self.start_km = rng.uniform(0, period_km, 2)

    def __call__(self, texture, time_s):
        east, north = self.start_km
        return self.sampler(texture, east + self.east_km_s * time_s, north + self.north_km_s * time_s)


class Cover:
    """Cloud over `share` of the sky above 15 degrees in the middle of the clip: how thick, and how bright."""

    def __init__(
        self,
        camera,
        rng,
        height_km,
        period_km,
        share,
        *,
        slope=3.2,
        low=2,
        high=120,
        speed=None,
        soft=0.5,
        stretch=1.0,
    ):
        noise = power_noise(rng, slope, low, high, stretch, rng.uniform(0, np.pi))
        self.plane = CloudPlane(camera, rng, height_km, period_km, speed)
        seen = self.plane(noise, 90.0)[camera.elevation_deg > 15]
        level = float(np.quantile(seen, 1 - np.clip(share, 0.001, 0.999)))
        thick = smoothstep(noise, level - soft, level + soft) * (0.6 + 0.4 * np.tanh(1 + noise))
        self.thick = Sampler.pyramid(thick.astype(np.float32))
        shadow = power_noise(rng, 2.6, 3, 120) * 0.7 + 0.6 * (noise - noise.mean())
        self.bright = Sampler.pyramid(np.exp(-0.22 * shadow).astype(np.float32))

    def __call__(self, time_s):
        return self.plane(self.thick, time_s)

    def shade(self, time_s):
        return self.plane(self.bright, time_s)


def overcast(camera, rng, level, contrast=0.12, *, height_km=None, period_km=None, speed=None, high=60):
    """Light of two layers of cloud all over, of some contrast: a function of time."""
    height_km = rng.uniform(0.8, 3) if height_km is None else height_km
    lower, upper = power_noise(rng, 3.2, 1, high), power_noise(rng, 3.2, 1, high)
    period_km = rng.uniform(15, 50) if period_km is None else period_km
    plane = CloudPlane(camera, rng, height_km, period_km, speed)
    heading = np.arctan2(plane.north_km_s, plane.east_km_s) + rng.normal(0, 0.3)
    above = CloudPlane(
        camera,
        rng,
        height_km * 1.3,
        period_km * 1.4,
        np.hypot(plane.east_km_s, plane.north_km_s) * 900,
        heading,
    )
    lower, upper = Sampler.pyramid(lower), Sampler.pyramid(upper)
    darker_low = (0.45 + 0.55 * np.sin(camera.elevation)) if rng.random() < 0.7 else 1.0

    def at(time_s):
        return level * darker_low * np.exp(contrast * (plane(lower, time_s) + 0.7 * above(upper, time_s)))

    return at


def moon_behind(camera, rng, width_deg=None):
    """How much brighter than the rest thick cloud is about the moon."""
    moon = Moon(camera, rng, 1, disc=False)
    width_deg = rng.uniform(12, 40) if width_deg is None else width_deg
    return (0.5 + 1.3 * np.exp(-moon.apart_deg / width_deg)).astype(np.float32)


def broken(camera, rng, cover, lit, thickness, *, moon=None, town=0.0, aurora=None, n_stars=150, sure=True):
    """A night behind broken cloud that the moon, a town or nothing much lights.

    `cover` is a function of time; where it has no `shade` it is evenly bright.
    """
    light = np.full(camera.n_pixels, lit, np.float32)
    if moon is not None:
        light = lit * (0.4 + 2.0 * np.exp(-moon.apart_deg / 14) + 5 * np.exp(-moon.apart_deg / 4))
    if town:
        toward = 1 + np.cos(camera.elevation) * np.cos(camera.azimuth - rng.uniform(0, WHOLE_TURN))
        light = light + town * (0.6 + 0.8 * np.exp(-2 * np.sin(camera.elevation)) * toward)

    def cloud(time_s):
        thick = thickness * cover(time_s)
        passes = np.exp(-thick)
        sends = 1 - passes
        if moon is not None:  # lit from behind: edges shine, cores are dark
            sends = sends * (0.55 + 0.9 * np.exp(-0.6 * thick))
        sends = light * sends
        return passes, sends * cover.shade(time_s) if hasattr(cover, "shade") else sends

    sky = clear_night(camera, rng) + ([moon] if moon is not None else [])
    return Scenery(sky=sky, stars=Stars(camera, rng, n_stars), aurora=aurora, cloud=cloud, sure=sure)
