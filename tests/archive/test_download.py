"""Downloads from a real server on loopback over each transport: all that they have in common."""

import logging
import os
import threading
from pathlib import Path

import pytest
from servedtree import a_minute, a_night, files_in, write

from pulsaurora.archive import download
from pulsaurora.archive.download import download_pfrr, download_skymaps, download_themis
from pulsaurora.archive.transfer.incoming import FOLDER
from pulsaurora.problems import UsageError

NIGHT = [("gill", "2014-03-10")]
ROOT = Path(__file__).resolve().parents[2]


def reasons(result):
    return [str(problem) for problem in result.problems]


def test_a_night_comes_whole_and_nothing_else(server, tree, tmp_path, quick):
    frames = a_night(tree)
    a_night(tree, "rank", "themis12")
    a_night(tree, date="20140311")
    out = tmp_path / "out"
    result = download_themis(NIGHT, out, server.base, **quick)
    assert not result.problems
    assert (result.n_came, result.n_there, result.n_failed) == (len(frames), 0, 0)
    assert files_in(out) == {path: (tree / path).read_bytes() for path in frames}
    assert result.came_bytes == sum((tree / path).stat().st_size for path in frames)
    assert {(out / path).stat().st_mtime for path in frames} <= {1.3e9, (out / frames[0]).stat().st_mtime}


def test_what_is_whole_is_not_fetched_again(server, tree, tmp_path, quick):
    frames = a_night(tree)
    out = tmp_path / "out"
    download_themis(NIGHT, out, server.base, **quick)
    short, wrong, gone = (out / frames[k] for k in (1, 2, 3))
    short.write_bytes(short.read_bytes()[:-10])
    wrong.write_bytes(b"<html>" + bytes(wrong.stat().st_size - 6))
    gone.unlink()
    before = {Path(path).name: len(server.fetched(Path(path).name)) for path in frames}
    result = download_themis(NIGHT, out, server.base, **quick)
    assert (result.n_came, result.n_there, result.n_failed) == (3, len(frames) - 3, 0)
    assert files_in(out) == {path: (tree / path).read_bytes() for path in frames}
    again = {
        Path(path).name: len(server.fetched(Path(path).name)) - before[Path(path).name] for path in frames
    }
    assert [again[Path(path).name] for path in frames] == [0, 1, 1, 1, 0, 0]


def test_dry_run_lists_files_and_bytes_and_writes_nothing(server, tree, tmp_path, quick):
    frames = a_night(tree)
    out = tmp_path / "out"
    result = download_themis(NIGHT, out, server.base, dry_run=True, **quick)
    assert {(file.local, n) for file, n in result.planned} == {
        (out / path, (tree / path).stat().st_size) for path in frames
    }
    assert not out.exists()
    assert not any(server.fetched(Path(path).name) for path in frames)
    download_themis(NIGHT, out, server.base, **quick)
    result = download_themis(NIGHT, out, server.base, dry_run=True, **quick)
    assert not result.planned
    assert result.n_there == len(frames)


def test_all_sites_of_a_range_and_nights_that_are_not_there(server, tree, tmp_path, quick):
    a_night(tree, n_minutes=1)
    a_night(tree, "rank", "themis12", "20140312", n_minutes=1)
    nights = [(None, f"2014-03-{day:02}") for day in range(9, 14)] + [(None, "2013-07-01")]
    result = download_themis(nights, tmp_path / "out", server.base, expected=False, **quick)
    assert [(night.name, night.n_came) for night in result.nights] == [
        ("gill/2014-03-10", 2),
        ("rank/2014-03-12", 2),
    ]
    assert not result.problems
    result = download_themis(
        [("atha", "2014-03-10"), ("gill", "2013-07-01")], tmp_path / "o", server.base, **quick
    )
    assert reasons(result) == [
        "atha/2014-03-10: is not in the archive",
        "gill/2013-07-01: is not in the archive",
    ]


def test_an_address_where_nothing_is(server, tree, tmp_path, quick):
    a_night(tree, n_minutes=1)
    for expected in (True, False):
        with pytest.raises(UsageError, match="there is nothing at this address"):
            download_themis(NIGHT, tmp_path / "out", f"{server.base}elsewhere/", expected=expected, **quick)


def test_imager_changed_within_the_night_and_training_layout(server, tree, tmp_path, quick):
    a_night(tree, n_minutes=1, hours=(3,))
    a_night(tree, imager="themis21", n_minutes=1, hours=(4,))
    result = download_themis(NIGHT, tmp_path / "out", server.base, training=True, **quick)
    assert result.n_came == 2
    assert sorted(files_in(tmp_path / "out")) == [
        "gill/2014-03-10/ut03/20140310_0300_gill_themis19_full.pgm",
        "gill/2014-03-10/ut04/20140310_0400_gill_themis21_full.pgm",
    ]


def test_all_products_when_asked(server, tree, tmp_path, quick):
    frames = a_night(tree, n_minutes=1, hours=(3,))
    result = download_themis(NIGHT, tmp_path / "out", server.base, all_products=True, **quick)
    assert not result.problems
    hour = frames[0].rpartition("/")[0]
    assert sorted(files_in(tmp_path / "out")) == sorted(
        [
            *frames,
            f"{hour}/20140310_0300_gill_themis19_wide.pgm.gz",
            f"{hour}/20140310_03_gill_themis19_row2.pgm.gz",
        ]
    )


def test_early_names(server, tree, tmp_path, quick):
    path = "2004/08/25/atha_themis01/ut05/20040825_0526_atha_themis01_full_1000ms.pgm.bz2"
    write(tree, path)
    result = download_themis([("atha", "2004-08-25")], tmp_path / "out", server.base, **quick)
    assert not result.problems
    assert list(files_in(tmp_path / "out")) == [path]


def test_files_that_are_empty_or_no_frames_on_the_server_fail(server, tree, tmp_path, quick):
    frames = a_night(tree)
    write(tree, frames[1], b"")
    write(tree, frames[2], b"<html>welcome home</html>" * 1000)
    result = download_themis(NIGHT, tmp_path / "out", server.base, **quick)
    assert result.n_failed == 2
    assert {path: "came empty" in text for path, text in zip(frames[1:3], reasons(result), strict=True)} == {
        frames[1]: True,
        frames[2]: False,
    }
    assert "holds a web page, expected a gzip file" in reasons(result)[1]
    assert sorted(path for path in files_in(tmp_path / "out") if path.endswith(".gz")) == sorted(frames[3:])
    assert not list((tmp_path / "out").rglob(FOLDER))


@pytest.mark.skipif(os.name != "posix", reason="needs symbolic links")
def test_rsync_follows_no_links_out_of_the_tree(rsyncd, tree, tmp_path, quick):
    frames = a_night(tree, n_minutes=1)
    secret = write(tmp_path, "secret/20140310_0559_gill_themis19_full.pgm.gz")
    (tree / frames[0]).parent.joinpath(secret.name).symlink_to(secret)
    (tree / "2014/03/10/rank_themis12").symlink_to(secret.parent)
    nights = [("gill", "2014-03-10"), ("rank", "2014-03-10")]
    result = download_themis(nights, tmp_path / "out", rsyncd.base, **quick)
    assert reasons(result) == ["rank/2014-03-10: is not in the archive"]
    assert sorted(files_in(tmp_path / "out")) == sorted([*frames, "download_problems.csv"])


HOSTILE = [
    "20140310_0559_gill_themis19_full.pgm.gz; rm -rf x",
    "-e sh 20140310_0559_gill_themis19_full.pgm.gz",
    "--20140310_0559_gill_themis19_full.pgm.gz",
    "20140310_0559_gill_themis19_full.pgm.gz\x1b[2J",
    "$(touch x)_gill_full.pgm.gz",
]


def test_hostile_names_in_listings_are_refused_by_name(server, tree, tmp_path, quick, monkeypatch):
    frames = a_night(tree, n_minutes=1)
    for name in HOSTILE:
        write(tree, f"{frames[0].rpartition('/')[0]}/{name}", b"\x1f\x8b" + bytes(100))
    write(tree, "2014/03/10/gill_themis19; id/ut05/x", b"x")
    result = download_themis(NIGHT, tmp_path / "out", server.base, **quick)
    assert result.n_came == len(frames)
    assert sorted(p for p in files_in(tmp_path / "out") if not p.endswith(".csv")) == sorted(frames)
    text = "\n".join(reasons(result))
    assert "\x1b" not in text
    assert "refused: its name is not of the archive's form" in text
    for name in ("full.pgm.gz; rm -rf x", "-e sh", "/--2014", "$(touch x)_gill", "gill_themis19; id"):
        assert name in text
    assert result.n_failed == len(HOSTILE) + 1


@pytest.mark.parametrize(
    "site", ["../a", "gi ll", "-esh", "gil;", "gill/..", "", "gîll", "gill\n", None.__class__, 7]
)
def test_hostile_sites_are_refused_before_anything_is_asked(site, web, tmp_path):
    if site == "gill\n":  # white space around a name is a workbook's habit
        return
    with pytest.raises(UsageError, match="is not a site"):
        download_themis([(site, "2014-03-10")], tmp_path / "out", web.base)
    with pytest.raises(UsageError, match="is not a site"):
        download_skymaps([(site, "2014-03-10")], tmp_path / "out", web.base)
    assert not web.log
    nights, problems = download.check_nights([(site, "2014-03-10"), ("GILL ", "2014-03-10")], "book.xlsx")
    assert [night[0] for night in nights] == ["gill"]
    assert len(problems) == 1


def test_leftovers_of_an_ended_run_go_when_all_is_there(server, tree, tmp_path, quick):
    frames = a_night(tree, n_minutes=1)
    out = tmp_path / "out"
    download_themis(NIGHT, out, server.base, **quick)
    place = (out / frames[0]).parent / FOLDER
    for name in (Path(frames[0]).name, f"{Path(frames[0]).name}.note", "lock"):
        write(place, name, b"left")
    assert download_themis(NIGHT, out, server.base, **quick).n_there == len(frames)
    assert sorted(files_in(out)) == sorted(frames)


@pytest.mark.parametrize(
    "date", ["2014-3-10", "2014-03-32", "../2014", "2014-03-10;", "", None, "２０14-03-10"]
)
def test_hostile_dates_are_refused(date, web, tmp_path):
    with pytest.raises(UsageError, match="is not a date"):
        download_themis([("gill", date)], tmp_path / "out", web.base)
    with pytest.raises(UsageError, match="is not a date"):
        download_pfrr([date], tmp_path / "out", base=web.base)
    assert not web.log


@pytest.mark.parametrize(
    "address",
    [
        "file:///etc/",
        "host:/path",
        "-e sh",
        "rsync://host/",
        "https://user:secret@host/",
        "https://host/../x/",
        "https://host/a b/",
        "https://ho st/",
        "http://host/;x/",
        "ftp://host/a?b",
        "http://host/%2e%2e/",
        "http://-host/",
        "http://host:99999/",
        "http:///x",
        "rsync://host/mod/-e/",
        "http://host/a\nb/",
        "",
        "https://host\\evil/x",
        "https://host/a\tb/",
    ],
)
def test_addresses_that_are_refused(address, tmp_path):
    with pytest.raises(UsageError, match="is not an archive's address"):
        download_themis(NIGHT, tmp_path / "out", address)


def test_transports_and_default_addresses(monkeypatch):
    from pulsaurora.archive.transfer import rsync

    monkeypatch.setattr(rsync, "find_rsync", lambda: None)
    assert download.choose_base("themis").url() == (
        "https://data.phys.ucalgary.ca/sort_by_project/THEMIS/asi/stream0/"
    )
    with pytest.raises(UsageError, match="no rsync"):
        download.session_opener(download.choose_base("themis", None, "rsync"))
    monkeypatch.setattr(rsync, "find_rsync", lambda: "/usr/bin/rsync")
    assert download.choose_base("themis").url() == (
        "rsync://data.phys.ucalgary.ca/data/sort_by_project/THEMIS/asi/stream0/"
    )
    assert download.choose_base("pfrr").url() == "ftp://optics.gi.alaska.edu/PKR/DASC/RAW/"
    assert download.choose_base("pfrr", None, "http").url() == (
        "http://optics.gi.alaska.edu/amisr_archive/PKR/DASC/RAW/"
    )
    for archive, base, transport in (
        ("themis", "http://h/", "ftp"),
        ("pfrr", None, "rsync"),
        ("themis", None, "ftp"),
        ("themis", None, "-e"),
    ):
        with pytest.raises(UsageError):
            download.choose_base(archive, base, transport)
    with pytest.raises(UsageError, match="1 to 25"):
        download_pfrr(["2015-10-07"], "x", connections=26)


def test_skymap_is_the_newest_not_after_the_night(server, tree, tmp_path, quick, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("pulsaurora"), "propagate", True)  # a command turns it off
    for name in (
        "gako_20100101/themis_skymap_gako_20100101-%2B_v02.sav",
        "gako_20110305/themis_skymap_gako_20110305-+_v01.sav",
        "gako_20110305/themis_skymap_gako_20110305-+_v02.sav",
        "gako_20110305/notes.txt",
        "gako_20120101/readme.txt",
        "gako_20130505/themis_skymap_gako_20130505-20140101_v01.sav",
    ):
        write(tree, f"gako/{name}")
    out = tmp_path / "out"
    nights = [("gako", "2012-02-01"), ("gako", "2010-01-01"), ("gako", "2009-01-01"), ("gako", "2013-05-05")]
    result = download_skymaps(nights[:1], out, server.base, **quick)
    assert list(files_in(out)) == ["gako/gako_20110305/themis_skymap_gako_20110305-+_v02.sav"]
    assert not result.problems
    assert "later" not in caplog.text
    result = download_skymaps(nights, out, server.base, **quick)
    assert (result.n_came, result.n_there) == (2, 1)
    assert "gako/gako_20100101/themis_skymap_gako_20100101-%2B_v02.sav" in files_in(out)
    assert "gako/2009-01-01: every skymap is later; the first, of 2010-01-01, is taken" in caplog.text
    result = download_skymaps([("rank", "2012-02-01")], out, server.base, **quick)
    assert reasons(result) == ["rank/2012-02-01: has no skymap in the archive"]


def test_skymap_beside_the_hours_is_found_there(web, tree, tmp_path, quick):
    from pulsaurora.imaging.skymap import find_skymap

    write(tree, "gako/gako_20110305/themis_skymap_gako_20110305-+_v01.sav")
    download_skymaps([("gako", "2012-02-01")], tmp_path / "out", web.base, training=True, **quick)
    name = "gako/2012-02-01/themis_skymap_gako_20110305-+_v01.sav"
    assert find_skymap(tmp_path / "out/gako/2012-02-01", "gako", "2012-02-01") == tmp_path / "out" / name


def test_pfrr_by_wavelength(server, tree, tmp_path, quick):
    names = [f"PKR_DASC_0{w}_20151007_0823{s:02}.743.FITS" for w in (428, 558, 630) for s in (1, 13)]
    for name in [*names, "PKR_DASC_0558_20151008_000000.000.FITS", "PKR_DASC_0999_20151007_000000.000.FITS"]:
        write(tree, f"2015/20151007/{name}")
    out = tmp_path / "out"
    result = download_pfrr(["2015-10-07"], out, ["558", 428], server.base, **quick)
    assert not result.problems
    assert sorted(files_in(out)) == [
        *(f"2015-10-07-428/{name}" for name in names[:2]),
        *(f"2015-10-07-558/{name}" for name in names[2:4]),
    ]
    result = download_pfrr(["2015-10-07", "2015-10-09"], out, base=server.base, **quick)
    assert result.n_there == 4
    assert result.n_came == 2
    assert [text.split(":")[0] for text in reasons(result)] == [f"2015-10-09-{w}" for w in (428, 558, 630)]


def test_pfrr_of_the_first_years(web, tree, tmp_path, quick):
    write(tree, "2009/20090101/PKR_DASC_20090101_051500.000.FITS")
    write(tree, "2009/20090101/PKR_DASC_0000_20090101_051600.FIT")
    result = download_pfrr(["2009-01-01"], tmp_path / "out", ["558"], web.base, **quick)
    assert not result.problems
    assert sorted(files_in(tmp_path / "out")) == [
        "2009-01-01-000/PKR_DASC_0000_20090101_051600.FIT",
        "2009-01-01-000/PKR_DASC_20090101_051500.000.FITS",
    ]


@pytest.mark.parametrize("given", ["../", "557", "558;", "-e", "", "5580", None])
def test_wavelengths_that_are_refused(given):
    with pytest.raises(UsageError, match="is not a wavelength"):
        download.parse_wavelengths([given])


def test_a_part_of_an_earlier_state_of_the_file_is_not_continued(server, tree, tmp_path, quick):
    frames = a_night(tree, hours=(5,), n_minutes=2)
    out, path = tmp_path / "out", frames[1]
    place = (out / path).parent / FOLDER
    place.mkdir(parents=True)
    old = a_minute("20010101_0000_gill_themis19_full.pgm.gz")
    (place / Path(path).name).write_bytes(old[:40_000])
    (place / f"{Path(path).name}.note").write_text("{}")
    result = download_themis(NIGHT, out, server.base, **quick)
    assert not result.problems
    assert files_in(out) == {name: (tree / name).read_bytes() for name in frames}


def test_folders_that_are_in_the_way_fail_by_name(server, tree, tmp_path, quick):
    frames = a_night(tree, n_minutes=2)
    out = tmp_path / "out"
    write(out, frames[0].rpartition("/")[0], b"a file where a folder belongs")
    result = download_themis(NIGHT, out, server.base, **quick)
    assert (result.n_came, result.n_failed) == (2, 2)
    assert all("cannot be written" in text for text in reasons(result))
    with pytest.raises(UsageError, match="is a file"):
        download_themis(NIGHT, out / frames[0].rpartition("/")[0], server.base, **quick)


def test_two_runs_at_once_do_not_meet_in_one_file(server, tree, tmp_path, quick):
    frames = a_night(tree, n_minutes=6)
    if hasattr(server, "pause_s"):
        server.pause_s = 0.01
    out, results = tmp_path / "out", []

    def one():
        results.append(download_themis(NIGHT, out, server.base, pauses_s=[0.1] * 40, timeout_s=5.0))

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not any(result.problems for result in results)
    assert sum(result.n_came for result in results) == len(frames)
    assert files_in(out) == {path: (tree / path).read_bytes() for path in frames}
