"""Frames to cells, and cells in a window of time to numbers.

The pixels are dropped early: a frame becomes some 7 kB of cells, sparks and numbers (`reduce_frames`), and
everything that looks along time (`window_rows`) works on those, so that a whole night needs little memory
and hours can be worked on apart.
"""

import sys
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np

from pulsaurora._core import _cells, _defects, _stars, _structure
from pulsaurora.imaging.ephemeris import sun_moon
from pulsaurora.imaging.frames import PackedImages
from pulsaurora.imaging.skymap import optics_elevation
from pulsaurora.imaging.timeorder import as_times
from pulsaurora.problems import ContractError
from pulsaurora.pulsation.layout import Places
from pulsaurora.pulsation.modulation import SHORTEST_PERIOD_S, SLOT_S, Light, modulation_rows
from pulsaurora.pulsation.photons import GAIN, OFFSET, READ_VARIANCE
from pulsaurora.pulsation.table import N_HIDDEN, STARS, STRUCTURE, SUN_MOON, WINDOW_FEATURES

WINDOW_S = 120.0
CADENCE_S = 3.0
MINIMUM_ELEVATION_DEG = 15.0
LOW_ELEVATION_DEG = 30.0

FINE = 64  # blocks along each side of a frame; a cell is 2 x 2 blocks, the mean of the middle two
COARSE = 32
# Variance of the mean of the middle two of four Gaussian numbers, over that of the mean of all four.
MIDDLE_VARIANCE = 1.193
PADDING = 3  # empty columns, so that neighbours three cells to the right never wrap to the next row

SATURATION = 60000.0
# Warm pixels stay where they are: every second frame of a minute shows them. On the real frames at hand some
# 70 stand ten times above the noise of six minutes' mean; more than this many are no CCD's.
EVERY_FOR_WARM, MOST_WARM = 2, 1500
# A minute's frames go through the kernels together: their blocks, 640 kB, stay in cache from one to the next,
# and what each call costs is paid once (with 4 frames at once: 3 us a frame more).
FRAMES_AT_ONCE = 20
STACK_S = 120.0  # time over which faint stars are averaged: they turn by a pixel or two in it
MAXIMUM_WINDOW_S = 360.0


class SkyGrid:
    """Which pixels and cells of a camera are looked at.

    Parameters
    ----------
    elevation : ndarray of shape (rows, cols), degrees, or None
        Elevation of each pixel, NaN below the horizon; None takes the optics' own radius.
    shape : tuple of int
        Frame shape, used where elevation is None; both sides multiples of 64 and equal.

    Raises
    ------
    ContractError
        If the shape cannot be cut into 64 x 64 square blocks, or no cell lies high enough.
    """

    def __init__(self, elevation=None, shape=(256, 256)):
        if elevation is None:
            elevation = optics_elevation(shape)
        elevation = np.nan_to_num(np.asarray(elevation, dtype=np.float32), nan=-90.0)
        rows, cols = elevation.shape if elevation.ndim == 2 else (0, 0)
        if rows != cols or rows == 0 or rows % FINE or rows == FINE:
            raise ContractError(
                f"frames of {elevation.shape} pixels cannot be cut into 64 x 64 blocks; "
                "square frames of 128, 256, 512 or 1024 pixels can"
            )
        self.shape = (rows, cols)
        self.block = rows // FINE
        self.fine_elevation = np.ascontiguousarray(
            elevation.reshape(FINE, self.block, FINE, self.block).mean(axis=(1, 3)), dtype=np.float32
        )
        lowest = elevation.reshape(FINE, self.block, FINE, self.block).min(axis=(1, 3))
        self.fine_mask = np.ascontiguousarray(lowest >= MINIMUM_ELEVATION_DEG, dtype=np.uint8)
        coarse = self.fine_mask.reshape(COARSE, 2, COARSE, 2).min(axis=(1, 3))
        if not coarse.any():
            raise ContractError(
                "no cell lies 15 degrees or more above the horizon: is the elevation in degrees?"
            )
        high = self.fine_elevation.reshape(COARSE, 2, COARSE, 2).mean(axis=(1, 3))
        low = high < LOW_ELEVATION_DEG
        rows_in, cols_in = np.flatnonzero(coarse.any(axis=1)), np.flatnonzero(coarse.any(axis=0))
        self.rows = slice(rows_in[0], rows_in[-1] + 1)
        self.cols = slice(cols_in[0], cols_in[-1] + 1)
        mask = (coarse * (1 + low))[self.rows, self.cols].astype(np.uint8)
        self.cell_mask = np.pad(mask, ((0, 0), (0, PADDING)))
        self.background = _background(coarse.tobytes())
        # 1 where gradients can be told: the cell's four neighbours are inside too.
        inside = self.cell_mask > 0
        edge = np.zeros(inside.shape, dtype=np.float32)
        edge[1:-1, 1:-1] = inside[1:-1, 1:-1] & inside[:-2, 1:-1] & inside[2:, 1:-1] & inside[1:-1, :-2]
        edge[1:-1, 1:-1] *= inside[1:-1, 2:]
        self.edge = edge.ravel()
        # Where the cells inside lie in a row of cells, and in the whole grid of 32 x 32.
        self.place = np.flatnonzero(self.cell_mask).astype(np.int32)
        self.is_low = (self.cell_mask.ravel()[self.place] == 2).astype(np.uint8)
        self.coarse_place = np.flatnonzero(coarse).astype(np.int32)
        self.places = Places.of(coarse, high)
        # Expected peak over the other pixels' mean, for a block of Gaussian pixels: E[max] N / (N - 1).
        n_pixels = self.block**2
        # As many as would be as noisy: a cell is the mean of the middle two of four blocks.
        self.n_pixels = round(4 * (n_pixels - 1) / MIDDLE_VARIANCE)
        self.peak_scale = _expected_maximum(n_pixels) * n_pixels / (n_pixels - 1)


@lru_cache(maxsize=64)
def _background(mask):
    """Orthonormal functions of position over the cells inside, in float32: the smooth part of a sky.

    `mask` is the bytes of a 32 x 32 array of them: the nights of a site have it in common.

    They span 1, x, y, x^2, xy, y^2 and (x^2 + y^2)^2, which follows the brightening towards the horizon
    and light pollution or twilight on one side. By Gram and Schmidt's method with exact sums, twice over,
    for a library's QR does not give the same bits on every machine.
    """
    from math import fsum, sqrt

    def product(one, other):
        return fsum((one * other).tolist())

    rows, cols = np.nonzero(np.frombuffer(mask, np.uint8).reshape(COARSE, COARSE))
    y, x = (rows - rows.mean()) / 12, (cols - cols.mean()) / 12
    basis = []
    for function in (np.ones_like(x), x, y, x * x, x * y, y * y, (x * x + y * y) * (x * x + y * y)):
        left = function.copy()
        for _ in range(2):
            for other in basis:
                left -= product(left, other) * other
        length = sqrt(product(left, left))
        # A sky of a few cells cannot tell all of them apart.
        independent = length > 1e-6 * sqrt(product(function, function))
        basis.append(left / length if independent else np.zeros_like(left))
    basis = np.ascontiguousarray(basis, dtype=np.float32)
    basis.flags.writeable = False
    return basis


@cache
def _expected_maximum(n):
    """Mean of the largest of n standard Gaussian numbers, by integrating over its distribution."""
    from math import erf

    x = np.linspace(-8.0, 8.0, 4001)
    cdf = np.array([0.5 * (1.0 + erf(v / np.sqrt(2.0))) for v in x]) ** n
    return float(8.0 - cdf.sum() * (x[1] - x[0]))


@dataclass
class Reduced:
    """What is kept of frames once their pixels are dropped.

    Attributes
    ----------
    times : ndarray of shape (n,), datetime64[us]
    cells : ndarray of shape (n, n_rows * n_cols), float32, counts
        Zero outside the mask.
    structure : ndarray of shape (n, n_structure), float32
        Columns of pulsaurora.pulsation.table.STRUCTURE.
    grid : SkyGrid
    sparks : ndarray of shape (n, 4096), int8, or None
        How far each fine block's peak stands above noise (see _core._stars); None as if no star were there.
    """

    times: np.ndarray
    cells: np.ndarray
    structure: np.ndarray
    grid: SkyGrid
    sparks: np.ndarray | None = None

    def __len__(self):
        return len(self.times)

    def __getitem__(self, which):
        """Frames by slice, mask or index array."""

        def some(values):
            # Kernels take no strides, as every fourth frame would have.
            return np.ascontiguousarray(values[which])

        sparks = None if self.sparks is None else some(self.sparks)
        return Reduced(some(self.times), some(self.cells), some(self.structure), self.grid, sparks)

    @staticmethod
    def concatenate(parts):
        """Join parts made on one grid, in the order given."""
        return Reduced(
            np.concatenate([part.times for part in parts]),
            np.concatenate([part.cells for part in parts]),
            np.concatenate([part.structure for part in parts]),
            parts[0].grid,
            None if parts[0].sparks is None else np.concatenate([part.sparks for part in parts]),
        )


def reduce_frames(images, times, grid):
    """Reduce frames to cells and to the structure of the sky in each.

    Thread safe; the GIL is released for nearly all of it.

    Parameters
    ----------
    images : ndarray of shape (n, rows, cols), uint16, counts; or PackedImages
    times : ndarray of shape (n,), datetime64
    grid : SkyGrid

    Returns
    -------
    Reduced

    Raises
    ------
    ContractError
        If the arrays do not fit each other or the grid.
    """
    packed = isinstance(images, PackedImages)
    images = images if packed else np.asarray(images)
    kind, shape = ("packed", (len(images), 256, 256)) if packed else (images.dtype, images.shape)
    if kind not in ("packed", np.uint16) or len(shape) != 3 or shape[1:] != grid.shape:
        raise ContractError(
            f"images are {kind} of shape {shape}; "
            f"expected uint16 of shape (n, {grid.shape[0]}, {grid.shape[1]})"
        )
    times = as_times(times)
    if times.shape != (len(images),):
        raise ContractError(
            f"{len(images)} images but times of shape {times.shape}; expected one time an image"
        )
    images = images if packed else np.ascontiguousarray(images)
    n = len(images)
    n_rows, n_cols = grid.cell_mask.shape
    cells = np.zeros((n, n_rows, n_cols), dtype=np.float32)
    structure = np.empty((n, len(STRUCTURE)), dtype=np.float32)
    sparks = np.empty((n, FINE * FINE), dtype=np.int8)
    means = np.empty((min(n, FRAMES_AT_ONCE), FINE, FINE), dtype=np.float32)
    peaks = np.empty_like(means)
    coarse = np.empty((n, COARSE, COARSE), dtype=np.float32)
    sums, tops = np.empty(grid.shape[1], dtype=np.uint32), np.empty(grid.shape[1], dtype=np.uint16)
    scratch, mask_scratch, stack = (
        np.empty(size, dtype=dtype)
        for size, dtype in zip(_structure.scratch_sizes(), (np.float32, np.uint8, np.int32), strict=True)
    )
    inside = (grid.cell_mask[:, :-PADDING] > 0).astype(np.float32)
    pixels, starts, swap = _bytes_of(images)
    pixel_sums, marked = np.empty(grid.shape, np.uint32).ravel(), np.empty(grid.shape[1], np.uint8)
    warm, places = np.zeros(grid.shape, np.uint8), np.empty(MOST_WARM, np.int32)
    for first, last in _minutes(times):
        n_warm = _defects.find_warm_pixels(
            pixels, starts[first:last], swap, EVERY_FOR_WARM, GAIN, READ_VARIANCE, pixel_sums, marked, warm,
            places,
        )  # fmt: skip
        for start in range(first, last, FRAMES_AT_ONCE):
            stop = min(start + FRAMES_AT_ONCE, last)
            some = slice(0, stop - start)
            if packed:
                _cells.fill_packed_cells(pixels, starts[start:stop], swap, means[some], peaks[some])
            else:
                _cells.fill_cells(images[start:stop], grid.block, sums, tops, means[some], peaks[some])
            _defects.mend_blocks(
                pixels, starts[start:stop], swap, grid.block, warm, places, n_warm, means[some], peaks[some]
            )
            _structure.fill_structure(
                means[some], peaks[some], grid.fine_mask, grid.fine_elevation, grid.peak_scale, grid.block**2,
                GAIN, READ_VARIANCE, OFFSET, SATURATION, grid.background, scratch, mask_scratch, stack,
                coarse[start:stop], structure[start:stop],
            )  # fmt: skip
            _stars.fill_sparks(
                means[some], peaks[some], structure[start:stop], grid.peak_scale, GAIN, READ_VARIANCE,
                sparks[start:stop],
            )  # fmt: skip
        warm.ravel()[places[:n_warm]] = 0
    cells[:, :, :-PADDING] = coarse[:, grid.rows, grid.cols] * inside
    return Reduced(times, cells.reshape(n, n_rows * n_cols), structure, grid, sparks)


def _bytes_of(images):
    """Return the bytes of images, where each begins, and whether those of a pixel must change places."""
    if isinstance(images, PackedImages):
        return images.data, images.starts, sys.byteorder == "little"
    size = 2 * images.shape[1] * images.shape[2]
    return images.view(np.uint8).ravel(), np.arange(0, len(images) * size, size, dtype=np.int64), False


def _minutes(times):
    """Yield (first, last) of each run of frames of one minute, as minute files hold them."""
    minutes = times.astype("datetime64[m]")
    edges = np.flatnonzero(minutes[1:] != minutes[:-1]) + 1
    bounds = [0, *edges.tolist(), len(times)]
    yield from zip(bounds[:-1], bounds[1:], strict=True)


def window_features(
    reduced, inner=None, latitude=None, longitude=None, window_s=WINDOW_S, cadence_s=CADENCE_S
):
    """Compute what is told of some frames and of the windows about them.

    Parameters
    ----------
    reduced : Reduced
        In strictly ascending time order.
    inner : slice of frames to compute, or None for all
        The frames outside it are used where they lie in a window.
    latitude, longitude : float, degrees north and east, or None
        Position of the site; where unknown the sky is taken as dark (sun and moon at -90).
    window_s : float, seconds
        Length of the window centred on each frame, 30 to 360. For stars and reversals it is centred on the
        SLOT_S that a frame lies in, so frames SLOT_S / 2 beyond the window can matter.
    cadence_s : float, seconds
        Between frames, where none is missing. Periods below twice this are not told apart from longer ones.

    Returns
    -------
    ndarray of shape (n_inner, n_window_features), float32
        Columns of pulsaurora.pulsation.table.WINDOW_FEATURES. Features that need modulated cells are 0 where
        there are none; those that need time are 0 where a window has fewer than 5 frames.

    Raises
    ------
    ContractError
        If times do not ascend, or window_s or cadence_s is out of range.
    """
    first, last, _ = (inner or slice(None)).indices(len(reduced))
    last = max(first, last)
    check_window(reduced.times, window_s, cadence_s)
    out = np.zeros((last - first, len(WINDOW_FEATURES)), dtype=np.float32)
    if last == first:
        return out
    n_structure = len(STRUCTURE) - N_HIDDEN
    out[:, :n_structure] = reduced.structure[first:last, N_HIDDEN:]
    out[:, n_structure : -len(SUN_MOON)] = window_rows(
        reduced, Light.of(reduced), first, last, window_s, cadence_s
    )
    out[:, -len(SUN_MOON) :] = sun_moon_columns(reduced.times[first:last], latitude, longitude)
    return out


def check_window(times, window_s, cadence_s):
    """Raise ContractError if times do not ascend, or window_s or cadence_s is out of range."""
    if not 5 * SHORTEST_PERIOD_S <= window_s <= MAXIMUM_WINDOW_S:
        raise ContractError(f"window of {window_s} s; 30 to {MAXIMUM_WINDOW_S:.0f} s can be used")
    if not 0.1 <= cadence_s <= window_s:
        raise ContractError(f"cadence of {cadence_s} s; 0.1 s up to the window of {window_s} s can be used")
    if len(times) > 1 and not (np.diff(times) > np.timedelta64(0, "us")).all():
        raise ContractError("frame times do not ascend; sort them and drop duplicates first")


def sun_moon_columns(times, latitude, longitude):
    """The columns of SUN_MOON at some times, float32 (n, 3); of a dark sky where no position is known."""
    if latitude is None or longitude is None:
        return np.tile(np.float32([-90, -90, 0]), (len(times), 1))
    sky = sun_moon(times, latitude, longitude)
    columns = (sky.sun_elevation_deg, sky.moon_elevation_deg, sky.moon_illumination)
    return np.stack(columns, axis=1).astype(np.float32)


def window_rows(reduced, light, first, last, window_s, cadence_s, slot_s=SLOT_S):
    """What the windows about frames first .. last - 1 tell: the columns of MODULATION, then of STARS.

    The arguments are those of `window_features`, which checks them; `light` is the Light of the same frames,
    and slot_s, in seconds, that for which stars and reversals are told once.
    """
    # Seconds from midnight of the first day: exact in float64, and anchors fall on the same times in any cut.
    times_s = (reduced.times - reduced.times[0].astype("datetime64[D]")) / np.timedelta64(1, "s")
    star_s = min(STACK_S, window_s) / 2 + 0.5 * cadence_s
    return np.concatenate(
        [
            modulation_rows(reduced, light, times_s, first, last, window_s, cadence_s, slot_s),
            _window_stars(reduced, times_s, first, last, star_s, slot_s, 2.5 * cadence_s),
        ],
        axis=1,
    )


def _window_stars(reduced, times_s, first, last, half_s, slot_s, next_s):
    """Numbers about stars from frames within half_s of each slot's middle, float32 (last - first, n_stars).

    Frames no more than next_s seconds apart are next to one another.
    """
    out = np.zeros((last - first, len(STARS)), dtype=np.float32)
    if reduced.sparks is not None:
        grid, (scratch, lists) = reduced.grid, _stars.scratch_sizes()
        _stars.fill_stars(
            times_s, reduced.sparks, reduced.cells, reduced.structure, grid.fine_mask, grid.place,
            grid.coarse_place, grid.background, first, last, half_s, slot_s, next_s, OFFSET, GAIN,
            READ_VARIANCE, np.empty((len(reduced), len(grid.place)), dtype=np.float32),
            np.empty((len(reduced), 3), dtype=np.int32),
            np.empty(FINE * FINE, dtype=np.int16), np.empty(scratch, dtype=np.float32),
            np.empty(lists, dtype=np.int32), out,
        )  # fmt: skip
    return out
