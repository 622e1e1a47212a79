"""Patches of aurora on a shell above the ground, steady or pulsating.

Stable patches are a texture that drifts (0 to 500 m/s) and says for each place
how strongly it belongs to which patch; amorphous ones are fields that evolve.
"""

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from . import flicker
from .optics import ground_km, slant_factor
from .textures import look_up, look_up_nearest, ramp, stretch, value_noise

GRID = 512
SPAN_KM = 1400.0
KM = SPAN_KM / GRID


def scattered(rng, spacing_km):
    """Points that keep their distance: a jittered hexagon-like grid, in kilometres."""
    count = max(int(SPAN_KM / spacing_km), 3)
    rows, cols = np.meshgrid(np.arange(count), np.arange(count), indexing="ij")
    cell = SPAN_KM / count
    jitter = rng.uniform(-0.42, 0.42, (2, count, count))
    x = (cols + 0.5 * (rows % 2) + jitter[0]) * cell
    y = (rows + jitter[1]) * cell
    return np.stack([y.ravel(), x.ravel()], -1) % SPAN_KM


def _grid_km():
    axis = np.arange(GRID) * KM
    return np.meshgrid(axis, axis, indexing="ij")


def _window(centre, reach_km, km=KM):
    """Index arrays and offsets (km) of a periodic window round a point."""
    half, size = int(reach_km / km) + 1, int(round(SPAN_KM / km))
    row, col = (int(round(c / km)) for c in centre)
    steps = np.arange(-half, half + 1)
    rows, cols = (row + steps) % size, (col + steps) % size
    dy = (row + steps) * km - centre[0]
    dx = (col + steps) * km - centre[1]
    return np.ix_(rows, cols), dy[:, None].astype(np.float32), dx[None, :].astype(np.float32)


def _claim(weight, owner, where, shape, index):
    """Give a window to a patch wherever it is the strongest there."""
    stronger = shape > weight[where]
    weight[where] = np.where(stronger, shape, weight[where])
    owner[where] = np.where(stronger, index, owner[where])


def ellipse_unions(rng, size_km):
    """Each patch a union of a few tilted, soft-edged ellipses."""
    weight, owner = np.zeros((GRID, GRID), np.float32), np.zeros((GRID, GRID), np.int16)
    inner, outer = rng.uniform(0.2, 0.7), rng.uniform(1.15, 1.5)
    for index, centre in enumerate(scattered(rng, size_km * rng.uniform(1.2, 1.9))):
        reach = 0.5 * size_km * rng.lognormal(0, 0.25)
        for _ in range(rng.integers(2, 6)):
            major = reach * rng.uniform(0.45, 0.9)
            minor = major * rng.uniform(0.35, 0.9)
            middle = centre + rng.normal(0, 0.35 * reach, 2)
            where, dy, dx = _window(middle % SPAN_KM, 1.6 * major)
            turn = rng.normal(0, 0.7)
            along = (dx * np.cos(turn) + dy * np.sin(turn)) / major
            across = (dy * np.cos(turn) - dx * np.sin(turn)) / minor
            _claim(weight, owner, where, 1 - ramp(np.hypot(along, across), inner, outer), index)
    return weight, owner


def voronoi_cells(rng, size_km):
    """Crooked cells with dark lanes between them, some of them joined to a neighbour."""
    points = scattered(rng, size_km)
    tree = cKDTree(points, boxsize=SPAN_KM)
    y, x = _grid_km()
    wobble = rng.uniform(0.12, 0.25) * size_km
    cells = max(int(SPAN_KM / (1.3 * size_km)), 4)
    y = (y + wobble * value_noise(rng, GRID, cells, 3)) % SPAN_KM
    x = (x + wobble * value_noise(rng, GRID, cells, 3)) % SPAN_KM
    distance, nearest = tree.query(np.stack([y.ravel(), x.ravel()], -1), k=2)
    groups = np.arange(len(points))
    for pair in nearest[rng.integers(0, len(nearest), len(points) // 4)]:
        groups[groups == groups[pair[1]]] = groups[pair[0]]
    lane = np.where(groups[nearest[:, 0]] == groups[nearest[:, 1]], size_km, distance[:, 1] - distance[:, 0])
    weight = ramp(lane, 0.05 * size_km, rng.uniform(0.45, 0.95) * size_km)
    keep = rng.random(len(points)) < rng.uniform(0.5, 0.95)
    weight = weight * keep[groups[nearest[:, 0]]]
    return (
        weight.reshape(GRID, GRID).astype(np.float32),
        groups[nearest[:, 0]].reshape(GRID, GRID).astype(np.int16),
    )


def metaballs(rng, size_km):
    """Contours round clusters of round wells that run into one another."""
    centres = scattered(rng, size_km * rng.uniform(1.3, 2.0))
    field, best = np.zeros((GRID, GRID), np.float32), np.zeros((GRID, GRID), np.float32)
    owner = np.zeros((GRID, GRID), np.int16)
    for index, centre in enumerate(centres):
        for _ in range(rng.integers(2, 7)):
            reach = size_km * rng.uniform(0.12, 0.3)
            where, dy, dx = _window((centre + rng.normal(0, 0.28 * size_km, 2)) % SPAN_KM, 3 * reach)
            well = np.exp(-(dx**2 + dy**2) / (2 * reach**2))
            field[where] += well
            _claim(best, owner, where, well, index)
    level = rng.uniform(0.35, 0.6)
    return ramp(field, level - 0.1, level + rng.uniform(0.2, 0.7)), owner


def bands(rng, size_km):
    """Meandering east-west bands cut into lengths; some with fingers, as torches have."""
    y, x = _grid_km()
    count = max(int(SPAN_KM / (size_km * rng.uniform(0.9, 1.4))), 4)
    meander = rng.uniform(0.15, 0.45) * value_noise(rng, GRID, 5, 3)
    fingers = rng.uniform(0, 0.2) * np.sin(
        2 * np.pi * (x / SPAN_KM * int(rng.integers(8, 16)) + 0.5 * value_noise(rng, GRID, 6, 2))
    )
    level = y / SPAN_KM * count + meander + fingers
    lengths = int(rng.integers(3, 8))
    shift = rng.random(count) * lengths
    band = np.floor(level).astype(int) % count
    along = (x / SPAN_KM * lengths + shift[band] + 0.3 * value_noise(rng, GRID, 4, 2)) % lengths
    fill = rng.uniform(0.2, 0.35)
    weight = 1 - ramp(np.abs(level - np.floor(level) - 0.5), fill * 0.3, fill * 1.3)
    weight *= ramp(np.minimum(along % 1, 1 - along % 1), 0.0, 0.12)
    return weight.astype(np.float32), (band * lengths + along.astype(int)).astype(np.int16)


SHAPES = (ellipse_unions, voronoi_cells, metaballs, bands)


class PatchSheet:
    """Light of stable patches: `sheet(i)` is the sky's light at frame i, flat over the camera's pixels.

    `floor` of a patch's brightness is steady; where `spread` is "streaming" the light runs
    across the patch, and where it is "expanding" the patch grows from its core.
    """

    def __init__(
        self, world, weight, owner, trains, light, *, floor=0.0, drift_ms=None, spread="whole", height_km=None
    ):
        rng = world.rng
        self.weight, self.owner = weight, owner
        self.times_s = world.times_s
        count = int(owner.max()) + 1
        self.trains = flicker.exposed(trains, world.exposure_s)[np.arange(count) % len(trains)]
        self.floor = np.broadcast_to(np.asarray(floor, np.float32), (count,))
        self.gain = rng.lognormal(0, 0.2, count).astype(np.float32)
        height_km = height_km or rng.uniform(95, 115)
        x, y = ground_km(world.towards, height_km)
        self.cols, self.rows = (x / KM).astype(np.float32), (y / KM).astype(np.float32)
        self.light = (light * np.minimum(slant_factor(world.zenith_deg, height_km), 3.5)).astype(np.float32)
        speed = rng.uniform(0, 500) if drift_ms is None else drift_ms
        heading = rng.choice([0.0, np.pi]) + rng.normal(0, 0.5)
        self.velocity = speed * 1e-3 / KM * np.array([np.sin(heading), np.cos(heading)])
        self.sway_km, self.sway_s = rng.uniform(0, 6), rng.uniform(90, 240)
        self.spread = spread
        self.delay = None
        if spread == "streaming":
            delays = value_noise(rng, GRID, int(rng.integers(6, 14)), 2)
            self.delay = np.clip(delays * rng.uniform(0.8, 2.0) / flicker.STEP_S, -90, 90).astype(np.float32)

    def __call__(self, i):
        time = self.times_s[i]
        sway = self.sway_km / KM * np.sin(2 * np.pi * time / self.sway_s + 0.02 * self.cols)
        rows = self.rows - self.velocity[0] * time + sway
        cols = self.cols - self.velocity[1] * time
        weight = look_up(self.weight, rows, cols)
        owner = look_up_nearest(self.owner, rows, cols)
        step = flicker.step_of(time)
        if self.delay is None:
            glow = (self.floor + (1 - self.floor) * self.trains[:, step])[owner]
        else:
            steps = step - look_up_nearest(self.delay, rows, cols).astype(int)
            glow = self.trains[owner, steps]
            glow = self.floor[owner] + (1 - self.floor[owner]) * glow
        if self.spread == "expanding":
            glow = glow * np.clip((weight - 0.75 * (1 - np.clip(glow, 0, 1))) / 0.3, 0, 1)
        return glow * self.gain[owner] * weight * self.light


class OscillatorSheet:
    """Amorphous aurora as a sheet of weakly coupled noisy oscillators under an envelope that wanders.

    Each place has its own frequency and is pulled by its neighbourhood's phase,
    so regions light up together, part again, and never keep a shape for long.
    """

    _SIZE = 128
    _TICK_S = 0.5

    def __init__(self, world, period_s, light, height_km=100.0):
        rng = world.rng
        size = self._SIZE
        x, y = ground_km(world.towards, height_km)
        self.cols, self.rows = (
            (x / SPAN_KM * size).astype(np.float32),
            (y / SPAN_KM * size).astype(np.float32),
        )
        self.light = (light * np.minimum(slant_factor(world.zenith_deg, height_km), 3.5)).astype(np.float32)
        self.times_s, self.rng = world.times_s, rng
        speed = rng.uniform(0, 0.5) / SPAN_KM * size
        heading = rng.uniform(0, 2 * np.pi)
        self.velocity = speed * np.array([np.sin(heading), np.cos(heading)])
        rate = 2 * np.pi / rng.uniform(*period_s)
        self.rate = rate * np.exp(rng.uniform(0.1, 0.3) * value_noise(rng, size, 6, 2))
        self.wave = np.exp(1j * 2.0 * value_noise(rng, size, int(rng.integers(5, 9)), 3)).astype(np.complex64)
        self.pull, self.reach = rng.uniform(0.15, 0.4), rng.uniform(2.0, 4.0)
        self.shapes = [value_noise(rng, size, int(rng.integers(7, 13)), 3) for _ in range(2)]
        self.turn_s, self.level = rng.uniform(60, 200), rng.uniform(-0.3, 0.5)
        self.sharp = rng.uniform(1.0, 3.0)
        self.smooth = stretch(size, 32)
        self.at_s = -60.0

    def _advance(self, until_s):
        while self.at_s < until_s:
            mean = gaussian_filter(self.wave.real, self.reach, mode="wrap") + 1j * gaussian_filter(
                self.wave.imag, self.reach, mode="wrap"
            )
            pull = self.pull * np.imag(mean * self.wave.conj())
            kick = 0.3 * self.smooth @ self.rng.standard_normal((32, 32), dtype=np.float32) @ self.smooth.T
            self.wave = (self.wave * np.exp(1j * (self._TICK_S * (self.rate + pull) + kick))).astype(
                np.complex64
            )
            self.wave /= np.abs(self.wave)
            self.at_s += self._TICK_S
        return np.clip(0.5 + 0.5 * self.wave.real, 0, 1) ** self.sharp

    def __call__(self, i):
        time = self.times_s[i]
        pulse = self._advance(time + 0.25)
        pulse = 0.5 * (pulse + self._advance(time + 0.75))
        angle = time / self.turn_s
        shape = np.cos(angle) * self.shapes[0] + np.sin(angle) * self.shapes[1]
        field = pulse * ramp(shape, self.level, self.level + 0.8)
        rows, cols = self.rows - self.velocity[0] * time, self.cols - self.velocity[1] * time
        return look_up(field.astype(np.float32), rows, cols) * self.light


class FlareBlobs:
    """Amorphous aurora as blobs that are born, swell, fade and come back once or a few times near by."""

    def __init__(self, world, period_s, light, height_km=100.0):
        rng = world.rng
        x, y = ground_km(world.towards, height_km)
        cols, rows = (x / KM / 2).astype(np.float32), (y / KM / 2).astype(np.float32)
        self.cols = cols + 3 * look_up(value_noise(rng, 256, 16, 2), rows, cols)
        self.rows = rows + 3 * look_up(value_noise(rng, 256, 16, 2), rows, cols)
        self.light = (light * np.minimum(slant_factor(world.zenith_deg, height_km), 3.5)).astype(np.float32)
        self.times_s, self.exposure_s = world.times_s, world.exposure_s
        self.blobs = []
        end = world.duration_s
        centres = scattered(rng, rng.uniform(55, 100))
        away = np.hypot(*np.minimum(centres, SPAN_KM - centres).T)
        for centre in centres[away < 550]:  # farther ones are below ten degrees
            at = -rng.uniform(0, 40)
            while at < end + 10:
                middle = centre + rng.normal(0, 30, 2)
                reach, turn, thin = rng.uniform(14, 45), rng.uniform(0, np.pi), rng.uniform(0.4, 0.9)
                for _ in range(rng.integers(3, 8)):
                    rise, stay, fall = rng.uniform(0.5, 3), rng.uniform(0.5, 5), rng.uniform(1, 5)
                    self.blobs.append(
                        (
                            at,
                            rise,
                            stay,
                            fall,
                            rng.lognormal(-0.1, 0.35),
                            *(middle + rng.normal(0, 6, 2)),
                            reach,
                            turn,
                            thin,
                        )
                    )
                    at += max(rng.normal(1, 0.25), 0.4) * rng.uniform(*period_s)
                at += rng.exponential(15)
        self.blobs = np.array(self.blobs)

    def __call__(self, i):
        field = np.zeros((GRID // 2, GRID // 2), np.float32)
        time = self.times_s[i] + 0.5 * self.exposure_s
        born, rise, stay, fall = self.blobs[:, :4].T
        age = time - born
        height = ramp(age, 0, rise + 0.5) * (1 - ramp(age, rise + stay, rise + stay + fall))
        for k in np.flatnonzero(height > 0.02):
            _born, _rise, _stay, _fall, peak, y, x, reach, turn, thin = self.blobs[k]
            reach = reach * (0.7 + 0.3 * min(age[k] / (rise[k] + stay[k]), 1.3))
            where, dy, dx = _window((y % SPAN_KM, x % SPAN_KM), 1.7 * reach, 2 * KM)
            along = (dx * np.cos(turn) + dy * np.sin(turn)) ** 2
            across = (dy * np.cos(turn) - dx * np.sin(turn)) ** 2 / thin**2
            shape = np.clip(1 - (along + across) / (2.6 * reach**2), 0, 1) ** 2
            field[where] = np.maximum(field[where], peak * height[k] * shape)
        return look_up(field, self.rows, self.cols) * self.light
