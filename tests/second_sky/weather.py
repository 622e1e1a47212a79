"""Cloud, fog, snow and frost: what stands between the aurora and the lens."""

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from .optics import SIDE, ground_km
from .textures import look_up, ramp, value_noise, warped

_GRID = 512


def heaped(rng):
    """Cumulus and stratocumulus: noise folded by other noise."""
    return _even(warped(value_noise(rng, _GRID, 8, 6, 0.55), rng, 14.0, 6))


def streaked(rng):
    """Cirrus and altostratus: the same drawn out along one direction."""
    base = value_noise(rng, _GRID, 6, 6, 0.6)
    rows, cols = np.meshgrid(np.arange(_GRID), np.arange(_GRID), indexing="ij")
    bend = 20 * value_noise(rng, _GRID, 3, 2)
    stretched = look_up(base, rows * 3.0 + bend, cols * 1.0 + 0.5 * bend)
    return _even(0.75 * stretched + 0.5 * value_noise(rng, _GRID, 5, 3))


def cellular(rng):
    """Altocumulus: rows of cells, each a small heap of its own, under a slowly varying cover."""
    count = int(rng.integers(24, 44))
    rows, cols = np.meshgrid(np.arange(count), np.arange(count), indexing="ij")
    cell = _GRID / count
    points = np.stack([rows.ravel(), cols.ravel()], -1) + rng.uniform(-0.33, 0.33, (count * count, 2))
    tree = cKDTree(points * cell % _GRID, boxsize=_GRID)
    at = (
        np.stack(np.meshgrid(np.arange(_GRID), np.arange(_GRID), indexing="ij"), -1)
        .reshape(-1, 2)
        .astype(float)
    )
    at += np.stack(
        [3 * value_noise(rng, _GRID, 24, 2).ravel(), 3 * value_noise(rng, _GRID, 24, 2).ravel()], -1
    )
    near = tree.query(at % _GRID)[0].reshape(_GRID, _GRID) / cell
    return _even(-1.5 * near + 0.35 * value_noise(rng, _GRID, 5, 3) + 0.15 * value_noise(rng, _GRID, 48, 2))


def _even(texture):
    """Values replaced by their rank, so that a threshold is a covered fraction."""
    flat = texture.ravel()
    out = np.empty(flat.size, np.float32)
    out[np.argsort(flat, kind="stable")] = np.linspace(0, 1, flat.size, dtype=np.float32)
    return out.reshape(texture.shape)


class Deck:
    """A layer of cloud: `deck(i)` gives its transmission and its own light, flat over the pixels."""

    def __init__(
        self,
        world,
        texture,
        other,
        *,
        height_km,
        wind_ms,
        cover,
        depth,
        lit,
        soft=0.25,
        scale_km=12.0,
        only=None,
    ):
        rng = world.rng
        self.texture, self.other, self.times_s = texture, other, world.times_s
        x, y = ground_km(world.towards, height_km)
        per_km = _GRID / (scale_km * 8)
        self.cols, self.rows = (x * per_km).astype(np.float32), (y * per_km).astype(np.float32)
        heading = rng.uniform(0, 2 * np.pi)
        step = wind_ms * 1e-3 * per_km
        self.velocity = step * np.array([np.sin(heading), np.cos(heading)])
        heading += rng.normal(0, 0.25)
        self.other_velocity = 0.85 * step * np.array([np.sin(heading), np.cos(heading)])
        self.start = rng.uniform(0, _GRID, 4)
        self.floor, self.soft, self.depth, self.lit = 1 - cover, soft, depth, lit
        # Towards the horizon single heaps run together.
        self.sharp = ramp(90 - world.zenith_deg, 3, 16).astype(np.float32)
        self.path = np.minimum(1 / np.maximum(np.cos(np.radians(world.zenith_deg)), 0.2), 4).astype(
            np.float32
        )
        self.only = only

    def __call__(self, i):
        t = self.times_s[i]
        thick = look_up(
            self.texture,
            self.rows - self.velocity[0] * t + self.start[0],
            self.cols - self.velocity[1] * t + self.start[1],
        )
        if self.other is not None:
            thick *= 0.62
            thick += 0.38 * look_up(
                self.other,
                self.rows - self.other_velocity[0] * t + self.start[2],
                self.cols - self.other_velocity[1] * t + self.start[3],
            )
        body = np.clip((thick - self.floor) / self.soft, 0, 1.6)
        body = self.sharp * body + (1 - self.sharp) * min(0.8, (1 - self.floor) / self.soft)
        if self.only is not None:
            body *= self.only
        through = np.exp(-self.depth * body * np.sqrt(self.path))
        lit = self.lit(i) if callable(self.lit) else self.lit
        # Thick cores are darker than their edges when lit from above.
        return through, lit * (1 - through) * (0.3 + 0.3 * through + 0.7 * thick)


def add_deck(
    w,
    texture,
    *,
    lit,
    cover,
    only=None,
    wind_ms=None,
    height_km=None,
    depth=None,
    soft=0.3,
    morph=True,
    scale_km=None,
):
    """Put a layer of cloud before a world's sky; `texture` is heaped, streaked or cellular."""
    rng = w.rng
    lit = np.broadcast_to(np.asarray(lit, np.float32), w.zenith_deg.shape) if not callable(lit) else lit
    height_km = rng.uniform(1, 5) if height_km is None else height_km
    w.veils.append(
        Deck(
            w,
            texture(rng),
            texture(rng) if morph else None,
            height_km=height_km,
            wind_ms=rng.uniform(4, 14) if wind_ms is None else wind_ms,
            cover=cover,
            depth=rng.uniform(2, 5) if depth is None else depth,
            lit=lit,
            soft=soft,
            only=only,
            scale_km=height_km * rng.uniform(1.0, 2.5) if scale_km is None else scale_km,
        )
    )


class Murk:
    """Overcast or fog: no edge anywhere, faint mottling that creeps."""

    def __init__(self, world, lit, *, depth, mottle, creep_s, breathing=0.03):
        rng = world.rng
        self.lit, self.depth, self.mottle, self.times_s = lit, depth, mottle, world.times_s
        self.texture = value_noise(rng, 256, 4, 3)
        x, y = ground_km(world.towards, rng.uniform(0.5, 2.0))
        scale = rng.uniform(8, 20) * 0.5
        self.rows, self.cols = np.clip(y, -8, 8) * scale, np.clip(x, -8, 8) * scale
        self.creep = rng.normal(0, 1, 2) * 256 / creep_s / 4
        self.breathing, self.phase, self.breath_s = breathing, rng.uniform(0, 6.3), rng.uniform(120, 500)

    def __call__(self, i):
        t = self.times_s[i]
        mottle = look_up(self.texture, self.rows - self.creep[0] * t, self.cols - self.creep[1] * t)
        level = 1 + self.breathing * np.sin(2 * np.pi * t / self.breath_s + self.phase)
        lit = self.lit(i) if callable(self.lit) else self.lit
        return (
            np.full(lit.shape, np.exp(-self.depth), np.float32),
            lit * np.float32(level) * (1 + self.mottle * mottle),
        )


class Frost:
    """Ice on the dome: part of each pixel's light is smeared, and it scatters light of its own."""

    def __init__(self, world, amount):
        rng = world.rng
        points = rng.uniform(0, SIDE, (int(rng.integers(150, 500)), 2))
        at = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij"), -1).reshape(-1, 2)
        near = cKDTree(points).query(at + 4 * value_noise(rng, SIDE, 16, 3).reshape(-1, 1), k=2)[0]
        needles = np.exp(-(near[:, 1] - near[:, 0]) / rng.uniform(1.0, 3.0)).reshape(SIDE, SIDE)
        cover = ramp(value_noise(rng, SIDE, 3, 3), -1.8, 0.2)
        self.cover = np.clip(amount * cover * (0.7 + 0.5 * needles), 0, 0.97).astype(np.float32)
        self.sparkle = (0.8 + 0.5 * needles + 0.15 * value_noise(rng, SIDE, 64, 2)).astype(np.float32)

    def __call__(self, _i, image):
        small = image.reshape(SIDE // 4, 4, SIDE // 4, 4).mean((1, 3))
        smear = np.repeat(np.repeat(gaussian_filter(small, 5.0), 4, 0), 4, 1)
        smear = gaussian_filter(smear, 1.5) * self.sparkle
        return image + self.cover * (smear - image)


class Snowfall:
    """Flakes lit from below, out of focus and everywhere else in the next frame; some stay on the dome."""

    def __init__(self, world, rate, light):
        rng = self.rng = world.rng
        self.rate, self.light, self.times_s = rate, light, world.times_s
        self.settled = ramp(value_noise(rng, SIDE, 10, 4), 0.3, 1.6)
        self.growth = rng.uniform(0.0005, 0.003)
        self.lean, self.blur = rng.uniform(0, np.pi), rng.uniform(0.6, 1.6)

    def __call__(self, i, image):
        flakes = np.zeros((SIDE, SIDE), np.float32)
        count = self.rng.poisson(self.rate)
        row, col = self.rng.uniform(0, SIDE, (2, count))
        bright = self.rng.pareto(1.8, count).clip(0, 12) * self.light
        length = self.rng.uniform(0, 10, count)
        lean = self.lean + self.rng.normal(0, 0.3, count)
        for part in np.linspace(-0.5, 0.5, 7):
            r = (row + part * length * np.sin(lean)).astype(int) % SIDE
            c = (col + part * length * np.cos(lean)).astype(int) % SIDE
            np.add.at(flakes, (r, c), bright / 7)
        fine = gaussian_filter(flakes, self.blur)
        coarse = flakes.reshape(SIDE // 2, 2, SIDE // 2, 2).sum((1, 3))
        soft = np.repeat(np.repeat(gaussian_filter(coarse, 2.2), 2, 0), 2, 1)
        cover = np.clip(self.settled * (0.5 + self.growth * self.times_s[i]), 0, 0.9)
        return image * (1 - 0.6 * cover) + 12 * fine + 4 * soft + 0.25 * cover * image.mean()
