"""Scenes in which something on the dome, in the air near it or in its light spoils the view."""

import numpy as np
from scipy import ndimage

from .camera import SIDE
from .clouds import moon_behind, overcast
from .film import Scenery, streaks
from .lights import Moon, Stars, clear_night, twilight
from .registry import BAD_VIEWING, scene
from .textures import WHOLE_TURN, logistic, power_noise, smoothstep

_ROWS, _COLS = np.mgrid[:SIDE, :SIDE]


class _Snow:
    """Flakes driven past the lens in gusts, and some that stick to the dome for a while."""

    def __init__(self, camera, rng):
        self.camera, self.rng = camera, rng
        self.n_flakes, self.wind = rng.lognormal(np.log(90), 0.9), rng.uniform(0, WHOLE_TURN)
        self.lamp, self.size = rng.uniform(0, WHOLE_TURN), rng.uniform(0.5, 2.5)
        self.length, self.bright = rng.uniform(4, 30), rng.lognormal(np.log(20000), 0.7)
        self.gust = 0.0
        self.stuck = []

    def __call__(self, i, image):
        camera, rng = self.camera, self.rng
        self.gust = 0.85 * self.gust + rng.normal(0, 0.5)
        blown = np.exp(0.5 * self.gust)
        n_flakes = rng.poisson(self.n_flakes * blown)
        for blur, share in ((0.7, 0.6), (1.3 * self.size, 0.3), (3.0 * self.size, 0.1)):
            image = image + self._falling(max(int(n_flakes * share), 1), blur, share, blown)
        if rng.random() < 0.4:
            col, row = camera.col0 + rng.normal(0, 60), camera.row0 + rng.normal(0, 60)
            self.stuck.append([col, row, rng.uniform(3000, 30000), rng.integers(1, 25)])
        here = [flake for flake in self.stuck if flake[3] > 0]
        for flake in here:
            flake[3] -= 1
        if here:
            cols, rows, bright, _ = np.array(here).T
            still = np.zeros(len(here))
            image = image + ndimage.gaussian_filter(streaks(cols, rows, still + 0.1, still, bright), 1.6)
        return image

    def _falling(self, n_flakes, blur, share, blown):
        """An image of flakes of one size."""
        camera, rng = self.camera, self.rng
        out = camera.radius * np.sqrt(rng.random(n_flakes))
        bearing = rng.uniform(0, WHOLE_TURN, n_flakes)
        length = self.length * rng.lognormal(0, 0.5, n_flakes) * blown
        heading = self.wind + 0.3 * self.gust + rng.normal(0, 0.35, n_flakes)
        col, row = camera.col0 + out * np.cos(bearing), camera.row0 + out * np.sin(bearing)
        lit = 0.35 + 0.65 * np.clip(np.cos(bearing - self.lamp), 0, 1)
        bright = self.bright * share**0.5 * rng.lognormal(0, 0.8, n_flakes) * lit * blur
        flakes = streaks(col, row, length * np.cos(heading), length * np.sin(heading), bright)
        return ndimage.gaussian_filter(flakes, blur)


@scene(BAD_VIEWING)
def b_snowfall(camera, rng, times_s):
    cloud = overcast(camera, rng, rng.uniform(300, 3500), 0.08)
    return Scenery(sky=[cloud], full=_Snow(camera, rng))


class _Drops:
    """Drops on the dome: each bends the light behind it and glints on one side."""

    def __init__(self, camera, rng):
        self.camera, self.rng = camera, rng
        self.passes = np.ones((SIDE, SIDE), np.float32)
        self.glints = np.zeros((SIDE, SIDE), np.float32)
        self.light_from = rng.uniform(0, WHOLE_TURN)
        self.rate = rng.uniform(0.1, 2.5)
        for _ in range(rng.integers(20, 120)):
            self._fall()

    def _fall(self):
        camera, rng = self.camera, self.rng
        out, bearing = camera.radius * np.sqrt(rng.random()), rng.uniform(0, WHOLE_TURN)
        size = rng.lognormal(np.log(4), 0.4)
        col, row = camera.col0 + out * np.cos(bearing), camera.row0 + out * np.sin(bearing)
        reach = int(2.5 * size) + 2
        box = (
            slice(max(int(row) - reach, 0), max(int(row) + reach, 0)),
            slice(max(int(col) - reach, 0), max(int(col) + reach, 0)),
        )
        across = _COLS[box].astype(np.float32) - col
        down = (_ROWS[box].astype(np.float32) - row) * rng.uniform(0.8, 1.25)
        away = np.hypot(across, down)
        inside = logistic(-((away - size) * 1.6))
        side = (across * np.cos(self.light_from) + down * np.sin(self.light_from)) / size
        through = np.clip(0.85 + 0.3 * side - 0.35 * (away / size) ** 4, 0.25, 1.5)
        self.passes[box] = self.passes[box] * (1 - inside) + inside * through
        rim = np.exp(-(((away - 0.75 * size) / 1.0) ** 2))
        self.glints[box] += rng.uniform(0.05, 0.8) * rim * np.clip(side, 0, 1) ** 3

    def __call__(self, i, image):
        for _ in range(self.rng.poisson(self.rate)):
            self._fall()
        blurred = ndimage.gaussian_filter(image, 1.3)
        through = blurred * ndimage.gaussian_filter(self.passes, 1.2)
        return through + self.glints * float(blurred.max() * 0.5 + blurred.mean())


@scene(BAD_VIEWING)
def b_raindrops(camera, rng, times_s):
    is_moonlit = rng.random() < 0.7
    cloud = overcast(camera, rng, rng.uniform(800, 4000), 0.12)
    glow = moon_behind(camera, rng, width_deg=10) if is_moonlit else 1.0
    return Scenery(sky=[lambda time_s: cloud(time_s) * glow], dome=_Drops(camera, rng))


def _frost_pattern(camera, rng):
    """Ridges of ice, and where on the dome there is ice."""
    veins = 0.6 * power_noise(rng, 1.6, 14, 120, 2.0, rng.uniform(0, 3), side=SIDE)
    veins = veins + 0.6 * power_noise(rng, 1.4, 18, 120, 2.0, rng.uniform(0, 3), side=SIDE)
    warp = power_noise(rng, 3, 2, 20, side=SIDE)
    warped = [_ROWS + 6 * warp, _COLS + 6 * np.roll(warp, 60)]
    veins = ndimage.map_coordinates(veins, warped, order=1, mode="grid-wrap")
    ridges = np.exp(-np.abs(veins) * 1.6)
    ridges = ndimage.gaussian_filter(ridges, rng.uniform(0.5, 1.2)) * (0.8 + 0.25 * warp)
    depth = power_noise(rng, 3.2, 1, 6, side=SIDE)
    depth = depth + rng.uniform(-1, 1.5) * (camera.from_centre / camera.radius) ** 2
    level = np.quantile(depth[camera.from_centre < camera.radius], rng.uniform(0.02, 0.4))
    return ridges.astype(np.float32), smoothstep(depth, level - 0.4, level + 0.4)


@scene(BAD_VIEWING)
def b_frost(camera, rng, times_s):
    ridges, iced = _frost_pattern(camera, rng)
    lamp = rng.uniform(0, WHOLE_TURN)
    bearing = np.arctan2(_ROWS - camera.row0, _COLS - camera.col0)
    side = 1 + 0.6 * np.cos(bearing - lamp) * (camera.from_centre / camera.radius)
    bright = rng.uniform(300, 2500)
    disc = smoothstep(camera.radius - camera.from_centre, 0, 2)
    lit = (ridges * iced * side * bright * disc).astype(np.float32)
    growth = rng.uniform(-3e-4, 6e-4)
    sky = clear_night(camera, rng) + ([Moon(camera, rng)] if rng.random() < 0.5 else [])

    def dome(i, image):
        blurred = ndimage.gaussian_filter(image, 4.5)
        through = image * (1 - iced) + iced * blurred * (0.5 + 0.7 * ridges)
        return through + lit * (1 + growth * times_s[i])

    return Scenery(sky=sky, stars=Stars(camera, rng, 150), dome=dome)


@scene(BAD_VIEWING)
def b_snow_dome(camera, rng, times_s):
    """Snow that lies on the whole dome or most of it."""
    depth = power_noise(rng, 3.4, 1, 10, side=SIDE)
    if rng.random() < 0.5:
        covered = np.ones((SIDE, SIDE), np.float32)
    else:
        level = np.quantile(depth[camera.from_centre < camera.radius], rng.uniform(0.1, 0.35))
        covered = smoothstep(depth, level - 0.12, level + 0.12)
    thickness = 1 + 0.1 * power_noise(rng, 3, 1, 8, side=SIDE)
    thickness = thickness + 0.07 * power_noise(rng, 2.4, 4, 60, side=SIDE)
    passes = np.exp(-1.2 * thickness) * rng.uniform(0.15, 0.9)
    sky = clear_night(camera, rng) + ([Moon(camera, rng)] if rng.random() < 0.4 else [])

    def dome(i, image):
        blurred = ndimage.gaussian_filter(image, 14)
        return image * (1 - covered) + covered * passes * blurred

    return Scenery(sky=sky, stars=Stars(camera, rng), dome=dome)


@scene(BAD_VIEWING)
def b_headlamps(camera, rng, times_s):
    """Cars whose lamps sweep over low cloud."""
    cloud = overcast(camera, rng, rng.uniform(300, 2000), 0.12)
    cars = [
        (
            rng.uniform(-5, times_s[-1]),
            rng.uniform(3, 9),
            rng.uniform(0, WHOLE_TURN),
            rng.uniform(-0.25, 0.25),
            rng.uniform(400, 5000),
            rng.uniform(0.25, 0.8),
        )
        for _ in range(rng.integers(2, 9))
    ]

    def glow(time_s):
        light = cloud(time_s)
        relative = light / max(float(light.mean()), 1)
        for passes_s, lasts_s, azimuth, rate, bright, wide in cars:
            part = (time_s - passes_s) / lasts_s
            if abs(part) < 2.5:
                now = azimuth + rate * (time_s - passes_s)
                apart_deg = camera.apart_deg(np.radians(12 + 20 * wide), now)
                beam = np.exp(-((apart_deg / (45 * wide)) ** 2)) + 0.3 * np.exp(-apart_deg / 30)
                light = light + bright * np.exp(-part * part) * beam * relative
        return light

    return Scenery(sky=[glow])


@scene(BAD_VIEWING)
def b_beacon_fog(camera, rng, times_s):
    """A lamp that flashes every few seconds in fog."""
    low = np.exp(-np.sin(camera.elevation) * rng.uniform(0.5, 2.2)) * rng.uniform(400, 3000) + 150
    contrast = rng.uniform(0.03, 0.1)
    banks = overcast(
        camera, rng, 1.0, contrast, height_km=0.1, period_km=3, speed=rng.uniform(0.5, 3), high=20
    )
    period_s, phase, lit_s = rng.uniform(1.2, 4.5), rng.random(), rng.uniform(0.1, 0.8)
    apart_deg = camera.apart_deg(np.radians(rng.uniform(1, 12)), rng.uniform(0, WHOLE_TURN))
    bright = rng.uniform(400, 5000)
    beacon = bright * (np.exp(-apart_deg / rng.uniform(10, 35)) + 2 * np.exp(-apart_deg / 4))

    def glow(time_s):
        since_flash_s = np.mod((time_s + np.linspace(0, 1, 50)) / period_s + phase, 1) * period_s
        return low * banks(time_s) + beacon * float((since_flash_s < lit_s).mean())

    return Scenery(sky=[glow])


@scene(BAD_VIEWING)
def b_dome_light(camera, rng, times_s):
    """A lamp in the dome or near it, which blinds the camera."""
    level = rng.uniform(2e4, 2e5)
    turn = rng.uniform(0, WHOLE_TURN)
    across = (_COLS - camera.col0) * np.cos(turn) + (_ROWS - camera.row0) * np.sin(turn)
    pattern = 1 + 0.3 * (camera.from_centre / camera.radius) ** 2 + 0.5 * across / camera.radius
    pattern = (pattern + 0.03 * power_noise(rng, 2.5, 2, 60, side=SIDE)).astype(np.float32)
    flare = (0.2 + 0.8 * smoothstep(camera.radius + 10 - camera.from_centre, 0, 14)).astype(np.float32)
    return Scenery(sky=clear_night(camera, rng), full=lambda i, image: image + level * pattern * flare)


@scene(BAD_VIEWING)
def b_twilight_saturated(camera, rng, times_s):
    return Scenery(sky=[twilight(camera, rng, rng.uniform(3e4, 2e5))])
