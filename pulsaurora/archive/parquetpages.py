"""What the pages of a Parquet file say they inflate to, told without inflating any.

A reader of Parquet sets aside what the header before each page claims, up to 2 GB a page and column, whatever
the file's own summary says. Headers are small structs of Thrift's compact protocol, skipped over here but for
the few numbers that matter.
"""

from pulsaurora.problems import UnreadableFileError

_FIRST_BYTES, _LONGEST_HEADER = 1024, 2**20
_DEEPEST, _LONGEST_VARINT = 16, 10
# Fields of PageHeader, and of the headers of data pages (versions 1 and 2) within it.
_INFLATED, _STORED, _NUMBER_OF_VALUES = 2, 3, 1
_DATA_PAGES = (5, 8)
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)


def count_inflated(file, chunk):
    """Return how many bytes the pages of one column chunk say they inflate to.

    Pages are followed as far as a reader follows them: until they have the values that the chunk has, or end.

    Parameters
    ----------
    file : binary file
    chunk : pyarrow.parquet.ColumnChunkMetaData

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
        """Return the numbers and structs of a struct, by their number, and where it ends."""
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
            for _ in range(n):
                self._value(size & 15, depth + 1, True)
        elif kind == _MAP:
            if n := self._varint():
                kinds = self._byte()
                for _ in range(n):
                    self._value(kinds >> 4, depth + 1, True)
                    self._value(kinds & 15, depth + 1, True)
        else:
            raise UnreadableFileError("a page header with a field of no known kind")
        return None
