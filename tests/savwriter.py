"""Writes small IDL save files for tests: one structure of numbers, arrays, strings and structures."""

import struct
import zlib

import numpy as np

_CODES = {"u1": 1, "i2": 2, "i4": 3, "f4": 4, "f8": 5, "u2": 12}


def long(*values):
    return struct.pack(f">{len(values)}i", *values)


def text(value):
    raw = value.encode("latin1")
    return long(len(raw)) + raw + b"\0" * (-len(raw) % 4)


def array_descriptor(array, n_elements=None, n_bytes=None):
    dims = list(reversed(array.shape)) + [1] * (8 - array.ndim)
    n_elements = array.size if n_elements is None else n_elements
    n_bytes = array.nbytes if n_bytes is None else n_bytes
    return long(8, array.itemsize, n_bytes, n_elements, array.ndim, 0, 0, 8, *dims)


def _code(value):
    if isinstance(value, dict):
        return 8
    return 7 if isinstance(value, str) else _CODES[np.asarray(value).dtype.str[1:]]


def structure_descriptor(fields):
    tags = b""
    for value in fields.values():
        flags = 0x34 if isinstance(value, dict) else 4 if np.ndim(value) else 0
        tags += long(0, _code(value), flags)
    out = long(9) + text("") + long(0, len(fields), 0) + tags + b"".join(text(name) for name in fields)
    for value in fields.values():
        if isinstance(value, dict):
            out += array_descriptor(np.zeros(1, "u1"))
        elif np.ndim(value):
            out += array_descriptor(np.asarray(value))
    return out + b"".join(structure_descriptor(v) for v in fields.values() if isinstance(v, dict))


def _data(value):
    if isinstance(value, dict):
        return b"".join(_data(v) for v in value.values())
    if isinstance(value, str):
        return long(len(value)) + (text(value) if value else b"")
    value = np.asarray(value)
    big = value.astype(value.dtype.newbyteorder(">"))
    if value.dtype.itemsize == 2:  # two-byte numbers are not packed
        big = value.astype(">i4")
    raw = big.tobytes()
    if value.dtype.itemsize == 1:
        raw = long(value.size) + raw if value.ndim else long(1) + raw
    return raw + b"\0" * (-len(raw) % 4)


def variable(name, fields, n_elements=1):
    return (
        text(name)
        + long(8, 0x34)
        + array_descriptor(np.zeros(1, "u1"), n_elements=n_elements)
        + structure_descriptor(fields)
        + long(7)
        + _data(fields)
    )


def save_file(records, compressed=False, end=True):
    """Bytes of a save file holding [(record type, body), ...]."""
    out = b"SR\0\6" if compressed else b"SR\0\4"
    for kind, body in records:
        body = zlib.compress(body) if compressed else body
        out += struct.pack(">iIIi", kind, len(out) + 16 + len(body), 0, 0) + body
    return out + (struct.pack(">iIIi", 6, 0, 0, 0) if end else b"")


def skymap_fields(site="gill", heights=(90000.0, 110000.0, 150000.0), **changes):
    """A plausible skymap's fields: a lens that looks straight up from 128,128."""
    r = np.hypot(*(np.mgrid[:256, :256] - 127.5))
    elevation = (90 - 0.72 * r).astype("f4")
    elevation[elevation < -1] = np.nan
    azimuth = (np.degrees(np.arctan2(*(np.mgrid[:256, :256] - 127.5)[::-1])) % 360).astype("f4")
    azimuth[np.isnan(elevation)] = np.nan
    rows, columns = np.mgrid[:257, :257].astype("f4")
    latitude = np.stack([56.4 + (128 - rows) * 0.02] * len(heights)).astype("f4")
    longitude = np.stack([-94.6 + (columns - 128) * 0.04] * len(heights)).astype("f4")
    fields = {
        "GENERATION_INFO": {"AUTHOR": "test", "VALID_INTERVAL_START": "2013090112"},
        "SITE_UID": site,
        "IMAGER_UID": "themis19",
        "SITE_MAP_LATITUDE": np.float32(56.38),
        "SITE_MAP_LONGITUDE": np.float32(-94.64),
        "FULL_IGNORE": np.zeros((4, 4), "u1"),
        "FULL_SUBTRACT": np.full((4, 4), 2500, "u2"),
        "FULL_ELEVATION": elevation,
        "FULL_AZIMUTH": azimuth,
        "FULL_MAP_ALTITUDE": np.array(heights, "f4"),
        "FULL_MAP_LATITUDE": latitude,
        "FULL_MAP_LONGITUDE": longitude,
    }
    fields.update(changes)
    return {name: value for name, value in fields.items() if value is not None}


def skymap_bytes(compressed=False, **changes):
    return save_file([(2, variable("SKYMAP", skymap_fields(**changes)))], compressed)
