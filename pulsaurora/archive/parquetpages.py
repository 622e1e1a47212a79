"""What the pages of a Parquet file say they inflate to, told without inflating any.

A reader of Parquet sets aside what the header before each page claims, up to 2 GB a page and column, whatever
the file's own summary says. Headers, and the footer that tells where they are, are structs of Thrift's
compact protocol, skipped over here but for the few numbers that matter. pyarrow could tell where pages are,
but where a footer's statistics of sizes do not fit its schema it ends the process.
"""

from dataclasses import dataclass

from pulsaurora.problems import UnreadableFileError

_FIRST_BYTES, _LONGEST_HEADER, _LONGEST_FOOTER = 1024, 2**20, 2**20
_MAGIC = b"PAR1"
_DEEPEST, _LONGEST_VARINT = 16, 10
# Fields of PageHeader, and of the headers of data pages (versions 1 and 2) within it.
_INFLATED, _STORED, _NUMBER_OF_VALUES = 2, 3, 1
_DATA_PAGES = (5, 8)
# Fields of FileMetaData, RowGroup, ColumnChunk and ColumnMetaData.
_ROW_GROUPS, _COLUMNS, _META_DATA = 4, 1, 3
_VALUES, _COMPRESSED, _DATA_OFFSET, _DICTIONARY_OFFSET = 5, 7, 9, 11
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)


@dataclass(frozen=True)
class Chunk:
    """Where the pages of one column are in one group of rows, as the file's footer tells."""

    num_values: int
    total_compressed_size: int
    data_page_offset: int
    dictionary_page_offset: int | None

    @property
    def has_dictionary_page(self):
        """Whether a dictionary comes before the values."""
        return self.dictionary_page_offset is not None


def read_chunks(file):
    """Return the column chunks of each row group of a Parquet file, as its footer lists them.

    Parameters
    ----------
    file : binary file

    Returns
    -------
    list of list of Chunk

    Raises
    ------
    UnreadableFileError
        If the footer is none, or longer than that of any table of a night; the message has no file's name.
    """
    size = file.seek(0, 2)
    file.seek(max(size - 8, 0))
    tail = file.read(8)
    length = int.from_bytes(tail[:4], "little")
    if len(tail) < 8 or tail[4:] != _MAGIC or length > size - 8:
        raise UnreadableFileError("no footer of a Parquet file")
    if length > _LONGEST_FOOTER:
        raise UnreadableFileError(f"a footer of {length:,} bytes; {_LONGEST_FOOTER:,} is the most")
    file.seek(size - 8 - length)
    try:
        footer, _ = _Compact(file.read(length)).struct()
        return [
            [_chunk(column[_META_DATA]) for column in group[_COLUMNS]] for group in footer[_ROW_GROUPS] or []
        ]
    except (IndexError, KeyError, TypeError):
        raise UnreadableFileError("a damaged footer") from None


def _chunk(fields):
    known = [fields[number] for number in (_VALUES, _COMPRESSED, _DATA_OFFSET)]
    dictionary = fields.get(_DICTIONARY_OFFSET)
    if not all(isinstance(number, int) for number in known) or not isinstance(dictionary, int | None):
        raise UnreadableFileError("a damaged footer")
    return Chunk(*known, dictionary)


def count_inflated(file, chunk):
    """Return how many bytes the pages of one column chunk say they inflate to.

    Pages are followed as far as a reader follows them: until they have the values that the chunk has, or end.

    Parameters
    ----------
    file : binary file
    chunk : Chunk

    Raises
    ------
    UnreadableFileError
        If a page header is none; the message has no file's name.
    """
    at = chunk.data_page_offset
    if chunk.has_dictionary_page and 0 < chunk.dictionary_page_offset < at:
        at = chunk.dictionary_page_offset
    end = at + chunk.total_compressed_size
    if at < 0 or chunk.total_compressed_size < 0:
        raise UnreadableFileError(f"a column that begins at byte {at} and ends at {end}")
    n_values = n_inflated = 0
    while n_values < chunk.num_values and at < end:
        header, length = _read_header(file, at, end)
        inflated, stored = (_number(header, field, at) for field in (_INFLATED, _STORED))
        n_inflated += inflated
        for kind in _DATA_PAGES:
            if isinstance(header.get(kind), dict):
                n_values += _number(header[kind], _NUMBER_OF_VALUES, at)
        at += length + stored
    return n_inflated


def _read_header(file, at, end):
    """Return the fields of the page header at a byte, and its length."""
    n = _FIRST_BYTES
    while True:
        file.seek(at)
        data = file.read(min(n, end - at))
        try:
            return _Compact(data).struct()
        except IndexError:
            if len(data) < n or n >= _LONGEST_HEADER:
                raise UnreadableFileError(f"no page header at byte {at}") from None
            n *= 16


def _number(fields, number, at):
    found = fields.get(number)
    if not isinstance(found, int) or found < 0:
        raise UnreadableFileError(f"a damaged page header at byte {at}")
    return found


class _Compact:
    """Thrift's compact protocol; IndexError where the data end too early."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def struct(self, depth=0):
        """Return a struct's numbers, structs and lists of structs, by their number, and where it ends."""
        if depth > _DEEPEST:
            raise UnreadableFileError("a page header of structs within structs without end")
        fields, number = {}, 0
        while kind := self._byte():
            number = number + (kind >> 4) if kind >> 4 else self._zigzag()
            fields[number] = self._value(kind & 15, depth)
        return fields, self.at

    def _byte(self):
        self.at += 1
        return self.data[self.at - 1]

    def _skip(self, n):
        self.at += n
        if self.at > len(self.data):
            raise IndexError

    def _varint(self):
        value = 0
        for shift in range(0, 7 * _LONGEST_VARINT, 7):
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise UnreadableFileError("a number without end in a page header")

    def _zigzag(self):
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def _value(self, kind, depth, in_list=False):
        if kind in (_TRUE, _FALSE):
            if in_list:
                self._skip(1)
            return None
        if kind in (_I16, _I32, _I64):
            return self._zigzag()
        if kind == _STRUCT:
            return self.struct(depth + 1)[0]
        if kind in (_BYTE, _DOUBLE):
            self._skip(1 if kind == _BYTE else 8)
        elif kind == _BINARY:
            self._skip(self._varint())
        elif kind in (_LIST, _SET):
            size = self._byte()
            n = size >> 4 if size >> 4 < 15 else self._varint()
            values = [self._value(size & 15, depth + 1, True) for _ in range(n)]
            return values if size & 15 == _STRUCT else None
        elif kind == _MAP:
            if n := self._varint():
                kinds = self._byte()
                for _ in range(n):
                    self._value(kinds >> 4, depth + 1, True)
                    self._value(kinds & 15, depth + 1, True)
        else:
            raise UnreadableFileError("a page header with a field of no known kind")
        return None
