import numpy as np
import pytest

from pulsaurora.simulation.night import simulate_minutes
from pulsaurora.simulation.stream0 import write_stream0


@pytest.fixture(scope="module")
def minutes():
    return list(simulate_minutes(2, "2016-12-01T05:59", 2, site="gill"))


def test_the_peer_reads_equal_pixels(minutes, tmp_path):
    peer = pytest.importorskip("themis_imager_readfile", reason="themis-imager-readfile is not installed")
    paths = write_stream0(tmp_path, minutes)
    assert paths[0].relative_to(tmp_path).parts[:3] == ("2016", "12", "01")
    assert [p.parent.name for p in paths] == ["ut05", "ut06"]
    images, metadata, problems = peer.read([str(p) for p in paths])
    assert not problems
    assert np.array_equal(np.moveaxis(images, 2, 0), np.concatenate([m.images for m in minutes]))
    times = np.array([m["Image request start"][:-4] for m in metadata], "datetime64[us]")
    assert np.array_equal(times, np.concatenate([m.times for m in minutes]))
    assert metadata[0]["Site unique ID"] == "gill"


def test_our_reader_finds_time_place_and_pixels(minutes, tmp_path):
    from pulsaurora.imaging.themis import read_frames

    frames = read_frames(write_stream0(tmp_path, minutes))
    assert np.array_equal(frames.images, np.concatenate([m.images for m in minutes]))
    assert np.array_equal(frames.times, np.concatenate([m.times for m in minutes]))
    assert frames.site == "gill"
    assert not frames.problems


def test_bytes_repeat_and_nothing_partial_is_left(minutes, tmp_path):
    first, second = (write_stream0(tmp_path / name, minutes) for name in "ab")
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]
    assert not list(tmp_path.rglob("*.part"))


def test_truth_has_one_row_a_frame(minutes, tmp_path):
    write_stream0(tmp_path, minutes)
    (path,) = (tmp_path / "truth").iterdir()
    rows = path.read_text().splitlines()
    assert path.name == f"20161201_gill_{minutes[0].imager}_truth.csv"
    assert rows[0].startswith("time,label,label_str,scene,pulsating_fraction")
    assert len(rows) - 1 == sum(len(m.times) for m in minutes)
