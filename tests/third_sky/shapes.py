"""Outlines of patches: which patch a point of the plane belongs to, and how much of its light it has.

Four kinds: "noise" (islands of warped noise), "filament" (narrow bands along noise's
zero), "blob" (warped round ones) and "hand" (outlines drawn by hand).
"""

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from .textures import (
    KM_PER_POINT,
    PERIOD_KM,
    SIDE_TEXTURE,
    WHOLE_TURN,
    level_above_which,
    power_noise,
)

STYLES = ("noise", "blob", "hand", "filament")

# fmt: off
HAND_DRAWN = [  # east, north, from -1 to 1
    [(-1, -.2), (-.5, .3), (-.1, .25), (.1, .9), (.5, .95), (.45, .2), (1, .1), (.8, -.4), (.1, -.3),
     (-.3, -.8), (-.8, -.7)],
    [(-.9, .8), (-.6, 1), (-.3, .2), (.4, .1), (1, .4), (.9, -.1), (.2, -.4), (-.2, -.9), (-.7, -.6),
     (-.6, .1)],
    [(-1, 0), (-.6, .15), (0, .1), (.5, .4), (.9, .35), (1, .1), (.6, -.05), (.1, -.25), (-.5, -.15)],
    [(-.3, -1), (.3, -.9), (.25, -.2), (.8, .3), (.7, .8), (.2, .4), (-.1, 1), (-.4, .5), (-.9, .6),
     (-.8, .1), (-.25, -.1)],
    [(-.8, -.8), (.2, -1), (.9, -.5), (1, .3), (.5, .2), (.3, -.3), (-.3, -.35), (-.4, .4), (.2, .9),
     (-.5, 1), (-1, .3)],
    [(-1, .3), (-.4, .6), (.3, .5), (.9, .8), (.8, .2), (.2, 0), (.7, -.5), (.1, -.4), (-.4, -.9),
     (-.5, -.2)],
    [(-.2, -1), (.15, -1), (.2, .1), (.6, .7), (.3, 1), (-.1, .6), (-.5, .9), (-.6, .6), (-.15, .2)],
]
# fmt: on


def _in_polygon(east, north, corners):
    inside = np.zeros(east.shape, bool)
    for (east0, north0), (east1, north1) in zip(corners, corners[1:] + corners[:1], strict=True):
        crosses = (north0 > north) != (north1 > north)
        inside ^= crosses & (east < (east1 - east0) * (north - north0) / (north1 - north0 + 1e-9) + east0)
    return inside


def _join_at_edges(labels):
    """Make one label of those that meet across the texture's edges."""
    new = np.arange(labels.max() + 1)
    meeting = [*zip(labels[0], labels[-1], strict=True), *zip(labels[:, 0], labels[:, -1], strict=True)]
    for one, other in meeting:
        if one and other and new[one] != new[other]:
            new[new == new[other]] = new[one]
    return new[labels]


def _noise_mask(rng, size_km, share, stretch, turn):
    k = PERIOD_KM / (2.2 * size_km)
    noise = power_noise(rng, rng.uniform(2.5, 4), k * 0.6, max(k * rng.uniform(1.2, 3), k + 1), stretch, turn)
    warp_cols, warp_rows = power_noise(rng, 3, 2, k * 2), power_noise(rng, 3, 2, k * 2)
    reach = size_km / KM_PER_POINT * 0.25
    points = np.arange(SIDE_TEXTURE)
    warped = [points[:, None] + reach * warp_rows, points[None] + reach * warp_cols]
    noise = ndimage.map_coordinates(noise, warped, order=1, mode="grid-wrap")
    return noise > level_above_which(noise, share)


def _filament_mask(rng, size_km, share, stretch, turn):
    k = PERIOD_KM / (4 * size_km)
    noise = power_noise(rng, 3, k * 0.5, k * 1.5, stretch, turn)
    where = power_noise(rng, 3, k * 0.7, k * 2)
    steepness = np.hypot(*np.gradient(noise)) * KM_PER_POINT + 1e-4
    near_zero = np.abs(noise) / steepness < size_km * 0.22
    return near_zero & (where > level_above_which(where, min(share * 2.2, 0.8)))


def _draw_outlines(rng, style, size_km, share, stretch, turn):
    """Labels of single patches put down one after the other, the later above."""
    labels = np.zeros((SIDE_TEXTURE, SIDE_TEXTURE), np.int32)
    n_patches = int(np.clip(share * (PERIOD_KM / size_km) ** 2 / 0.75, 3, 1500))
    warp_east = power_noise(rng, 3, 3, PERIOD_KM / size_km)
    warp_north = power_noise(rng, 3, 3, PERIOD_KM / size_km)
    for patch in range(1, n_patches + 1):
        radius_km = size_km * rng.lognormal(0, 0.35) / 2
        col, row = rng.integers(0, SIDE_TEXTURE, 2)
        reach = min(int(1.9 * radius_km * max(stretch, 1) / KM_PER_POINT) + 2, SIDE_TEXTURE // 2 - 1)
        step = np.arange(-reach, reach + 1)
        box = np.ix_((row + step) % SIDE_TEXTURE, (col + step) % SIDE_TEXTURE)
        east = step[None, :] * KM_PER_POINT + warp_east[box] * radius_km * 0.3
        north = step[:, None] * KM_PER_POINT + warp_north[box] * radius_km * 0.3
        way = rng.uniform(0, WHOLE_TURN) if stretch == 1 else turn + rng.normal(0, 0.3)
        along = (np.cos(way) * east + np.sin(way) * north) / radius_km / np.sqrt(stretch)
        across = (-np.sin(way) * east + np.cos(way) * north) / radius_km * np.sqrt(stretch)
        if style == "blob":
            bearing = np.arctan2(across, along)
            edge = 1 + sum(
                rng.uniform(0, 0.55 / lobes) * np.cos(lobes * bearing + rng.uniform(0, WHOLE_TURN))
                for lobes in range(2, 7)
            )
            inside = np.hypot(along, across * rng.uniform(1, 1.6)) < edge
        else:
            inside = _in_polygon(along, across, HAND_DRAWN[rng.integers(len(HAND_DRAWN))])
        part = labels[box]
        part[inside] = patch
        labels[box] = part
    return labels


def _part_large_ones(rng, mask, size_km):
    """Labels of a mask's regions; large ones are parted, for they pulsate in parts."""
    labels, n_regions = ndimage.label(mask)
    labels = _join_at_edges(labels)
    cell = size_km * 1.6 / KM_PER_POINT
    n_cells = max(int((SIDE_TEXTURE / cell) ** 2), 4)
    middles = rng.uniform(0, SIDE_TEXTURE, (n_cells, 2))
    warp_cols = power_noise(rng, 3, 3, 30) * cell * 0.25
    warp_rows = power_noise(rng, 3, 3, 30) * cell * 0.25
    points = np.arange(SIDE_TEXTURE)
    rows, cols = (points[:, None] + warp_rows) % SIDE_TEXTURE, (points[None] + warp_cols) % SIDE_TEXTURE
    where = np.stack([rows, cols], -1).reshape(-1, 2).astype(float)
    _, nearest = cKDTree(middles, boxsize=SIDE_TEXTURE).query(where)
    nearest = nearest.reshape(SIDE_TEXTURE, SIDE_TEXTURE)
    large = np.bincount(labels.ravel()) > (2.5 * size_km / KM_PER_POINT) ** 2
    large[0] = False
    return np.where(large[labels], nearest + n_regions + 1, labels)


def draw_patches(rng, style, size_km, share, soft_km=None, stretch=1.0):
    """Patches over about `share` of the plane.

    Returns
    -------
    labels : ndarray of int32
        Patch of each point, 0 for none.
    light : ndarray of float32
        Its part of the patch's light: mottled, with edges `soft_km` soft, 0 to 1.5.
    """
    if soft_km is None:
        soft_km = max(size_km * rng.uniform(0.05, 0.12), 2.0)
    turn = rng.uniform(-0.4, 0.4)
    if style in ("blob", "hand"):
        labels = _draw_outlines(rng, style, size_km, share, stretch, turn)
        mask = labels > 0
    else:
        draw = _noise_mask if style == "noise" else _filament_mask
        mask = draw(rng, size_km, share, stretch, turn)
        labels = _part_large_ones(rng, mask, size_km)
    light = ndimage.gaussian_filter(mask.astype(np.float32), soft_km / KM_PER_POINT, mode="wrap")
    away, nearest = ndimage.distance_transform_edt(labels == 0, return_indices=True)
    in_soft_edge = away < 3 * soft_km / KM_PER_POINT + 2
    labels = np.where(in_soft_edge, labels[nearest[0], nearest[1]], 0)
    light *= 1 + 0.12 * power_noise(rng, 2.6, 6, 60)
    used = np.bincount(labels.ravel()) > 0
    labels = (np.cumsum(used) - 1)[labels].astype(np.int32)
    return labels, np.clip(light, 0, 1.5).astype(np.float32)


def two_styles(rng):
    return [str(style) for style in rng.choice(STYLES, 2, replace=False)]


def compact_style(rng):
    """Any but filaments."""
    return str(rng.choice(["noise", "blob", "hand"]))
