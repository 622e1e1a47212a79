"""Classification files: what is written, what is read back, and what other programs' files hold."""

import base64
import datetime
import io
import os
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsaurora.archive import parquetpages, parquettables, tables
from pulsaurora.archive.files import whole_file
from pulsaurora.classes import CLASSES
from pulsaurora.problems import Problem, UnreadableFileError

ABOUT = {"version": "0.1.0", "model": "ab12", "inputs": "cd34"}


def a_table(n=5, seed=0):
    rng = np.random.default_rng(seed)
    start = np.datetime64("2020-02-18T23:59:50.063119", "us")
    return {
        "time": start + np.arange(n) * np.timedelta64(3_000_000, "us"),
        "label": rng.integers(0, 4, n).astype(np.int8),
        "confidence": rng.random(n, np.float32),
        "raw_label": rng.integers(0, 4, n).astype(np.int8),
        "brightness": rng.random(n, np.float32),
        "quality": np.array(["gap_before;sun_up"] + [""] * (n - 1), object),
    }


def test_file_of_the_documented_layout(tmp_path):
    path = tables.classification_path(tmp_path, "gill", "themis19", datetime.date(2020, 2, 18))
    assert path == tmp_path / "2020/02/18/20200218_gill_themis19_classifications.txt"
    table = a_table() | {
        "label": np.array([1, 3, 0, 2, 3], np.int8),
        "confidence": np.array([0.7097089, 1, 0.5, 1e-5, 0.33333334], np.float32),
    }
    tables.write_classifications(path, table, ABOUT)
    lines = path.read_text().split("\n")
    assert lines[0].startswith("# File created on ")
    assert lines[1:] == [
        "# version: 0.1.0",
        "# model: ab12",
        "# inputs: cd34",
        "",
        "date,time,prediction,prediction_str,confidence",
        "20200218,23:59:50,1,no_aurora,0.7097089",
        "20200218,23:59:53,3,pulsating,1.0",
        "20200218,23:59:56,0,bad_viewing,0.5",
        "20200218,23:59:59,2,other_aurora,0.00001",
        "20200219,00:00:02,3,pulsating,0.33333334",
        "",
    ]
    assert tables.read_about(path).items() >= ABOUT.items()
    assert sorted(os.listdir(path.parent)) == [path.with_suffix(".parquet").name, path.name]


@pytest.mark.parametrize("n", [0, 1, 300])
def test_parquet_beside_it_has_all_columns_and_the_same_rows(tmp_path, n):
    table = a_table(n) if n else {name: values[:0] for name, values in a_table().items()}
    problems = [Problem("a.pgm", "frame 7 has 90112 bytes, expected 131072", 6)]
    path = tmp_path / "x_classifications.txt"
    tables.write_classifications(path, table, ABOUT, problems)
    whole = tables.read_classifications(tables.parquet_path(path))
    assert list(whole) == list(table)
    for name in ("time", "confidence", "brightness"):
        np.testing.assert_array_equal(whole[name], table[name])
    np.testing.assert_array_equal(whole["raw_label"].cat.codes, table["raw_label"])
    assert whole["quality"].tolist() == table["quality"].tolist()
    assert whole.attrs == ABOUT
    assert tables.read_problems(path) == problems
    read = []
    text = tables.read_classifications(path, read)
    np.testing.assert_array_equal(text["time"], table["time"].astype("datetime64[s]"))
    np.testing.assert_array_equal(text["label"].cat.codes, table["label"])
    np.testing.assert_array_equal(text["confidence"], table["confidence"])
    assert [problem.reason for problem in read] == ([] if n else ["holds no rows"])


def test_a_data_frame_is_written_as_a_dictionary_is(tmp_path):
    table = a_table(20)
    named = pd.DataFrame(table)
    named["label"] = pd.Categorical.from_codes(table["label"], CLASSES)
    named["raw_label"] = [CLASSES[code] for code in table["raw_label"]]
    tables.write_classifications(tmp_path / "a_classifications.txt", table, ABOUT)
    tables.write_classifications(tmp_path / "b_classifications.txt", named, ABOUT)
    written = [(tmp_path / f"{x}_classifications.parquet").read_bytes() for x in "ab"]
    assert written[0] == written[1]


def test_rows_out_of_order_and_unknown_labels_are_refused_when_writing(tmp_path):
    path = tmp_path / "x_classifications.txt"
    with pytest.raises(ValueError, match="time order"):
        tables.write_classifications(path, a_table() | {"time": a_table()["time"][::-1]}, ABOUT)
    for label in (np.full(5, 4), np.full(5, "aurora")):
        with pytest.raises(ValueError, match="class codes"):
            tables.write_classifications(path, a_table() | {"label": label}, ABOUT)
    assert os.listdir(tmp_path) == []


def test_reference_files_come_out_in_time_order_and_lose_no_row(shared_data):
    paths = sorted((shared_data / "reference/classifications").glob("*/*/*/*.txt"))[:6]
    for path in paths:
        problems = []
        table = tables.read_classifications(path, problems)
        rows = [line for line in path.read_text().split("\n") if line[:1].isdigit()]
        assert len(table) == len(rows) > 1000
        assert table["time"].is_monotonic_increasing
        assert [problem.path for problem in problems] == [str(path)]
        assert "put in order" in problems[0].reason
        date, clock, code, name, confidence = rows[-1].split(",")
        row = table[table["time"] == f"{date[:4]}-{date[4:6]}-{date[6:]} {clock}"].iloc[0]
        assert (row["label"], row["confidence"]) == (name, np.float32(confidence))


def test_comments_only_file_has_no_rows(tmp_path):
    path = tmp_path / "20191113_snkq_themis_classifications.txt"
    path.write_text("# File created on 2023-07-05 11:28:51\n# This file contains the predictions.\n\n")
    problems = []
    table = tables.read_classifications(path, problems)
    assert list(table) == ["time", "label", "confidence"] and len(table) == 0
    assert str(table["time"].dtype) == "datetime64[us]"
    assert problems == [Problem(str(path), "holds no rows")]
    assert table.attrs == {"created": "2023-07-05 11:28:51"}


def test_rows_that_say_nothing_usable_are_left_out_and_reported(tmp_path, caplog):
    path = tmp_path / "x_classifications.txt"
    tables.write_classifications(path, a_table(40), ABOUT)
    good = tables.read_classifications(path)
    bad = [
        "20200218,02:50:00,1,pulsating,0.5",
        "20200218,25:50:00,1,no_aurora,0.5",
        "20200231,02:50:00,1,no_aurora,0.5",
        "20200218,02:50:00,1,no_aurora,1.5",
        "20200218,02:50:00,1,no_aurora,--",
        "20200218,02:5",
        "\x00\ufffd",
    ]
    lines = path.read_text().split("\n")
    path.write_text("\r\n".join(lines[:20] + bad + lines[20:]))
    problems = []
    pd.testing.assert_frame_equal(tables.read_classifications(path, problems), good)
    assert [problem.n_frames_kept for problem in problems] == [40]
    assert problems[0].reason.startswith("7 of 47 rows cannot be read; the first is line ")
    tables.read_classifications(path)
    assert "7 of 47 rows cannot be read" in caplog.text


def rows_of(clocks, confidence=(0.5, 0.75, 0.625)):
    rows = zip(clocks, confidence, strict=True)
    return [f"20200218,{clock},1,no_aurora,{value}" for clock, value in rows]


@pytest.mark.parametrize(
    "clocks", [("02:50:00", "02:50:03", "02:50:06"), ("02:50:00.2", "02:50:00.4", "02:50:01")]
)
def test_rows_that_another_program_appended_once_more_are_dropped(tmp_path, clocks):
    path = tmp_path / "x_classifications.txt"
    rows = rows_of(clocks)
    path.write_text("\n".join([tables.HEADER, *rows]))
    good = tables.read_classifications(path)
    for more in (rows, rows_of(clocks, (0.51, 0.52, 0.53))):  # a rerun of the same model, and of another
        path.write_text("\n".join([tables.HEADER, *rows, tables.HEADER, *more]))
        problems = []
        pd.testing.assert_frame_equal(tables.read_classifications(path, problems), good)
        assert [problem.reason for problem in problems] == [
            "rows step back in time 1 times; put in order",
            "3 rows have the time of another: dropped",
        ]
        assert problems[1].n_frames_kept == 3


def test_two_frames_of_one_second_stay_two_and_one_row_written_twice_does_not(tmp_path):
    path = tmp_path / "x_classifications.txt"
    two = rows_of(("02:50:00", "02:50:00", "02:50:01"))
    for written, n_dropped in ((two, 0), (two + two, 3), ([two[0], *two], 1), ([*two, two[2]], 1)):
        path.write_text("\n".join([tables.HEADER, *written]))
        problems = []
        assert tables.read_classifications(path, problems)["confidence"].tolist() == [0.5, 0.75, 0.625]
        told = [problem.reason for problem in problems if "dropped" in problem.reason]
        assert told == ([f"{n_dropped} rows have the time of another: dropped"] if n_dropped else [])


def test_rows_of_another_date_than_the_name_are_told(tmp_path):
    rows = [tables.HEADER, *rows_of(("02:50:00", "02:50:03", "02:50:06"))]
    for name, told in (
        ("20200217_gill_themis19", ["no row is of the date of its name, all are of 2020-02-18"]),
        ("20200218_gill_themis19", []),
        ("gill_20200217", []),
    ):
        path, problems = tmp_path / f"{name}_classifications.txt", []
        path.write_text("\n".join(rows))
        assert len(tables.read_classifications(path, problems)) == 3
        assert [problem.reason for problem in problems] == told
    path.write_text("\n".join([*rows, rows[-1].replace("20200218", "20200219")]))
    path = path.rename(tmp_path / "20200219_gill_themis19_classifications.txt")
    tables.read_classifications(path, problems := [])
    assert problems == []


def test_the_table_beside_a_text_is_taken_only_if_it_has_the_same_rows(tmp_path):
    path = tmp_path / "x_classifications.txt"
    table = a_table(40)
    tables.write_classifications(path, table, ABOUT)
    written, beside = path.read_text(), tables.parquet_path(path)
    parquet = beside.read_bytes()
    whole = tables.read_whole_night(path, problems := [])
    assert problems == [] and whole.attrs["model"] == ABOUT["model"] and set(table) <= set(whole)
    np.testing.assert_array_equal(whole["time"], table["time"])
    lines = written.split("\n")
    head, (date, clock, code, name, confidence) = lines[:-2], lines[-2].split(",")
    other = (int(code) + 1) % 4
    for last in (
        f"{date},{clock},{other},{CLASSES[other]},{confidence}",
        f"{date},{clock},{code},{name},0.123",
        f"{date},23:59:59,{code},{name},{confidence}",
        "",
    ):
        path.write_text("\n".join([*head, last]))
        text = tables.read_whole_night(path, problems := [])
        pd.testing.assert_frame_equal(text, tables.read_classifications(path))
        reason = "has other rows than the text beside it; left aside"
        assert problems == [Problem(str(beside), reason, len(text))]
    path.unlink()
    assert "raw_label" in tables.read_whole_night(path, problems := []) and problems == []
    path.write_text(written)
    for broken in (b"", parquet[:-9]):
        beside.write_bytes(broken)
        assert len(tables.read_whole_night(path, problems := [])) == 40
        assert [each.path for each in problems] == [str(beside)] and problems[0].reason.endswith("left aside")
    beside.write_bytes(parquet)
    path.write_text("nothing of the kind")
    with pytest.raises(UnreadableFileError, match="x_classifications.txt: begins 'nothing"):
        tables.read_whole_night(path, [])


def test_what_is_no_classification_file_is_refused_by_name(tmp_path):
    other = tmp_path / "other.txt"
    other.write_text("frame,label\n1,bv\n")
    with pytest.raises(UnreadableFileError, match=r"other\.txt: begins 'frame,label', expected the header"):
        tables.read_classifications(other)
    with pytest.raises(UnreadableFileError, match="none.txt: No such file"):
        tables.read_classifications(tmp_path / "none.txt")
    for path in (tmp_path / "none.parquet", other.rename(tmp_path / "other.parquet")):
        with pytest.raises(UnreadableFileError, match=path.name):
            tables.read_classifications(path)
        assert tables.read_problems(path) is None
    large = tmp_path / "large.txt"
    with open(large, "wb") as file:
        file.truncate(tables.MAX_BYTES + 1)
    with pytest.raises(UnreadableFileError, match="no classification file"):
        tables.read_classifications(large)
    assert tables.read_about(tmp_path / "none.txt") == {}


@given(st.binary(max_size=300), st.integers(0, 400), st.integers(0, 400))
def test_mutated_files_are_read_or_refused(tmp_path_factory, garbage, start, end):
    path = tmp_path_factory.mktemp("mutated") / "x_classifications.txt"
    tables.write_classifications(path, a_table(6), ABOUT)
    for target in (path, tables.parquet_path(path)):
        whole = target.read_bytes()
        target.write_bytes(whole[:start] + garbage + whole[end:])
        try:
            table = tables.read_classifications(target, [])
        except UnreadableFileError as error:
            assert target.name in str(error)
        else:
            assert {"time", "label", "confidence"} <= set(table)
            assert target.suffix == ".parquet" or table["confidence"].between(0, 1).all()


def test_parquet_tables_that_are_none_of_ours_are_refused_in_one_line(tmp_path, monkeypatch):
    path = tmp_path / "x_classifications.parquet"

    def write(**columns):
        known = {"time": [datetime.datetime(2014, 3, 10)], "label": ["no_aurora"], "confidence": [0.5]}
        table = pyarrow.table(known | columns)
        pyarrow.parquet.write_table(table, path, store_schema=False)

    def refused(what):
        with pytest.raises(UnreadableFileError, match=what) as caught:
            tables.read_classifications(path)
        assert "\n" not in str(caught.value) and len(str(caught.value)) < len(str(path)) + 300

    write(label=["aurora"])
    refused("label holds 'aurora', none of the classes")
    write(quality=["gap_befor\N{LATIN SMALL LETTER E WITH ACUTE}"])
    data = path.read_bytes()
    path.write_bytes(data.replace("\N{LATIN SMALL LETTER E WITH ACUTE}".encode(), b"\xe9("))
    refused("not a Parquet table of classifications")
    path.write_bytes(data[: len(data) // 2])
    refused("not a Parquet table of classifications")
    # As few bytes as you like can claim as many rows as you like.
    monkeypatch.setattr(parquettables, "MAX_ROWS", 5000)
    monkeypatch.setattr(parquettables, "MAX_INFLATED_BYTES", 10**6)
    n = parquettables.MAX_ROWS + 1
    repeated = {
        "time": [datetime.datetime(2014, 3, 10)] * n,
        "label": ["no_aurora"] * n,
        "confidence": [0.5] * n,
    }
    write(**repeated)
    assert path.stat().st_size < 10_000
    refused("claims 5,001 rows; a table of a night has at most 5,000")
    assert parquettables.read_parquet_columns(path, ("confidence",)) is None
    write(quality=["x" * (parquettables.MAX_INFLATED_BYTES + 1)])
    refused("bytes when inflated")


def test_a_page_that_claims_to_inflate_to_more_than_a_night_is_refused(tmp_path):
    """What stands before a page is believed by pyarrow, which sets that much memory aside."""
    path = tmp_path / "x_classifications.parquet"
    n = 200_000
    columns = {"time": np.arange(n).astype("M8[us]"), "label": np.zeros(n, np.int8)}
    columns |= {"confidence": np.zeros(n)}
    columns |= {f"feature{i}": np.zeros(n) for i in range(5)}
    pyarrow.parquet.write_table(
        pyarrow.table(columns), path, compression="zstd", use_dictionary=False, data_page_size=2**22,
        max_rows_per_page=n,
    )  # fmt: skip
    data = bytearray(path.read_bytes())
    assert len(data) < 2_000_000 and len(tables.read_parquet_table(path, {"time"})[0]) == n
    group = pyarrow.parquet.read_metadata(path).row_group(0)
    for number in range(3, group.num_columns):
        at = group.column(number).data_page_offset
        assert data[at : at + 3] == b"\x15\x00\x15" and data[at + 6] < 128  # type, and four bytes of a size
        data[at + 3 : at + 7] = b"\xfe\xff\xff\x7f"  # 134 MB
    path.write_bytes(data)
    said = "claims 540,870,932 bytes when inflated; a table of a night has at most 536,870,912"
    with pytest.raises(UnreadableFileError, match=f"{path.name}: {said}"):
        tables.read_parquet_table(path, {"time"})
    assert parquettables.read_parquet_columns(path, [f"feature{i}" for i in range(5)]) is None
    assert parquettables.read_parquet_columns(path, ("confidence",))[0].shape == (n,)


def test_a_long_text_in_every_row_takes_its_length_once(tmp_path):
    path = tmp_path / "x_classifications.parquet"
    n, text = 20_000, "x" * 100_000
    known = {"time": np.arange(n).astype("M8[us]"), "label": ["no_aurora"] * n, "confidence": np.zeros(n)}
    texts = pyarrow.DictionaryArray.from_arrays(np.zeros(n, np.int32), [text])
    pyarrow.parquet.write_table(pyarrow.table(known | {"quality": texts}), path, store_schema=False)
    assert path.stat().st_size < 500_000
    pool = pyarrow.default_memory_pool()
    before = pool.max_memory()
    table, _ = parquettables.read_parquet_table(path, {"time"})
    assert table["quality"].dtype == object and table["quality"].iloc[-1] == text
    assert pool.max_memory() - before < 50e6
    with pytest.raises(UnreadableFileError, match="claims 500,001 values in column many"):
        many = pyarrow.array([list(range(parquettables.MAX_ROWS + 1))])
        pyarrow.parquet.write_table(pyarrow.table({"time": [0], "many": many}), path)
        parquettables.read_parquet_table(path, {"time"})


def test_rows_are_not_counted_of_tables_that_claim_too_much(tmp_path, monkeypatch):
    path = tmp_path / "x_patches.parquet"
    tables.write_parquet(path, {"patch": np.arange(10)}, {})
    assert parquettables.count_rows(path) == 10
    monkeypatch.setattr(parquettables, "MAX_ROWS", 9)
    assert parquettables.count_rows(path) is None and parquettables.count_rows(tmp_path / "none") is None


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"\x15\x00\x1c\x00",  # a struct where a size should be
        b"\x15\x00\x15\x01\x15\x02",  # a size below zero
        b"\x1c" * 300,
        b"\x1f",
        b"\x15" + b"\xff" * 300,
        b"\x1b\xff\x7f\x15" + b"\x99" * 300,
        b"\x18\xff\xff\xff\xff\x0f",
        b"\x19\xfc\xff\xff\xff\x7f" + b"\x00" * 4000,
    ],
)
def test_page_headers_that_are_none_are_refused(tmp_path, header):
    path = tmp_path / "x.parquet"
    tables.write_parquet(path, {"patch": np.arange(1000)}, {})
    chunk = pyarrow.parquet.read_metadata(path).row_group(0).column(0)
    with open(path, "rb") as file:
        assert parquetpages.count_inflated(file, chunk) >= 8000
    data = path.read_bytes()
    at = min(chunk.data_page_offset, chunk.dictionary_page_offset or chunk.data_page_offset)
    damaged = data[:at] + header + data[at + len(header) :] if header else data[:at]
    with pytest.raises(UnreadableFileError):
        parquetpages.count_inflated(io.BytesIO(damaged), chunk)


def test_the_footer_tells_where_pages_are_as_pyarrow_does(tmp_path):
    path = tmp_path / "x.parquet"
    columns = {"patch": np.arange(1000), "kind": ["a", "b"] * 500, "empty": [None] * 1000}
    pyarrow.parquet.write_table(pyarrow.table(columns), path, row_group_size=300, use_dictionary=["kind"])
    about = pyarrow.parquet.read_metadata(path)
    with open(path, "rb") as file:
        groups = parquetpages.read_chunks(file)
    assert [len(group) for group in groups] == [3] * 4
    for i, group in enumerate(groups):
        for j, chunk in enumerate(group):
            expected = about.row_group(i).column(j)
            for name in ("num_values", "total_compressed_size", "data_page_offset", "has_dictionary_page"):
                assert getattr(chunk, name) == getattr(expected, name)
            assert chunk.dictionary_page_offset == expected.dictionary_page_offset


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PAR1",
        b"PAR1\x00\x00\x00\x00PAR1",
        b"PAR1" + b"\xff" * 4 + b"PAR1",
        b"\x00" * 40 + (2**20 + 1).to_bytes(4, "little") + b"PAR1",
        b"\x00" * (2**20 + 50) + (2**20 + 1).to_bytes(4, "little") + b"PAR1",
        b"\x49\x1c\x19\x1c\x00\x00\x00" + (7).to_bytes(4, "little") + b"PAR1",
        b"\x45\x02\x00" + (3).to_bytes(4, "little") + b"PAR1",
    ],
)
def test_footers_that_are_none_are_refused(data):
    with pytest.raises(UnreadableFileError, match="footer"):
        parquetpages.read_chunks(io.BytesIO(data))


def run_program(code):
    """Run Python code as a program of its own, to its end."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def in_a_program_of_its_own(path, name):
    """Read a column in a program that ends right after; returns its status and what it printed."""
    code = f"""
from pulsaurora.archive.parquettables import read_parquet_columns
found = read_parquet_columns({str(path)!r}, [{name!r}])
print(None if found is None else len(found[0]))
"""
    done = run_program(code)
    return done.returncode, done.stdout.strip()


def test_a_program_that_ends_after_reading_ends_well(tmp_path):
    path = tmp_path / "x.parquet"
    tables.write_parquet(path, {f"c{k}": np.arange(1000.0) for k in range(100)}, {})
    assert {in_a_program_of_its_own(path, "c7") for _ in range(6)} == {(0, "1000")}


@pytest.mark.skipif(
    not os.path.exists("/proc/self/task"), reason="threads are counted where Linux lists them"
)
@pytest.mark.parametrize(
    ("does", "n"),
    [
        ("len(read_parquet_columns(path, ['c7'])[0])", 1000),
        ("len(read_parquet_table(path, {'label'})[0])", 1000),
        ("len(read_parquet_about(path)['about'])", 7),
        ("count_rows(path)", 1000),
        ("sum(count_labels(path).values())", 1000),
        ("write_parquet(path, {'label': [0] * 1000, 'c7': numpy.ones(1000)}, {})", None),
    ],
)
def test_arrow_is_given_no_thread(tmp_path, does, n):
    # A program that ends while one of Arrow's threads starts or stops is aborted, once in many times.
    path = tmp_path / "x.parquet"
    columns = {f"c{k}": np.arange(1000.0) for k in range(100)}
    tables.write_parquet(path, {"label": np.zeros(1000, np.int8), **columns}, {"about": "a table"})
    code = f"""
import os
from pathlib import Path
import numpy, pandas, pyarrow.parquet
from pulsaurora.archive.parquettables import *
path = Path({str(path)!r})
before = set(os.listdir("/proc/self/task"))
found = {does}
print(found, len(set(os.listdir("/proc/self/task")) - before))
"""
    done = run_program(code)
    assert (done.stdout.split(), done.stderr) == ([str(n), "0"], "")


@pytest.mark.parametrize(
    ("columns", "what"),
    [
        ({"label": [["no_aurora"]]}, r"column label\.list\.\w+ holds lists or structures"),
        ({"confidence": [{"a": 0.5}]}, r"column confidence\.a holds lists or structures"),
        ({"confidence": [{"confidence": 0.5}]}, r"column confidence\.confidence holds lists or structures"),
        ({"quality": [[["x"]]]}, "column quality.* holds lists or structures"),
    ],
)
def test_columns_of_lists_and_structures_are_refused(tmp_path, columns, what):
    path = tmp_path / "x_classifications.parquet"
    known = {"time": [datetime.datetime(2014, 3, 10)], "label": ["no_aurora"], "confidence": [0.5]}
    pyarrow.parquet.write_table(pyarrow.table(known | columns), path)
    with pytest.raises(UnreadableFileError, match=what):
        tables.read_classifications(path)
    assert parquettables.count_labels(path) is None and parquettables.count_rows(path) is None
    assert parquettables.read_parquet_columns(path, ["confidence"]) is None


@pytest.mark.parametrize("twice", ["label", "confidence", "quality"])
def test_two_columns_of_one_name_are_refused(tmp_path, twice):
    path = tmp_path / "x_classifications.parquet"
    columns = [[datetime.datetime(2014, 3, 10)], ["no_aurora"], [0.5], ["sun_up"], ["pulsating"]]
    names = ["time", "label", "confidence", "quality", twice]
    pyarrow.parquet.write_table(pyarrow.table([pyarrow.array(c) for c in columns], names=names), path)
    with pytest.raises(UnreadableFileError, match=f"has two columns {twice}"):
        tables.read_classifications(path)
    assert parquettables.count_labels(path) is None


def test_statistics_that_do_not_fit_the_schema_end_no_program(tmp_path):
    path = tmp_path / "x.parquet"
    tables.write_parquet(path, {"brightness": np.arange(1000.0)}, {})
    data = path.read_bytes()
    optional, required = (b"\x25" + said + b"\x18\x0abrightness" for said in (b"\x02", b"\x00"))
    assert data.count(optional) == 1  # now each value has one level less than the histograms of levels tell
    path.write_bytes(data.replace(optional, required))
    status, _ = in_a_program_of_its_own(path, "brightness")
    assert status == 0


class Harm:
    """Unpickled, it leaves a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_pickle_in_a_parquet_table_is_never_run(tmp_path):
    path, harmed = tmp_path / "x_classifications.parquet", tmp_path / "harmed"
    pickled = pickle.dumps(Harm(harmed))
    known = {
        "ARROW:extension:name": "arrow.py_extension_type",
        "ARROW:extension:metadata": pickled,
    }
    columns = {
        "time": pyarrow.array([0], pyarrow.timestamp("us")),
        "label": ["no_aurora"],
        "confidence": [0.5],
    }
    columns = {name: pyarrow.array(values) for name, values in columns.items()} | {
        "harm": pyarrow.array([pickled])
    }
    fields = [pyarrow.field(name, values.type) for name, values in columns.items()]
    fields[-1] = fields[-1].with_metadata(known)
    notes = {"pandas": b'{"columns": [{"name": "harm", "pandas_type": "object", "numpy_type": "object"}]}'}
    table = pyarrow.table(list(columns.values()), pyarrow.schema(fields, notes))
    pyarrow.parquet.write_table(table, path)
    stored = base64.b64decode(pyarrow.parquet.read_metadata(path).metadata[b"ARROW:schema"])
    assert pickled in stored and b"py_extension_type" in stored
    assert len(tables.read_classifications(path)) == 1
    assert parquettables.read_parquet_columns(path, ("confidence",))[0].tolist() == [0.5]
    assert not harmed.exists()
    pickle.loads(pickled)
    assert harmed.exists()


def test_notes_nested_without_end_are_no_notes(tmp_path):
    path = tmp_path / "x_classifications.parquet"
    table = pyarrow.table({"time": [0], "label": [0], "confidence": [0.5]})
    pyarrow.parquet.write_table(table.replace_schema_metadata({"pulsaurora": "[" * 200_000}), path)
    assert tables.read_parquet_about(path) == {} and tables.read_problems(path) is None
    with pytest.raises(UnreadableFileError, match="not a Parquet table"):
        tables.read_classifications(path)


def test_what_is_to_last_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    """After a loss of power a file may else have its name and not its content."""
    told = []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda number: (told.append(os.fstat(number).st_size), sync(number)))
    monkeypatch.setattr(os, "replace", lambda old, new: (told.append(new.suffix), replace(old, new)))
    path, parquet = tmp_path / "x_classifications.txt", tmp_path / "x_classifications.parquet"
    tables.write_classifications(path, a_table(), ABOUT)
    assert told == [parquet.stat().st_size, ".parquet", path.stat().st_size, ".txt"]


def test_an_interrupted_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "folder" / "x.txt"
    with whole_file(path) as passing:
        passing.write_text("first")
    for error in (OSError("disk full"), KeyboardInterrupt()):
        with pytest.raises(type(error)), whole_file(path) as passing:
            passing.write_text("half")
            raise error
        assert path.read_text() == "first"
        assert os.listdir(path.parent) == ["x.txt"]
