"""Human labels: each layout of the workbooks, the real ones counted row by row, and CSV there and back."""

import csv
import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from workbooks import row, write_parts, write_sheets

import pulsaurora
from pulsaurora.archive.labels import COLUMNS, read_labels, unknown_codes, write_labels
from pulsaurora.archive.labelsheet import label_of
from pulsaurora.archive.workbook import read_workbook
from pulsaurora.classes import CLASSES
from pulsaurora.cli.main import run
from pulsaurora.problems import UnreadableFileError

NAMED = [
    "Date",
    "camera",
    "Start time",
    "End time",
    "Classification",
    "Start frame",
    "End frame",
    "length",
    None,
]


def read_csv(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def read_rows(tmp_path, rows, sheet="themis", name="labels.xlsx"):
    problems = []
    table = read_labels(write_sheets(tmp_path / name, {sheet: rows}), problems=problems)
    return table, {problem.row: (problem.kind, problem.reason) for problem in problems}


def short(table, *columns):
    columns = columns or ("site", "date", "start_frame", "end_frame", "label")
    return [
        tuple(
            f"{value:%Y%m%d}" if name == "date" else None if pd.isna(value) else value
            for name, value in cells
        )
        for cells in (
            list(zip(columns, row, strict=True)) for row in table[list(columns)].itertuples(index=False)
        )
    ]


def test_layout_with_times_frames_and_formulas(tmp_path):
    table, told = read_rows(
        tmp_path,
        [
            NAMED,
            ["20200101", "snkq", "08:19:18", "09:21:39", "bv", "10033", "11280 ", "=G2-F2", "snow covering"],
            ["2012-12-17", "Gill", "2:05", "02.35.10", "dis-sub", "00041", 52],
        ],
    )
    assert told == {1: ("heading", "header")}
    assert short(table) == [
        ("snkq", "20200101", 10033, 11280, "bad_viewing"),
        ("gill", "20121217", 41, 52, "other_aurora"),
    ]
    assert table["start_time"].tolist() == [
        pd.Timestamp("2020-01-01T08:19:18"),
        pd.Timestamp("2012-12-17T02:05:00"),
    ]
    assert table["end_time"].tolist()[1] == pd.Timestamp("2012-12-17T02:35:10")
    assert table["comment"].tolist() == ["snow covering", ""]
    assert table["row"].tolist() == [2, 3]
    assert set(table["instrument"]) == {"themis"} and set(table["workbook"]) == {"labels.xlsx"}
    assert tuple(table) == COLUMNS


def test_layout_with_confidence_and_columns_in_another_order(tmp_path):
    table, told = read_rows(
        tmp_path,
        [
            [
                "start_frame",
                "end_frame",
                "Start time",
                "End time",
                "camera",
                "Date",
                "type",
                "confidence",
                "len",
            ],
            ["07547", "08585", "09:08:36", "10:00:30", "fsim", "2019-03-01", "pa", "4 ", "=B2-A2"],
            ["07547", "08585", "09:08:36", "10:00:30", "fsim", "2019-03-01", "pa", "sure", "=B2-A2"],
        ],
    )
    assert short(table, "label", "confidence") == [("pulsating", 4), ("pulsating", None)]
    assert told[3] == ("noted", "confidence 'sure' is no whole number; left empty")


def test_layout_with_site_and_date_once_and_blanks_below(tmp_path):
    table, told = read_rows(
        tmp_path,
        [
            ["Table 1"],
            ["Station", "Date", "Start frame", "End frame", "Classification", "Comment"],
            ["atha", "20200214", "0", "6605", "bv"],
            [None, None, None, "9164", "cs", "Not sure"],
            [],
            [None, None, None, 9200, "cl"],
            ["fsim", None, 0, 10, "cs"],
            [None, 20200218, 0, 20, "Pa "],
            [None, None, None, 30, "diff"],
        ],
    )
    assert {number: kind for number, (kind, _) in told.items()} == {1: "heading", 2: "heading"}
    assert short(table) == [
        ("atha", "20200214", 0, 6605, "bad_viewing"),
        ("atha", "20200214", 6606, 9164, "no_aurora"),
        ("atha", "20200214", 9165, 9200, "bad_viewing"),
        ("fsim", "20200214", 0, 10, "no_aurora"),
        ("fsim", "20200218", 0, 20, "pulsating"),
        ("fsim", "20200218", 21, 30, "other_aurora"),
    ]


def test_layout_of_poker_flat(tmp_path):
    header = ["Date", "Start time", "End time", "Classification", "Confidence", "Start frame", "End frame"]
    date = datetime.datetime(2016, 10, 6)
    rows = [
        [date, "10.00.22", "10.16.07", code, 4, 1899, 1981]
        for code in ("Pulasting", "No  aurora", "Sunsrise")
    ]
    table, _ = read_rows(tmp_path, [header, *rows], sheet="pfrr")
    assert short(table, "instrument", "site", "date", "code", "label") == [
        ("pfrr", "pfrr", "20161006", "Pulasting", "pulsating"),
        ("pfrr", "pfrr", "20161006", "No  aurora", "no_aurora"),
        ("pfrr", "pfrr", "20161006", "Sunsrise", None),
    ]
    assert table["start_time"][0] == pd.Timestamp("2016-10-06T10:00:22")
    table, told = read_rows(tmp_path, [header, *rows], sheet="elsewhere")
    assert len(table) == 0 and told[2] == ("refused", "no site, and none above that can be used")


def test_layout_that_lists_nights(tmp_path):
    table, told = read_rows(
        tmp_path,
        [
            ["Table 1"],
            ["year", "month", "date", "camera"],
            ["2020", "01", "31", "gako, inuv"],
            [2020, 2, 1, "kian"],
        ],
        sheet="camera dates",
    )
    assert short(table, "site", "date", "start_frame", "code", "label", "row") == [
        ("gako", "20200131", None, "", None, 3),
        ("inuv", "20200131", None, "", None, 3),
        ("kian", "20200201", None, "", None, 4),
    ]
    assert len(told) == 2


def test_legends_are_listed(tmp_path):
    table, told = read_rows(
        tmp_path, [["classification"], [None, "Clear sky", "cs", "clear sky"]], sheet="types"
    )
    assert len(table) == 0
    assert {kind for kind, _ in told.values()} == {"legend"} and list(told) == [1, 2]


def test_codes():
    for codes, name in (
        ("bv cl BV Cl Clouds bad_viewing", "bad_viewing"),
        ("cs CS no_aurora", "no_aurora"),
        ("dis sub dis-sub Dis_Sub diff Discrete Substorm Diffuse", "other_aurora"),
        ("p pa ps P Pa PS Pulsating pulasting", "pulsating"),
    ):
        assert {CLASSES[label_of(code)] for code in codes.split()} == {name}
    assert label_of("No aurora") == label_of(" no   AURORA ") == 1
    assert label_of("Diffuse,Discrete") == label_of("diffuse , discrete") == 2
    for code in ("np", "s", "Sunset", "cm", "co, cm", "Patchy aurora", "", "palaver", None, 3):
        assert label_of(code) is None


@pytest.mark.parametrize(
    ("cells", "what"),
    [
        ({"camera": "../../etc"}, "'../../etc' is no site"),
        ({"camera": "gill/.."}, "is no site"),
        ({"camera": "gil"}, "is no site"),
        ({"camera": "gíll"}, "is no site"),
        ({"camera": None}, "no site, and none above"),
        ({"camera": ","}, "0 sites"),
        ({"Date": "20200231"}, "'20200231' is no date"),
        ({"Date": "03/05/2022"}, "is no date; write it as 2020-02-18"),
        ({"Date": "1066-10-14"}, "is no date from 1990-01-01 on"),
        ({"Date": None}, "no date, and none above"),
        ({"Date": True}, "is no date"),
        ({"Date": 1e300}, "is no date"),
        ({"Classification": None}, "no classification"),
        (
            {"Start frame": "12x", "Start time": None},
            "has neither start and end frame nor start and end time",
        ),
        ({"Start frame": -3, "Start time": "25:00:00"}, "has neither"),
        ({"Start frame": 80, "Start time": "23:00:00"}, "ends at frame 50, before it starts at 80"),
        ({"Start frame": None, "Start time": None}, "no start frame on the first row of a night"),
        ({"Comment": "x" * 5000}, "more than 4,096 characters"),
        ({"Date": "=TODAY()"}, "date is a formula with no value stored"),
    ],
)
def test_rows_that_cannot_be_used_are_refused_with_the_reason(tmp_path, cells, what):
    good = {
        "Date": "2020-02-18",
        "camera": "gill",
        "Start time": "01:00:00",
        "End time": "01:02:30",
        "Classification": "p",
        "Start frame": 0,
        "End frame": 50,
        "Comment": None,
    }
    below = [None, None, "03:00:00", "04:00:00", "cs", 60, 70]
    other = ["2020-02-19", "rank", "03:00:00", "04:00:00", "cs", 60, 70]
    rows = [list(good), list((good | cells).values()), below, other]
    table, told = read_rows(tmp_path, rows)
    assert told[2][0] == "refused" and what in told[2][1]
    # Rows below never take the place of a row above that was itself refused.
    if {"camera", "Date"} & set(cells):
        assert told[3][0] == "refused" and "none above that can be used" in told[3][1]
    else:
        assert 3 not in told
    assert short(table)[-1] == ("rank", "20200219", 60, 70, "no_aurora")


def test_a_start_frame_left_out_never_continues_a_refused_row(tmp_path):
    header = ["camera", "Date", "Start frame", "End frame", "Classification"]
    rows = [header, ["gill", 20200218, 0, 9, "p"], [None, None, None, "?", "p"], [None, None, None, 30, "cs"]]
    table, told = read_rows(tmp_path, rows)
    assert len(table) == 1
    assert "neither" in told[3][1] and told[4] == ("refused", "no start frame, and no end frame above")


def test_rows_that_are_repaired_are_noted(tmp_path):
    other_day = datetime.datetime(2022, 10, 11, 1, 2, 30)
    table, told = read_rows(
        tmp_path,
        [
            NAMED,
            ["2018-03-10", "rank", "01:00:00", other_day, "p", 0, 50],
            ["2018-03-10", "rank", "01:00:00", "00:30:00", "p", 0, 50],
            ["2018-03-10", "rank", "01:00:00", "01:30:00", "p", 50, 0],
            ["2018-03-10", "rank", datetime.time(1), "noon", "p", 0, 50],
        ],
    )
    assert {kind for kind, _ in told.values()} == {"heading", "noted"} and len(table) == 4
    assert "stands on 2022-10-11" in told[2][1]
    assert table["end_time"][0] == pd.Timestamp("2018-03-10T01:02:30")
    assert "before it starts" in told[3][1] and table["start_time"].isna().tolist() == [
        False,
        True,
        False,
        False,
    ]
    assert table["start_frame"].isna().tolist() == [False, False, True, False]
    assert told[5] == ("noted", "end time 'noon' is no time of day; left empty")


def real_workbooks(shared_data):
    return sorted((shared_data / "labels").glob("*/*.xlsx"))


def test_no_row_of_the_real_workbooks_is_lost(shared_data):
    paths = real_workbooks(shared_data)
    assert len(paths) == 8
    counts = {}
    for path in paths:
        problems = []
        table = read_labels(path, problems=problems)
        rows = {(sheet.name, number) for sheet in read_workbook(path) for number in sheet.rows}
        used = set(zip(table["sheet"], table["row"], strict=True))
        listed = {(p.sheet, p.row) for p in problems if p.kind != "noted"}
        assert used | listed == rows and not used & listed
        assert len(listed) == sum(p.kind != "noted" for p in problems)
        assert all(p.reason for p in problems) and not any(p.kind == "refused" for p in problems)
        counts[path.stem] = (len(rows), len(used), len(table))
    assert counts == {
        "New ML Batch 1 updated": (271, 270, 270),
        "New ML Batch 2 updated": (328, 327, 327),
        "classification-02012023": (45, 34, 34),
        "classification-03022023": (449, 434, 473),
        "classification-09092022 updated": (160, 156, 156),
        "classification-10012022": (61, 45, 45),
        "classification-11202022": (14, 13, 13),
        "final-test-classifications": (449, 434, 473),
    }


def test_two_sheets_of_the_same_labels_in_two_layouts_agree(shared_data):
    table = read_labels(shared_data / "labels/themis/final-test-classifications.xlsx", problems=[])
    once = table[table["sheet"] == "classification"]
    each = table[table["sheet"] == "classification-updated"]
    assert short(once) == short(each) and len(each) == 207
    assert each.groupby(["site", "date"]).ngroups == 40


def test_csv_there_and_back(shared_data, tmp_path):
    problems, again = [], []
    table = read_labels(*real_workbooks(shared_data), problems=problems)
    beside = write_labels(tmp_path / "labels.csv", table, problems)
    pd.testing.assert_frame_equal(read_labels(tmp_path / "labels.csv", problems=again), table)
    assert again == [] and len(read_csv(beside)) == len(problems) + 1


@settings(max_examples=30)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=20), max_size=5))
def test_any_comment_survives_and_is_no_formula(tmp_path_factory, comments):
    path = tmp_path_factory.mktemp("csv") / "labels.csv"
    rows = [["20200218", "gill", None, None, "p", 0, 50, None, None] for _ in comments]
    table = read_labels(write_sheets(path.with_suffix(".xlsx"), {"a": [NAMED, *rows]}), problems=[])
    table["comment"] = np.array(comments, object)
    write_labels(path, table)
    pd.testing.assert_frame_equal(read_labels(path, problems=[]), table, check_dtype=False)
    for cells in read_csv(path):
        assert not any(cell.startswith(("=", "+", "-", "@", "\t")) for cell in cells)


def test_csv_of_another_kind_and_bad_rows(tmp_path):
    path = tmp_path / "labels.csv"
    good = "themis,gill,2020-02-18,0,50,,,p,pulsating,,,w.xlsx,a,2"
    bad = [
        "themis,../x,2020-02-18,0,50,,,p,pulsating,,,w.xlsx,a,2",
        "themis,gill,2020-02-18,60,50,,,p,pulsating,,,w.xlsx,a,2",
        "themis,gill,2020-02-18,0,50,1 o'clock,,p,pulsating,,,w.xlsx,a,2",
        "themis,gill,2020-02-18,0,50,,,p,purring,,,w.xlsx,a,2",
        "themis,gill",
    ]
    path.write_text("\n".join([",".join(COLUMNS), good, *bad, ""]))
    problems = []
    assert len(read_labels(path, problems=problems)) == 1
    assert [(problem.row, problem.kind) for problem in problems] == [(n, "refused") for n in range(3, 8)]
    for content in (b"", b"a,b\n1,2\n", b'"', b"\xff\xfe"):
        path.write_bytes(content)
        with pytest.raises(UnreadableFileError, match=r"labels\.csv: "):
            read_labels(path)
    with pytest.raises(UnreadableFileError, match="No such file"):
        read_labels(tmp_path / "none.csv")


def test_a_few_rows_of_many_sites_are_refused_before_they_fill_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("pulsaurora.archive.labelsheet.MAX_ROWS", 100)
    rows = [["20200218", ",".join(["gill"] * 60), None, None, "p", 0, 9] for _ in range(2)]
    with pytest.raises(UnreadableFileError, match="more than 100 labels"):
        read_labels(write_sheets(tmp_path / "w.xlsx", {"a": [NAMED, *rows]}))
    rows = [["20200218", ",".join(["gill"] * 65), None, None, "p", 0, 9]]
    assert read_rows(tmp_path, [NAMED, *rows])[1][2] == ("refused", "65 sites in one cell")


def test_warnings_name_workbook_sheet_and_row(tmp_path, caplog):
    path = write_sheets(tmp_path / "w.xlsx", {"a": [NAMED, ["2020", "gill", None, None, "p", 0, 9]]})
    assert pulsaurora.read_labels(path).empty
    assert caplog.messages == [f"{path}, sheet 'a', row 2: '2020' is no date; write it as 2020-02-18"]


def test_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_sheets(tmp_path / "a.xlsx", {"themis": [NAMED, ["20200218", "gill", None, None, "p", 0, 9]]})
    assert run(["labels", "a.xlsx", "--out", "new/labels.csv"]) == 0
    assert "2 rows; 1 give 1 labels, 1 are headings" in capsys.readouterr().out
    assert len(read_labels("new/labels.csv")) == 1

    write_parts(tmp_path / "b.xlsx", row(1, *NAMED[:7]) + row(2, "20200218", "../.."))
    (tmp_path / "c.xlsx").write_text("a,b")
    assert run(["labels", "a.xlsx", "b.xlsx", "c.xlsx", "--out", "new/labels.csv"]) == 3
    said = capsys.readouterr().err
    assert "b.xlsx, sheet 'themis', row 2: '../..' is no site" in said and "c.xlsx: begins" in said
    assert len(read_labels("new/labels.csv")) == 1
    assert [line[3] for line in read_csv("new/labels_left_out.csv")[1:]] == ["heading", "heading", "refused"]
    assert run(["labels", "c.xlsx", "--out", "other.csv"]) == 1
    assert not (tmp_path / "other.csv").exists()
    for out in ("a.xlsx", "labels.txt"):
        assert run(["labels", "a.xlsx", "--out", out]) == 2


def test_codes_that_are_not_known_are_counted(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    night = ["20200218", "gill,rank", None, None]
    codes = ["pulsatng", "p", "pulsatng", "bv?", "np", "Co , CM", "Sunsrise", "Patchy_aurora"]
    rows = [[*night, code, 10 * k, 10 * k + 9] for k, code in enumerate(codes)]
    write_sheets(tmp_path / "a.xlsx", {"a": [NAMED, *rows]})
    assert run(["labels", "a.xlsx", "--out", "l.csv"]) == 3
    told = "a.xlsx: 3 rows have codes that stand for no class: 'pulsatng' 2, 'bv?' 1"
    assert told in capsys.readouterr().err
    for path in ("a.xlsx", "l.csv"):
        assert list(map(str, unknown_codes(read_labels(path)))) == [told]
    write_sheets(tmp_path / "a.xlsx", {"a": [NAMED, rows[1], *rows[4:]]})
    assert run(["labels", "a.xlsx", "--out", "l.csv"]) == 0


def test_the_real_workbooks_have_no_unknown_code(shared_data):
    assert unknown_codes(read_labels(*real_workbooks(shared_data), problems=[])) == []


OTHER = ["Site ID", "Date (UT)", "First frame", "Last frame", "Class code"]
LEGEND = [["classification"], [None, "Clear sky", "cs", "clear sky"], ["made 2020-02-18"]]


def test_a_header_that_is_not_known_is_no_legend(tmp_path):
    night = ["gill", "2014-03-10", 0, 59, "bv"]
    for rows, found in (([OTHER, night], "'Site ID', 'Date (UT)'"), ([night], "'gill', '2014-03-10', '0'")):
        path = write_sheets(tmp_path / "a.xlsx", {"types": LEGEND, "a": rows})
        with pytest.raises(UnreadableFileError, match=r"a\.xlsx: no sheet has a header of site") as error:
            read_labels(path)
        assert f"found columns {found}" in str(error.value)
    problems = []
    usual = [NAMED, ["20200218", "gill", None, None, "p", 0, 9]]
    write_sheets(tmp_path / "a.xlsx", {"types": LEGEND, "a": [OTHER, night, night], "b": usual})
    assert len(read_labels(tmp_path / "a.xlsx", problems=problems)) == 1
    assert [(p.sheet, p.row) for p in problems if p.kind == "refused"] == [("a", 1)]
    assert len(problems) == 7  # every row once


def test_every_command_names_the_workbook_whose_header_is_not_known(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "o").mkdir()
    usual = [NAMED, ["20200218", "gill", None, None, "p", 0, 9]]
    write_sheets(tmp_path / "usual.xlsx", {"a": usual})
    write_sheets(tmp_path / "legend.xlsx", {"a": LEGEND})
    write_sheets(tmp_path / "a.xlsx", {"a": [OTHER, ["gill", "2014-03-10", 0, 59, "bv"]]})
    commands = [
        ["evaluate", "--classifications", "o"],
        ["pack", "themis", "--stream0", "o", "--out", "d"],
        ["download", "themis", "--dry-run"],
        ["train", "--stream0", "o", "--out", "m.onnx"],
    ]
    for book, said in (("a", "found columns 'Site ID'"), ("legend", "no row of labels")):
        assert run(["labels", f"{book}.xlsx", "--out", "l.csv"]) == 1
        shown = capsys.readouterr().err
        assert f"{book}.xlsx: " in shown and said in shown and not (tmp_path / "l.csv").exists()
        for command in commands:
            assert run([*command, "--labels", f"{book}.xlsx"]) == 1
            shown = capsys.readouterr().err
            assert f"{book}.xlsx: no " in shown and said in shown, command
    # A legend beside rows is no fault.
    assert run(["labels", "legend.xlsx", "usual.xlsx", "--out", "l.csv"]) == 0
    assert run(["labels", "a.xlsx", "usual.xlsx", "--out", "l.csv"]) == 3


def test_labels_of_the_other_instrument_are_not_taken_for_other_sites(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_sheets(tmp_path / "a.xlsx", {"pfrr": [NAMED, ["20200218", None, None, None, "p", 0, 9]]})
    arguments = ["pack", "themis", "--labels", "a.xlsx", "--stream0", "."]
    assert run(arguments) == 2
    assert "the workbooks name no night of themis" in capsys.readouterr().err
    assert run([*arguments, "--sites", "gill"]) == 2
    assert "none of these sites" in capsys.readouterr().err
