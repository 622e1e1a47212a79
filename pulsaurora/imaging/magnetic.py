"""Where a site lies towards the magnetic pole and the sun: magnetic latitude and local time.

By the centred dipole, which is within about an hour of local time and three degrees of latitude of the
corrected geomagnetic coordinates at the sites; enough to tell evening from morning.
"""

import numpy as np

# Geographic position of the northern pole of the centred dipole, degrees (IGRF-13, epoch 2020; it moved by
# less than a degree in the fifteen years before).
_POLE_LATITUDE, _POLE_LONGITUDE = 80.65, -72.68
_J2000 = np.datetime64("2000-01-01T12:00:00", "us")


def dipole_coordinates(latitude, longitude):
    """Return magnetic latitude and longitude in the centred dipole.

    Parameters
    ----------
    latitude, longitude : float or ndarray, degrees
        Geographic, north and east positive.

    Returns
    -------
    magnetic_latitude, magnetic_longitude : float64, degrees
        Longitude from -180 to 180; its zero is the meridian through both poles.

    References
    ----------
    Laundal, K. M. and Richmond, A. D. (2017), Magnetic Coordinate Systems, Space Science Reviews 206, 27-59.
    """
    latitude, longitude = np.radians(latitude), np.radians(longitude)
    pole = np.radians(_POLE_LATITUDE)
    away = longitude - np.radians(_POLE_LONGITUDE)
    sine = np.sin(latitude) * np.sin(pole) + np.cos(latitude) * np.cos(pole) * np.cos(away)
    east = np.cos(latitude) * np.sin(away)
    south = np.cos(latitude) * np.sin(pole) * np.cos(away) - np.sin(latitude) * np.cos(pole)
    return np.degrees(np.arcsin(np.clip(sine, -1, 1))), np.degrees(np.arctan2(east, south))


def magnetic_local_time(times, latitude, longitude):
    """Return magnetic local time, hours.

    Parameters
    ----------
    times : ndarray of datetime64, shape (n,), UTC
    latitude, longitude : float, degrees
        Geographic, north and east positive.

    Returns
    -------
    ndarray of float64, shape (n,)
        0 to 24: 0 when the site's magnetic meridian is opposite to that of the point under the sun.

    References
    ----------
    Laundal and Richmond (2017). The sun's place is the Astronomical Almanac's low-precision one, good to 0.01
    degrees.
    """
    days = (np.asarray(times) - _J2000) / np.timedelta64(1, "D")
    anomaly = np.radians(357.529 + 0.98560028 * days)
    ecliptic = np.radians(280.459 + 0.98564736 * days + 1.915 * np.sin(anomaly) + 0.02 * np.sin(2 * anomaly))
    tilt = np.radians(23.439)
    declination = np.degrees(np.arcsin(np.sin(tilt) * np.sin(ecliptic)))
    ascension = np.degrees(np.arctan2(np.cos(tilt) * np.sin(ecliptic), np.cos(ecliptic)))
    sidereal = 280.46061837 + 360.98564736629 * days
    _, under_sun = dipole_coordinates(declination, ascension - sidereal)
    _, here = dipole_coordinates(latitude, longitude)
    return ((here - under_sun) / 15 + 12) % 24
