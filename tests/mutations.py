"""Valid files spoiled on purpose: bytes flipped, cut, spliced and repeated, lengths and counts rewritten.

Containers are opened, spoiled inside and closed again, so that what is wrong lies behind a checksum that is
right. Everything is drawn from the generator given, so that a seed gives the same file again.
"""

import bz2
import gzip
import io
import re
import struct
import zipfile
import zlib

# What breaks arithmetic: zero, one, ends of ranges and their neighbours.
_ODD = (
    0,
    1,
    2,
    3,
    7,
    8,
    127,
    128,
    255,
    256,
    65535,
    65536,
    2**24,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**40,
    2**63 - 1,
)
_WIDTHS = {1: "B", 2: "H", 4: "I", 8: "Q"}
_NUMBERS = (
    b"0",
    b"1",
    b"-1",
    b"7",
    b"65535",
    b"65536",
    b"2147483648",
    b"99999999999999999999",
    b"1e999",
    b"nan",
)
_ENCODINGS = ("utf-8", "utf-16", "utf-7", "latin-1", "cp037", "rot13", "zlib", "idna", "none", "..", "big5")
_DIGITS = re.compile(rb"\d+")


def mutated(data, rng, tokens=(), near=(), most=6, keep_length=False):
    """Return bytes spoiled in one to `most` places.

    Parameters
    ----------
    data : bytes
    rng : numpy.random.Generator
    tokens : sequence of bytes
        What the format is made of, to be put in where it does not belong.
    near : sequence of bytes
        Marks round which most of the places lie: headers, tables, lengths.
    most : int
    keep_length : bool
        Only overwrite.
    """
    data = bytearray(data)
    tokens = (*tokens, b"\0" * 64, b"\xff" * 8)
    for _ in range(int(rng.integers(1, most + 1))):
        at = _place(data, rng, near)
        n = int(rng.choice([1, 2, 3, 4, 8, 40, 500, 5000]))
        kind = int(rng.integers(4 if keep_length else 9))
        token = tokens[rng.integers(len(tokens))]
        if kind == 0 and data:
            data[min(at, len(data) - 1)] ^= 1 << rng.integers(8)
        elif kind == 1:
            _overwrite(data, at, rng.bytes(int(rng.integers(1, 9))))
        elif kind == 2:
            width = int(rng.choice(list(_WIDTHS)))
            value = _ODD[rng.integers(len(_ODD))] % 256**width
            _overwrite(data, at, struct.pack("<>"[rng.integers(2)] + _WIDTHS[width], value))
        elif kind == 3:
            _overwrite(data, at, token)
        elif kind == 4:
            data[at:at] = token
        elif kind == 5:
            del data[at : at + n]
        elif kind == 6:
            data[at:at] = bytes(data[at : at + n]) * int(rng.choice([1, 1, 2, 20]))
        elif kind == 7:
            other = _place(data, rng, near)
            data[at : at + n] = data[other : other + n]
        elif rng.random() < 0.3:
            del data[at:]
        else:
            _rewrite_number(data, at, rng)
    return bytes(data)


def _place(data, rng, near):
    if near and rng.random() < 0.8:
        mark = near[rng.integers(len(near))]
        found = data.find(mark, int(rng.integers(0, len(data) + 1)))
        found = data.find(mark) if found < 0 else found
        if found >= 0:
            return min(len(data), max(0, found + int(rng.integers(-24, 120))))
    return int(rng.integers(0, len(data) + 1))


def _overwrite(data, at, new):
    new = new[: max(len(data) - at, 0)]
    data[at : at + len(new)] = new


def _rewrite_number(data, at, rng):
    """Another value for the first decimal number behind a place."""
    match = _DIGITS.search(data, at, at + 400)
    if match:
        data[match.start() : match.end()] = _NUMBERS[rng.integers(len(_NUMBERS))]


def mutated_gzip(plain, rng, **known):
    """A gzip file spoiled inside, outside, or in what it says of itself."""
    kind = int(rng.integers(5))
    if kind == 0:
        return gzip.compress(mutated(plain, rng, **known), int(rng.integers(0, 3)))
    whole = gzip.compress(plain, int(rng.integers(0, 3)))
    if kind == 1:
        return mutated(whole, rng, (b"\x1f\x8b\x08", whole[:30]))
    if kind == 2:  # the trailer's checksum and length
        return whole[:-8] + mutated(whole[-8:], rng, keep_length=True)
    if kind == 3:
        return whole[: int(rng.integers(len(whole)))]
    return whole + mutated(whole, rng)[: int(rng.integers(len(whole)))]


def mutated_bzip2(plain, rng, **known):
    """The same for bzip2."""
    if rng.random() < 0.3:
        return bz2.compress(mutated(plain, rng, **known), 1)
    whole = bz2.compress(plain, 1)
    if rng.random() < 0.3:
        return whole + mutated(whole, rng)[: int(rng.integers(len(whole)))]
    return mutated(whole, rng, (b"BZh9", b"1AY&SY", b"\x17rE8P\x90"))


def mutated_zip(whole, rng, tokens=(), near=()):
    """A zip file with one part spoiled and its checksum right, or the zip itself spoiled."""
    if rng.random() < 0.25:
        return mutated(whole, rng, (b"PK\1\2", b"PK\3\4", b"PK\5\6"), (b"PK\1\2", b"PK\5\6", b"PK\3\4"))
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        parts = {info.filename: archive.read(info) for info in archive.infolist()}
    for _ in range(int(rng.integers(1, 3))):
        name = list(parts)[rng.integers(len(parts))]
        kind = rng.integers(8)
        if kind == 0 and len(parts) > 1:
            del parts[name]
        elif kind == 1:
            parts[f"../{name}"] = parts.pop(name)
        elif kind == 2:
            start = f'<?xml version="1.0" encoding="{_ENCODINGS[rng.integers(len(_ENCODINGS))]}"?>'.encode()
            parts[name] = start + parts[name].partition(b"?>")[2]
        else:
            parts[name] = mutated(parts[name], rng, tokens, near)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


def mutated_save_file(records, rng, write, tokens):
    """An IDL save file whose records are spoiled, compressed or not, before they are put together."""
    spoiled = [(kind, mutated(body, rng, tokens, (b"SKYMAP", b"FULL_"))) for kind, body in records]
    whole = write(spoiled, compressed=bool(rng.random() < 0.5))
    if rng.random() < 0.3:
        whole = mutated(whole, rng, (b"SR\0\4", zlib.compress(bytes(2000))))
    return whole
