"""Films: decoded again, every frame is where it should be and says which it is."""

import datetime as dt
import subprocess
import sys

import numpy as np
import pytest
import synthetic

from pulsaurora.archive.layout import find_nights
from pulsaurora.archive.tables import classification_path, parquet_path, write_classifications
from pulsaurora.classes import CLASSES
from pulsaurora.cli import log, main
from pulsaurora.imaging.contrast import clahe
from pulsaurora.imaging.skymap import find_skymap, read_skymap
from pulsaurora.imaging.themispack import pack_themis
from pulsaurora.problems import UsageError
from pulsaurora.simulation.night import simulate_minutes, write_stream0
from pulsaurora.views import movie
from pulsaurora.views.colors import CLASS_COLORS
from pulsaurora.views.filmframe import RIBBON_ROWS, TITLE_ROWS, glyphs, text_pixels, yuv_of
from pulsaurora.views.movie import make_movies

av = pytest.importorskip("av")
DATE = dt.date(2014, 3, 10)
IMAGE = slice(TITLE_ROWS, TITLE_ROWS + 512)


def decode(path):
    """Luma planes of all frames, and the stream they came from."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        about = (stream.codec_context.name, stream.average_rate, stream.width, stream.height)
        return [frame.to_ndarray(format="yuv420p") for frame in container.decode(video=0)], about


def luma(planes):
    """Brightness 0 to 255 of a decoded frame's full picture."""
    y = planes[: planes.shape[0] * 2 // 3].astype(float)
    return (y - 16) / 219 * 255


def number_of(planes):
    """The frame number that is written in a decoded frame, read by comparing with each digit."""
    rows, columns = glyphs().shape[1:]
    shown = luma(planes)[6 : 6 + rows, 512 - 8 - 6 * columns : 512 - 8]
    digits = {text: text_pixels(text).astype(float) for text in "0123456789#"}
    said = ""
    for place in range(6):
        cell = shown[:, place * columns : (place + 1) * columns]
        said += min(digits, key=lambda text: np.abs(digits[text] - cell).mean())
    return said


def disk(number):
    """A frame with a bright disk, in another place for each number."""
    y, x = np.ogrid[:256, :256]
    row, column = place_of(number)
    return np.where((y - row) ** 2 + (x - column) ** 2 < 200, 20000, 3500).astype(np.uint16)


def where(planes):
    """Row and column of the disk in a decoded frame, in pixels of the image; few are those of letters."""
    return np.median(np.argwhere(luma(planes)[IMAGE] > 150), axis=0) / 2


def place_of(number):
    """Row and column of the disk of a number."""
    return 60 + 14 * (number % 10), 60 + 30 * (number // 10 % 5)


def stream0(root, minutes=("06:00", "06:01"), n_frames=20, **known):
    """Minute files of numbered disks."""
    for i, minute in enumerate(minutes):
        images = np.stack([disk(i * n_frames + k) for k in range(n_frames)])
        start = f"2014-03-10T{minute}"
        times = synthetic.frame_times(n_frames, f"{start}:00.5")
        path = synthetic.minute_path(root, start, suffix=".pgm", **known)
        synthetic.write_minute(path, images, times, **known)
    return root


def night(root):
    (found,), _ = find_nights(root, DATE, DATE)
    return found


def make_movie(found, *arguments, **known):
    """The film of one imager: path, number of frames and problems."""
    problems = []
    (film,) = make_movies([found], *arguments, problems=problems, **known)
    return *film, problems


@pytest.fixture
def flat(monkeypatch):
    """No equalizing, so that a disk stays a disk."""
    monkeypatch.setattr(movie, "clahe", lambda images: (images >> 7).clip(0, 255).astype(np.uint8))


def test_frames_are_where_they_should_be_and_say_which_they_are(tmp_path, flat):
    path, n_frames, problems = make_movie(night(stream0(tmp_path / "s")), tmp_path / "o")
    assert (path.name, n_frames, problems) == ("20140310_gill_themis19_movie.mp4", 40, [])
    decoded, about = decode(path)
    assert about == ("h264", 20, 512, 544) and len(decoded) == 40
    for number in (0, 1, 7, 19, 20, 33, 39):
        assert number_of(decoded[number]) == f"#{number:05d}"
        np.testing.assert_allclose(where(decoded[number]), place_of(number), atol=1)
    assert [each.name for each in (tmp_path / "o").iterdir()] == [path.name]


def test_the_film_of_a_simulated_night(tmp_path):
    minutes = list(simulate_minutes(3, "2014-03-10T06:00", 2, "gill", [("pulsating_patchy", 2)]))
    write_stream0(tmp_path / "s", iter(minutes))
    path, n_frames, _ = make_movie(night(tmp_path / "s"), tmp_path / "o")
    decoded, _ = decode(path)
    images = np.concatenate([minute.images for minute in minutes])
    assert len(decoded) == n_frames == len(images)
    for number in (0, 17, len(images) - 1):
        wanted = np.repeat(np.repeat(clahe(images[number]), 2, 0), 2, 1).astype(float)
        found = luma(decoded[number])[IMAGE]
        assert np.corrcoef(found.ravel(), wanted.ravel())[0, 1] > 0.95
        # And it is no other frame: of all, this one is nearest.
        small = found[::2, ::2]
        others = [np.abs(clahe(image) - small).mean() for image in images[::10]]
        assert np.abs(clahe(images[number]) - small).mean() <= min(others)


def test_north_is_up_and_east_to_the_left(shared_data):
    """Row 0 of the files, at the top of a film, looks north, and column 0 east: a skymap tells."""
    skymap = read_skymap(find_skymap(shared_data, "gako", "2020-01-31"))
    for row, column, azimuth in ((10, 128, 0), (245, 128, 180), (128, 10, 90), (128, 245, 270)):
        off = (skymap.azimuth[row, column] - azimuth + 180) % 360 - 180
        assert abs(off) < 30  # the imager stands a little turned


def test_a_part_of_a_night_keeps_the_numbers_of_its_date(tmp_path, flat):
    found = night(stream0(tmp_path / "s", ("06:00", "06:01", "09:30"), 5))
    parts = (("06:01", "06:01", (5, 9)), ("06:01:03", "06:01:06", (6, 7)), (3, 11, (3, 11)),
             ("6:01:12", None, (9, 14)), (None, "1", (0, 1)))  # fmt: skip
    for first, last, numbers in parts:
        path, n_frames, _ = make_movie(found, tmp_path / "o", first, last)
        assert path.name == f"20140310_gill_themis19_movie_{numbers[0]:05d}-{numbers[1]:05d}.mp4"
        decoded, _ = decode(path)
        assert len(decoded) == n_frames == numbers[1] - numbers[0] + 1
        assert (number_of(decoded[0]), number_of(decoded[-1])) == tuple(f"#{n:05d}" for n in numbers)
    for first, last in (("07:00", "09:00"), (15, None), (9, 8), ("10:00", None)):
        with pytest.raises(UsageError, match="it has frames 0 to 14, 06:00:00 to 09:30:12 UT"):
            make_movie(found, tmp_path / "o", first, last)
    for value in ("noon", "25:00", "-3", "6:1"):
        with pytest.raises(UsageError, match="no UT time"):
            make_movie(found, tmp_path / "o", value)


def numbers_of(folder):
    """First and last number that is written in each film of a folder, by the film's name."""
    decoded = {path.name: decode(path)[0] for path in sorted(folder.iterdir())}
    return {name: (number_of(film[0]), number_of(film[-1])) for name, film in decoded.items()}


def test_a_second_imager_goes_on_where_the_first_ended_as_labels_count(tmp_path, flat, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    stream0(tmp_path / "s", ("06:02", "06:03"), 5, imager="themis12")  # named before the other, yet later
    stream0(tmp_path / "s", ("06:00", "06:01"), 5)
    movie_of = ["movie", "gill", str(DATE), "--stream0", "s", "--out"]
    assert main.run([*movie_of, "whole"]) == 0
    assert numbers_of(tmp_path / "whole") == {
        "20140310_gill_themis19_movie.mp4": ("#00000", "#00009"),
        "20140310_gill_themis12_movie.mp4": ("#00010", "#00019"),
    }
    assert main.run([*movie_of, "part", "--start", "8", "--end", "12"]) == 0
    assert numbers_of(tmp_path / "part") == {
        "20140310_gill_themis19_movie_00008-00009.mp4": ("#00008", "#00009"),
        "20140310_gill_themis12_movie_00010-00012.mp4": ("#00010", "#00012"),
    }
    # What only one of them has is no fault of the other.
    assert main.run([*movie_of, "one", "--start", "06:02", "--end", "06:02"]) == 0
    assert main.run([*movie_of, "one", "--start", "3", "--end", "4"]) == 0
    assert numbers_of(tmp_path / "one") == {
        "20140310_gill_themis12_movie_00010-00014.mp4": ("#00010", "#00014"),
        "20140310_gill_themis19_movie_00003-00004.mp4": ("#00003", "#00004"),
    }
    capsys.readouterr()
    assert main.run([*movie_of, "none", "--start", "07:00"]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert (
        "gill_themis12 has frames 10 to 19, 06:02:00 to 06:03:12 UT; gill_themis19 has frames 0 to 9" in told
    )
    log.stop()


def test_of_imagers_at_the_same_hours_labels_count_those_of_the_longer(tmp_path, flat):
    stream0(tmp_path / "s", ("06:00", "06:01"), 3)
    stream0(tmp_path / "s", ("06:01",), 2, imager="themis12")
    nights, problems = find_nights(tmp_path / "s", DATE, DATE)
    assert len(list(make_movies(nights, tmp_path / "o", problems=problems))) == 2
    assert {first for first, _ in numbers_of(tmp_path / "o").values()} == {"#00000"}
    (problem,) = problems
    assert (
        problem.path == "2014-03-10 gill_themis12" and "has the same hours as gill_themis19" in problem.reason
    )


def test_day_files_that_cannot_be_used_are_told_where_there_is_no_frame_either(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    stream0(tmp_path / "s", n_frames=2)
    pack_themis("s", "d", DATE, DATE, raw16=True)
    (tmp_path / "d/2014").mkdir()
    (tmp_path / "d/2014/all-images-2014-03-10-gill.h5").write_bytes(b"no day file")
    assert main.run(["movie", "gill", str(DATE), "--dayfiles", "d", "--out", "o", "--start", "09:00"]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "2014/all-images-2014-03-10-gill.h5: " in told and "no frame of gill" in told
    log.stop()


def test_overlapping_clocks_and_bad_files(tmp_path, flat):
    root = stream0(tmp_path / "s", ("06:00",), 4)
    # The next file's frames lie between those of the first, and repeat one of its times.
    times = synthetic.frame_times(4, "2014-03-10T06:00:02.000")
    times[3] = synthetic.frame_times(4, "2014-03-10T06:00:00.5")[3]
    images = np.stack([disk(10 + k) for k in range(4)])
    synthetic.write_minute(synthetic.minute_path(root, "2014-03-10T06:01"), images, times)
    synthetic.minute_path(root, "2014-03-10T06:02").write_bytes(b"")
    path, n_frames, problems = make_movie(night(root), tmp_path / "o")
    decoded, _ = decode(path)
    assert len(decoded) == n_frames == 7 and len(problems) == 2
    for place, number in enumerate((0, 10, 1, 11, 2, 12, 3)):
        np.testing.assert_allclose(where(decoded[place]), place_of(number), atol=1)
        assert number_of(decoded[place]) == f"#{place:05d}"


def test_the_ribbon_shows_the_class_of_each_frame(tmp_path, flat):
    found = night(stream0(tmp_path / "s"))
    with pytest.raises(UsageError, match="classify the night first"):
        make_movie(found, tmp_path / "o", classifications=tmp_path / "c")
    labels = np.repeat([3, 1, 0, 2], 10).astype(np.int8)
    times = synthetic.frame_times(40, "2014-03-10T06:00:00.5")
    keep = np.arange(40) != 25  # one frame is not in it
    write_classifications(
        classification_path(tmp_path / "c", "gill", "themis19", DATE),
        {"time": times[keep], "label": labels[keep], "confidence": np.full(39, 0.87, np.float32)},
        {"version": "0", "model": "x", "inputs": "y"},
    )
    path, _, _ = make_movie(found, tmp_path / "o", classifications=tmp_path / "c")
    decoded, about = decode(path)
    height = 544 + RIBBON_ROWS
    assert about[2:] == (512, height)
    for number in (4, 22, 25):
        planes = decoded[number].astype(int)
        for i, label in enumerate((3, 1, 0, 2)):
            y, u, v = yuv_of(CLASS_COLORS[CLASSES[label]])
            column = 128 * i + 40
            chroma = planes[height:].reshape(2, height // 2, 256)[:, height // 2 - 5, column // 2]
            np.testing.assert_allclose((planes[height - 10, column], *chroma), (y, u, v), atol=8)
        # The mark stands where the frame is, and the line tells its class.
        row = planes[height - 10]
        assert abs(int(row.argmax()) - 512 * number // 40) <= 2
        said = "not classified" if number == 25 else f"{CLASSES[labels[number]].replace('_', ' ')} 0.87"
        wanted = text_pixels(said).astype(float)
        shown = luma(decoded[number])[height - RIBBON_ROWS + 6 :][: len(wanted), 8 : 8 + wanted.shape[1]]
        assert np.corrcoef(shown.ravel(), wanted.ravel())[0, 1] > 0.9


def test_the_ribbon_is_of_the_text_where_the_table_beside_it_is_broken(tmp_path, flat):
    found = night(stream0(tmp_path / "s", ("06:00",), 4))
    path = classification_path(tmp_path / "c", "gill", "themis19", DATE)
    times = synthetic.frame_times(4, "2014-03-10T06:00:00.5")
    table = {"time": times, "label": np.full(4, 3), "confidence": np.full(4, 0.5, np.float32)}
    write_classifications(path, table, {"version": "0"})
    parquet_path(path).write_bytes(b"")
    _, n_frames, problems = make_movie(found, tmp_path / "o", classifications=tmp_path / "c")
    assert n_frames == 4 and [problem.path for problem in problems] == [str(parquet_path(path))]


def test_one_scale_for_the_whole_film(tmp_path):
    y, x = np.mgrid[:256, :256]
    steps = [1.0, 0.5]
    images = np.stack([3000 + (x * 10 * step).astype(np.uint16) for step in steps])
    path = synthetic.minute_path(tmp_path / "s", suffix=".pgm")
    synthetic.write_minute(path, images.astype(np.uint16))
    made, _, _ = make_movie(night(tmp_path / "s"), tmp_path / "o", counts=True)
    bright = [luma(planes)[IMAGE][256, 300] for planes in decode(made)[0]]
    assert bright[1] < 0.75 * bright[0]


def test_day_files_make_the_same_film(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    stream0(tmp_path / "s", n_frames=4)
    pack_themis("s", "d", DATE, DATE, raw16=True)
    assert main.run(["movie", "gill", str(DATE), "--stream0", "s", "--out", "a"]) == 0
    assert main.run(["movie", "gill", str(DATE), "--dayfiles", "d", "--out", "b"]) == 0
    name = "20140310_gill_themis19_movie.mp4"
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert "8 frames, 0.4 s" in capsys.readouterr().out
    log.stop()


def test_what_cannot_be_filmed_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    stream0(tmp_path / "s", n_frames=2)
    for arguments in (["rank", str(DATE)], ["gill", "2014-03-11"]):
        assert main.run(["movie", *arguments, "--stream0", "s", "--out", "o"]) == 2
        assert f"no frames of {' on '.join(arguments)} under s" in capsys.readouterr().err
    assert main.run(["movie", "gill", "2014-02-30", "--stream0", "s"]) == 2
    assert main.run(["movie", "gill", str(DATE), "--stream0", "nowhere"]) == 2
    assert main.run(["movie", "gill", str(DATE), "--stream0", "s", "--ribbon", "--classifications", "c"]) == 2
    for path in (tmp_path / "s").rglob("*.pgm"):
        path.write_bytes(b"")
    assert main.run(["movie", "gill", str(DATE), "--stream0", "s", "--out", "o"]) == 1
    assert "no frame of gill on 2014-03-10 can be read" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()
    log.stop()


def test_a_film_that_fails_leaves_nothing(tmp_path, monkeypatch):
    found = night(stream0(tmp_path / "s"))
    monkeypatch.setattr(movie, "clahe", lambda images: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        make_movie(found, tmp_path / "o")
    assert list(tmp_path.glob("o/*")) == []


def test_no_figure_is_made_for_a_frame():
    """Drawing a frame copies it and its letters; only the font is matplotlib's."""
    drawing = (
        "import sys, numpy as np; from pulsaurora.views.filmframe import FilmFrame;"
        "film = FilmFrame(256, 'gill themis19', np.zeros(14_000, int), np.ones(14_000));"
        "times = np.datetime64('2014-03-10T06:00', 'us') + np.arange(20) * np.timedelta64(3, 's');"
        "assert film.draw(np.zeros((20, 256, 256), 'u1'), times, np.arange(20), 0).any(axis=(1, 2)).all();"
        "print('matplotlib.figure' in sys.modules, 'matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", drawing], capture_output=True, text=True, timeout=120)
    assert (done.stdout.strip(), done.stderr) == ("False False", "")
