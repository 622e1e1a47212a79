"""What a stream0 tree holds, with all that the archive is known to hold besides."""

import datetime
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsaurora.archive import layout
from pulsaurora.archive.layout import find_nights, parse_frame_name, plain_text
from pulsaurora.problems import UsageError

DAY = datetime.date(2014, 3, 10)
FOLDER = "2014/03/10/gill_themis19"
NAME = "20140310_06{:02d}_gill_themis19_full.pgm.gz"


@pytest.fixture
def tree(tmp_path):
    """Makes empty files at paths below the root; returns the root."""

    def make(*paths):
        for path in paths:
            full = tmp_path / path
            full.parent.mkdir(parents=True, exist_ok=True)
            full.touch()
        return tmp_path

    return make


def search(root, start="2014-03-10", end="2014-03-10", sites=None):
    nights, problems = find_nights(root, start, end, sites)
    return nights, {os.path.basename(problem.path): problem.reason for problem in problems}


def names(minutes):
    return [[path.name for path in minute.alternatives] for minute in minutes]


def test_a_night_in_order(tree):
    root = tree(
        f"{FOLDER}/ut07/20140310_0700_gill_themis19_full.pgm",
        f"{FOLDER}/ut06/{NAME.format(5)}",
        f"{FOLDER}/ut06/{NAME.format(0)}",
        f"{FOLDER}/ut06/20040825_0526_x.txt",
    )
    (root / FOLDER / "ut08").mkdir()
    (root / FOLDER / "ut06" / "20040825_0526_x.txt").unlink()
    (night,), problems = search(root)
    assert problems == {}
    assert (night.site, night.imager, night.date) == ("gill", "themis19", DAY)
    assert list(night.hours) == [6, 7] and night.n_minutes == 3
    assert names(night.hours[6]) == [[NAME.format(0)], [NAME.format(5)]]
    assert [(minute.hour, minute.minute) for minute in night.hours[6]] == [(6, 0), (6, 5)]
    assert night.folders == [root / FOLDER]


def test_real_tree(shared_data):
    nights, problems = find_nights(shared_data / "stream0", DAY, DAY)
    assert problems == [] and [(night.site, night.imager, night.n_minutes) for night in nights] == [
        ("gill", "themis19", 6)
    ]


def test_dates_and_sites(tree):
    root = tree(
        f"{FOLDER}/ut06/{NAME.format(0)}",
        "2014/03/11/gill_themis19/ut06/20140311_0600_gill_themis19_full.pgm.gz",
        "2014/03/11/rank_themis12/ut06/20140311_0600_rank_themis12_full.pgm.gz",
        "2015/01/01/rank_themis12/ut06/20150101_0600_rank_themis12_full.pgm.gz",
        "2014/13/40/rank_themis12/ut06/20150101_0600_rank_themis12_full.pgm.gz",
    )

    def found(*query, **more):
        return [(night.date.isoformat(), night.site) for night in find_nights(root, *query, **more)[0]]

    dates = ["2014-03-10", "2014-03-11", "2014-03-11", "2015-01-01"]
    everything = list(zip(dates, ["gill", "gill", "rank", "rank"], strict=True))
    assert found("2000-01-01", "2030-01-01") == everything
    assert found(DAY, datetime.datetime(2014, 3, 11, 5)) == everything[:3]
    assert found("2014-03-11", "2014-12-31", sites="rank") == [everything[2]]
    assert found("2000-01-01", "2030-01-01", sites=["gill", "rank"]) == everything
    assert found("2000-01-01", "2030-01-01", sites="gill,atha") == everything[:2]
    assert found("2016-01-01", "2016-01-02") == []


def test_the_training_layout(tree):
    root = tree(
        f"gill/2014-03-10/ut06/{NAME.format(0)}",
        "gill/2014-03-10/themis_skymap_gill_20130101-+_vXX.sav",
        "gill/2014-03-12/ut06/20140312_0600_gill_themis19_full.pgm.gz",
        "gill/notes/readme.txt",
        "notes.txt",
    )
    nights, problems = search(root)
    assert problems == {} and [(night.site, night.date) for night in nights] == [("gill", DAY)]
    assert nights[0].folders == [root / "gill/2014-03-10"]


def test_both_layouts_and_both_compressions_are_one_night(tree):
    raw = NAME.format(0).removesuffix(".gz")
    root = tree(
        f"{FOLDER}/ut06/{raw}",
        f"{FOLDER}/ut06/{NAME.format(0)}",
        f"{FOLDER}/ut06/{raw}.bz2",
        f"gill/2014-03-10/ut06/{NAME.format(1)}",
    )
    (night,), problems = search(root)
    assert problems == {}
    assert names(night.hours[6]) == [[f"{raw}.gz", raw, f"{raw}.bz2"], [NAME.format(1)]]
    assert len(night.folders) == 2


def test_company_of_the_frames_is_passed_over_without_a_word(tree):
    hour = f"{FOLDER}/ut06"
    root = tree(
        f"{hour}/{NAME.format(0)}",
        f"{hour}/20140310_0600_gill_themis19_wide_1000ms.pgm.gz",
        f"{hour}/20140310_0600_gill_themis19_wide.pgm.gz",
        f"{hour}/20140310_0600_gill_themis19_full_wide_x.pgm",
        f"{hour}/20140310_06_gill_themis19_row2.pgm.gz",
        f"{hour}/20140310_0600_gill_themis19_row2.pgm.gz",
        f"{hour}/.20140310_0601_gill_themis19_full.pgm.gz.Xa3d",
        f"{hour}/.hidden",
        f"{FOLDER}/.listing",
        f"{FOLDER}/themis_skymap_gill_20130101-%2B_vXX.sav",
        "2014/03/10/.cache/x",
    )
    (night,), problems = search(root)
    assert problems == {} and names(night.hours[6]) == [[NAME.format(0)]]


def test_what_is_not_the_archives_is_told(tree):
    hour = f"{FOLDER}/ut06"
    root = tree(
        f"{hour}/{NAME.format(0)}",
        f"{hour}/junk.txt",
        f"{hour}/something.pgm.gz",
        f"{hour}/20140310_0660_gill_themis19_full.pgm.gz",
        f"{hour}/20140311_0600_gill_themis19_full.pgm.gz",
        f"{hour}/20140310_0602_rank_themis19_full.pgm.gz",
        f"{FOLDER}/ut09",
        "2014/03/10/GILL/ut06/x.pgm",
    )
    (night,), problems = search(root)
    assert names(night.hours[6]) == [[NAME.format(0)]]
    assert problems == {
        "junk.txt": "is not a stream0 frame file, passed over",
        "something.pgm.gz": "is not a stream0 frame file, passed over",
        "20140310_0660_gill_themis19_full.pgm.gz": "is not a stream0 frame file, passed over",
        "20140311_0600_gill_themis19_full.pgm.gz": "is of 2014-03-11, "
        "lies in a folder of 2014-03-10, passed over",
        "20140310_0602_rank_themis19_full.pgm.gz": "is of site rank, lies in a folder of gill, passed over",
        "ut09": "is a file, expected the folder of an hour, passed over",
        "GILL": "is not named as a night is, such as gill_themis19, passed over",
    }


def test_folders_nearly_named_as_the_archives_are_told(tree):
    frame = NAME.format(0)
    hours = ("UT08", "ut9", "10", "ut11 ", "ut12.bak", "ut24")
    twice = "20140310_1400_gill_themis19_full (1).pgm.gz"
    root = tree(
        f"{FOLDER}/ut06/{frame}",
        *(f"{FOLDER}/{hour}/{frame}" for hour in hours),
        f"{FOLDER}/{twice}",
        "2014/03/10/rank_themis12",
        f"2014/3/10/gill_themis19/ut06/{frame}",
        f"2014/03/10 /gill_themis19/ut06/{frame}",
        f"GILL/2014-03-10/ut06/{frame}",
        f"rank/20140310/ut06/{frame}",
        f"rank/2014-3-10/UT06/{frame}",
    )
    (night,), problems = search(root)
    assert night.n_minutes == 1
    assert problems == {
        **dict.fromkeys(hours, "is not named as an hour is, such as ut06, passed over"),
        twice: "is not a stream0 frame file, passed over",
        "rank_themis12": "is a file, expected the folder of a night, passed over",
        "3": "is not named as a month is, such as 03, passed over",
        "10 ": "is not named as a day is, such as 10, passed over",
        "GILL": "is not named as a site is, such as gill, passed over",
        "20140310": "is not named as a date is, such as 2014-03-10, passed over",
        "2014-3-10": "is not named as a date is, such as 2014-03-10, passed over",
    }
    # What was not asked for is not looked at.
    assert search(root, "2014-04-01", "2014-04-30") == ([], {})
    assert set(search(root, sites="gill")[1]) == {*hours, twice, "3", "10 ", "GILL"}
    assert set(search(root / FOLDER)[1]) == {*hours, twice}


def test_what_an_archive_holds_besides_is_passed_over_without_a_word(tree):
    frame = NAME.format(0)
    root = tree(
        f"{FOLDER}/ut06/{frame}",
        f"{FOLDER}/{frame}.md5",
        f"{FOLDER}/20140310_gill_keogram.jpg",
        f"{FOLDER}/themis_skymap_gill_20130101-+_vXX.sav",
        f"{FOLDER}/keograms/20140310_0600.png",
        f"{FOLDER}/.incoming/{frame}",
        f"{FOLDER}/wide/20140310_0600_gill_themis19_wide.pgm.gz",
        f"{FOLDER}/20140310_0600_gill_themis19_wide.pgm.gz",
        "2014/03/11 keograms/x.png",
        "2014/summary/x.txt",
        "2014/03/1",
        "gill/20140310/readme.txt",
        "gill/20140310.csv",
        "LOGS/2014-03-10/log.txt",
        "skymaps/gill/gill_20130101/x.sav",
    )
    (night,), problems = search(root)
    assert night.n_minutes == 1 and problems == {}


def test_an_imager_changed_in_mid_night_makes_two_nights(tree):
    other = "2014/03/10/gill_themis20/ut08/20140310_0800_gill_themis20_full.pgm.gz"
    expected = [("themis19", [6]), ("themis20", [8])]
    nights, _ = search(tree(f"{FOLDER}/ut06/{NAME.format(0)}", other))
    assert [(night.imager, list(night.hours)) for night in nights] == expected


def test_an_older_folder_holds_both_imagers(tree):
    nights, problems = search(
        tree(
            f"2014/03/10/gill_themis/ut06/{NAME.format(0)}",
            "2014/03/10/gill_themis/ut08/20140310_0800_gill_themis20_full.pgm.gz",
        )
    )
    assert [(night.imager, list(night.hours)) for night in nights] == [("themis19", [6]), ("themis20", [8])]
    assert problems == {}


def test_a_folder_inside_the_tree_limits_the_search(tree, monkeypatch):
    root = tree(
        f"{FOLDER}/ut06/{NAME.format(0)}",
        "2014/03/10/rank_themis12/ut06/20140310_0600_rank_themis12_full.pgm.gz",
        "2014/03/11/gill_themis19/ut06/20140311_0600_gill_themis19_full.pgm.gz",
        "fsmi/2014-03-10/ut06/20140310_0600_fsmi_themis10_full.pgm.gz",
    )

    def found(inside):
        nights, problems = find_nights(inside, "2014-01-01", "2014-12-31")
        assert problems == []
        return [(night.site, night.date.day) for night in nights]

    assert found(root) == [("fsmi", 10), ("gill", 10), ("rank", 10), ("gill", 11)]
    assert found(root / "2014") == found(root / "2014/03") == [("gill", 10), ("rank", 10), ("gill", 11)]
    assert found(root / "2014/03/10") == [("gill", 10), ("rank", 10)]
    assert found(root / FOLDER) == [("gill", 10)]
    assert found(root / "fsmi") == found(root / "fsmi/2014-03-10") == [("fsmi", 10)]
    monkeypatch.chdir(root / "2014/03")
    assert found(".") == found(root / "2014/03")


def test_links_that_go_round(tree):
    root = tree(f"{FOLDER}/ut06/{NAME.format(0)}")
    (root / FOLDER / "ut07").symlink_to(root / FOLDER, target_is_directory=True)
    (root / FOLDER / "ut08").symlink_to(root / FOLDER / "ut08")
    (root / FOLDER / "ut06" / "self").symlink_to(root)
    (root / "2014/03/10/rank_themis12").symlink_to(root, target_is_directory=True)
    (root / "2015").symlink_to(root / "2014")
    nights, problems = search(root, end="2016-01-01")
    assert [(night.site, list(night.hours)) for night in nights] == [("gill", [6])]
    assert "ut06" in problems and problems["ut08"].startswith("is a file")


def test_a_folder_that_may_not_be_listed(tree, monkeypatch):
    root = tree(f"{FOLDER}/ut06/{NAME.format(0)}", f"{FOLDER}/ut07/20140310_0700_gill_themis19_full.pgm")
    listed = os.scandir

    def guarded(folder):
        if str(folder).endswith("ut06"):
            raise PermissionError(13, "Permission denied")
        return listed(folder)

    monkeypatch.setattr(layout.os, "scandir", guarded)
    (night,), problems = search(root)
    assert list(night.hours) == [7]
    assert problems == {"ut06": "cannot be listed (Permission denied), passed over"}


def test_wrong_usage(tree):
    root = tree(f"{FOLDER}/ut06/{NAME.format(0)}")
    for query in (
        (root / "none", "2014-03-10", "2014-03-10"),
        (root / FOLDER / "ut06" / NAME.format(0), "2014-03-10", "2014-03-10"),
        (root, "2014-03-11", "2014-03-10"),
        (root, "2014/03/10", "2014-03-10"),
        (root, "2014-03-10", None),
        (root, "2014-03-10", "2014-03-10", "GILL"),
        (root, "2014-03-10", "2014-03-10", ["../x"]),
        (root, "2014-03-10", "2014-03-10", [4]),
    ):
        with pytest.raises(UsageError):
            find_nights(*query)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (NAME.format(5), ("2014-03-10T06:05", "gill", "themis19")),
        ("20040825_0526_atha_themis01_full_1000ms.pgm.bz2", ("2004-08-25T05:26", "atha", "themis01")),
        ("20140310_0605_gill_themis19_full.pgm", ("2014-03-10T06:05", "gill", "themis19")),
        ("20140310_2405_gill_themis19_full.pgm", None),
        ("20140230_0605_gill_themis19_full.pgm", None),
        ("20140310_0605_GILL_themis19_full.pgm", None),
        ("20140310_0605_gill_themis19_wide.pgm", None),
        ("20140310_0605_gill_themis19_full.pgm.gz.part", None),
        ("20140310_0605_gill_themis19_full.pgm.gz\n", None),
        ("20140310_0605_gill_themis19_full/../x.pgm", None),
        ("٢٠١٤٠٣١٠_0605_gill_themis19_full.pgm", None),
        ("", None),
    ],
)
def test_names(name, expected):
    found = parse_frame_name(name)
    assert (found and (found.start.isoformat(timespec="minutes"), found.site, found.imager)) == expected


@given(st.text(max_size=60))
def test_any_name_is_read_or_not(name):
    parse_frame_name(name)
    assert plain_text(name).isprintable()


def test_names_that_no_terminal_takes(tree):
    folder = Path(os.fsdecode(bytes(tree(f"{FOLDER}/ut06/{NAME.format(0)}") / FOLDER / "ut06")))
    (folder / os.fsdecode(b"b\xffd\n.pgm")).touch()
    _, problems = search(folder.parents[4])
    assert problems == {"b\\udcffd\\n.pgm": "is not a stream0 frame file, passed over"}
    str(problems).encode()
