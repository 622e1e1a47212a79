"""Simulated minutes written as the archive keeps real ones, with their truth beside them."""

import csv
import io
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import deflate
import numpy as np

from pulsaurora.archive.layout import find_nights, plain_text
from pulsaurora.classes import CLASSES
from pulsaurora.problems import UsageError

TRUTH_COLUMNS = ("time", "label", "label_str", "scene", "pulsating_fraction")


def write_stream0(out, minutes):
    """Write minutes as stream0 files and their truth as CSV.

    Parameters
    ----------
    out : str or Path
        The stream0 root: files go to OUT/YYYY/MM/DD/SITE_IMAGER/utHH/, the truth of each night to
        OUT/truth/YYYYMMDD_SITE_IMAGER_truth.csv, written anew by each call.
    minutes : iterable of SimulatedMinute

    Returns
    -------
    list of Path
        The image files, in the order written. Each appears whole or not at all; the same minutes give
        the same bytes.
    """
    out = Path(out)
    paths, truths = [], {}
    for minute in minutes:
        if not len(minute.times):
            continue
        moment = minute.times[0].astype("datetime64[s]").item()
        device = f"{minute.site}_{minute.imager}"
        folder = out / f"{moment:%Y/%m/%d}" / device / f"ut{moment:%H}"
        path = folder / f"{moment:%Y%m%d_%H%M}_{device}_full.pgm.gz"
        _write_whole(path, _gzip(_minute_bytes(minute)))
        paths.append(path)
        name = f"{moment:%Y%m%d}_{device}_truth.csv"
        # Rows, not minutes: a night of images would not fit in memory.
        truths.setdefault(name, [",".join([*TRUTH_COLUMNS, *minute.truth]) + "\n"]).append(
            _truth_rows(minute)
        )
    for name, parts in truths.items():
        _write_whole(out / "truth" / name, "".join(parts).encode())
    return paths


def refuse_other_minutes(out, site, imager, start, n_minutes):
    """Refuse to write a night where minutes of it lie that would stay, and have no truth any more.

    Parameters
    ----------
    out : path-like
        The stream0 root; need not be there.
    site, imager : str
    start : datetime64
        First minute that is to be written, UTC.
    n_minutes : int

    Raises
    ------
    UsageError
        If there are minute files of that site and imager, on the same UT dates, before or after those.
    """
    out, start = Path(out), np.datetime64(start, "m").item()
    end = start + timedelta(minutes=n_minutes)
    if not out.is_dir():
        return
    last = end - timedelta(minutes=1)
    nights, _ = find_nights(out, start.date(), last.date(), [site])
    for night in nights:
        midnight = datetime.combine(night.date, datetime.min.time())
        moments = [midnight + timedelta(hours=each.hour, minutes=each.minute) for each in night.minutes]
        others = [moment for moment in moments if not start <= moment < end]
        if night.imager == imager and others:
            raise UsageError(
                f"{plain_text(night.folders[0])}: holds {len(others)} minutes besides those to be simulated, "
                f"{min(others):%H:%M} to {max(others):%H:%M} UT, whose truth would be lost; "
                "remove that folder or simulate into another"
            )


def _write_whole(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    partial.write_bytes(data)
    os.replace(partial, path)


def _gzip(data):
    # libdeflate leaves the time and the name out of the gzip header, so bytes repeat; pixels barely compress.
    return bytes(deflate.gzip_compress(data, 1))


def _stamp(time):
    return f"{np.datetime64(time, 'us').item().replace(tzinfo=UTC):%Y-%m-%d %H:%M:%S.%f} UTC"


def _minute_bytes(minute):
    first = int((minute.times[0] - np.datetime64("2005-01-01", "us")) / np.timedelta64(3, "s"))
    numbers = first + np.rint((minute.times - minute.times[0]) / np.timedelta64(3, "s")).astype(int)
    out = bytearray()
    for k, (image, time) in enumerate(zip(minute.images, minute.times, strict=True)):
        readout_ms = 984.8 + (int(time.astype(np.int64)) % 997) / 2000
        header = ["P5"]
        if k == 0:
            header += [
                '#"Revised" 2006-05-22',
                '#"Project unique ID" themis-gbo',
                f'#"Site unique ID" {minute.site}',
                f'#"Imager unique ID" {minute.imager}',
                '#"Imager model" simulated 256x256 all-sky imager',
                '#"Imager comment" pulsaurora simulate',
                '#"Ccd type" simulated',
                '#"Ccd xsize" 752 pixels',
                '#"Ccd ysize" 290 pixels',
                '#"Pixel depth" 16 bits',
                '#"Optical type" THEMIS all-sky',
                '#"Project unique ID" THEMIS',
                f'#"Site unique ID" {minute.site}',
                f'#"Site name" {minute.site} (simulated)',
                f'#"Geodetic latitude" {minute.latitude:.4f}',
                f'#"Geodetic Longitude" {minute.longitude:.4f}',
                '#"Geodetic altitude" 0.0',
            ]
        header += [
            '#"Mode unique ID" full',
            f'#"Mode sequence number" {numbers[k]}',
            '#"CCD device" /dev/ccdA',
            '#"Exposure options" WIDTH=512 HEIGHT=256 XBIN=2 YBIN=1 XOFFSET=126 YOFFSET=22 MSEC=999',
            f'#"Image request start" {_stamp(time)}',
            f'#"Image readout start" {_stamp(time + np.timedelta64(round(readout_ms * 1000), "us"))}',
            f'#"Exposure plus initial readout"    {readout_ms:.2f} ms',
            f"{image.shape[1]} {image.shape[0]}",
            "65535",
            "",
        ]
        out += "\n".join(header).encode("ascii") + image.astype(">u2").tobytes()
    return bytes(out)


def _truth_rows(minute):
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    for k, time in enumerate(minute.times):
        label = int(minute.labels[k])
        rows.writerow(
            [
                f"{time.item():%Y-%m-%dT%H:%M:%S.%fZ}",
                label,
                CLASSES[label],
                minute.scenes[k],
                f"{minute.pulsating_fraction[k]:.5f}",
                *(f"{values[k]:.5g}" for values in minute.truth.values()),
            ]
        )
    return text.getvalue()
