"""Periodic random textures, and looking things up in them."""

import numpy as np


def stretch(size, cells):
    """Matrix that spreads `cells` periodic lattice values over `size` samples with a smooth step."""
    at = np.arange(size, dtype=np.float32) * cells / size
    low = np.floor(at).astype(int)
    part = at - low
    part = part * part * (3 - 2 * part)
    matrix = np.zeros((size, cells), np.float32)
    rows = np.arange(size)
    matrix[rows, low % cells] += 1 - part
    matrix[rows, (low + 1) % cells] += part
    return matrix


def value_noise(rng, size, cells, octaves=4, falloff=0.5):
    """Value noise of shape (size, size), periodic, mean 0 and standard deviation 1."""
    out = np.zeros((size, size), np.float32)
    for octave in range(octaves):
        count = cells * 2**octave
        if count > size // 2:
            break
        spread = stretch(size, count)
        out += falloff**octave * (spread @ rng.random((count, count), dtype=np.float32) @ spread.T)
    out -= out.mean()
    return out / out.std()


def value_noise_1d(rng, size, cells, octaves=3, falloff=0.55):
    """The same along a line, scaled to lie between 0 and 1."""
    out = np.zeros(size, np.float32)
    for octave in range(octaves):
        count = min(cells * 2**octave, size // 2)
        out += falloff**octave * (stretch(size, count) @ rng.random(count, dtype=np.float32))
    return (out - out.min()) / max(float(np.ptp(out)), 1e-6)


def look_up(texture, rows, cols):
    """Bilinear values of a periodic texture whose side is a power of two."""
    size = texture.shape[0]
    row0, col0 = np.floor(rows), np.floor(cols)
    down, right = (rows - row0).astype(np.float32), (cols - col0).astype(np.float32)
    row0, col0 = row0.astype(np.int32) & (size - 1), col0.astype(np.int32) & (size - 1)
    row1, col1 = (row0 + 1) & (size - 1), (col0 + 1) & (size - 1)
    flat = texture.ravel()
    row0 *= size
    row1 *= size
    top = flat.take(row0 + col0)
    top += right * (flat.take(row0 + col1) - top)
    low = flat.take(row1 + col0)
    low += right * (flat.take(row1 + col1) - low)
    low -= top
    low *= down
    low += top
    return low


def look_up_nearest(texture, rows, cols):
    """Nearest values of a periodic texture whose side is a power of two."""
    size = texture.shape[0]
    rows = np.rint(rows).astype(np.int32) & (size - 1)
    cols = np.rint(cols).astype(np.int32) & (size - 1)
    return texture.ravel().take(rows * size + cols)


def warped(texture, rng, reach, cells=4):
    """The texture with its coordinates pushed about by other noise, `reach` samples far."""
    size = texture.shape[0]
    rows, cols = np.meshgrid(np.arange(size), np.arange(size), indexing="ij")
    return look_up(
        texture,
        rows + reach * value_noise(rng, size, cells, 3),
        cols + reach * value_noise(rng, size, cells, 3),
    )


def ramp(value, low, high):
    """0 below `low`, 1 above `high`, smooth between."""
    part = np.clip((value - low) / (high - low), 0.0, 1.0)
    return part * part * (3 - 2 * part)
