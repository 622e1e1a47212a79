"""One clip's place, time, camera and sky, and how its light adds up.

Light is counted in units of the sky: a dark moonless zenith is a few hundred
to some fifteen hundred counts above the pedestal at a camera gain of 1.
"""

from dataclasses import dataclass, field

import numpy as np

from . import almanac
from .lights import stamp
from .optics import SIDE, Camera, ground_km, slant_factor, unit_vector
from .textures import ramp

CADENCE_S = 3.0


@dataclass
class Truth:
    """What a clip really holds, over the sky above 15 degrees; one value a frame unless told otherwise."""

    aurora: list = field(
        default_factory=list
    )  # fraction of the sky where aurora outshines a fifth of the rest
    hidden: list = field(default_factory=list)  # mean opacity of cloud, fog and the like
    pulsing: np.ndarray | None = None  # (256, 256): depth of the pulsating light over the local mean
    covered: list = field(default_factory=list)  # fraction of the sky that pulsates, in each minute


class World:
    """What a scene is built in: draw from `rng`, look along `towards`, append layers to the lists.

    aurora, pulsing, glow   callables i -> light beyond the weather
    points                  callables i -> row, col, flux, blur: points beyond the weather
    veils                   callables i -> transmission, own light
    near, near_points       as glow and points, before the weather
    dome                    callables (i, image) -> image
    """

    def __init__(self, rng, start, n_frames, latitude, longitude, light):
        self.rng = rng
        self.camera = Camera(rng)
        self.n, self.latitude, self.longitude = n_frames, latitude, longitude
        skipped = np.cumsum(rng.random(n_frames) < 0.002)
        ticks = (np.arange(n_frames) + skipped) * CADENCE_S
        ticks = ticks + rng.normal(0, 0.03, n_frames) + rng.exponential(0.01, n_frames)
        self.times = np.datetime64(start, "us") + np.rint(ticks * 1e6).astype("timedelta64[us]")
        self.times_s = (self.times - self.times[0]) / np.timedelta64(1, "s")
        self.duration_s = float(self.times_s[-1])
        self.exposure_s = rng.uniform(0.9, 1.1)
        self.towards, self.zenith_deg = self.camera.towards, self.camera.zenith_deg
        self.azimuth_deg = self.camera.azimuth_deg
        self.high = self.zenith_deg < 75
        self.dark = rng.lognormal(np.log(800), 0.35)
        self.aurora, self.pulsing, self.glow, self.veils, self.near = [], [], [], [], []
        self.points, self.near_points, self.dome = [], [], []
        self._place_sun_and_moon(light)
        self.sky = self._background()
        self.air = (
            10 ** (-0.4 * rng.uniform(0.12, 0.3) * (np.minimum(slant_factor(self.zenith_deg, 8.0), 12) - 1))
        ).astype(np.float32)

    def _place_sun_and_moon(self, light):
        rng, time = self.rng, self.times[0]
        self.moon = self.sun = None
        up, turn, lit = almanac.moon(time, self.latitude, self.longitude)
        if light == "moon":
            self.moon = (
                (up, turn, lit)
                if up > 8 and lit > 0.2
                else (rng.uniform(15, 60), rng.uniform(60, 300), rng.uniform(0.45, 1.0))
            )
        up, turn = almanac.sun(time, self.latitude, self.longitude)
        if light == "twilight":
            self.sun = (up, turn) if -12.5 < up < -8 else (rng.uniform(-11.5, -8.5), rng.uniform(0, 360))

    def apart_deg(self, elevation, azimuth):
        """Angle of every pixel from a direction."""
        return np.degrees(np.arccos(np.clip(self.towards @ unit_vector(elevation, azimuth), -1, 1)))

    def _background(self):
        """Clear sky: airglow, distant towns, scattered moonlight and twilight."""
        rng = self.rng
        sky = self.dark * (0.5 + 0.5 * np.minimum(slant_factor(self.zenith_deg, 95.0), 4.0))
        for _ in range(rng.integers(0, 3)):
            off = np.abs((self.azimuth_deg - rng.uniform(0, 360) + 180) % 360 - 180)
            sky += (
                self.dark
                * rng.uniform(0.2, 2.0)
                * np.exp(-((90 - self.zenith_deg) / rng.uniform(4, 10)) - (off / rng.uniform(10, 40)) ** 2)
            )
        if self.moon:
            up, turn, lit = self.moon
            self.moonlight = rng.uniform(2000, 5000) * lit**1.5 * np.sqrt(np.sin(np.radians(up)))
            apart = self.apart_deg(up, turn)
            sky += self.moonlight * (
                0.45 * (1 + np.cos(np.radians(apart)) ** 2)
                + rng.uniform(0.4, 1.5) * np.exp(-apart / rng.uniform(10, 20))
                + rng.uniform(2, 8) * np.exp(-apart / rng.uniform(1.5, 4))
            )
            row, col = self.camera.project(unit_vector(up, turn))
            disc = (
                np.array([row]),
                np.array([col]),
                np.array([rng.uniform(3e5, 3e6) * lit]),
                rng.uniform(1.2, 2.2),
            )
            self.points.append(lambda i: disc)
            # A ghost of the moon, across the optical axis from it.
            part = -rng.uniform(0.3, 0.9)
            ghost = (
                np.array([self.camera.row0 + part * (row - self.camera.row0)]),
                np.array([self.camera.col0 + part * (col - self.camera.col0)]),
                np.array([self.moonlight * rng.uniform(1, 12)]),
                rng.uniform(2.0, 5.0),
            )
            self.near_points.append(lambda i: ghost)
        if self.sun:
            up, turn = self.sun
            off = np.radians((self.azimuth_deg - turn + 180) % 360 - 180)
            low = np.exp(-(90 - self.zenith_deg) / rng.uniform(9, 16)) * (0.5 + 0.5 * np.cos(off)) ** 2
            strength = self.dark * rng.uniform(2, 5) * 10 ** (0.35 * (up + 10))
            sky += strength * (3.0 * low + 0.25 + 0.15 * np.cos(off) * np.sin(np.radians(self.zenith_deg)))
            self.dawn = rng.choice([-1, 1]) * rng.uniform(0.0002, 0.0008)  # a part a second
        return sky.astype(np.float32)

    def clear(self, i):
        """The clear sky's own light at frame i."""
        if self.sun:
            return self.sky * np.float32(np.exp(self.dawn * self.times_s[i]))
        return self.sky

    def level(self):
        """Typical light of the high sky, for setting other things' brightness."""
        return float(np.median(self.sky[self.high]))


def film(world, keep):
    """Render a clip; `keep(truth)` decides after it whether the frames are wanted.

    Returns (images or None, Truth). The noise-free light is drawn first, so a
    clip that is not what its label says costs no exposures.
    """
    camera, n = world.camera, world.n
    truth, high = Truth(), world.high
    total = np.zeros(camera.seen.size, np.float32)
    minutes = np.array_split(np.arange(n), max(n // 20, 1))
    sums = np.zeros((len(minutes), 3, total.size), np.float32)  # of all light, pulsing light and its square
    minute_of = np.repeat(np.arange(len(minutes)), [len(m) for m in minutes])
    frames = []
    for i in range(n):
        pulse = _sum(world.pulsing, i, total.size)
        aurora = _sum(world.aurora, i, total.size) + pulse
        rest = world.clear(i) + _sum(world.glow, i, total.size)
        sky = (rest + aurora) * world.air
        through = np.float32(1.0)
        for veil in world.veils:
            part, own = veil(i)
            sky = sky * part + own
            through = through * part
        sky = sky + _sum(world.near, i, total.size)
        pulse = pulse * world.air * through
        shown = aurora * world.air * through
        truth.aurora.append(float(np.mean(shown[high] > 0.2 * (sky - shown)[high])))
        truth.hidden.append(float(1 - np.mean(np.broadcast_to(through, total.shape)[high])))
        if world.pulsing:
            sums[minute_of[i]] += sky, pulse, pulse * pulse
        frames.append((sky, through))
    truth.pulsing = np.zeros(SIDE * SIDE, np.float32)
    if world.pulsing:
        depths = [_depth(*part, len(minute)) for part, minute in zip(sums, minutes, strict=True)]
        truth.covered = [float(np.mean(depth[high] > 0.09)) for depth in depths]
        truth.pulsing[camera.seen] = _depth(*sums.sum(0), n)
    truth.pulsing = truth.pulsing.reshape(SIDE, SIDE)
    if not keep(truth):
        return None, truth
    images = np.empty((n, SIDE, SIDE), np.uint16)
    for i, (sky, through) in enumerate(frames):
        image = np.zeros(SIDE * SIDE, np.float32)
        image[camera.seen] = sky * camera.vignette
        for source in world.points:
            _stamp_sky(image, camera, source(i), through)
        image[camera.seen] *= camera.open_sky
        for source in world.near_points:
            stamp(image.reshape(SIDE, SIDE), *source(i))
        image += camera.stray * np.float32(sky.mean())
        for change in world.dome:
            image = change(i, image.reshape(SIDE, SIDE)).ravel()
        images[i] = camera.expose(image, world.rng)
    return images, truth


def _depth(light, pulse, squared, count):
    """Peak to peak of a sine with the pulsing light's variance, over the mean light."""
    return np.sqrt(8 * np.clip(squared / count - (pulse / count) ** 2, 0, None)) / (light / count)


def _sum(layers, i, size):
    total = np.zeros(size, np.float32)
    for layer in layers:
        total = total + layer(i)
    return total


def _stamp_sky(image, camera, source, through):
    row, col, flux, blur = source
    if np.ndim(through):
        seen = np.zeros(SIDE * SIDE, np.float32)
        seen[camera.seen] = through
        at = np.clip(np.rint(row), 0, SIDE - 1).astype(int) * SIDE + np.clip(
            np.rint(col), 0, SIDE - 1
        ).astype(int)
        flux = flux * seen[at]
    stamp(image.reshape(SIDE, SIDE), row, col, flux, blur)


def side_of_sky(world, bearing_deg, reach_km, edge_km, height_km=105.0):
    """1 on one side of a line over the ground, 0 on the other: where in the sky something happens."""

    x, y = ground_km(world.towards, height_km)
    ahead = x * np.sin(np.radians(bearing_deg)) + y * np.cos(np.radians(bearing_deg))
    return ramp(ahead, -reach_km - edge_km, -reach_km + edge_km).astype(np.float32)
