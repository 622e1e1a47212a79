"""Contrast-limited adaptive histogram equalization (CLAHE) and 8-bit scaling, identical to OpenCV's.

What the reference CNN and the day files are made with. The result is that of
``cv2.convertScaleAbs(cv2.createCLAHE(clip_limit, tiles).apply(frame), alpha=scale)`` to the last bit.
"""

import math

import numpy as np

from pulsaurora._core import _clahe
from pulsaurora.problems import ContractError


def clahe(images, clip_limit=3.0, tiles=(8, 8), scale=255 / 65535):
    """Equalize the contrast of 16-bit frames tile by tile, and scale them to 8 bits.

    The caller may run several calls in threads: the GIL is released throughout.

    Parameters
    ----------
    images : uint16 ndarray of shape (rows, columns) or (n_frames, rows, columns), counts
        Left unchanged; copied if it is not contiguous.
    clip_limit : float
        Most pixels that one of 65,536 bins keeps, in units of a tile's pixels / 65536; what is above is
        spread over all bins. At least one pixel stays; zero or less means no limit.
    tiles : (int, int)
        Tiles across and down, as OpenCV's ``tileGridSize``. Where they do not divide the frame it is
        mirrored to the right and below, as OpenCV does.
    scale : float or None
        Factor to 8 bits, rounded half to even and cut at 255. None leaves the 16-bit result.

    Returns
    -------
    ndarray of the same shape
        uint8; uint16 for ``scale=None``.

    Raises
    ------
    ContractError
        If images are not uint16 of two or three dimensions, or a setting cannot be carried out.

    References
    ----------
    K. Zuiderveld, Contrast limited adaptive histogram equalization, Graphics Gems IV (1994), 474-485;
    OpenCV 4, ``imgproc/src/clahe.cpp``.
    """
    images = np.asarray(images)
    if images.dtype.kind != "u" or images.dtype.itemsize != 2:
        raise ContractError(
            f"images: found {images.dtype}, expected uint16; for counts from 0 to 65535 "
            "images.astype(numpy.uint16) would work"
        )
    if images.ndim not in (2, 3) or 0 in images.shape[-2:]:
        raise ContractError(
            f"images: found shape {images.shape}, expected (rows, columns) or (n_frames, rows, columns)"
        )
    across, down = _checked_tiles(tiles)
    if not math.isfinite(clip_limit):
        raise ContractError(f"clip_limit: found {clip_limit}, expected a number such as 3.0")
    if scale is not None and not (math.isfinite(scale) and scale > 0):
        raise ContractError(f"scale: found {scale}, expected a number above zero such as 255/65535, or None")

    rows, columns = images.shape[-2:]
    frames = np.ascontiguousarray(images, dtype=np.uint16).reshape(-1, rows, columns)
    out = np.empty(frames.shape, np.uint16 if scale is None else np.uint8)
    extra_rows, extra_columns = -rows % down, -columns % across
    if extra_rows or extra_columns:
        # OpenCV then adds to both sides, a whole number of tiles' pixels where one is divided already.
        extra_rows, extra_columns = down - rows % down, across - columns % across
    row_source, column_source = _mirrored(rows, extra_rows), _mirrored(columns, extra_columns)
    tile_rows, tile_columns = row_source.size // down, column_source.size // across
    n_in_tile = tile_rows * tile_columns
    if n_in_tile >= 2**31:
        raise ContractError(f"tiles: found {tiles} for {rows} x {columns} pixels, expected more of them")
    limit = max(int(min(clip_limit * n_in_tile / 65536, n_in_tile)), 1) if clip_limit > 0 else 0
    row_edges, row_weights = _cells(rows, tile_rows, down)
    column_edges, column_weights = _cells(columns, tile_columns, across)
    n_distinct = min(_clahe.N_COUNTS, rows * columns) + _clahe.SPARE
    _clahe.equalize(
        frames,
        row_source,
        column_source,
        row_edges,
        column_edges,
        row_weights,
        column_weights,
        limit,
        np.float32(65535) / np.float32(n_in_tile),
        0.0 if scale is None else scale,
        present=np.empty(_clahe.N_COUNTS, np.uint8),
        ranks=np.empty(_clahe.N_COUNTS + _clahe.SPARE, np.uint16),
        ranked=np.empty(rows * columns + _clahe.SPARE, np.uint16),
        histogram=np.zeros(_clahe.N_COUNTS + _clahe.SPARE, np.uint16),
        wide=np.zeros(_clahe.N_COUNTS + _clahe.SPARE if n_in_tile > 65535 else 1, np.int32),
        table=np.empty(_clahe.N_COUNTS + 2 * across * n_distinct, np.uint16),
        cells=np.empty((2, down + 1, across + 1), np.int32),
        offsets=np.zeros((2, across), np.int64),
        out16=out if scale is None else None,
        out8=None if scale is None else out,
    )
    return out.reshape(images.shape)


def _checked_tiles(tiles):
    try:
        across, down = (int(n) for n in tiles)
    except (TypeError, ValueError):
        raise ContractError(f"tiles: found {tiles!r}, expected two numbers such as (8, 8)") from None
    if not (1 <= across <= 4096 and 1 <= down <= 4096):
        raise ContractError(f"tiles: found {tiles}, expected 1 to 4096 each way")
    return across, down


def _mirrored(n, extra):
    """Source index of each of n + extra pixels, mirrored about the last one, which is not repeated."""
    if n == 1:
        return np.zeros(n + extra, np.int32)
    period = np.arange(n + extra) % (2 * n - 2)
    return np.where(period < n, period, 2 * n - 2 - period).astype(np.int32)


def _cells(n, tile, n_tiles):
    """Edges of the cells along one axis, and each pixel's weight for the farther of its two tiles.

    In single precision throughout: in double a pixel at a tile's centre may fall on the other side.
    """
    at = np.arange(n, dtype=np.float32) * (np.float32(1) / np.float32(tile)) - np.float32(0.5)
    nearer = np.floor(at)
    edges = np.searchsorted(nearer, np.arange(-1, n_tiles + 1)).astype(np.int32)
    edges[-1] = n
    return edges, (at - nearer).astype(np.float32)
