"""The keogram: its strips, its reading, and what its picture says."""

import datetime as dt
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import synthetic
from hypothesis import given
from hypothesis import strategies as st

import pulsaurora
from pulsaurora.archive.layout import find_nights
from pulsaurora.archive.tables import classification_path, parquet_path, write_classifications
from pulsaurora.classes import CLASSES
from pulsaurora.imaging.ephemeris import sun_moon
from pulsaurora.imaging.skymap import optics_elevation
from pulsaurora.problems import ContractError
from pulsaurora.views.colors import CLASS_COLORS
from pulsaurora.views.keogram import Keogram, draw_keogram, keogram_of, plot_night, read_keogram, write_figure

DATE = dt.date(2014, 3, 10)
START = np.datetime64("2014-03-10T06:00:00", "us")


def made_up(n_frames=600, cadence_s=3.0, gap=slice(0, 0)):
    """A keogram with a bright band that moves south, and its table; frames of `gap` are missing."""
    keep = np.ones(n_frames, bool)
    keep[gap] = False
    times = START + np.round(np.arange(n_frames) * cadence_s * 1e6).astype("timedelta64[us]")
    band = np.linspace(40, 200, n_frames)
    brightness = 3400 + 6000 * np.exp(-(((np.arange(256)[:, None] - band) / 8) ** 2))
    label = np.arange(n_frames) * 4 // n_frames
    table = {
        "time": times[keep],
        "label": label[keep],
        "frac_pulsating": np.where(label == 3, 0.5, 0.0)[keep],
        "period_s": np.where(label == 0, 0.0, 9.0)[keep],
    }
    return Keogram(brightness[:, keep].astype(np.float32), times[keep], "gill", "themis19", DATE), table


def rendered(figure):
    """The figure's pixels, as anyone would see them."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def within(pixels, axis):
    """Those pixels that lie inside an axis."""
    box = axis.get_window_extent()
    height = len(pixels)
    rows = slice(height - int(box.y1) + 2, height - int(box.y0) - 2)
    return pixels[rows, int(box.x0) + 2 : int(box.x1) - 2]


def named(figure):
    keogram, _, ribbon, *rest = figure.axes
    return {"keogram": keogram, "ribbon": ribbon, "frac_pulsating": rest[1], "period_s": rest[3]}


# -- strips -------------------------------------------------------------------------------------------


def test_by_hand_the_middle_without_its_extremes():
    image = np.zeros((1, 2, 9), np.uint16)
    image[0, 0] = [9, 10, 1, 2, 3, 4, 65535, 0, 9]
    image[0, 1] = 7
    assert keogram_of(image).tolist() == [[np.float32((2 + 3 + 4 + 1 + 10) / 5)], [7.0]]
    assert keogram_of(image, 3).tolist() == [[3.0], [7.0]]
    assert keogram_of(image, 1).tolist() == [[3.0], [7.0]]


def test_a_hot_pixel_leaves_no_line_and_north_stays_on_top():
    images = np.full((5, 256, 256), 3300, np.uint16)
    images[:, 40, 128] = 65535
    images[:, :20] = 9000
    strips = keogram_of(images)
    assert strips.shape == (256, 5)
    assert strips.dtype == np.float32
    assert (strips[:20] == 9000).all()
    assert (strips[20:] == 3300).all()
    assert keogram_of(images[:0]).shape == (256, 0)


@given(st.integers(0, 50), st.integers(3, 7))
def test_adding_counts_adds_them_to_the_strip(added, n_columns):
    images = np.random.default_rng(7).integers(0, 5000, (3, 11, 9), dtype=np.uint16)
    moved = keogram_of(images + np.uint16(added), n_columns)
    np.testing.assert_allclose(moved, keogram_of(images, n_columns) + added, rtol=1e-6)


@pytest.mark.parametrize(("shape", "n_columns"), [((5, 5), 3), ((2, 5, 5), 6), ((2, 5, 5), 0)])
def test_what_has_no_middle_is_refused(shape, n_columns):
    with pytest.raises(ContractError, match="expected"):
        keogram_of(np.zeros(shape, np.uint16), n_columns)


def test_row_zero_is_north_and_the_last_column_west_in_real_frames(shared_data):
    """The moon stood in the west-south-west (azimuth 259 degrees): lower right, if north is up."""
    paths = sorted((shared_data / "stream0/2014/03/10/gill_themis19/ut06").glob("*_0600_*"))
    frames = pulsaurora.read_frames(paths)
    mean = frames.images.mean(axis=0)
    blocks = mean.reshape(64, 4, 64, 4).mean(axis=(1, 3))
    row, column = np.array(np.unravel_index(blocks.argmax(), blocks.shape)) * 4 + 1.5
    azimuth = np.degrees(np.arctan2(-(column - 131.9), -(row - 129.3))) % 360  # north up, east to the left
    assert azimuth == pytest.approx(259.1, abs=4)
    moon = sun_moon(frames.times[:1], 56.38, -94.64).moon_elevation_deg[0]
    seen = optics_elevation(centre=(129.3, 131.9))[int(row), int(column)]
    assert seen == pytest.approx(moon, abs=4)


# -- reading ------------------------------------------------------------------------------------------


def test_reading_keeps_every_good_frame_once_in_time_order(tmp_path):
    images = synthetic.pixels(3)
    for start in ("2014-03-10T06:02:00", "2014-03-10T05:59:00", "2014-03-10T06:01:00"):
        path = synthetic.minute_path(tmp_path, start)
        synthetic.write_minute(path, images, synthetic.frame_times(3, start))
    # A file cut in its third frame, and a minute that is there twice.
    cut = synthetic.minute_path(tmp_path, "2014-03-10T06:03:00", suffix=".pgm")
    whole = synthetic.minute(images, synthetic.frame_times(3, "2014-03-10T06:03:00"))
    cut.write_bytes(whole[: 2 * len(whole) // 3 + 2000])
    again = synthetic.minute_path(tmp_path, "2014-03-10T06:01:00", suffix=".pgm")
    synthetic.write_minute(again, images, synthetic.frame_times(3, "2014-03-10T06:01:00"))

    (night,), problems = find_nights(tmp_path, DATE, DATE)
    advanced = []
    keogram = read_keogram(night, 2, advanced.append)
    assert not problems
    assert sum(advanced) == 4
    assert (np.diff(keogram.times) > np.timedelta64(0)).all()
    assert len(keogram.times) == 3 + 3 + 3 + 2
    assert [problem.path for problem in keogram.problems] == [str(cut)]
    np.testing.assert_array_equal(keogram.brightness[:, :3], keogram_of(images))
    assert (keogram.site, keogram.imager, keogram.date) == ("gill", "themis19", DATE)


def test_reading_the_real_night_equals_reading_its_frames(shared_data):
    (night,), _ = find_nights(shared_data / "stream0", DATE, DATE, ["gill"])
    keogram = read_keogram(night)
    hour = shared_data / "stream0/2014/03/10/gill_themis19/ut06"
    frames = pulsaurora.read_frames(sorted(hour.glob("*_full.pgm*")))
    np.testing.assert_array_equal(keogram.brightness, keogram_of(frames.images))
    np.testing.assert_array_equal(keogram.times, frames.times)


# -- drawing ------------------------------------------------------------------------------------------


def test_the_picture_of_half_an_hour_says_what_it_should():
    keogram, table = made_up()
    figure = draw_keogram(keogram, table, "model 3f2a91c0")
    axes = named(figure)
    assert axes["keogram"].get_title("left").split() == ["gill", "themis19", "2014-03-10"]
    assert axes["keogram"].get_title("right") == "model 3f2a91c0"
    labels = [label.get_text() for label in axes["keogram"].get_yticklabels()]
    assert labels == ["zenith", "60° N", "60° S", "30° N", "30° S", "10° N", "10° S"]
    ticks = dict(zip(labels, axes["keogram"].get_yticks(), strict=True))
    assert (
        ticks["10° N"] < ticks["30° N"] < ticks["60° N"] < ticks["zenith"] < ticks["60° S"] < ticks["10° S"]
    )
    low, high = axes["keogram"].get_ylim()
    assert low > high  # north up
    legend = [text.get_text() for text in axes["ribbon"].get_legend().get_texts()]
    assert legend == ["bad viewing 25 %", "no aurora 25 %", "other aurora 25 %", "pulsating 25 %"]
    assert figure.axes[-2].get_xlabel() == "UT on 2014-03-10"


def test_the_ribbon_has_each_class_in_its_place_and_colour():
    keogram, table = made_up()
    figure = draw_keogram(keogram, table)
    seen = within(rendered(figure), named(figure)["ribbon"])[10]
    for code, name in enumerate(CLASSES):
        expected = [int(CLASS_COLORS[name][i : i + 2], 16) for i in (1, 3, 5)]
        assert seen[int(len(seen) * (code + 0.5) / 4)].tolist() == expected


def test_gaps_are_blank_in_every_panel():
    keogram, table = made_up(gap=slice(300, 360))
    figure = draw_keogram(keogram, table)
    pixels = rendered(figure)
    for name, axis in named(figure).items():
        panel = within(pixels, axis)
        n = panel.shape[1]
        assert (panel[:, int(n * 0.51) : int(n * 0.59)] > 0xD0).all(), name  # white, or the grid's light grey
    strips = within(pixels, named(figure)["keogram"])
    assert (strips[:, : int(strips.shape[1] * 0.49)].min(axis=2) < 0xD0).mean() > 0.99


@pytest.mark.parametrize("hours", [0.5, 14.0])
def test_a_short_and_a_long_night_fill_the_width(hours):
    keogram, table = made_up(int(hours * 1200))
    figure = draw_keogram(keogram, table)
    first, last = figure.axes[0].get_xlim()
    assert (last - first) * 24 == pytest.approx(hours, rel=0.01)
    labels = [label.get_text() for label in figure.axes[-2].get_xticklabels()]
    assert 4 <= len([label for label in labels if label]) <= 13
    assert (within(rendered(figure), figure.axes[0]).min(axis=2) < 0xF0).mean() > 0.99


def test_twilight_does_not_take_the_whole_brightness_scale():
    keogram, table = made_up()
    keogram.brightness[:, :150] = 60000  # bad viewing
    assert draw_keogram(keogram, table).axes[0].get_images()[0].get_clim()[1] < 10000
    assert draw_keogram(keogram).axes[0].get_images()[0].get_clim()[1] == 60000


def test_what_is_not_known_is_not_drawn():
    keogram, table = made_up(60)
    assert len(draw_keogram(keogram).axes) == 2
    assert len(draw_keogram(keogram, {key: table[key] for key in ("time", "label")}).axes) == 4
    assert len(draw_keogram(keogram, {key: values[:0] for key, values in table.items()}).axes) == 2
    table["period_s"][:] = np.nan
    table["frac_pulsating"][:] = np.nan
    rendered(draw_keogram(keogram, table))


def test_one_frame_a_flat_sky_and_a_table_of_other_times_are_drawn():
    keogram, table = made_up(1)
    keogram.brightness[:] = 3300
    rendered(draw_keogram(keogram, table))
    table["time"] = table["time"] + np.timedelta64(1, "h")
    figure = draw_keogram(keogram, pd.DataFrame(table).assign(label=pd.Categorical(["pulsating"], CLASSES)))
    first, last = figure.axes[0].get_xlim()
    assert (last - first) * 24 == pytest.approx(1, rel=0.01)
    with pytest.raises(ContractError, match="no frames"):
        draw_keogram(Keogram(keogram.brightness[:, :0], keogram.times[:0], "gill", "themis19", DATE))


def test_a_picture_is_written_whole_or_not_at_all(tmp_path):
    figure = draw_keogram(made_up(20)[0])
    path = tmp_path / "new" / "night.png"
    write_figure(figure, path)
    kept = path.read_bytes()
    assert kept.startswith(b"\x89PNG")
    figure.savefig = None  # as if the disk were full
    with pytest.raises(TypeError):
        write_figure(figure, path)
    assert path.read_bytes() == kept
    assert [each.name for each in path.parent.iterdir()] == ["night.png"]


def test_importing_is_light_and_drawing_takes_no_window_toolkit(tmp_path):
    code = (
        "import sys, pulsaurora.views.keogram as k\n"
        "early = 'matplotlib' in sys.modules\n"
        "import numpy as np, datetime as d\n"
        "t = np.datetime64('2014-03-10', 'us') + np.arange(3) * np.timedelta64(3, 's')\n"
        "f = k.draw_keogram(k.Keogram(np.ones((256, 3), 'f4'), t, 'gill', 'x', d.date(2014, 3, 10)))\n"
        "k.write_figure(f, sys.argv[1])\n"
        "sys.exit(early or 'matplotlib.pyplot' in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.png")], check=True)
    assert (tmp_path / "a.png").is_file()


# -- a night ------------------------------------------------------------------------------------------


@pytest.fixture
def night(tmp_path):
    for start in ("2014-03-10T06:00:00", "2014-03-10T06:01:00"):
        times = synthetic.frame_times(3, start, 20)
        synthetic.write_minute(synthetic.minute_path(tmp_path / "stream0", start), synthetic.pixels(3), times)
    (night,), _ = find_nights(tmp_path / "stream0", DATE, DATE)
    return night


def _classified(night, root, trained_on=None):
    times = read_keogram(night).times
    about = {"version": "0.1.0", "model": "3f2a91c0" + 56 * "0", "inputs": "-"} | (
        {"trained on": trained_on} if trained_on else {}
    )
    table = {"time": times, "label": np.full(len(times), 3), "confidence": np.ones(len(times), np.float32)}
    table |= {"frac_pulsating": np.full(len(times), 0.4), "period_s": np.full(len(times), 9.0)}
    path = classification_path(root, night.site, night.imager, night.date)
    write_classifications(path, table, about)
    return path


def test_a_night_with_and_without_its_classification(night, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "pulsaurora.views.keogram.write_figure", lambda figure, path: drawn.append((figure, path))
    )
    plot_night(night, tmp_path)
    path = _classified(night, tmp_path / "out")
    plot_night(night, tmp_path, tmp_path / "out")
    parquet_path(path).unlink()
    plot_night(night, tmp_path, tmp_path / "out")
    path.write_text("no table\n")
    _, problems = plot_night(night, tmp_path, tmp_path / "out")
    assert {path.name for _, path in drawn} == {"20140310_gill_themis19_keogram.png"}
    assert [len(figure.axes) for figure, _ in drawn] == [2, 8, 4, 2]
    notes = [figure.axes[0].get_title("right") for figure, _ in drawn]
    assert notes == ["not classified", *["model 3f2a91c0 · pulsaurora 0.1.0"] * 2, "not classified"]
    assert [problem.path for problem in problems] == [str(path)]


def test_a_model_of_simulated_skies_is_named_as_one(night, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("pulsaurora.views.keogram.write_figure", lambda figure, path: drawn.append(figure))
    _classified(night, tmp_path, "simulated skies only: 3 sites")
    plot_night(night, tmp_path, tmp_path)
    title = drawn[0].axes[0].get_title("right")
    assert title.startswith("model 3f2a91c0, trained on simulated skies only")


def test_a_night_of_broken_files_has_no_picture(tmp_path):
    path = synthetic.minute_path(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"nothing of the kind")
    (path.parent.parent / "themis_skymap_gill_20130901-+_vXX.sav").write_bytes(b"neither")
    (night,), _ = find_nights(tmp_path, DATE, DATE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn, problems = plot_night(night, tmp_path / "figures")
    assert drawn is None
    assert len(problems) == 2
    assert not (tmp_path / "figures").exists()
