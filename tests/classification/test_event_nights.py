"""Events of nights in files: the same as in arrays, resumable, whatever the number of threads."""

import datetime as dt
import hashlib
import shutil

import h5py
import numpy as np
import pandas as pd
import pytest
import synthetic

from pulsaurora import find_events
from pulsaurora.archive.eventtables import events_path, read_events
from pulsaurora.classification.event_nights import find_events_of_nights
from pulsaurora.cli.main import run
from pulsaurora.imaging.skymap import optics_elevation
from pulsaurora.problems import UnreadableFileError
from pulsaurora.simulation.injection import PulsingDisc, inject_discs

DATE = dt.date(2014, 3, 10)
N = 180  # nine minutes from 06:02: chunks begin at 06:00 and 06:06


@pytest.fixture(scope="module")
def night():
    """Frames of an even sky with a patch that pulsates for longer than a chunk, and one frame missing."""
    rng = np.random.default_rng(3)
    level = np.where(optics_elevation() > 0, 3000.0, 0.0).astype(np.float32)
    noise = rng.standard_normal((20, 256, 256), np.float32) * np.sqrt(1.68 * level + 380)
    few = (3300 + level + noise).astype(np.uint16)
    images = few[rng.integers(0, 20, N)]
    times = synthetic.frame_times(N, "2014-03-10T06:02:00.05")
    starts = np.arange(4.0, 3 * N, 15.0)
    images = inject_discs(images, times, [PulsingDisc(128, 110, 20, 200.0, starts, starts + 6)])
    return np.delete(images, 77, axis=0), np.delete(times, 77)


@pytest.fixture(scope="module")
def stream0(night, tmp_path_factory):
    root = tmp_path_factory.mktemp("stream0")
    images, times = night
    minute = times.astype("datetime64[m]")
    for start in np.unique(minute):
        path = synthetic.minute_path(root, str(start), suffix=".pgm")
        synthetic.write_minute(path, images[minute == start], times[minute == start])
    return root


def digests(folder):
    return {
        p.name: hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*_p*"))
        if p.is_file()
    }


def test_files_give_what_arrays_do_whatever_the_number_of_threads(night, stream0, tmp_path):
    results = [find_events_of_nights(stream0, tmp_path / str(n), DATE, DATE, workers=n) for n in (1, 3)]
    assert digests(tmp_path / "1") == digests(tmp_path / "3")
    assert len(digests(tmp_path / "1")) == 4
    assert results[0].nights[0].n_labels == {"patches": 1, "pulses": 36}
    patches, pulses = read_events(events_path(tmp_path / "1", "gill", "themis19", DATE))
    assert {"version", "method", "inputs"} <= set(patches.attrs)
    expected = find_events(*night)
    pd.testing.assert_frame_equal(pulses, expected[1], check_dtype=False)
    numbers = [name for name in patches if name not in ("kind", "outline")]
    pd.testing.assert_frame_equal(patches[numbers], expected[0][numbers], check_dtype=False)
    assert patches["outline"].astype(str).tolist() == expected[0]["outline"].tolist()
    csv = pd.read_csv(events_path(tmp_path / "1", "gill", "themis19", DATE, "pulses", ".csv"))
    assert list(csv) == list(pulses) and len(csv) == 36
    np.testing.assert_allclose(csv["period_s"], pulses["period_s"], rtol=1e-5)


def test_the_command_is_resumable_and_tells_problems(stream0, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    here = ["events", "2014-03-10", "2014-03-10", "--stream0", str(stream0), "--out", "out"]
    assert run(here) == 0
    assert "1 done" in capsys.readouterr().out
    before = digests(tmp_path / "out")
    assert run(here) == 0
    assert "1 done already" in capsys.readouterr().out
    path = events_path("out", "gill", "themis19", DATE, "pulses", ".csv")
    path.unlink()
    assert run(here) == 0
    assert digests(tmp_path / "out") == before
    broken = synthetic.minute_path(stream0, "2014-03-10T06:20")
    broken.write_bytes(b"nothing of the kind")
    try:
        for _ in range(2):  # told again although nothing is done again
            assert run(here) == 3
            assert broken.name in (tmp_path / "out/problems.csv").read_text()
    finally:
        broken.unlink()
    assert run(["plot", "events", "gill", "2014-03-10", "--events", "out", "--out", "figures"]) == 0
    assert sorted(p.name for p in (tmp_path / "figures").iterdir()) == [
        "20140310_gill_themis19_map.png",
        "20140310_gill_themis19_raster.png",
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["events", "2014-03-11", "2014-03-11", "--stream0", "."], "no frames"),
        (["events", "2014-03-11", "2014-03-10", "--stream0", "."], "before the first"),
        (["events", "2014-03-10", "2014-03-10", "--stream0", "none"], "not a folder"),
        (["events", "2014-03-10", "2014-03-10", "--dayfiles", "none"], "not a folder"),
        (["plot", "events", "gill", "2014-03-10", "--events", "."], "no events of gill"),
    ],
)
def test_wrong_usage_is_explained(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == 2
    assert said in capsys.readouterr().err


def test_tables_that_are_none_are_refused(tmp_path):
    path = events_path(tmp_path, "gill", "themis19", DATE)
    with pytest.raises(UnreadableFileError, match="not there"):
        read_events(path)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"PAR1 nothing")
    with pytest.raises(UnreadableFileError, match="no table of events"):
        read_events(path)


def test_day_files_give_what_minute_files_do(stream0, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dates = ["2014-03-10", "2014-03-10"]
    assert run(["pack", "themis", *dates, "--stream0", str(stream0), "--out", "day", "--raw16"]) == 0
    assert run(["events", *dates, "--stream0", str(stream0), "--out", "one"]) == 0
    assert run(["events", *dates, "--dayfiles", "day", "--out", "two"]) == 0
    for table in ("patches", "pulses"):
        one, two = (
            events_path(out, "gill", "themis19", DATE, table, ".csv").read_bytes() for out in ("one", "two")
        )
        assert one == two and len(one) > 300


def test_broken_sky_maps_of_day_files_are_told_and_done_without(stream0, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    dates = ["2014-03-10", "2014-03-10"]
    assert run(["pack", "themis", *dates, "--stream0", str(stream0), "--out", "day", "--raw16"]) == 0
    flat, heights = np.zeros((256, 256), np.float32), np.float32([90, 110, 150])

    def ground(shape):
        return dict.fromkeys(("skymap_glat", "skymap_glon"), np.zeros(shape))

    broken = {
        "too small": ({"skymap_elev": np.zeros((100, 100), np.float32)}, "of shape (100, 100)"),
        "no sky": ({"skymap_elev": flat}, "none of its elevations is above the horizon"),
        "one height too few": (
            {"skymap_alt": heights[:2], **ground((3, 257, 257))},
            "with 2 heights",
        ),
        "pixels and not corners": (
            {"skymap_alt": heights, **ground((3, 256, 256))},
            "expected (3, 257, 257)",
        ),
    }
    for name, (grids, said) in broken.items():
        folder = tmp_path / name
        shutil.copytree("day", folder)
        with h5py.File(next(folder.rglob("*.h5")), "a") as file:
            for grid, values in grids.items():
                file.pop(grid, None)
                file[grid] = values
        night = ["gill", "2014-03-10", "--dayfiles", name]
        assert run(["events", *dates, "--dayfiles", name, "--out", f"{name}/events"]) == 3
        (problem,) = pd.read_csv(folder / "events/problems.csv")["reason"]
        assert said in problem
        patches, _ = read_events(events_path(folder / "events", "gill", "themis19", DATE))
        assert len(patches) == 1 and patches["latitude"].isna().all()
        for command in (["plot", "keogram"], ["report"]):
            assert run([*command, *night]) == (3 if "elev" in str(list(grids)) else 0)
        assert "Traceback" not in capsys.readouterr().err


def test_a_night_without_patches_is_said_and_no_fault(stream0, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    path = synthetic.minute_path(tmp_path / "even", imager="themis20")
    synthetic.write_minute(path, synthetic.pixels(4), imager="themis20")
    dates, draw = ["2014-03-10", "2014-03-10"], ["plot", "events", "gill", "2014-03-10", "--events", "out"]
    assert run(["events", *dates, "--stream0", "even", "--out", "out"]) == 0
    capsys.readouterr()
    assert run(draw) == 0
    assert "20140310_gill_themis20_patches.parquet: no pulsating patch was found" in capsys.readouterr().out
    assert run(["events", *dates, "--stream0", str(stream0), "--out", "out"]) == 0
    assert run([*draw, "--out", "figures"]) == 0
    assert len(list((tmp_path / "figures").iterdir())) == 2
