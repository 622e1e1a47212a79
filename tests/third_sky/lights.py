"""Light that is neither aurora nor cloud: stars, airglow, Milky Way, moon, twilight, towns."""

import numpy as np

from .camera import SIDE
from .textures import (
    KM_PER_POINT,
    PERIOD_KM,
    SIDE_TEXTURE,
    WHOLE_TURN,
    Sampler,
    logistic,
    look_up,
    power_noise,
    smoothstep,
)

_SIDEREAL_DAY_S = 86164
_N_STARS = 1500
_CLIP_S = 180  # moon and Milky Way are drawn at both ends of this and move evenly between


class Stars:
    """Points that rise and set and twinkle towards the horizon.

    `n_bright` of them above the horizon are brighter than 200 counts, about as many as
    on real frames; None draws that number.
    """

    def __init__(self, camera, rng, n_bright=None):
        self.camera = camera
        n_bright = rng.uniform(110, 330) if n_bright is None else n_bright
        rank = rng.random(_N_STARS) * _N_STARS / (2 * n_bright)
        self.flux = np.minimum((200 * rank ** (-1 / 1.2)).astype(np.float32), 26000)
        self.declination = np.arcsin(rng.uniform(-0.6, 1, _N_STARS))
        self.ascension = rng.uniform(0, WHOLE_TURN, _N_STARS)
        self.width = rng.uniform(0.5, 0.72)
        self.rng = rng

    def _places(self, time_s):
        """Elevation and azimuth of all stars."""
        hour_angle = self.ascension + WHOLE_TURN * time_s / _SIDEREAL_DAY_S
        sin_dec, cos_dec = np.sin(self.declination), np.cos(self.declination)
        sin_lat, cos_lat = np.sin(self.camera.latitude), np.cos(self.camera.latitude)
        elevation = np.arcsin(sin_dec * sin_lat + cos_dec * cos_lat * np.cos(hour_angle))
        azimuth = np.arctan2(
            -cos_dec * np.sin(hour_angle),
            sin_dec * cos_lat - cos_dec * sin_lat * np.cos(hour_angle),
        )
        return elevation, azimuth

    def __call__(self, time_s):
        elevation, azimuth = self._places(time_s)
        up = elevation > 0.02
        elevation, azimuth, flux = elevation[up], azimuth[up], self.flux[up]
        airmass = 1 / (np.sin(elevation) + 0.02)
        twinkle = np.clip(0.025 * airmass**1.4, 0, 0.4) * self.rng.standard_normal(len(elevation))
        flux = flux * np.exp(-self.camera.extinction_rate * (airmass - 1)) * np.exp(twinkle)
        col, row = self.camera.project(elevation, azimuth)
        near_col, near_row = np.rint(col).astype(int), np.rint(row).astype(int)
        step = np.arange(-2, 3)
        along = np.exp(-((near_col[:, None] + step - col[:, None]) ** 2) / (2 * self.width**2))
        down = np.exp(-((near_row[:, None] + step - row[:, None]) ** 2) / (2 * self.width**2))
        value = flux[:, None, None] * down[:, :, None] * along[:, None, :]
        pixel = np.clip(near_row[:, None, None] + step[None, :, None], 0, SIDE - 1) * SIDE
        pixel = pixel + np.clip(near_col[:, None, None] + step[None, None, :], 0, SIDE - 1)
        image = np.bincount(pixel.ravel(), value.ravel(), SIDE * SIDE)
        return image.astype(np.float32)[self.camera.inside]


def airglow(camera, rng, level=None, waves=False):
    """A layer that brightens towards the horizon, perhaps with gravity waves: a function of time."""
    level = rng.lognormal(np.log(450), 0.35) if level is None else level
    base = camera.van_rhijn(97) ** rng.uniform(0.5, 0.9) * camera.extinction
    slant = np.sin(camera.zenith_angle)
    gradient = 1 + rng.uniform(0, 0.15) * slant * np.cos(camera.azimuth - rng.uniform(0, WHOLE_TURN))
    base = (level * base * gradient).astype(np.float32)
    if not waves:
        return lambda time_s: base
    distance, footprint, _ = camera.ground(95)
    long_km, turn, speed = rng.uniform(24, 70), rng.uniform(0, WHOLE_TURN), rng.uniform(0.02, 0.09)
    sampler = Sampler(
        distance * np.sin(camera.azimuth), distance * np.cos(camera.azimuth), KM_PER_POINT, footprint
    )
    k = PERIOD_KM / long_km
    wave = power_noise(rng, 2, k * 0.9, k * 1.1, 3.0 if rng.random() < 0.5 else 2.2, turn)
    large = power_noise(rng, 2, 1, 5)
    texture = rng.uniform(0.08, 0.25) * wave * smoothstep(large, -0.8, 0.8) + 0.15 * large
    pyramid = Sampler.pyramid(texture.astype(np.float32))

    def at(time_s):
        return base * (1 + sampler(pyramid, speed * time_s * np.cos(turn), speed * time_s * np.sin(turn)))

    return at


def milky_way(camera, rng, level=None):
    """A mottled band with a dark rift along a great circle that turns with the stars."""
    level = rng.uniform(150, 500) if level is None else level
    tip, turn = rng.uniform(0.1, 1.0), rng.uniform(0, WHOLE_TURN)
    pole = np.array([np.cos(tip) * np.sin(turn), np.cos(tip) * np.cos(turn), np.sin(tip)])
    mottle = power_noise(rng, 2.6, 3, 90)
    dust = power_noise(rng, 2.2, 4, 60)

    def at(time_s):
        angle = WHOLE_TURN * time_s / _SIDEREAL_DAY_S
        axis = np.array([0, np.cos(camera.latitude), np.sin(camera.latitude)])
        now = (
            pole * np.cos(angle)
            + np.cross(axis, pole) * np.sin(angle)
            + axis * (axis @ pole) * (1 - np.cos(angle))
        )
        first = np.cross(now, axis)
        first /= np.linalg.norm(first)
        second = np.cross(now, first)
        off_deg = np.degrees(np.arcsin(np.clip(now.astype(np.float32) @ camera.towards, -1, 1)))
        along_deg = np.degrees(
            np.arctan2(second.astype(np.float32) @ camera.towards, first.astype(np.float32) @ camera.towards)
        )
        col = (along_deg / 360 * SIDE_TEXTURE).astype(np.float32)
        row = (off_deg / 360 * SIDE_TEXTURE * 1.6).astype(np.float32)
        bent_deg = off_deg - 1.5 * look_up(dust, col, row * 0)
        dusty = smoothstep(look_up(dust, col + 90, row), -0.2, 0.8)
        rift = 1 - 0.55 * np.exp(-((bent_deg / 3.0) ** 2)) * dusty
        band = level * np.exp(-(((off_deg + 2 * look_up(mottle, col, row * 0)) / 9) ** 2))
        band = band * (1 + 0.3 * look_up(mottle, col, row))
        return (band * (0.75 + 0.35 * np.cos(np.radians(along_deg))) * rift * camera.extinction).astype(
            np.float32
        )

    first, last = at(0), at(_CLIP_S)
    return lambda time_s: first + (last - first) * (time_s / _CLIP_S)


class Moon:
    """The moon with its sky light, its aureole and, where the disc is seen, ghosts in the lens.

    level : counts of the sky light far from it
    apart_deg : every pixel's angle from it
    """

    def __init__(self, camera, rng, level=None, elevation=None, disc=True):
        elevation = np.radians(rng.uniform(8, 50)) if elevation is None else elevation
        azimuth = rng.uniform(0, WHOLE_TURN)
        self.level = rng.lognormal(np.log(1500), 0.4) if level is None else level
        self.apart_deg = camera.apart_deg(elevation, azimuth)
        ghosts = ring_radius = None
        ends = []
        for end in (0, 1):
            moved = azimuth + end * np.radians(0.7)
            apart = camera.apart_deg(elevation + end * np.radians(0.15), moved)
            light = self.level * self._glow(camera, apart)
            if disc:
                light = light + 4e5 * np.exp(-((apart / 1.0) ** 2))
            col, row = camera.project(elevation, np.array(moved))
            across, down = col - camera.col0, row - camera.row0
            if ghosts is None:
                ghosts = [
                    (rng.uniform(-1.0, -0.25), rng.uniform(2, 11), rng.uniform(0.05, 0.35))
                    for _ in range(rng.integers(1, 4))
                ]
                has_ring = rng.random() < 0.4
                ring_radius = rng.uniform(18, 40)
            for place, radius, strength in ghosts if disc else []:
                out = np.hypot(camera.across - place * across, camera.down - place * down)
                ghost = logistic(-((out - radius) * 1.5)) + 0.5 * np.exp(-(((out - radius) / 1.2) ** 2))
                light = light + self.level * strength * ghost
            if has_ring and disc:
                out = np.hypot(camera.across - across, camera.down - down)
                light = light + self.level * 0.1 * np.exp(-(((out - ring_radius) / 2.5) ** 2))
            ends.append(light.astype(np.float32))
        self.first, self.last = ends

    @staticmethod
    def _glow(camera, apart_deg):
        """Sky light by single scattering, and the aureole, at level 1."""
        air = 1 + 0.5 * np.cos(np.radians(apart_deg)) ** 2
        scattered = 0.45 * air * (1 - np.exp(-0.35 * camera.airmass)) / 0.3
        return scattered + 1.6 * np.exp(-apart_deg / 9) + 7 * np.exp(-apart_deg / 2.6)

    def __call__(self, time_s):
        return self.first + (self.last - self.first) * np.float32(time_s / _CLIP_S)


def twilight(camera, rng, level):
    """An arch of light over where the sun is, growing at dawn or going at dusk: a function of time."""
    azimuth = rng.uniform(0, WHOLE_TURN)
    time_scale_s = rng.uniform(200, 420) * (1 if rng.random() < 0.5 else -1)
    toward = np.cos(camera.azimuth - azimuth) * np.cos(camera.elevation)
    low = np.exp(-np.sin(camera.elevation) / rng.uniform(0.22, 0.4))
    arch = 0.25 + low * np.exp(1.3 * (toward - 1)) * 3 + 0.25 * (1 + toward)
    light = (level * arch).astype(np.float32)
    return lambda time_s: light * np.float32(np.exp(time_s / time_scale_s))


def town_glow(camera, rng, level=None):
    """Domes of light over one or two towns; steady."""
    light = np.zeros(camera.n_pixels, np.float32)
    for _ in range(rng.integers(1, 3)):
        bright = rng.uniform(600, 5000) if level is None else level
        aside = np.arccos(np.cos(camera.azimuth - rng.uniform(0, WHOLE_TURN)))
        across = np.exp(-((aside / rng.uniform(0.25, 0.7)) ** 2))
        light += bright * across * np.exp(-camera.elevation_deg / rng.uniform(6, 14))
    return light


def clear_night(camera, rng):
    """What a dark sky without cloud has, but for its stars."""
    sky = [airglow(camera, rng)]
    if rng.random() < 0.5:
        sky.append(milky_way(camera, rng, rng.uniform(60, 250)))
    if rng.random() < 0.3:
        sky.append(town_glow(camera, rng, rng.uniform(200, 1200)))
    return sky
