"""Where the sun and the moon stand: low precision, enough to put them into a picture.

Sun to 0.01 degrees and moon to about 0.3 degrees (the Astronomical Almanac's
low-precision formulae). Shares nothing with pulsaurora.imaging.ephemeris.
"""

import numpy as np

_J2000 = np.datetime64("2000-01-01T12:00:00", "us")


def _days(time):
    return float((np.datetime64(time, "us") - _J2000) / np.timedelta64(86_400_000_000, "us"))


def sidereal_deg(time, longitude):
    """Local mean sidereal time in degrees."""
    return (280.46061837 + 360.98564736629 * _days(time) + longitude) % 360.0


def _ecliptic(lon, lat, days):
    """Ecliptic longitude and latitude (degrees) to a right ascension and declination (degrees)."""
    lon, lat, eps = np.radians([lon, lat, 23.439 - 4e-7 * days])
    x = np.cos(lat) * np.cos(lon)
    y = np.cos(eps) * np.cos(lat) * np.sin(lon) - np.sin(eps) * np.sin(lat)
    z = np.sin(eps) * np.cos(lat) * np.sin(lon) + np.cos(eps) * np.sin(lat)
    return np.degrees(np.arctan2(y, x)) % 360.0, np.degrees(np.arcsin(z))


def horizontal(ra, dec, time, latitude, longitude):
    """Elevation and azimuth (degrees, azimuth from north through east)."""
    hour = np.radians(sidereal_deg(time, longitude) - ra)
    dec, lat = np.radians(dec), np.radians(latitude)
    up = np.sin(lat) * np.sin(dec) + np.cos(lat) * np.cos(dec) * np.cos(hour)
    north = np.cos(lat) * np.sin(dec) - np.sin(lat) * np.cos(dec) * np.cos(hour)
    east = -np.cos(dec) * np.sin(hour)
    return np.degrees(np.arcsin(np.clip(up, -1, 1))), np.degrees(np.arctan2(east, north)) % 360.0


def _sun_longitude(days):
    anomaly = np.radians((357.528 + 0.9856003 * days) % 360.0)
    return (280.460 + 0.9856474 * days + 1.915 * np.sin(anomaly) + 0.020 * np.sin(2 * anomaly)) % 360.0


def sun(time, latitude, longitude):
    """Elevation and azimuth of the sun, degrees."""
    days = _days(time)
    return horizontal(*_ecliptic(_sun_longitude(days), 0.0, days), time, latitude, longitude)


def moon(time, latitude, longitude):
    """Elevation, azimuth (degrees) and lit fraction of the moon."""
    days = _days(time)
    t = days / 36525.0

    def term(amplitude, phase, rate):
        return amplitude * np.sin(np.radians(phase + rate * t))

    lon = (
        218.32
        + 481267.881 * t
        + term(6.29, 135.0, 477198.87)
        - term(1.27, 259.3, -413335.36)
        + term(0.66, 235.7, 890534.22)
        + term(0.21, 269.9, 954397.74)
        - term(0.19, 357.5, 35999.05)
        - term(0.11, 186.5, 966404.03)
    )
    lat = (
        term(5.13, 93.3, 483202.02)
        + term(0.28, 228.2, 960400.89)
        - term(0.28, 318.3, 6003.15)
        - term(0.17, 217.6, -407332.21)
    )
    elevation, azimuth = horizontal(*_ecliptic(lon, lat, days), time, latitude, longitude)
    elongation = np.degrees(
        np.arccos(np.cos(np.radians(lat)) * np.cos(np.radians(lon - _sun_longitude(days))))
    )
    elevation -= 0.95 * np.cos(np.radians(elevation))  # the observer is not at the Earth's centre
    return elevation, azimuth, 0.5 * (1 - np.cos(np.radians(elongation)))


def draw_start(rng, light, latitude, longitude):
    """Draw a time (2006 to 2019) whose sun and moon make a sky 'dark', 'moon' or 'twilight'."""
    for _ in range(20_000):
        time = np.datetime64("2006-01-01T00:00:00", "us") + np.timedelta64(
            int(rng.integers(0, 14 * 365 * 86_400)), "s"
        )
        sun_up, _azimuth = sun(time, latitude, longitude)
        moon_up, _azimuth, lit = moon(time, latitude, longitude)
        moonless = moon_up < -3 or lit < 0.05
        if light == "dark" and sun_up < -16 and moonless:
            return time
        if light == "moon" and sun_up < -15 and 12 < moon_up < 65 and lit > 0.45:
            return time
        if light == "twilight" and -11.5 < sun_up < -8.5 and moonless:
            return time
    raise ValueError(f"no {light} time at latitude {latitude}; try one between 40 and 70 degrees")
