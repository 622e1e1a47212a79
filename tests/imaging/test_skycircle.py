"""find_sky_circle and sky_elevation, on discs drawn here, on simulated cameras and on real frames."""

import numpy as np
import pytest
import synthetic
from hypothesis import given
from hypothesis import strategies as st

from pulsaurora.archive.layout import find_nights
from pulsaurora.classification.nightskymap import elevation_from_frames
from pulsaurora.imaging.frames import PackedImages
from pulsaurora.imaging.nightreader import open_minutes
from pulsaurora.imaging.skycircle import find_sky_circle, sky_elevation
from pulsaurora.imaging.skymap import optics_elevation
from pulsaurora.imaging.themis import read_frames
from pulsaurora.problems import ContractError
from pulsaurora.simulation.drawn_camera import draw_camera
from pulsaurora.simulation.night import SCENES, simulate_minutes

PEDESTAL = 2600


def disc(row, column, radius, light=700.0, side=256, seed=0):
    """A frame whose sky is an even disc with a rim two pixels soft, and the detector's noise."""
    rows, columns = np.mgrid[:side, :side]
    inside = 1 / (1 + np.exp((np.hypot(rows - row, columns - column) - radius) / 0.7))
    noise = np.random.default_rng(seed).normal(0, 1, (side, side)) * np.sqrt(380 + 1.68 * light * inside)
    return np.clip(PEDESTAL + light * inside + noise, 0, 65535).astype(np.uint16)


def near(circle, row, column, radius, within):
    return (
        circle is not None
        and np.hypot(circle.row - row, circle.column - column) < within
        and abs(circle.radius - radius) < within
    )


@given(
    row=st.floats(115, 142),
    column=st.floats(115, 142),
    radius=st.floats(94, 128),
    light=st.floats(400, 40000),
)
def test_a_disc_is_found_where_it_is(row, column, radius, light):
    assert near(find_sky_circle(disc(row, column, radius, light)), row, column, radius, 3.5)


@pytest.mark.parametrize("side", [128, 512, 1024])
def test_discs_of_other_images_are_found_in_their_pixels(side):
    scale = side / 256
    row, column, radius = 132 * scale, 122 * scale, 110 * scale
    assert near(find_sky_circle(disc(row, column, radius, side=side)), row, column, radius, 2.5 * scale)


def test_neither_a_lamp_nor_a_rounded_region_of_aurora_draws_the_circle():
    image = disc(128, 127, 121).astype(float)
    rows, columns = np.mgrid[:256, :256]
    image += 2500 / (1 + np.exp((np.hypot(rows - 140, columns - 116) - 98) / 4))  # aurora
    image += 50000 * np.exp(-((rows - 30) ** 2 + (columns - 60) ** 2) / 50)  # a lamp
    assert near(find_sky_circle(np.clip(image, 0, 65535)), 128, 127, 121, 3)


def test_hills_and_a_lit_rim_move_the_circle_little():
    rows, columns = np.mgrid[:256, :256]
    away, bearing = np.hypot(rows - 126, columns - 130), np.arctan2(rows - 126, columns - 130)
    light = 900 / (1 + np.exp((away - 122 + 8 * (np.abs(bearing) < 0.8)) / 0.7))
    light += 300 * np.exp(-(((away - 126) / 1.2) ** 2)) * (bearing > 1.5)
    assert near(find_sky_circle(PEDESTAL + light), 126, 130, 122, 3)


def test_without_a_disc_none_is_found():
    noise = np.random.default_rng(1).normal(PEDESTAL, 20, (20, 256, 256)).astype(np.uint16)
    assert sky_elevation([noise]) is None
    assert sky_elevation([]) is None
    assert sky_elevation([noise[:0]]) is None
    assert find_sky_circle(np.full((256, 256), 65535.0)) is None
    assert find_sky_circle(np.zeros((64, 64))) is None


def test_what_is_no_image_is_refused():
    for shape in ((256, 255), (32, 32), (256,)):
        with pytest.raises(ContractError, match="square"):
            find_sky_circle(np.zeros(shape))
    with pytest.raises(ContractError, match="float64"):
        sky_elevation([np.zeros((3, 256, 256))])


def test_elevation_follows_the_circle_and_packed_images_give_the_same():
    images = np.stack([disc(120, 135, 105, seed=k) for k in range(9)])
    found = sky_elevation([images], grain=1)
    expected = optics_elevation(centre=(120, 135), radius=105)
    both = np.isfinite(found) & np.isfinite(expected)
    assert np.abs(found - expected)[both].max() < 2.5
    assert (np.isfinite(found) != np.isfinite(expected)).mean() < 0.02

    data = b"head" + b"".join(image.astype(">u2").tobytes() for image in images)
    packed = PackedImages(data, 4 + 2 * 256 * 256 * np.arange(9))
    assert np.array_equal(sky_elevation([packed], grain=1), found, equal_nan=True)
    assert np.array_equal(sky_elevation([images[:4], images[4:]], grain=1), found, equal_nan=True)


@pytest.mark.parametrize(
    "scene", ["overcast", "clear_dark", "pulsating_patchy", "breakup", "fog", "clear_dusk", "snowfall"]
)
def test_the_discs_of_simulated_imagers_are_found(scene):
    assert scene in SCENES
    off, short = [], []
    for seed in range(4):
        camera = draw_camera(np.random.default_rng(seed))
        start = np.datetime64("2014-03-10T06:00", "us")
        [minute] = simulate_minutes([9, seed], start, 1, script=[(scene, 1)], camera=camera)
        circle = find_sky_circle(minute.images.mean(0))
        off.append(np.hypot(circle.row - camera.centre[0], circle.column - camera.centre[1]))
        short.append(camera.radius - circle.radius)
    # Hills hide the horizon, so that the disc may be smaller than the sky; the usual optics are off by 4.3.
    assert np.median(off) < 2 and max(off) < 9
    assert np.median(short) < 8


def test_the_disc_of_the_real_imager_is_found(shared_data):
    frames = read_frames(sorted((shared_data / "stream0/2014/03/10").rglob("*.pgm*")))
    circle = find_sky_circle(frames.images[::5].mean(0))
    assert near(circle, 129.3, 131.9, 125, 4)  # centre and radius of gill in 2014, as its skymap has them


def test_some_minutes_of_a_night_tell_and_those_that_cannot_be_read_do_not_matter(tmp_path):
    for k in range(12):
        begins = np.datetime64("2014-03-10T06:00") + np.timedelta64(k, "m")
        path = synthetic.minute_path(tmp_path, str(begins), suffix=".pgm")
        times = begins.astype("datetime64[us]") + np.arange(3) * np.timedelta64(3, "s")
        synthetic.write_minute(path, np.stack([disc(122, 133, 108, seed=k)] * 3), times)
        if k == 6:
            path.write_bytes(b"no image")
    nights, _ = find_nights(tmp_path, "2014-03-10", "2014-03-10")
    minutes = [minute for hour in sorted(nights[0].hours) for minute in nights[0].hours[hour]]
    read = []
    with open_minutes(nights[0], reuse=True, packed=True) as read_minute:

        def noted(minute):
            read.append(minute.minute)
            return read_minute(minute)

        found = elevation_from_frames(minutes, noted)
        assert elevation_from_frames([], noted) is None
    assert read == [6, 2]
    row, column = np.unravel_index(np.nanargmax(found), found.shape)
    assert abs(row - 122) <= 3 and abs(column - 133) <= 3


def test_what_a_real_night_shows_does_not_hang_on_which_minutes_are_looked_at(shared_data):
    nights, _ = find_nights(shared_data / "stream0", "2014-03-10", "2014-03-10")
    minutes = [minute for hour in sorted(nights[0].hours) for minute in nights[0].hours[hour]]
    with open_minutes(nights[0], packed=True) as read_minute:
        expected = elevation_from_frames(minutes, read_minute)
        for minute in minutes:
            assert np.array_equal(elevation_from_frames([minute], read_minute), expected, equal_nan=True)


def test_rounding_counts_from_the_usual_optics():
    images = np.stack([disc(131, 135, 105)] * 2)  # 2 and 7 pixels off, 19 smaller
    rounded = sky_elevation([images])
    circle = find_sky_circle(images.mean(0))
    assert near(circle, 131, 135, 105, 1.5)
    centres = [(129 + 4 * i, 128 + 4 * j) for i in (0, 1) for j in (1, 2)]
    choices = [optics_elevation(centre=c, radius=r) for c in centres for r in (104, 108)]
    assert any(np.array_equal(rounded, choice, equal_nan=True) for choice in choices)
