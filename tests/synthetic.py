"""THEMIS minute files made up for tests: the archive's format, written by code that reads none of it."""

import gzip

import numpy as np

FRAME_BYTES = 131072
FIRST_HEADER = """P5
#"Revised" 2006-05-22
#"Project unique ID" themis-gbo
#"Site unique ID" {site}
#"Imager unique ID" {imager}
#"Ccd background" 3300
#"Project unique ID" THEMIS
#"Geodetic latitude" 56.3539
#"Geodetic Longitude" -94.6557
"""
HEADER = """#"Mode unique ID" full
#"Mode sequence number" {number}
#"Image request start" {time} UTC
#"Image readout start" {time} UTC
#"{exposure}"    985.07 ms
256 256
65535
"""


def pixels(n_frames=3, seed=0):
    """Counts as an imager gives them, with header-like bytes among them: uint16 (n, 256, 256)."""
    rng = np.random.default_rng(seed)
    images = rng.normal(3600, 60, (n_frames, 256, 256)).astype(">u2")
    images[:, 200, 13] = 65535
    stored = images.view(np.uint8).reshape(n_frames, -1)
    hidden = ((b"65535\n", 4000), (b"P5\n256 256\n65535\n", 70001), (b'#"Site unique ID" x\n', 131050))
    for text, at in hidden:
        stored[:, at : at + len(text)] = np.frombuffer(text, np.uint8)
    return images.astype(np.uint16)


def header(
    position=0,
    time="2014-03-10 06:00:00.063119",
    site="gill",
    imager="themis19",
    exposure="Exposure plus initial readout",
):
    """Header bytes of one frame; the first of a file names site and imager, the others do not."""
    start = FIRST_HEADER.format(site=site, imager=imager) if position == 0 else "P5\n"
    return (start + HEADER.format(number=2027380 + position, time=time, exposure=exposure)).encode()


def frame_times(n_frames, start="2014-03-10T06:00:00.063119", cadence_s=3):
    return np.datetime64(start, "us") + np.arange(n_frames) * np.timedelta64(cadence_s, "s")


def time_text(time):
    return str(time).replace("T", " ")


def pieces(images, times=None, **known):
    """Header and pixel bytes of each frame: list of (header, pixels)."""
    times = frame_times(len(images)) if times is None else times
    return [
        (header(i, time_text(time), **known), image.astype(">u2").tobytes())
        for i, (image, time) in enumerate(zip(images, times, strict=True))
    ]


def minute(images, times=None, **known):
    """The bytes of a minute file."""
    return b"".join(part for frame in pieces(images, times, **known) for part in frame)


def write_minute(path, images, times=None, **known):
    """Write a minute file, gzipped if its name says so."""
    data = minute(images, times, **known)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data, 1) if path.suffix == ".gz" else data)
    return path


def minute_path(root, start="2014-03-10T06:00", site="gill", imager="themis19", suffix=".pgm.gz"):
    """Where a minute file stands in a stream0 tree."""
    day, clock = start.split("T")
    stem = f"{day.replace('-', '')}_{clock[:2]}{clock[3:5]}_{site}_{imager}_full"
    return root.joinpath(*day.split("-"), f"{site}_{imager}", f"ut{clock[:2]}", stem + suffix)
