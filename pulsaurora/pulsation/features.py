"""Features of frames that are held as plain arrays; the whole of this room in one call."""

import sys

import numpy as np
import pandas as pd

from pulsaurora.imaging.ephemeris import site_position
from pulsaurora.imaging.skycircle import sky_elevation
from pulsaurora.pulsation.looks import look_features
from pulsaurora.pulsation.reduction import WINDOW_S, SkyGrid, reduce_frames
from pulsaurora.pulsation.table import FEATURE_NAMES, markdown


def features(images, times, site=None, *, latitude=None, longitude=None, elevation=None, window_s=WINDOW_S):
    """Compute one row of named features a frame, those of the look that it lies in.

    Parameters
    ----------
    images : ndarray of shape (n, rows, cols), uint16, counts
        Row 0 is the first row of the file; 256 x 256 for THEMIS, other square multiples of 64 work.
    times : array-like of shape (n,), datetime64
        UTC, strictly ascending.
    site : str, optional
        Site code such as ``gill``; gives the position where latitude and longitude do not.
    latitude, longitude : float, degrees north and east, optional
        Position of the site. Where unknown the sky is taken as dark.
    elevation : ndarray of shape (rows, cols), degrees, optional
        From a skymap; without it the frames show where the sky is, or else the usual optics tell.
    window_s : float, seconds
        Length of a look; one begins in each half of it.

    Returns
    -------
    pandas.DataFrame
        Index ``time``; columns as in docs/features.md, float32.

    Raises
    ------
    ContractError
        If the arrays do not fit each other, or times do not ascend.
    """
    images = np.asarray(images)
    if (latitude is None or longitude is None) and site is not None:
        latitude, longitude = site_position(site) or (None, None)
    if elevation is None:
        elevation = sky_elevation([images])
    grid = SkyGrid(elevation, images.shape[1:] if images.ndim == 3 else images.shape)
    reduced = reduce_frames(images, times, grid)
    rows = look_features(reduced, latitude=latitude, longitude=longitude, window_s=window_s)
    return pd.DataFrame(rows, index=pd.Index(reduced.times, name="time"), columns=list(FEATURE_NAMES))


if __name__ == "__main__":
    sys.stdout.write(markdown())
