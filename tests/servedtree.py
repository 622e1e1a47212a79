"""Files as the archives hold them, small, for the servers of `servers`."""

import gzip
import os
from pathlib import Path

import numpy as np
import openpyxl


def a_minute(name, n_bytes=60_000):
    """Bytes of about that many that begin as the name's ending says, and differ from name to name."""
    rng = np.random.default_rng(sum(name.encode()))
    noise = rng.integers(0, 256, n_bytes, np.uint8).tobytes()
    if name.endswith(".gz"):
        return gzip.compress(noise, 1)
    return {".bz2": b"BZh9", ".pgm": b"P5\n", ".sav": b"SR\x00\x04"}.get(
        name[name.rfind(".") :], b"SIMPLE  "
    ) + noise


def write(root, path, body=None):
    """Write a file of the archive, with a time of long ago."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(a_minute(file.name) if body is None else body)
    os.utime(file, (1.3e9, 1.3e9))
    return file


def a_night(root, site="gill", imager="themis19", date="20140310", hours=(5, 6), n_minutes=3):
    """Write one night of the archive with all that lies beside its frames; returns the frames' paths."""
    folder = f"{date[:4]}/{date[4:6]}/{date[6:]}/{site}_{imager}"
    frames = []
    for hour in hours:
        for minute in range(n_minutes):
            suffix = ".pgm" if (hour, minute) == (hours[0], 0) else ".pgm.gz"
            frames.append(f"{folder}/ut{hour:02}/{date}_{hour:02}{minute:02}_{site}_{imager}_full{suffix}")
            write(root, frames[-1])
        write(root, f"{folder}/ut{hour:02}/{date}_{hour:02}00_{site}_{imager}_wide.pgm.gz")
        write(root, f"{folder}/ut{hour:02}/{date}_{hour:02}_{site}_{imager}_row2.pgm.gz")
        write(root, f"{folder}/ut{hour:02}/.hidden")
    write(root, f"{folder}/readme.txt")
    return frames


def files_in(folder):
    """Every file under a folder, hidden ones too: {path: bytes}."""
    folder = Path(folder)
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


def workbook(path, rows, header=("Date", "camera", "Start time", "End time", "Classification")):
    """A workbook of labels in one of the layouts that people use."""
    path.parent.mkdir(parents=True, exist_ok=True)
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "themis"
    sheet.append(header)
    for date, site in rows:
        sheet.append([date, site, "05:00:00", "05:10:00", "p"])
    book.save(path)
    return path
