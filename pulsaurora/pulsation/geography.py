"""Where cells lie: on the image, and on the Earth where there is a skymap."""

from dataclasses import dataclass

import numpy as np

from pulsaurora.problems import ContractError

EMISSION_KM = 110.0
_KM_A_DEGREE = 111.195  # of latitude, on a sphere of 6371 km


@dataclass(frozen=True)
class Geography:
    """Places of a sky's cells; arrays of shape (n_cells,), NaN where not known.

    Attributes
    ----------
    row, col : ndarray of float, pixels
        Of the cell's centre; the centre of the first pixel is 0, 0.
    latitude, longitude : ndarray of float, degrees
        Below the cell's centre; longitude from 0 to 360.
    area_km2 : ndarray of float
    """

    row: np.ndarray
    col: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    area_km2: np.ndarray


def place_cells(cells, latitude=None, longitude=None):
    """Tell where the cells of a sky lie.

    Parameters
    ----------
    cells : CellMap
    latitude, longitude : ndarray of shape (n_rows + 1, n_cols + 1), degrees, optional
        Of the pixels' corners at one emission height, from a skymap.

    Returns
    -------
    Geography

    Raises
    ------
    ContractError
        If the grids do not fit the frames.
    """
    block, half = cells.block, cells.block // 2
    row, col = block * cells.row, block * cells.col
    unknown = np.full(cells.n, np.nan)
    centre = row + half - 0.5, col + half - 0.5
    if latitude is None or longitude is None:
        return Geography(*centre, unknown, unknown, unknown)
    latitude, longitude = np.asarray(latitude, float), np.asarray(longitude, float)
    expected = tuple(side + 1 for side in cells.grid.shape)
    if latitude.shape != expected or longitude.shape != expected:
        raise ContractError(
            f"skymap grids of {latitude.shape} and {longitude.shape} corners; expected {expected}, one more "
            "than the frames have pixels"
        )
    corners = [(row + i, col + j) for i, j in ((0, 0), (0, block), (block, block), (block, 0))]
    middle = latitude[row + half, col + half], longitude[row + half, col + half]
    north = [(latitude[at] - middle[0]) * _KM_A_DEGREE for at in corners]
    wide = np.cos(np.radians(middle[0]))
    east = [((longitude[at] - middle[1] + 180) % 360 - 180) * wide * _KM_A_DEGREE for at in corners]
    area = sum(east[k] * north[(k + 1) % 4] - east[(k + 1) % 4] * north[k] for k in range(4))
    return Geography(*centre, middle[0], middle[1] % 360, np.abs(area) / 2)


def nearest_altitude(altitudes_km):
    """Return the number of the height nearest to EMISSION_KM."""
    return int(np.argmin(np.abs(np.asarray(altitudes_km, float) - EMISSION_KM)))


def mean_place(latitude, longitude, weight):
    """Return the weighted mean of places, degrees; NaN where one of them is not known."""
    if not len(latitude) or not np.isfinite(latitude).all() or not np.isfinite(longitude).all():
        return np.nan, np.nan
    east = (longitude - longitude[0] + 180) % 360 - 180
    return (
        float(np.average(latitude, weights=weight)),
        float((longitude[0] + np.average(east, weights=weight)) % 360),
    )


def distance_km(latitude, longitude, other_latitude, other_longitude):
    """Return the way north and east from one place to another one near it, km on a sphere."""
    north = (other_latitude - latitude) * _KM_A_DEGREE
    turn = (other_longitude - longitude + 180) % 360 - 180
    return north, turn * _KM_A_DEGREE * np.cos(np.radians((latitude + other_latitude) / 2))
