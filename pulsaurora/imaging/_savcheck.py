"""Tell whether an IDL save file is safe to hand to scipy.io.readsav.

readsav trusts the lengths written in a file: a record that points backwards, a structure that claims
two thousand million elements, pointers to pointers or a stream that inflates without end would keep
it busy, or fill the memory, for as long as anyone waits. Here the descriptors are walked once and
everything a skymap has no use for is refused. Values are left to readsav.

The format holds data alone: readsav neither unpickles nor runs anything, and skips compiled routines.
"""

import struct
import zlib

# A THEMIS skymap is 3.5 MB.
MAX_BYTES = 64 << 20
_VARIABLE, _END = 2, 6
# Timestamp, identification, version, heap header, 64-bit promotion, notice, description.
_HARMLESS = {10, 13, 14, 15, 17, 19, 20}
_STRUCTURE, _ARRAY = 32, 4
_MAX_NESTING, _MAX_TAGS = 4, 200


class _Body:
    """The bytes of one record, read in order; every read is checked against its end."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, n):
        if not 0 <= n <= len(self.data) - self.at:
            raise ValueError(f"a length of {n} bytes where {len(self.data) - self.at} are left")
        piece = self.data[self.at : self.at + n]
        self.at += n
        return piece

    def long(self):
        return struct.unpack(">i", self.take(4))[0]

    def text(self):
        n = self.long()
        text = bytes(self.take(max(n, 0))).decode("latin1")
        self.at = min(-(-self.at // 4) * 4, len(self.data))
        return text


def check_save_file(data):
    """Check the bytes of a save file; raise ValueError saying what was found if they are not safe.

    Parameters
    ----------
    data : bytes
        The whole file.
    """
    names = []
    for kind, body in _records(memoryview(data)):
        if kind == _VARIABLE:
            body = _Body(body)
            names.append(body.text())
            _check_type(body)
        elif kind not in _HARMLESS:
            raise ValueError(f"a record of type {kind}, which no skymap holds")
    if not names:
        raise ValueError("no variables")


def _records(data):
    """Yield (type, body) of each record before the end marker; inflates compressed ones, within bounds."""
    if bytes(data[:2]) != b"SR":
        raise ValueError(f"it begins with {bytes(data[:4])!r}, an IDL save file with b'SR'")
    compressed = {b"\x00\x04": False, b"\x00\x06": True}.get(bytes(data[2:4]))
    if compressed is None:
        raise ValueError(f"save format {bytes(data[2:4])!r}, expected 4 or 6 (compressed)")
    at, inflated = 4, 0
    while True:
        if at + 16 > len(data):
            raise ValueError(f"it ends at byte {len(data)}, before its end marker")
        kind, low, high, _ = struct.unpack(">iIIi", data[at : at + 16])
        if kind == _END:
            return
        following = low + (high << 32)
        if not at + 16 <= following <= len(data):
            raise ValueError(f"a record at byte {at} says it ends at {following} of {len(data)}")
        body = data[at + 16 : following]
        # readsav takes compressed records to begin 12 bytes after theirs as here: type, next, spare.
        if compressed:
            inflater = zlib.decompressobj()
            try:
                body = memoryview(inflater.decompress(body, MAX_BYTES - inflated + 1))
            except zlib.error as error:
                raise ValueError(f"a compressed record at byte {at} is broken ({error})") from None
            inflated += len(body)
            if inflated > MAX_BYTES:
                raise ValueError(f"it inflates past {MAX_BYTES >> 20} MB")
        yield kind, body
        at = following


def _check_type(body):
    """Walk one type descriptor: code, flags, then the array's and the structure's."""
    code, flags = body.long(), body.long()
    if code in (10, 11):
        raise ValueError("pointers, which no skymap holds")
    if flags & _STRUCTURE:
        _check_array(body, is_structure=True)
        _check_structure(body, 0)
    elif flags & _ARRAY:
        _check_array(body)


def _check_array(body, is_structure=False):
    start = body.long()
    if start != 8:
        raise ValueError(f"array descriptor {start}, expected 8 (32-bit lengths)")
    _, n_bytes, n_elements, n_dims, _, _, n_max = (body.long() for _ in range(7))
    if not (0 <= n_bytes <= MAX_BYTES and 0 <= n_elements <= MAX_BYTES and 1 <= n_dims <= n_max <= 8):
        raise ValueError(f"an array of {n_bytes} bytes, {n_elements} elements, {n_dims} dimensions")
    if is_structure and n_elements != 1:
        raise ValueError(f"a structure of {n_elements} elements, expected one")
    body.take(4 * n_max)


def _check_structure(body, depth):
    if depth == _MAX_NESTING:
        raise ValueError(f"structures nested more than {_MAX_NESTING} deep")
    if body.long() != 9:
        raise ValueError("a structure without its descriptor")
    body.text()
    predefined, n_tags, _ = body.long(), body.long(), body.long()
    # A reference to a structure told earlier could make few bytes mean endless work.
    if predefined & 7 or not 1 <= n_tags <= _MAX_TAGS:
        raise ValueError(f"a structure of {n_tags} tags, flags {predefined}")
    flags = []
    for _ in range(n_tags):
        if body.long() == -1:
            body.take(8)
        code = body.long()
        if code in (10, 11):
            raise ValueError("pointers, which no skymap holds")
        flags.append(body.long())
    for _ in range(n_tags):
        body.text()
    # An array tag has its lengths here; a structure tag is flagged as an array as well.
    for flag in flags:
        if flag & _ARRAY:
            _check_array(body, is_structure=bool(flag & _STRUCTURE))
        elif flag & _STRUCTURE:
            raise ValueError("a structure without lengths")
    for flag in flags:
        if flag & _STRUCTURE:
            _check_structure(body, depth + 1)
