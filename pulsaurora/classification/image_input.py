"""Frames as an `image` model takes them: 8-bit, contrast equalised, masked, 224 by 224, three channels."""

import numpy as np

from pulsaurora.imaging.contrast import clahe

SIDE = 224
_BITS = 11  # of the weights in the bilinear interpolation


def image_input(images, visible):
    """Prepare frames for an `image` model.

    Contrast-limited adaptive histogram equalisation (clip limit 3, 8 x 8 tiles) scaled to 8 bits by
    255/65535; pixels that are not looked at set to zero; bilinear interpolation from 256 x 256 to 224 x 224;
    grey repeated in three channels. The interpolation is that of OpenCV's `resize` with `INTER_LINEAR` on
    8-bit images: pixel centres at half-integers, no smoothing beforehand, weights of 11 bits, rounded to
    whole numbers.

    Parameters
    ----------
    images : ndarray of uint16, shape (n, 256, 256)
    visible : ndarray of bool, shape (256, 256)

    Returns
    -------
    ndarray of float32, shape (n, 224, 224, 3)
        From 0 to 255, not scaled any further.
    """
    grey = clahe(images, clip_limit=3.0, tiles=(8, 8), scale=255 / 65535)
    grey = shrink(np.where(visible, grey, np.uint8(0)), (SIDE, SIDE))
    return np.repeat(grey.astype(np.float32)[..., np.newaxis], 3, axis=-1)


def shrink(images, shape):
    """Resize 8-bit images bilinearly.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, row, col)
    shape : tuple of int
        Rows and columns wanted.

    Returns
    -------
    ndarray of uint8, shape (n, *shape)
    """
    first, weight = _neighbours(images.shape[2], shape[1])
    wide = images.astype(np.int32)
    rows = wide[:, :, first] * ((1 << _BITS) - weight) + wide[:, :, first + 1] * weight
    first, weight = _neighbours(images.shape[1], shape[0])
    weight = weight[:, np.newaxis]
    # Both products are cut to 16 bits before they are added, as OpenCV does to stay within 32 bits.
    above = (((1 << _BITS) - weight) * (rows[:, first] >> 4)) >> 16
    below = (weight * (rows[:, first + 1] >> 4)) >> 16
    return ((above + below + 2) >> 2).astype(np.uint8)


def _neighbours(n_from, n_to):
    """Return, for each new pixel, the first of its two old pixels and the weight of the second."""
    centre = (np.arange(n_to) + 0.5) * (n_from / n_to) - 0.5
    first = np.clip(np.floor(centre).astype(np.int64), 0, n_from - 2)
    weight = np.clip(centre - first, 0.0, 1.0)
    return first, np.rint(weight * (1 << _BITS)).astype(np.int32)
