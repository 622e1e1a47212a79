"""Magnetic latitude and local time, by vectors, by astropy's sun and by what is known of the sites."""

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsaurora.imaging.ephemeris import site_position
from pulsaurora.imaging.magnetic import dipole_coordinates, magnetic_local_time

POLE = (80.65, -72.68)


@given(st.floats(-89, 89), st.floats(-180, 180), st.floats(-89, 89), st.floats(-180, 180))
def test_longitudes_differ_as_vectors_say(lat_a, lon_a, lat_b, lon_b):
    (_, a), (_, b) = dipole_coordinates(lat_a, lon_a), dipole_coordinates(lat_b, lon_b)
    hours = naive.magnetic_hours((lat_a, lon_a), (lat_b, lon_b), POLE)
    assert ((a - b) / 15 - hours + 12) % 24 - 12 == pytest.approx(0, abs=1e-6)


def test_latitude_is_the_angle_from_the_equator_of_the_pole():
    assert dipole_coordinates(*POLE)[0] == pytest.approx(90)
    assert dipole_coordinates(-80.65, 107.32)[0] == pytest.approx(-90)
    assert dipole_coordinates(0.0, -72.68 + 90)[0] == pytest.approx(0, abs=1e-9)
    # Corrected geomagnetic latitude of Gillam is 66 degrees, of Poker Flat 65.
    assert dipole_coordinates(*site_position("gill"))[0] == pytest.approx(66, abs=3)
    assert dipole_coordinates(*site_position("pkr"))[0] == pytest.approx(65, abs=3)


def test_noon_is_under_the_sun_and_midnight_opposite():
    # At the equinox the sun stands over the equator, near the Greenwich meridian at noon (7 minutes early).
    noon = np.array(["2020-03-20T12:07:24"], "datetime64[us]")
    hours = naive.magnetic_hours((56.38, -94.64), (0.0, 0.0), POLE)
    assert magnetic_local_time(noon, 56.38, -94.64)[0] == pytest.approx((12 + hours) % 24, abs=0.02)
    # Magnetic midnight at Gillam comes about half past six, at Poker Flat about half past eleven.
    for site, expected in (("gill", 6.5), ("pkr", 11.5)):
        times = np.datetime64("2020-02-18", "us") + np.arange(0, 86400, 60) * np.timedelta64(1_000_000, "us")
        mlt = magnetic_local_time(times, *site_position(site))
        midnight = np.abs((mlt + 12) % 24 - 12).argmin() / 60
        assert midnight == pytest.approx(expected, abs=1.0)


def test_it_goes_forward_once_a_day():
    times = np.datetime64("2014-03-10", "us") + np.arange(0, 86400, 600) * np.timedelta64(1_000_000, "us")
    mlt = magnetic_local_time(times, 62.82, -92.11)
    steps = np.diff(mlt) % 24
    assert ((mlt >= 0) & (mlt < 24)).all() and (steps > 0.1).all() and (steps < 0.25).all()
    assert steps.sum() + steps.mean() == pytest.approx(24, abs=0.1)
