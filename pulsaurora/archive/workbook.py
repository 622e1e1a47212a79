"""The cells of an Excel workbook, read without trusting it.

A workbook (.xlsx; ECMA-376, part 1, section 18) is a zip of XML files, and people send them to each other.
Only the parts that hold cells are inflated, under a limit; document types (which bring entities) and deep
nesting are refused; styles, links to other files, macros and pictures are never looked at. Nothing is
evaluated: of a formula, the value that the spreadsheet program stored with it is handed on.

Not by openpyxl, which is the oracle of the tests, because it believes what a file says of its own size
(sheets of labels that claim 1,048,576 rows take it ten seconds), passes over rows that stand out of order,
and reads styles with patterns that a hostile file makes slow.
"""

import datetime
import io
import posixpath
import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from xml.parsers import expat

from pulsaurora.problems import UnreadableFileError

# The largest workbook of labels seen has 0.03 MB, 0.3 MB inflated and 328 rows.
MAX_BYTES = 16 * 2**20
MAX_INFLATED_BYTES = 32 * 2**20
MAX_ROWS = 50_000
MAX_COLUMNS = 64
MAX_TEXT = 4096  # characters in a cell; longer text is cut to one more, so that its reader can tell
_MAX_DEPTH = 64
_MAX_PARTS = 2000
_MAX_SHEETS = 200
_LAST_ROW = 1_048_576  # of any spreadsheet
_REFERENCE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Formula:
    """A cell that holds a formula: its text, and the value stored with it (None if there is none)."""

    text: str
    value: object


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet of a workbook.

    Attributes
    ----------
    name : str
    rows : dict of int to list
        Number of the row, as the spreadsheet program shows it, to its cells from column A on. Rows with
        nothing in them are not there. A cell is None, str (stripped, never empty), int, float, bool,
        datetime or Formula. Only its style tells a date from a number, and styles are not read: a date is
        the number it is stored as.
    day_zero : datetime.date
        From which such numbers count days.
    """

    name: str
    rows: dict
    day_zero: datetime.date


def read_workbook(path):
    """Read every cell of every sheet of an .xlsx workbook.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    list of Sheet
        In the workbook's order, hidden ones too.

    Raises
    ------
    UnreadableFileError
        If it is no such workbook, is protected by a password, is damaged, or is larger than any table of
        labels can be. The message begins with the path.
    """
    path = Path(path)
    try:
        return _read(_Archive(path))
    except UnreadableFileError:
        raise
    except OSError as error:
        raise UnreadableFileError(f"{path}: {error.strerror or error}") from None
    except _Refused as error:
        raise UnreadableFileError(f"{path}: {error}") from None
    except (zipfile.BadZipFile, zlib.error, expat.ExpatError, ValueError, EOFError, RuntimeError) as error:
        said = " ".join(str(error).split())  # zipfile's messages have whole parts of the file in them
        raise UnreadableFileError(
            f"{path}: a damaged workbook ({said:.200}); open it in a spreadsheet program and save it as .xlsx"
        ) from None


class _Refused(Exception):
    """What is wrong with a workbook, to be said after its name."""


class _Archive:
    """The parts of one workbook, inflated under a common limit."""

    def __init__(self, path):
        if not path.exists():
            raise _Refused("no such file")
        if not path.is_file():
            raise _Refused("not a file")
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise _Refused(f"{size:,} bytes; a workbook of labels has at most {MAX_BYTES:,}")
        content = path.read_bytes()
        if content.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
            raise _Refused(
                "protected by a password, or in the .xls format of before 2007; save it as .xlsx without one"
            )
        if not content.startswith(b"PK"):
            is_csv = b"\0" not in content and b"," in content
            hint = "; is it a CSV file under another name?" if is_csv else ""
            raise _Refused(f"begins {content[:20]!r}, not as an .xlsx workbook does{hint}")
        self._zip = zipfile.ZipFile(io.BytesIO(content))
        self.parts = {info.filename: info for info in self._zip.infolist()}
        if len(self.parts) > _MAX_PARTS:
            raise _Refused(f"{len(self.parts):,} parts in the zip; a workbook has some tens")
        self._left = MAX_INFLATED_BYTES

    def read(self, name):
        info = self.parts.get(name)
        if info is None:
            raise _Refused(f"no .xlsx workbook: {name} is not in it")
        if info.flag_bits & 1:
            raise _Refused("protected by a password; save it without one")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise _Refused(f"{name} is packed in a way that workbooks are not")
        with self._zip.open(info) as file:
            xml = file.read(self._left + 1)
        self._left -= len(xml)
        if self._left < 0:
            raise _Refused(f"inflates to more than {MAX_INFLATED_BYTES:,} bytes; no workbook of labels does")
        return xml

    def related(self, part):
        """Return {id: (kind, part)} of the parts that one part names."""
        folder, name = posixpath.split(part)
        links = _Links()
        where = posixpath.join(folder, "_rels", f"{name}.rels")
        _parse(self.read(where), where, links)
        return {
            key: (kind, posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/"))
            for key, (kind, target) in links.found.items()
        }


def _read(archive):
    kinds = archive.related("").values()
    workbook = next((part for kind, part in kinds if kind == "officeDocument"), "xl/workbook.xml")
    contents = _Contents()
    _parse(archive.read(workbook), workbook, contents)
    if len(contents.sheets) > _MAX_SHEETS:
        raise _Refused(f"{len(contents.sheets)} sheets; at most {_MAX_SHEETS} are read")
    related = archive.related(workbook)
    strings = _Strings()
    for kind, part in related.values():
        if kind == "sharedStrings":
            _parse(archive.read(part), part, strings)
    sheets, n_rows = [], 0
    for name, key in contents.sheets:
        kind, part = related.get(key, ("missing", "?"))
        if kind not in ("worksheet", "missing"):  # a chart on a sheet of its own has no cells
            continue
        cells = _Cells(strings.found, MAX_ROWS - n_rows)
        _parse(archive.read(part), part, cells)
        n_rows += len(cells.rows)
        sheets.append(Sheet(name, dict(sorted(cells.rows.items())), contents.day_zero))
    return sheets


def _parse(xml, name, handler):
    """Hand every element to `handler`, after refusing what only an attack needs."""
    depth = 0

    def opened(tag, attributes):
        nonlocal depth
        depth += 1
        if depth > _MAX_DEPTH:
            raise _Refused(f"{name} nests deeper than workbooks do")
        handler.opened(tag.rpartition(":")[2], attributes)

    def closed(tag):
        nonlocal depth
        depth -= 1
        handler.closed(tag.rpartition(":")[2])

    def declared(*_):
        raise _Refused(f"{name} declares a document type, which workbooks do not")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = opened, closed
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = declared
    parser.CharacterDataHandler = handler.text
    try:
        parser.Parse(xml, True)
    except (expat.ExpatError, LookupError) as error:  # the latter for an encoding that nobody knows
        raise _Refused(f"{name} is damaged ({error})") from None


class _Handler:
    """Gathers the text of the element that is open, if it is wanted."""

    def __init__(self):
        self._text = None
        self._length = 0

    def opened(self, tag, attributes):
        pass

    def closed(self, tag):
        pass

    def listen(self):
        self._text, self._length = [], 0

    def text(self, text):
        if self._text is not None and self._length <= MAX_TEXT:
            self._text.append(text[: MAX_TEXT + 1])
            self._length += len(text)

    def heard(self):
        text = "".join(self._text or ())[: MAX_TEXT + 1]
        self._text = None
        return text


class _Links(_Handler):
    """Relationships of a part: `found` is {id: (kind, target)}; those to the outside are left out."""

    def __init__(self):
        super().__init__()
        self.found = {}

    def opened(self, tag, attributes):
        if tag == "Relationship" and attributes.get("TargetMode") != "External":
            kind = attributes.get("Type", "").rpartition("/")[2]
            self.found[attributes.get("Id")] = (kind, attributes.get("Target", ""))


class _Contents(_Handler):
    """Names and relationships of the sheets, and from which year days are counted."""

    def __init__(self):
        super().__init__()
        self.sheets = []
        self.day_zero = datetime.date(1899, 12, 30)

    def opened(self, tag, attributes):
        if tag == "sheet":
            key = next((value for name, value in attributes.items() if name.endswith(":id")), None)
            self.sheets.append((attributes.get("name", "")[:MAX_TEXT], key))
        elif tag == "workbookPr" and attributes.get("date1904") in ("1", "true"):
            self.day_zero = datetime.date(1904, 1, 1)


class _Strings(_Handler):
    """The texts that cells refer to by number."""

    def __init__(self):
        super().__init__()
        self.found = []
        self._parts = None
        self._aside = False  # in a reading aid to Asian text, which is no part of it

    def opened(self, tag, attributes):
        if tag == "si":
            self._parts = []
        elif tag == "rPh":
            self._aside = True
        elif tag == "t" and self._parts is not None and not self._aside:
            self.listen()

    def closed(self, tag):
        if tag == "t" and self._parts is not None and not self._aside:
            self._parts.append(self.heard())
        elif tag == "rPh":
            self._aside = False
        elif tag == "si":
            self.found.append("".join(self._parts)[: MAX_TEXT + 1])
            self._parts = None


class _Cells(_Handler):
    """The rows of a sheet that hold anything."""

    def __init__(self, strings, n_rows_left):
        super().__init__()
        self.rows = {}
        self._strings = strings
        self._n_rows_left = n_rows_left
        self._number = 0
        self._column = 0
        self._kind = "n"
        self._value = self._formula = None
        self._aside = False

    def opened(self, tag, attributes):
        if tag == "row":
            number = attributes.get("r")
            self._number = int(number) if number else self._number + 1
            if not 1 <= self._number <= _LAST_ROW or self._number in self.rows:
                raise _Refused(f"row {self._number} is there twice, or cannot be")
            self._column = 0
        elif tag == "c":
            reference = attributes.get("r")
            if reference:
                match = _REFERENCE.fullmatch(reference)
                if not match or int(match[2]) != self._number:
                    raise _Refused(f"cell {reference[:20]!r} in row {self._number}")
                self._column = 0
                for letter in match[1]:
                    self._column = 26 * self._column + ord(letter) - 64
            else:
                self._column += 1
            self._kind = attributes.get("t", "n")
            self._value = self._formula = None
        elif tag == "rPh":
            self._aside = True
        elif tag in ("v", "f") or (tag == "t" and not self._aside):
            self.listen()

    def closed(self, tag):
        if tag == "f":
            self._formula = "=" + self.heard()
        elif tag == "v":
            self._value = self.heard()
        elif tag == "t" and not self._aside:
            self._value = ((self._value or "") + self.heard())[: MAX_TEXT + 1]
        elif tag == "rPh":
            self._aside = False
        elif tag == "c":
            self._keep()

    def _keep(self):
        value = self._typed()
        if self._formula is not None:
            value = Formula(self._formula, value)
        if value is None:
            return
        if self._column > MAX_COLUMNS:
            raise _Refused(f"row {self._number} has more than {MAX_COLUMNS} columns; no table of labels has")
        row = self.rows.get(self._number)
        if row is None:
            if len(self.rows) >= self._n_rows_left:
                raise _Refused(f"more than {MAX_ROWS:,} rows; no workbook of labels has")
            row = self.rows[self._number] = []
        row.extend([None] * (self._column - len(row)))
        row[self._column - 1] = value

    def _typed(self):
        text = (self._value or "").strip()
        if not text:
            return None
        if self._kind == "s":
            number = int(text)
            if not 0 <= number < len(self._strings):
                raise _Refused(f"a cell of row {self._number} refers to text {number}, which is not there")
            return self._strings[number].strip() or None
        if self._kind == "b":
            return text == "1"
        if self._kind == "d":
            return datetime.datetime.fromisoformat(text)
        if self._kind != "n":
            return text
        value = float(text)
        return int(value) if abs(value) < 1e15 and value == int(value) else value
