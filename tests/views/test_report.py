"""The report of a night: what its page says, what it must never let through, and the command."""

import datetime as dt
import re

import numpy as np
import pytest
import synthetic
from parsedhtml import Parsed

from pulsaurora.archive.eventtables import events_path, write_events
from pulsaurora.archive.tables import classification_path, parquet_path, write_classifications
from pulsaurora.cli.main import run
from pulsaurora.problems import Problem
from pulsaurora.views.report import find_night_files, write_report

DATE = dt.date(2014, 3, 10)
START = np.datetime64("2014-03-10T06:00:00", "us")
ABOUT = {
    "version": "0.1.0",
    "model": "3f2a91c0" + 56 * "0",
    "model name": "features.onnx",
    "trained on": "simulated skies only: 12 sites",
    "inputs": "ab" * 32,
}
BAD = '<script>alert(1)</script>"><img src=x onerror=alert(2)> $\\frac{$ {}'


def labelled(root, imager="themis19", about=ABOUT, n=800, problems=(), **columns):
    """Bad viewing, then twenty minutes of pulsating aurora of period 9 s."""
    label = np.where(np.arange(n) < n // 2, 0, 3)
    table = {
        "time": START + np.arange(n) * np.timedelta64(3, "s"),
        "label": label,
        "confidence": np.full(n, 0.75, np.float32),
        "frac_pulsating": np.where(label == 3, 0.4, 0.0),
        "period_s": np.full(n, 9.0),
        "quality": np.array(["gap_before;sun_up", "", "sun_up", ""] * (n // 4), object),
        **columns,
    }
    path = classification_path(root, "gill", imager, DATE)
    write_classifications(path, table, about, problems)
    return path


def found_events(root, kind="patchy", n=40):
    """One patch of forty pulses."""
    times = START + np.arange(n) * np.timedelta64(9, "s")
    patches = {"patch": np.array([1]), "kind": np.array([kind], object), "on_s": np.array([4.5])}
    patches |= {"period_s": np.array([9.0]), "kind_confidence": np.array([0.7])}
    pulses = {
        "patch": np.ones(n, int),
        "start": times,
        "on_s": np.full(n, 4.5),
        "period_s": np.where(np.arange(n) < n - 1, 9.0, np.nan),
        "is_whole": np.arange(n) > 0,
    }
    path = events_path(root, "gill", "themis19", DATE)
    write_events(path, patches, pulses, {"version": "0.1.0", "method": f"events of {kind}", "inputs": "-"})
    return path


def text_of(path):
    return Parsed(path.read_text(encoding="utf-8")).text.replace("\N{NO-BREAK SPACE}", " ")


def report(root, tmp_path, **options):
    (files,) = find_night_files("gill", DATE, [], root)
    return write_report(files, tmp_path / "out", **options)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def stream0(tmp_path):
    for imager in ("themis19", "themis20"):
        path = synthetic.minute_path(tmp_path / "stream0", imager=imager)
        synthetic.write_minute(path, synthetic.pixels(4), imager=imager)
    return "stream0"


def test_labels_alone_make_a_page_that_says_everything(tmp_path):
    labelled(tmp_path / "c", problems=[Problem("a/b.pgm", "frame 7 has 90112 bytes", 7)])
    path, problems = report(tmp_path / "c", tmp_path)
    assert path.name == "20140310_gill_themis19_report.html" and problems == []
    text = text_of(path)
    for said in (
        "worth a look",
        "20 min of pulsating aurora (50 % of 40 min of frames), in one interval, 06:20 to 06:39 UTC",
        "viewing was bad in 50 %",
        "trained on simulated skies only. Nothing in its training",
        "No keogram: this night is not in the archive given.",
        "Median 9.0 s over 400 pulsating frames",
        "pulsaurora events 2014-03-10 2014-03-10 --sites gill",
        "400 of 800 frames carry a flag",
        "the sun is above the horizon",
        "frame 7 has 90112 bytes",
        ABOUT["model"],
        "features.onnx",
        "simulated skies only: 12 sites",
        "66 % lit",
        "06:20:00", "06:39:57",
    ):  # fmt: skip
        assert said in text, said


def test_a_model_of_real_labels_is_not_called_simulated(tmp_path):
    labelled(tmp_path / "c", about=ABOUT | {"trained on": "labels of people: 12 nights"})
    text = text_of(report(tmp_path / "c", tmp_path)[0])
    assert "simulated" not in text and "labels of people: 12 nights" in text


def test_the_page_loads_nothing(tmp_path):
    labelled(tmp_path / "c")
    found_events(tmp_path / "c")
    content = report(tmp_path / "c", tmp_path, events=[tmp_path / "c"])[0].read_text()
    parsed = Parsed(content)
    loading = [
        value for _, name, value in parsed.attributes if name in ("src", "href", "srcset", "data", "action")
    ]
    assert len(loading) == 2 and all(value.startswith("data:image/png;base64,") for value in loading)
    assert not {"script", "link", "iframe", "object", "a"} & set(parsed.tags)
    assert not re.search(r"https?:|url\(|@import", re.sub(r"base64,[^\"]*", "", content))


def test_events_beside_the_labels_or_elsewhere_are_used(tmp_path):
    labelled(tmp_path / "c")
    path = found_events(tmp_path / "e", "patchy_pulsating")
    assert run(["report", "gill", "2014-03-10", "--classifications", "c"]) == 0
    page = tmp_path / "reports/20140310_gill_themis19_report.html"
    assert "run pulsaurora events" in text_of(page)
    assert run(["report", "gill", "2014-03-10", "--classifications", "c", "--events", "e"]) == 0
    text = text_of(page)
    assert "1 patches with 40 pulses. Median period 9.0 s, on-time 4.5 s." in text
    assert "patchy pulsating" in text and "run pulsaurora events" not in text
    path.write_bytes(b"nothing of the kind")
    assert run(["report", "gill", "2014-03-10", "--classifications", "c", "--events", "e"]) == 3
    assert "is no table of events" in text_of(page)


@pytest.mark.parametrize("folder", ["classifications", "events", "data/events"])
def test_events_are_found_where_the_help_says(folder, tmp_path):
    labelled(tmp_path / "classifications")
    found_events(tmp_path / folder)
    assert run(["report", "gill", "2014-03-10", "--classifications", "classifications"]) == 0
    text = text_of(tmp_path / "reports/20140310_gill_themis19_report.html")
    assert "1 patches with 40 pulses" in text and "run pulsaurora events" not in text


def test_nothing_that_files_say_becomes_html(tmp_path):
    hostile = {
        key: f"{BAD}{key}" for key in ("version", "model", "model name", "trained on", "inputs", "created")
    }
    hostile |= {BAD: BAD, "refined by": BAD, "original model": BAD, "much": "x" * 10**5}
    quality = np.array([f"{BAD};sun_up", "", "", ""] * 200, object)
    imager = "<b onclick=alert(3)>"
    written = labelled(tmp_path / "c", about=hostile, problems=[Problem(BAD, BAD)], quality=quality)
    for path in (written, parquet_path(written)):
        path.rename(path.with_name(path.name.replace("themis19", imager)))
    events = found_events(tmp_path / "c", kind=BAD)
    for path in sorted(events.parent.glob("*themis19_p*")):
        path.rename(path.with_name(path.name.replace("themis19", imager)))
    path, _ = report(tmp_path / "c", tmp_path, events=[tmp_path / "c"], others=[BAD])
    parsed = Parsed(path.read_text(encoding="utf-8"))
    assert not {"script", "b"} & set(parsed.tags) and parsed.tags.count("img") == 2
    assert not [name for _, name, _ in parsed.attributes if name.startswith("on")]
    assert all(value.startswith("data:") for _, name, value in parsed.attributes if name == "src")
    assert parsed.text.count("<script>alert(1)</script>") >= 10 and imager in parsed.text


def test_a_table_of_events_without_its_columns_is_left_aside(tmp_path):
    labelled(tmp_path / "c")
    path = events_path(tmp_path / "c", "gill", "themis19", DATE)
    write_events(path, {"patch": np.array([1])}, {"patch": np.array([1])}, {"version": "0"})
    page, problems = report(tmp_path / "c", tmp_path, events=[tmp_path / "c"])
    assert "has no column kind" in problems[0].reason and "has no column kind" in text_of(page)


def test_text_files_alone_and_files_without_rows_make_pages(tmp_path):
    path = labelled(tmp_path / "c")
    parquet_path(path).unlink()
    text = text_of(report(tmp_path / "c", tmp_path)[0])
    assert "Flags are not known" in text and "Periods are not known" in text and "worth a look" in text
    path.write_text("# File created on 2023-07-05 11:28:51\n")
    page, problems = report(tmp_path / "c", tmp_path)
    assert "holds no frame" in text_of(page) and "holds no rows" in problems[0].reason
    path.write_text("nothing of the kind\n")
    page, problems = report(tmp_path / "c", tmp_path)
    assert "not classified" in text_of(page) and "expected the header" in problems[0].reason


def test_a_page_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    labelled(tmp_path / "c")
    path, _ = report(tmp_path / "c", tmp_path)
    kept = path.read_bytes()
    monkeypatch.setattr("pulsaurora.views.report.draw_page", lambda found: "half a page \udcff")
    with pytest.raises(UnicodeEncodeError):
        report(tmp_path / "c", tmp_path)
    assert path.read_bytes() == kept and [each.name for each in path.parent.iterdir()] == [path.name]


def test_frames_of_two_imagers_with_and_without_labels(stream0, tmp_path, capsys):
    labelled(tmp_path / "c", n=4)
    arguments = ["report", "GILL", "2014-03-10", "--stream0", stream0, "--classifications", "c"]
    assert run(arguments) == 0
    first, second = (tmp_path / "reports" / f"20140310_gill_themis{n}_report.html" for n in (19, 20))
    assert capsys.readouterr().out.split() == [str(path.relative_to(tmp_path)) for path in (first, second)]
    assert "that date also has themis20" in text_of(first) and "Keogram, north up" in text_of(first)
    text = text_of(second)
    assert "not classified" in text and "that date also has themis19" in text and "No keogram" not in text
    synthetic.minute_path(tmp_path / "stream0", "2014-03-10T06:07").write_bytes(b"nothing of the kind")
    assert run(arguments) == 3
    assert "20140310_0607_gill_themis19_full.pgm.gz" in text_of(first)


def test_day_files_serve_in_place_of_the_archive(stream0, tmp_path):
    assert (
        run(["pack", "themis", "2014-03-10", "2014-03-10", "--stream0", stream0, "--out", "d", "--raw16"])
        == 0
    )
    assert run(["report", "gill", "2014-03-10", "--dayfiles", "d"]) == 0
    assert "Keogram, north up" in text_of(tmp_path / "reports/20140310_gill_themis19_report.html")
    assert run(["plot", "keogram", "gill", "2014-03-10", "--dayfiles", "d", "--out", "a"]) == 0
    assert run(["plot", "keogram", "gill", "2014-03-10", "--stream0", stream0, "--out", "b"]) == 0
    one, other = ((tmp_path / name / "20140310_gill_themis19_keogram.png").read_bytes() for name in "ab")
    assert one == other


def test_folders_come_from_the_environment(tmp_path, monkeypatch):
    labelled(tmp_path / "c")
    monkeypatch.setenv("PULSAURORA_OUT", str(tmp_path / "c"))
    assert run(["report", "gill", "2014-03-10"]) == 0
    assert (tmp_path / "reports/20140310_gill_themis19_report.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["gill", "2014-03-11"], "nothing of gill on 2014-03-11"),
        (["pkr", "2014-03-10"], "nothing of pkr"),
        (["../x", "2014-03-10"], "nothing of ../x"),
        (["gill,rank", "2014-03-10"], "names 2 sites"),
        (["gill", "10.3.2014"], "YYYY-MM-DD"),
        (["gill", "2014-03-10", "--events", "none"], "--events"),
        (["gill", "2014-03-10", "--classifications", "none"], "none is not a folder"),
    ],
)
def test_wrong_usage_is_explained(arguments, said, tmp_path, capsys):
    labelled(tmp_path / "c")
    assert run(["report", "--classifications", "c", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_the_reference_files_make_pages(shared_data, tmp_path):
    root = shared_data / "reference/classifications"
    (files,) = find_night_files("rank", dt.date(2019, 11, 23), [], root)
    path, problems = write_report(files, tmp_path / "out")
    text = text_of(path)
    assert "16,570 frames" in text and "1 h 20 min of pulsating aurora (10 %" in text
    assert "the longest 12:04 to 12:12 UTC" in text
    assert [problem.reason for problem in problems] == ["rows step back in time 399 times; put in order"]
