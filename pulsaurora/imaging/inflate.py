"""The bytes of a file, inflated as far as its gzip or bzip2 stream goes.

libdeflate inflates the whole files; it refuses any other, and those go through zlib a
piece at a time, which gives what lies before the damage. Neither takes memory for more than
`LARGEST_BYTES`, whatever a stream holds or claims to hold.
"""

import bz2
import os
import stat
import zlib

import deflate

from pulsaurora._core import _pgm
from pulsaurora.archive.layout import plain_text
from pulsaurora.problems import UnreadableFileError

# A minute holds 20 frames in 2.6 MB, and a few early ones hold more; this is room for 500 frames.
LARGEST_BYTES = 64 * 2**20
# What a gzip trailer may claim for memory to be set aside on its word alone.
_LARGEST_CLAIM = 8 * 2**20

_GZIP_MAGIC = b"\x1f\x8b"
_BZIP2_MAGIC = b"BZh"
_SHORTEST_GZIP = 18
_PIECE_BYTES = 16 * 1024
_MOST_STREAMS = 1000


def read_inflated(path):
    """Read a file and inflate it, going by its first bytes and not by its name.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    data : bytes or bytearray
        What the file holds; for a stream that breaks, what lies before the break.
    complaint : str or None
        What was wrong with the stream, in words that follow the file's name.

    Raises
    ------
    UnreadableFileError
        If there is no such file, it is not a regular one, may not be read, is empty, or it holds
        or inflates to more than `LARGEST_BYTES`.
    """
    return inflate(_read_bytes(path), plain_text(path))


def inflate(data, name="data"):
    """Inflate bytes; see :func:`read_inflated`."""
    if data[:2] == _GZIP_MAGIC:
        return _inflate_gzip(data, name)
    if data[:3] == _BZIP2_MAGIC:
        return _inflate_bzip2(data, name)
    return data, None


def _read_bytes(path):
    name = plain_text(path)
    try:
        # Looked at before it is opened: opening a pipe would wait for its other end.
        if not stat.S_ISREG(os.stat(path).st_mode):
            what = "a folder" if os.path.isdir(path) else "not a regular file"
            raise UnreadableFileError(f"{name}: is {what}, expected a file of frames")
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > LARGEST_BYTES:
                raise UnreadableFileError(
                    f"{name}: has {size} bytes, a file of frames has at most {LARGEST_BYTES}: refused"
                )
            # As large as it was when opened, though it may be growing: what is there now is read.
            data = file.read(size)
    except FileNotFoundError:
        raise UnreadableFileError(f"{name}: no such file") from None
    except (OSError, ValueError) as error:
        if isinstance(error, UnreadableFileError):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise UnreadableFileError(f"{name}: cannot be read ({reason})") from error
    if not data:
        raise UnreadableFileError(f"{name}: is empty (0 bytes)")
    return data


def _inflate_gzip(data, name):
    claimed = int.from_bytes(data[-4:], "little")
    if len(data) >= _SHORTEST_GZIP and 0 < claimed <= _LARGEST_CLAIM:
        try:
            inflated = deflate.gzip_decompress(data, claimed)
        except (deflate.DeflateError, ValueError):
            pass
        else:
            # libdeflate stops at the end of the first member; another would lie further on.
            if len(inflated) == claimed and _is_one_member(data, inflated):
                return inflated, None
    return _stream_gzip(data, name)


def _is_one_member(data, inflated):
    """Tell whether the gzip member that was inflated ends where the data do."""
    if _pgm.find_gzip_member(data, _SHORTEST_GZIP) < 0:
        return True
    # In one file of sixty some bytes look like another's first by chance. A member ends with the checksum and
    # length of what it holds: if the data end so, and nothing does before, the member is the whole of them.
    trailer = deflate.crc32(inflated).to_bytes(4, "little") + (len(inflated) % 2**32).to_bytes(4, "little")
    return data.find(trailer) == len(data) - len(trailer)


def _stream_gzip(data, name):
    """Inflate with zlib, piece by piece, and say where the stream ends or breaks early."""
    view = memoryview(data)
    inflated = bytearray()
    start = 0
    for _ in range(_MOST_STREAMS):
        stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
        while not stream.eof and start < len(data):
            piece = view[start : start + _PIECE_BYTES]
            before, length = stream.copy(), len(inflated)
            try:
                _extend_gzip(inflated, stream, piece, name)
            except zlib.error as error:
                # What the piece gave before it broke is lost with the call: again, byte by byte.
                del inflated[length:]
                used = _salvage_gzip(inflated, before, piece, name)
                return inflated, f"gzip stream breaks at byte {start + used} of {len(data)} ({_plain(error)})"
            start += len(piece)
        if not stream.eof:
            return inflated, f"gzip stream ends early, after {len(data)} bytes"
        start -= len(stream.unused_data)
        if view[start : start + 2] != _GZIP_MAGIC:
            if not bytes(view[start:]).strip(b"\0"):  # padding, as tapes leave it
                return inflated, None
            return inflated, f"{len(data) - start} bytes after the end of the gzip stream are ignored"
    return inflated, f"more than {_MOST_STREAMS} gzip streams in one file, the others are ignored"


def _extend_gzip(inflated, stream, piece, name):
    while True:
        more = stream.decompress(piece, 2**20)
        _append(inflated, more, name)
        piece = stream.unconsumed_tail
        if stream.eof or (not piece and len(more) < 2**20):
            return


def _salvage_gzip(inflated, stream, piece, name):
    """Append what a piece gives before it breaks; return how many of its bytes went in."""
    for used in range(len(piece)):
        try:
            _extend_gzip(inflated, stream, piece[used : used + 1], name)
        except zlib.error:
            return used
    return len(piece)


def _inflate_bzip2(data, name):
    """Inflate bzip2 a little at a time: an error loses what its own call had inflated."""
    view = memoryview(data)
    inflated = bytearray()
    start = 0
    for _ in range(_MOST_STREAMS):
        stream = bz2.BZ2Decompressor()
        while not stream.eof:
            piece = b""
            if stream.needs_input:
                if start >= len(data):
                    return inflated, f"bzip2 stream ends early, after {len(data)} bytes"
                piece = view[start : start + _PIECE_BYTES]
                start += len(piece)
            try:
                _append(inflated, stream.decompress(piece, 4096), name)
            except OSError as error:
                return inflated, f"bzip2 stream breaks before byte {start} of {len(data)} ({_plain(error)})"
        start -= len(stream.unused_data)
        if start == len(data):
            return inflated, None
        if view[start : start + 3] != _BZIP2_MAGIC:
            return inflated, f"{len(data) - start} bytes after the end of the bzip2 stream are ignored"
    return inflated, f"more than {_MOST_STREAMS} bzip2 streams in one file, the others are ignored"


def _append(inflated, more, name):
    inflated += more
    if len(inflated) > LARGEST_BYTES:
        raise UnreadableFileError(
            f"{name}: inflates to more than {LARGEST_BYTES} bytes, far more than a minute of frames: refused"
        )


def _plain(error):
    """The words of an error without zlib's `Error -3 while decompressing data: `."""
    return str(error).rpartition(": ")[2].lower()
