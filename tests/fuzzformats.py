"""The formats that `fuzz.py` drives: valid files of each, how they are spoiled, and how they are read.

A format joins by a class with `write(rng)`, which returns the path of a spoiled file, and `read(path)`, which
calls what the commands call, and by its line in FORMATS.
"""

import bz2
import datetime
import gzip

import fitswriter
import fuzzcontainers
import mutations
import naive
import numpy as np
import sanitize
import savwriter
import synthetic

MINUTE = "20140310_0600_gill_themis19_full.pgm"
_HEADER_MARKS = (b"P5\n", b"256 256\n", b"65535\n", b'#"Image request start"')


class WrongFrameError(Exception):
    """A frame was given that the file does not hold, or one was lost that is whole in it."""


class Minutes:
    """Minute files; each frame given must stand in the file, and each that stands there must be given."""

    def __init__(self, folder):
        self.path = folder / MINUTE
        self.images = [synthetic.pixels(n, seed=n) // 64 * 64 for n in (1, 3)]
        self.plain = [synthetic.minute(images) for images in self.images]

    def write(self, rng):
        plain = self.plain[rng.integers(len(self.plain))]
        self.path.write_bytes(self.spoiled(plain, rng))
        return self.path

    def spoiled(self, plain, rng):
        if rng.random() < 0.5:
            return sanitize.mutated(plain, rng)
        return mutations.mutated(plain, rng, sanitize.TOKENS, _HEADER_MARKS)

    def inflated(self, data):
        return data

    def read(self, path):
        from pulsaurora.imaging.themis import read_frames, read_minute

        data = self.inflated(path.read_bytes())
        for frames in (read_minute(path), read_frames([path], 1)):
            if (np.diff(frames.times) <= np.timedelta64(0)).any():
                raise WrongFrameError("times do not ascend")
            for image in frames.images:
                if data is not None and data.find(image.astype(">u2").tobytes()) < 0:
                    raise WrongFrameError("one that the file does not hold")
        if data is not None:
            _check_none_lost(data)


def _check_none_lost(data):
    """Whole frames between headers are found, unless they lie inside of another that is whole."""
    from pulsaurora._core import _pgm

    table = np.empty((len(data) // _pgm.FRAME_BYTES, _pgm.N_FRAME_COLUMNS), np.int64)
    events = np.empty((8, _pgm.N_EVENT_COLUMNS), np.int64)
    n_frames, _ = _pgm.scan_frames(data, table, events)
    starts = table[:n_frames, _pgm.PIXELS_START].tolist()
    for start in sanitize.whole_frames(data):
        if start not in starts and not any(0 < start - one < _pgm.FRAME_BYTES for one in starts):
            raise WrongFrameError(f"that at byte {start} is lost")


class Gzipped(Minutes):
    """The same, gzipped; what the oracle inflates is what the frames must stand in."""

    def __init__(self, folder):
        super().__init__(folder)
        self.path = folder / f"{MINUTE}.gz"

    def spoiled(self, plain, rng):
        return mutations.mutated_gzip(plain, rng, tokens=sanitize.TOKENS, near=_HEADER_MARKS)

    def inflated(self, data):
        try:
            return gzip.decompress(data)
        except Exception:
            return naive.inflated_as_far_as_it_goes(data) if len(data) < 60_000 else None


class Bzipped(Minutes):
    """The same, with bzip2."""

    def __init__(self, folder):
        super().__init__(folder)
        self.path = folder / f"{MINUTE}.bz2"

    def spoiled(self, plain, rng):
        return mutations.mutated_bzip2(plain, rng, tokens=sanitize.TOKENS, near=_HEADER_MARKS)

    def inflated(self, data):
        try:
            return bz2.decompress(data)
        except Exception:
            return None


class Fits:
    """PFRR images, plain and gzipped."""

    tokens = (
        b"SIMPLE  =                    T".ljust(80),
        b"NAXIS   =                    2".ljust(80),
        b"NAXIS1  =           2147483647".ljust(80),
        b"NAXIS1  =                  -512".ljust(80),
        b"BITPIX  =                  -64".ljust(80),
        b"BITPIX  =                   99".ljust(80),
        b"BSCALE  =                1E400".ljust(80),
        b"BZERO   =                32768".ljust(80),
        b"BLANK   =                    0".ljust(80),
        b"EXTEND  =                    T".ljust(80),
        b"XTENSION= 'BINTABLE'".ljust(80),
        b"ZIMAGE  =                    T".ljust(80),
        b"GROUPS  =                    T".ljust(80),
        b"PCOUNT  =           4000000000".ljust(80),
        b"CONTINUE  'x'".ljust(80),
        b"HIERARCH a b c = 'x'".ljust(80),
        b"END".ljust(80),
        b"'",
        b"/",
        b"\xff",
        b"&'",
        b"OBSDATE = '9999-99-99'".ljust(80),
        b"OBSSTART= '25:61:61.5'".ljust(80),
        b"GLAT    =                  NaN".ljust(80),
    )

    def __init__(self, folder):
        self.path = folder / fitswriter.name_of()
        pixels = fitswriter.counts()
        self.files = [
            fitswriter.fits_bytes(pixels),
            fitswriter.fits_bytes(pixels, extra_axis=True),
            fitswriter.fits_bytes(pixels.astype(np.float32), dtype=">f4", bitpix=-32),
        ]

    def write(self, rng):
        data = self.files[rng.integers(len(self.files))]
        header = mutations.mutated(data[:2880], rng, self.tokens, (b"NAXIS", b"BITPIX", b"OBS", b"END"))
        data = header + data[2880:] if rng.random() < 0.8 else mutations.mutated(data, rng, self.tokens)
        data = gzip.compress(data, 1) if rng.random() < 0.1 else data
        self.path.write_bytes(data)
        return self.path

    def read(self, path):
        from pulsaurora.imaging.pfrr import read_calibration, read_pfrr

        frames = read_pfrr(path)
        if len(frames) > 1 or (len(frames) and frames.images.max() > 16384):
            raise WrongFrameError("more than one, or with counts beyond the imager's")
        if frames.problems and not len(frames):
            read_calibration({"el": path})


class Skymaps:
    """IDL save files."""

    tokens = (
        savwriter.long(-1),
        savwriter.long(2**31 - 1),
        savwriter.long(8, 0x34),
        savwriter.long(9),
        b"\0\0\0\7",
    )

    def __init__(self, folder):
        self.path = folder / "themis_skymap_gill_20130901-+_v02.sav"
        fields = savwriter.skymap_fields()
        self.records = [(2, savwriter.variable("SKYMAP", fields))]

    def write(self, rng):
        self.path.write_bytes(
            mutations.mutated_save_file(self.records, rng, savwriter.save_file, self.tokens)
        )
        return self.path

    def read(self, path):
        from pulsaurora.imaging.skymap import read_skymap

        skymap = read_skymap(path)
        if skymap.elevation.shape != (256, 256):
            raise WrongFrameError("elevation of another shape")


class Texts:
    """Classification files and tables of labels, as text."""

    tokens = (
        b"20140310,06:00:00,3,pulsating,0.5\n",
        b"date,time,prediction,prediction_str,confidence\n",
        b"# model: ",
        b"# inputs: \xff\n",
        b",",
        b"\n",
        b"\r",
        b'"',
        b"'=1+1",
        b"\xef\xbb\xbf",
        b"99999999",
        b"24:61:61",
        b"nan",
        b"9" * 5000,
        b"\xed\xa0\x80",
        b"1e-400",
        "\N{ARABIC-INDIC DIGIT TWO}".encode(),
    )

    def __init__(self, folder):
        from pulsaurora.archive import labels, tables

        self.paths = (folder / "20140310_gill_themis19_classifications.txt", folder / "labels.csv")
        times = synthetic.frame_times(40)
        table = {"time": times, "label": np.arange(40) % 4, "confidence": np.linspace(0, 1, 40)}
        tables.write_classifications(self.paths[0], table, {"version": "0", "model": "x", "inputs": "y"})
        book = fuzzcontainers.workbooks.write_sheets(folder / "labels.xlsx", fuzzcontainers.SHEETS)
        labels.write_labels(self.paths[1], labels.read_labels(book, problems=[]))
        self.whole = {path: path.read_bytes() for path in self.paths}

    def write(self, rng):
        path = self.paths[rng.integers(2)]
        path.write_bytes(mutations.mutated(self.whole[path], rng, self.tokens, (b"\n", b"#", b",")))
        return path

    def read(self, path):
        from pulsaurora.archive import labels, tables

        if path.suffix == ".csv":
            labels.read_labels(path, problems=[])
            return
        tables.read_about(path)
        table = tables.read_classifications(path, [])
        if not (table["time"].is_monotonic_increasing and table["confidence"].between(0, 1).all()):
            raise WrongFrameError("rows out of order or confidence that is none")


class DayFiles(fuzzcontainers.DayFiles):
    """HDF5 day files, ours and others'."""

    def read(self, path):
        from pulsaurora.archive.dayfile import read_dayfile
        from pulsaurora.archive.daynights import find_dayfile_nights
        from pulsaurora.imaging.nightreader import open_minutes

        date = datetime.date(2014, 3, 10)
        for night in find_dayfile_nights(path.parent, date, date)[0]:
            with open_minutes(night) as read_minute:
                for minutes in night.hours.values():
                    for minute in minutes:
                        read_minute(minute)
        with read_dayfile(path) as day:
            day.noted_problems(), day.frame_table(), day.skymap("elevation")
            for number in range(min(len(day), 20)):
                image = day[number]
                if number in self.untouched and not np.array_equal(image, self.images[number]):
                    raise WrongFrameError(f"frame {number}, whose bytes are as they were")


FORMATS = {
    "pgm": Minutes,
    "gzip": Gzipped,
    "bzip2": Bzipped,
    "fits": Fits,
    "sav": Skymaps,
    "text": Texts,
    "xlsx": fuzzcontainers.Workbooks,
    "hdf5": DayFiles,
    "onnx": fuzzcontainers.Models,
    "parquet": fuzzcontainers.Tables,
}
