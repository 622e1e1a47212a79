"""Nights made of a few minutes, repeated under new names with the frames' own times moved along.

The minutes are real ones where they are at hand beside the checkout, simulated ones elsewhere: pixels that
compress as a camera's do, at one frame in 3 s. Repeating costs little, simulating a night minutes.
"""

import datetime
import gzip
import re
from pathlib import Path

from isal import igzip

ROOT = Path(__file__).resolve().parents[1]
REAL = ROOT.parent / "shared/data/stream0/2014/03/10/gill_themis19/ut06"
DATE = datetime.date(2014, 3, 10)
DEVICE = "gill_themis19"
_NAME = re.compile(r"(\d{4})(\d\d)(\d\d)_(\d\d)(\d\d)_")


def real_minutes():
    """The six real minute files, five of them compressed; none where they are not at hand."""
    return sorted(REAL.glob("*_full.pgm*"))


def simulated_minutes(folder, n_minutes=6):
    """Simulate minute files of the same site; pulsating aurora, so that every kernel has its full work."""
    from pulsaurora.simulation.night import simulate_minutes, write_stream0

    script = [("pulsating_patchy", n_minutes)]
    start = f"{DATE}T06:00"
    return write_stream0(
        folder, simulate_minutes(1, start, n_minutes, site=DEVICE[:4], script=script, skip=False)
    )


def repeat(sources, root, n_minutes, date=DATE, hour=0, fast=False):
    """Write a night of minute files from `hour` on, each a copy of the next of `sources`.

    Parameters
    ----------
    sources : list of Path
    root : Path
        A stream0 tree.
    n_minutes : int
    date : datetime.date
    hour : int
    fast : bool
        Compress with ISA-L's lowest level, 20 times as fast as with zlib's level 6, which the archive's files
        look made with; for nights whose memory is measured, not their speed.

    Returns
    -------
    list of Path
        In time order.
    """
    plain = [_plain(source) for source in sources]
    paths = []
    for number in range(n_minutes):
        source, (data, was, packed) = sources[number % len(sources)], plain[number % len(sources)]
        clock = datetime.datetime.combine(date, datetime.time(hour)) + datetime.timedelta(minutes=number)
        data = data.replace(was, f"{clock:%Y-%m-%d %H:%M:}".encode())
        suffixes = "".join(source.suffixes)
        name = f"{clock:%Y%m%d_%H%M}_{DEVICE}_full{suffixes}"
        path = root / f"{clock:%Y/%m/%d}" / DEVICE / f"ut{clock:%H}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if packed:
            data = igzip.compress(data, 0) if fast else gzip.compress(data, 6)
        path.write_bytes(data)
        paths.append(path)
    return paths


def _plain(path):
    """What a minute file holds, how its frames' times begin, and whether it is compressed."""
    data = path.read_bytes()
    packed = data[:2] == b"\x1f\x8b"
    year, month, day, hour, minute = _NAME.match(path.name).groups()
    return (
        gzip.decompress(data) if packed else data,
        f"{year}-{month}-{day} {hour}:{minute}:".encode(),
        packed,
    )
