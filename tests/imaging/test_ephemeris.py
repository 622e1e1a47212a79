"""sun_moon against astropy, published events and laws; the table of sites."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsaurora.imaging.ephemeris import site_position, sun_moon
from pulsaurora.problems import ContractError


def _times(*texts):
    return np.array(texts, "datetime64[us]")


@pytest.mark.parametrize("site", ["gill", "nrsq", "kian"])
def test_every_sample_agrees_with_astropy_evaluated_directly(site):
    from astropy import units
    from astropy.coordinates import AltAz, EarthLocation, get_body
    from astropy.time import Time
    from astropy.utils import iers

    latitude, longitude = site_position(site)
    times = np.concatenate(
        [
            np.datetime64("2014-03-10T00:00:01.3", "us")
            + np.arange(0, 86400, 2237) * np.timedelta64(1_000_000, "us"),
            _times("2006-12-31T23:59:59", "2009-06-21T12:00:00", "2020-02-18T05:15:07.123456"),
        ]
    )
    with iers.conf.set_temp("auto_download", False):
        where = EarthLocation.from_geodetic(longitude * units.deg, latitude * units.deg)
        when = Time(times, format="datetime64", scale="utc")
        sun = get_body("sun", when, where)
        moon = get_body("moon", when, where)
        sky = AltAz(obstime=when, location=where)
        sun_deg, moon_deg = (body.transform_to(sky).alt.deg for body in (sun, moon))
        apart = get_body("sun", when).separation(get_body("moon", when), origin_mismatch="ignore")
        far = get_body("sun", when).distance.au, get_body("moon", when).distance.au
    phase = np.arctan2(far[0] * np.sin(apart), far[1] - far[0] * np.cos(apart)).value
    ours = sun_moon(times, latitude, longitude)
    np.testing.assert_allclose(ours.sun_elevation_deg, sun_deg, atol=0.01, rtol=0)
    np.testing.assert_allclose(ours.moon_elevation_deg, moon_deg, atol=0.01, rtol=0)
    np.testing.assert_allclose(ours.moon_illumination, (1 + np.cos(phase)) / 2, atol=1e-3, rtol=0)


def test_published_new_and_full_moons():
    new = sun_moon(_times("2014-03-01T08:00", "2020-02-23T15:32"), 56.4, -94.6)
    full = sun_moon(_times("2014-03-16T17:08", "2020-02-09T07:33"), 56.4, -94.6)
    half = sun_moon(_times("2014-03-08T13:27"), 56.4, -94.6)  # first quarter
    assert (new.moon_illumination < 0.005).all()
    assert (full.moon_illumination > 0.995).all()
    assert half.moon_illumination[0] == pytest.approx(0.5, abs=0.01)


def test_published_sun():
    """Equinox noon, and sunset in London on 20 March 2014 (18:13 UT: the disc's top, refracted)."""
    noon = sun_moon(_times("2014-03-20T12:07:30"), 0.0, 0.0)
    assert noon.sun_elevation_deg[0] == pytest.approx(90, abs=0.4)
    sunset = sun_moon(_times("2014-03-20T18:13"), 51.51, -0.13)
    assert sunset.sun_elevation_deg[0] == pytest.approx(-0.833, abs=0.15)
    polar_night = sun_moon(np.arange("2014-12-21", "2014-12-22", dtype="datetime64[m]"), 69.54, -93.56)
    assert polar_night.sun_elevation_deg.max() < 0


def test_the_real_gill_minutes_were_moonlit_and_dark():
    seen = sun_moon(_times("2014-03-10T06:03"), *site_position("gill"))
    assert seen.sun_elevation_deg[0] < -18
    assert seen.moon_elevation_deg[0] > 0
    assert 0.6 < seen.moon_illumination[0] < 0.8


@given(
    st.lists(st.integers(-631_152_000, 4_102_444_799), min_size=1, max_size=30),
    st.floats(-90, 90),
    st.floats(-180, 180),
)
def test_any_times_and_place_give_numbers_that_do_not_depend_on_their_company(seconds, latitude, longitude):
    times = np.array(seconds, "datetime64[s]")
    together = sun_moon(times, latitude, longitude)
    for name in ("sun_elevation_deg", "moon_elevation_deg", "moon_illumination"):
        values = getattr(together, name)
        assert values.shape == times.shape
        assert values.dtype == np.float64
        assert np.isfinite(values).all()
        alone = getattr(sun_moon(times[:1], latitude, longitude), name)
        np.testing.assert_allclose(values[0], alone[0], atol=1e-9)
    assert (np.abs(together.sun_elevation_deg) <= 90).all()
    assert ((together.moon_illumination >= 0) & (together.moon_illumination <= 1)).all()
    east = sun_moon(times, latitude, longitude + 360 if longitude < 0 else longitude)
    np.testing.assert_allclose(east.sun_elevation_deg, together.sun_elevation_deg, atol=1e-6)


def test_no_times_give_no_values():
    none = sun_moon(np.array([], "datetime64[us]"), 56.4, -94.6)
    assert (
        none.sun_elevation_deg.shape == none.moon_elevation_deg.shape == none.moon_illumination.shape == (0,)
    )


@pytest.mark.parametrize(
    ("times", "latitude", "longitude", "said"),
    [
        (np.array([1.0]), 0, 0, "float64"),
        (np.array([["2014-03-10"]], "datetime64[us]"), 0, 0, r"shape \(1, 1\)"),
        (np.array(["NaT"], "datetime64[us]"), 0, 0, "NaT"),
        (_times("2014-03-10", "0001-01-01"), 0, 0, "0001-01-01"),
        (_times("2014-03-10"), 91, 0, "latitude 91"),
        (_times("2014-03-10"), np.nan, 0, "latitude nan"),
        (_times("2014-03-10"), 0, 361, "longitude 361"),
    ],
)
def test_what_cannot_be_computed_is_refused(times, latitude, longitude, said):
    with pytest.raises(ContractError, match=said):
        sun_moon(times, latitude, longitude)


def test_site_positions():
    assert site_position("GILL") == site_position("gill")
    assert site_position("nowhere") is None
    latitude, longitude = site_position("pkr")
    assert (latitude, longitude) == pytest.approx((65.126, -147.479), abs=0.1)  # dascasi's camera position


def test_the_gako_position_agrees_with_its_skymap(shared_data):
    from pulsaurora.imaging.skymap import read_skymap

    skymap = read_skymap(shared_data / "skymaps/gako/gako_20110305/themis_skymap_gako_20110305-+_vXX.sav")
    latitude, longitude = site_position("gako")
    assert latitude == pytest.approx(skymap.site_latitude, abs=0.01)
    assert longitude % 360 == pytest.approx(skymap.site_longitude, abs=0.01)
