"""Workbooks: every cell as openpyxl reads it, and none of the tricks a file can play."""

import datetime
import io
import zipfile

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from workbooks import MAIN, OFFICE, row, write_parts, write_sheets

from pulsaurora.archive import workbook
from pulsaurora.archive.workbook import Formula, read_workbook
from pulsaurora.problems import UnreadableFileError


def by_openpyxl(path):
    """Return [(sheet name, {row: cells})] with space stripped and empty cells at the end cut off."""
    found = []
    # From memory, because openpyxl leaves the file open.
    for sheet in openpyxl.load_workbook(io.BytesIO(path.read_bytes()), read_only=True).worksheets:
        sheet.reset_dimensions()
        rows = {}
        for number, cells in enumerate(sheet.iter_rows(values_only=True, max_row=2000), 1):
            cells = [(cell.strip() or None) if isinstance(cell, str) else cell for cell in cells]
            while cells and cells[-1] is None:
                cells.pop()
            if cells:
                rows[number] = cells
        found.append((sheet.title, rows))
    return found


def as_openpyxl(value, theirs, day_zero):
    """Return a cell of ours as openpyxl gives it: the formula's text, and dates by their style."""
    if isinstance(value, Formula):
        return value.text
    if isinstance(theirs, datetime.datetime):
        midnight = datetime.datetime.combine(day_zero, datetime.time())
        return midnight + datetime.timedelta(seconds=round(value * 86400))
    if isinstance(theirs, datetime.time):
        return (datetime.datetime.min + datetime.timedelta(seconds=round(value * 86400))).time()
    return value


def check_against_openpyxl(path):
    ours = read_workbook(path)
    for sheet, (name, rows) in zip(ours, by_openpyxl(path), strict=True):
        assert sheet.name == name
        assert list(sheet.rows) == list(rows)
        for number, cells in rows.items():
            found = [
                as_openpyxl(value, cell, sheet.day_zero)
                for value, cell in zip(sheet.rows[number], cells, strict=True)
            ]
            assert found == cells


def test_real_workbooks_as_openpyxl_reads_them(shared_data):
    # The sheets of the other five claim 1,048,576 rows, which takes openpyxl ten seconds each.
    for name in ("classification-03022023", "classification-11202022", "final-test-classifications"):
        check_against_openpyxl(shared_data / "labels" / "themis" / f"{name}.xlsx")


texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=12)
values = st.one_of(
    st.none(),
    texts.filter(lambda text: not text.startswith("=")),
    st.integers(-(10**9), 10**9),
    st.floats(-1e6, 1e6),
    st.booleans(),
    st.datetimes(datetime.datetime(2000, 1, 1), datetime.datetime(2050, 1, 1)).map(
        lambda time: time.replace(microsecond=0)
    ),
)


@given(st.lists(st.lists(values, max_size=6), max_size=8))
def test_any_cells_as_openpyxl_reads_them(tmp_path_factory, rows):
    path = write_sheets(tmp_path_factory.mktemp("any") / "any.xlsx", {"a": rows, "b": []})
    check_against_openpyxl(path)


def test_a_formula_comes_with_the_value_stored_and_is_not_evaluated(tmp_path):
    sheet = (
        '<row><c><f>1+1</f><v>3</v></c><c t="str"><f>HYPERLINK("x")</f></c><c t="e"><v>#REF!</v></c></row>'
    )
    (sheet,) = read_workbook(write_parts(tmp_path / "x.xlsx", sheet))
    assert sheet.rows == {1: [Formula("=1+1", 3), Formula('=HYPERLINK("x")', None), "#REF!"]}


def test_rows_out_of_order_and_without_numbers_are_all_there(tmp_path):
    path = write_parts(tmp_path / "x.xlsx", row(5, "e") + row(2, "b", "c") + row(1048576, "last"))
    assert read_workbook(path)[0].rows == {2: ["b", "c"], 5: ["e"], 1048576: ["last"]}
    path = write_parts(tmp_path / "y.xlsx", '<row><c r="C1"><v>1</v></c><c><v>2</v></c></row><row><c/></row>')
    assert read_workbook(path)[0].rows == {1: [None, None, 1, 2]}


def test_texts_in_parts_and_reading_aids(tmp_path):
    strings = "<si><t>pul</t><r><t>sating</t></r><rPh><t>no</t></rPh></si><si/>"
    cells = '<row><c t="s"><v>0</v></c><c t="s"><v>1</v></c><c t="d"><v>2020-02-18T01:02:03</v></c></row>'
    (sheet,) = read_workbook(write_parts(tmp_path / "x.xlsx", cells, strings))
    assert sheet.rows == {1: ["pulsating", None, datetime.datetime(2020, 2, 18, 1, 2, 3)]}


def test_days_may_be_counted_from_1904(tmp_path):
    contents = (
        f'<workbook xmlns:r="{OFFICE}"><workbookPr date1904="1"/><sheets><sheet name="a" r:id="rId1"/>'
        "</sheets></workbook>"
    )
    (sheet,) = read_workbook(write_parts(tmp_path / "x.xlsx", parts={"xl/workbook.xml": contents}))
    assert sheet.day_zero == datetime.date(1904, 1, 1)


def refused(path, what):
    with pytest.raises(UnreadableFileError, match=what) as error:
        read_workbook(path)
    assert str(error.value).startswith(f"{path}: ")


def test_what_is_no_workbook_is_refused_by_name(tmp_path):
    path = tmp_path / "labels.xlsx"
    refused(path, "no such file")
    refused(tmp_path, "not a file")
    for content, what in (
        (b"", "not as an .xlsx workbook"),
        (b"site,date\ngill,20200218\n", "CSV file under another name"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "protected by a password"),
        (b"PK\x03\x04 and then nothing", "damaged"),
    ):
        path.write_bytes(content)
        refused(path, what)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("hello.txt", "hello")
    refused(path, "not in it")
    with open(path, "wb") as file:
        file.truncate(workbook.MAX_BYTES + 1)
    refused(path, "bytes")


def test_bombs_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "bomb.xlsx"
    write_parts(path, " " * (workbook.MAX_INFLATED_BYTES + 1))
    assert path.stat().st_size < 200_000
    refused(path, "inflates to more than")
    entities = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><worksheet>&b;</worksheet>'
    outside = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><worksheet>&a;</worksheet>'
    for xml in (entities, outside, outside.encode("utf-16")):
        write_parts(path, parts={"xl/worksheets/sheet1.xml": xml})
        refused(path, "sheet1.xml declares a document type")
    write_parts(path, "<a>" * 100_000 + "</a>" * 100_000)
    refused(path, "nests deeper")
    monkeypatch.setattr(workbook, "MAX_ROWS", 10)
    write_parts(path, "".join(row(number, "x") for number in range(1, 12)))
    refused(path, "more than 10 rows")


def test_damage_is_refused(tmp_path):
    path = tmp_path / "x.xlsx"
    for sheet, what in (
        ("<row>", "sheet1.xml is damaged"),
        ('<row r="0"><c/></row>', "row 0 "),
        ('<row r="99999999999999999999"><c/></row>', "cannot be"),
        ('<row r="1"><c r="A2"><v>1</v></c></row>', "cell 'A2' in row 1"),
        ('<row r="1"><c r="ZZZZ1"><v>1</v></c></row>', "cell 'ZZZZ1'"),
        ('<row r="1"><c r="ZZ1"><v>1</v></c></row>', "more than 64 columns"),
        (row(3, "a") + row(3, "b"), "row 3 is there twice"),
        ('<row><c t="s"><v>7</v></c></row>', "refers to text 7"),
        ("<row><c><v>one</v></c></row>", "damaged"),
        (f"<row><c><v>{'9' * 5000}</v></c></row>", None),
        ('<row><c t="d"><v>yesterday</v></c></row>', "damaged"),
    ):
        write_parts(path, sheet)
        if what is None:
            assert read_workbook(path)[0].rows == {1: [float("inf")]}
        else:
            refused(path, what)
    write_parts(
        path,
        parts={"xl/workbook.xml": f'<workbook xmlns="{MAIN}"><sheets><sheet name="a"/></sheets></workbook>'},
    )
    refused(path, "not in it")
    for encoding in ("none", "rot13", "zlib", "utf-7", "idna", "cp037"):
        xml = f'<?xml version="1.0" encoding="{encoding}"?><worksheet/>'
        write_parts(path, parts={"xl/worksheets/sheet1.xml": xml})
        refused(path, "damaged")


def test_a_damaged_name_in_the_zip_is_told_in_one_short_line(tmp_path):
    path = write_parts(tmp_path / "x.xlsx", parts={"xl/theme.bin": "\n".join(map(str, range(20_000)))})
    data = bytearray(path.read_bytes())
    header = data.index(b"xl/workbook.xml") - 30
    data[header + 26 : header + 28] = (9000).to_bytes(2, "little")  # the length of its name
    path.write_bytes(data)
    with pytest.raises(UnreadableFileError, match="a damaged workbook") as caught:
        read_workbook(path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < len(str(path)) + 400


def test_long_text_is_cut_where_its_reader_can_tell(tmp_path):
    path = write_parts(tmp_path / "x.xlsx", row(1, "x" * 10_000, "y" * workbook.MAX_TEXT))
    assert [len(text) for text in read_workbook(path)[0].rows[1]] == [4097, 4096]


def test_links_to_other_files_are_not_followed(tmp_path):
    links = (
        f'<Relationships><Relationship Id="rId1" Type="{OFFICE}/worksheet" Target="../../../etc/passwd"/>'
        f'<Relationship Id="rId3" Type="{OFFICE}/worksheet" TargetMode="External" Target="http://x/y"/>'
        "</Relationships>"
    )
    path = write_parts(tmp_path / "x.xlsx", parts={"xl/_rels/workbook.xml.rels": links})
    refused(path, "etc/passwd is not in it")


@given(st.binary(max_size=80), st.integers(0, 3000), st.integers(0, 3000))
def test_mutated_workbooks_are_read_or_refused(tmp_path_factory, garbage, start, end):
    path = write_sheets(
        tmp_path_factory.mktemp("mutated") / "x.xlsx", {"a": [["Date", "camera"], [1, "gill"]]}
    )
    whole = path.read_bytes()
    path.write_bytes(whole[:start] + garbage + whole[end:])
    try:
        read_workbook(path)
    except UnreadableFileError as error:
        assert path.name in str(error)
