"""The pipeline of a night, against reading all frames at once and computing in one piece."""

import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import synthetic
import tinymodel

import pulsaurora
from pulsaurora.archive.layout import find_nights
from pulsaurora.classes import CLASSES
from pulsaurora.classification import night as night_module
from pulsaurora.classification.model import load_model
from pulsaurora.classification.night import classify_night
from pulsaurora.classification.refine import steady
from pulsaurora.imaging.themis import read_frames
from pulsaurora.problems import ContractError
from pulsaurora.pulsation.looks import look_features
from pulsaurora.pulsation.reduction import SkyGrid, reduce_frames
from pulsaurora.pulsation.table import FEATURE_NAMES

LATITUDE, LONGITUDE = 56.3539, -94.6557  # in the headers of the made-up files


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    proto = tinymodel.features_proto(tinymodel.weights() / 10)
    return load_model(tinymodel.save(proto, tmp_path_factory.mktemp("model") / "tiny.onnx"))


def flicker(n, seed=0):
    """Frames whose sky varies, cheap to make: one noisy picture, brighter and darker."""
    base = synthetic.pixels(1, seed)[0].astype(np.float64) - 3300
    level = 1 + 0.3 * np.sin(np.arange(n) * 0.9)[:, None, None] * (np.mgrid[:256, :256][0] > 128)
    return (3300 + np.clip(base * level, 0, 60000)).astype(np.uint16)


def write_night(root, n_minutes, per_minute=6, start="2014-03-10T06:00", suffix=".pgm", late_s=0.063119):
    """Minute files from `start` on; returns their paths."""
    first = np.datetime64(start, "m")
    paths = []
    for k in range(n_minutes):
        begins = first + np.timedelta64(k, "m")
        path = synthetic.minute_path(root, str(begins), suffix=suffix)
        times = begins + np.timedelta64(round(late_s * 1e6), "us")
        times = times + np.arange(per_minute) * np.timedelta64(60_000_000 // per_minute, "us")
        paths.append(synthetic.write_minute(path, flicker(per_minute, k), times))
    return paths


def the_night(root):
    nights, _ = find_nights(root, "2014-03-10", "2014-03-10")
    assert len(nights) == 1
    return nights[0]


def classify(root, model, workers=2):
    with ThreadPoolExecutor(workers) as pool:
        return classify_night(the_night(root), model, pool)


def assert_same(found, expected):
    assert list(found.table) == list(expected.table)
    for name, column in expected.table.items():
        np.testing.assert_array_equal(found.table[name], column, err_msg=name)


@pytest.fixture(scope="module")
def forty_minutes(tmp_path_factory):
    root = tmp_path_factory.mktemp("stream0")
    write_night(root, 40, start="2014-03-10T06:38")
    return root


def test_equals_all_frames_in_one_piece(forty_minutes, model):
    found = classify(forty_minutes, model)
    frames = read_frames(sorted(forty_minutes.rglob("*.pgm")))
    features = look_features(
        reduce_frames(frames.images, frames.times, SkyGrid()), None, LATITUDE, LONGITUDE
    )
    raw = model.predict(features)
    steadied = steady(raw, frames.times)
    np.testing.assert_array_equal(found.table["time"], frames.times)
    for number, name in enumerate(FEATURE_NAMES):
        np.testing.assert_array_equal(found.table[name], features[:, number], err_msg=name)
    for number, name in enumerate(CLASSES):
        np.testing.assert_array_equal(found.table[f"raw_{name}"], raw[:, number])
        np.testing.assert_array_equal(found.table[name], steadied[:, number])
    np.testing.assert_array_equal(found.table["label"], steadied.argmax(axis=1))
    np.testing.assert_array_equal(found.table["confidence"], steadied.max(axis=1))
    np.testing.assert_array_equal(found.table["raw_label"], raw.argmax(axis=1))
    assert found.problems == []


def test_threads_and_their_number_change_nothing(forty_minutes, model):
    once = classify(forty_minutes, model, 1)
    for workers in (2, 5):
        assert_same(classify(forty_minutes, model, workers), once)


def test_few_files_are_held_at_once(forty_minutes, model, monkeypatch):
    alive, most = weakref.WeakSet(), [0]
    lock = threading.Lock()

    class Watched(night_module.Reduced):
        pass

    def watched(images, times, grid):
        reduced = reduce_frames(images, times, grid)
        reduced = Watched(reduced.times, reduced.cells, reduced.structure, reduced.grid)
        with lock:
            alive.add(reduced)
            most[0] = max(most[0], len(alive))
        return reduced

    Watched.__hash__ = object.__hash__
    Watched.__eq__ = object.__eq__
    monkeypatch.setattr(night_module, "reduce_frames", watched)
    monkeypatch.setattr(night_module, "CHUNK_MINUTES", 3)
    classify(forty_minutes, model)
    gc.collect()
    assert len(alive) == 0
    assert most[0] <= 20  # of 40: two chunks, their margins and those being computed


def test_clocks_that_overlap_jump_back_or_repeat_lose_no_frame(tmp_path, model):
    step = np.timedelta64(10, "s")
    start = np.datetime64("2014-03-10T06:14:00", "us")
    six = np.arange(6)

    def write(minute, times):
        path = synthetic.minute_path(tmp_path, f"2014-03-10T06:{minute:02d}", suffix=".pgm")
        synthetic.write_minute(path, flicker(6, minute), times)
        return np.asarray(times)

    expected = [
        write(14, start + six * step + np.timedelta64(15, "s")),  # runs into the next minute
        write(15, start + six * step + np.timedelta64(62, "s")),
        write(17, start + six * step + np.timedelta64(190, "s")),  # runs into the next minute and chunk
        write(18, start + six * step + np.timedelta64(243, "s")),
        write(16, (start + six * step + np.timedelta64(120, "s"))[::-1]),  # backwards
        write(19, start + six * step - np.timedelta64(40, "m")),  # set back by far
        write(29, start + six * step + np.timedelta64(15, "m")),
        write(30, start + six * step + np.timedelta64(15, "m")),  # all of them again, in the next chunk
        write(50, start + six * step),  # some of the first file's minute, hours later in the listing
    ]
    found = classify(tmp_path, model)
    np.testing.assert_array_equal(found.table["time"], np.unique(np.concatenate(expected)))
    repeated = [problem for problem in found.problems if "have the times of frames in" in problem.reason]
    assert [(problem.path[-27:], problem.n_frames_kept) for problem in repeated] == [
        ("0630_gill_themis19_full.pgm", 0)
    ]
    quality = dict(zip(found.table["time"].tolist(), found.table["quality"], strict=True))
    assert "duplicate_dropped" in quality[expected[6][0].item()]


def test_files_that_vanish_or_break_are_told_and_harm_no_other(tmp_path, model):
    paths = write_night(tmp_path, 6)
    night = the_night(tmp_path)
    paths[1].unlink()
    paths[2].write_bytes(b"")
    paths[3].write_bytes(paths[3].read_bytes()[:-70_000])
    paths[4].unlink()
    paths[4].mkdir()
    with ThreadPoolExecutor(2) as pool:
        found = classify_night(night, model, pool)
    assert len(found) == 6 + 5 + 6
    assert [problem.path for problem in found.problems] == [str(path) for path in paths[1:5]]
    assert [problem.n_frames_kept for problem in found.problems] == [0, 0, 5, 0]
    truncated = [index for index, flags in enumerate(found.table["quality"]) if "file_truncated" in flags]
    assert truncated == [6, 7, 8, 9, 10]


def test_what_touches_a_frame_is_named(tmp_path, model):
    write_night(tmp_path, 3, per_minute=20)
    write_night(tmp_path, 1, per_minute=20, start="2014-03-10T06:20")
    write_night(tmp_path, 1, per_minute=6, start="2014-03-10T19:00")  # midday at the site
    quality = classify(tmp_path, model).table["quality"]
    assert [index for index, flags in enumerate(quality) if "gap_before" in flags][:2] == [60, 80]
    assert [index for index, flags in enumerate(quality) if "sun_up" in flags] == list(range(80, 86))
    assert quality[30] == "" and quality[85] == "gap_before;few_samples;sun_up"


def test_a_night_without_a_single_frame_has_no_rows(tmp_path, model):
    (path,) = write_night(tmp_path, 1)
    path.write_bytes(b"not an image")
    found = classify(tmp_path, model)
    assert len(found) == 0 and len(found.problems) == 1
    assert set(found.table) > {"time", "label", "confidence", *CLASSES, *FEATURE_NAMES}


def test_a_night_can_be_given_up(forty_minutes, model):
    stop = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        with pytest.raises(KeyboardInterrupt):
            classify_night(the_night(forty_minutes), model, pool, on_minutes=lambda n: stop.set(), stop=stop)
        assert pool.submit(int).result() == 0


def test_an_image_model_goes_the_same_way(tmp_path):
    write_night(tmp_path / "stream0", 3)
    image_model = load_model(tinymodel.save(tinymodel.image_proto(), tmp_path / "image.onnx"))
    found = classify(tmp_path / "stream0", image_model)
    frames = read_frames(sorted(tmp_path.rglob("*.pgm")))
    visible = night_module.elevation_mask(night_module.optics_elevation())
    expected = image_model.predict_images(frames.images, visible)
    np.testing.assert_array_equal(np.stack([found.table[f"raw_{name}"] for name in CLASSES], 1), expected)
    table = pulsaurora.classify_frames(frames.images, frames.times, model=image_model)
    np.testing.assert_array_equal(table["confidence"], found.table["confidence"])


class TestClassifyFrames:
    def test_gives_what_the_files_give(self, forty_minutes, model):
        frames = read_frames(sorted(forty_minutes.rglob("*.pgm"))[:20])
        table = pulsaurora.classify_frames(
            frames.images, frames.times, latitude=LATITUDE, longitude=LONGITUDE, model=model
        )
        assert list(table) == ["time", "label", "confidence", *CLASSES]
        features = look_features(
            reduce_frames(frames.images, frames.times, SkyGrid()), None, LATITUDE, LONGITUDE
        )
        expected = steady(model.predict(features), frames.times)
        np.testing.assert_array_equal(table[list(CLASSES)], expected)
        assert (table["label"] == np.array(CLASSES)[expected.argmax(axis=1)]).all()

    def test_takes_frames_in_any_order_and_a_path_to_a_model(self, model):
        images = flicker(30)
        times = synthetic.frame_times(30)
        shuffled = np.random.default_rng(0).permutation(30)
        expected = pulsaurora.classify_frames(images, times, "gill", model)
        found = pulsaurora.classify_frames(images[shuffled], times[shuffled], "gill", model.path)
        np.testing.assert_array_equal(found.to_numpy(), expected.to_numpy())

    def test_nothing_in_nothing_out(self, model):
        table = pulsaurora.classify_frames(
            np.empty((0, 256, 256), np.uint16), np.empty(0, "datetime64[us]"), model=model
        )
        assert len(table) == 0

    def test_arrays_that_do_not_fit_are_refused(self, model):
        images, times = flicker(3), synthetic.frame_times(3)
        for bad_images, bad_times in (
            (images[0], times),
            (images, times[:2]),
            (images, np.arange(3) * 3.0 + 1394431200),
            (images, np.array([times[0], times[1], times[1]])),
            (images, np.array([times[0], times[1], "NaT"], "datetime64[us]")),
            (images.astype(float), times),
        ):
            with pytest.raises(ContractError):
                pulsaurora.classify_frames(bad_images, bad_times, model=model)
