"""Day files: all images of one site and UT date, or of one PFRR filter, in one HDF5 file.

`read_dayfile` opens ours and those of other programs with the same datasets, whichever axis counts the
frames and however they are stored. Nothing is read before it is asked for but the times.
"""

import datetime as dt
import json
import re
import threading
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from pulsaurora.archive.framestack import FrameStack
from pulsaurora.archive.hdf5 import (
    find_dataset,
    number_attribute,
    open_hdf5,
    read_whole,
    telling,
    text_attribute,
)
from pulsaurora.archive.hdf5chunks import check_chunks
from pulsaurora.archive.layout import plain_text
from pulsaurora.problems import Problem, UnreadableFileError

MOST_FRAMES = 200_000  # two a second all day long
MOST_PIXELS = 2048
SKYMAP = {
    "altitudes_km": "skymap_alt",
    "latitude": "skymap_glat",
    "longitude": "skymap_glon",
    "elevation": "skymap_elev",
    "azimuth": "skymap_azim",
}
OURS = "pulsaurora"  # the group with what our own files tell beyond the others'

_NAME = re.compile(r"all-images-(\d{4}-\d{2}-\d{2})-(?:(\d{3})|([a-z0-9]{3,4}))\.h5", re.ASCII)
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d(?:\.\d{1,6})?)\d*(?:Z| ?UTC|\+00:00)?", re.ASCII
)


def dayfile_path(out, date, which):
    """Return where a day file is: `OUT/all-images-YYYY-MM-DD-SITE.h5`, or `-WWW.h5` for PFRR.

    Parameters
    ----------
    out : path-like
    date : datetime.date
    which : str or int
        Site such as `gill`, or wavelength in nm such as 558.
    """
    return Path(out) / f"all-images-{date:%Y-%m-%d}-{which}.h5"


def read_dayfile(path):
    """Open a day file, ours or another program's with the same datasets.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    DayFile
        To be closed, or used in a `with` block.

    Raises
    ------
    UnreadableFileError
        If it is no HDF5 file with `images` and `iso_ut_time`, claims more than it holds, or keeps its data
        in other files, which are never read.
    """
    return DayFile(path)


class DayFile:
    """The frames of a day file, read as they are asked for.

    `day[i]` is one image, `day[i:j]` an array of several, iterating gives `(time, image)` pairs, and
    `blocks` gives `(times, images)` of many frames at a time. Frames are in time order whatever order the
    file has, in the file's orientation. Safe to use from threads at once.

    Attributes
    ----------
    path : pathlib.Path
    times : ndarray of datetime64[us], shape (n_frames,)
        UTC. Frames whose time cannot be read are left out and told in `problems`.
    shape : (int, int, int)
        Frames, rows, columns.
    dtype : numpy.dtype
        Of images: uint8, or what another program wrote.
    has_raw16 : bool
        Whether `raw16` has the counts that the images were made from.
    site : str or None
    wavelength : str or None
        nm, or `white`.
    date : datetime.date or None
        As the file's name says, else the date of its first frame.
    latitude, longitude : float or None, degrees north and east
    about : dict
        What pulsaurora noted when it made the file: version, night, imagers, qualities, problems. Empty for
        files of other programs.
    problems : list of Problem
        What is wrong with this file, as far as reading its times has shown.
    """

    def __init__(self, path):
        self.path = Path(path)
        self.problems = []
        self._buffers = threading.local()
        self._file = open_hdf5(self.path)
        try:
            self._read_tables()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        self._file.close()

    def __len__(self):
        return len(self.times)

    @property
    def shape(self):
        return (len(self.times), *self._images.shape)

    @property
    def dtype(self):
        return self._images.dtype

    @property
    def has_raw16(self):
        return self._raw is not None

    def __getitem__(self, key):
        """One image of shape (rows, columns), or several of shape (n, rows, columns)."""
        return self._get(self._images, key)

    def raw16(self, key=slice(None)):
        """Counts as the imager gave them, uint16; by index or slice as the images.

        Raises
        ------
        UnreadableFileError
            If the file was made without them.
        """
        if self._raw is None:
            raise UnreadableFileError(
                f"{plain_text(self.path)}: holds no raw 16-bit frames; `pulsaurora pack --raw16` keeps them"
            )
        return self._get(self._raw, key)

    def __iter__(self):
        for times, images in self.blocks():
            yield from zip(times, images, strict=True)

    def blocks(self, n_frames=None):
        """Yield `(times, images)` of consecutive frames, some 16 MB at a time unless told how many."""
        n_frames = n_frames or self._images.frames_at_once
        for start in range(0, len(self), n_frames):
            yield self.times[start : start + n_frames], self[start : start + n_frames]

    def skymap(self, name):
        """Return `elevation`, `azimuth`, `latitude`, `longitude` or `altitudes_km`; None if not there."""
        return read_whole(self._file, SKYMAP[name])

    def frame_table(self):
        """Return what our own files tell of each frame, in time order; None for other programs' files.

        Returns
        -------
        dict of ndarray of shape (n_frames,), or None
            `minute`: of the UT day, that the frame's own file is named after. `imager` and `quality`: rows
            of `about["imagers"]` and `about["qualities"]`.
        """
        table = {}
        for name, limit in (("minute", 1440), ("imager", "imagers"), ("quality", "qualities")):
            column = read_whole(self._file, f"{OURS}/frame_{name}")
            n = limit if isinstance(limit, int) else len(self.about.get(limit, ()))
            if column is None or column.shape != (self._n_stored,) or column.dtype.kind not in "iu":
                return None
            if column.size and not (column.min() >= 0 and column.max() < n):
                return None
            table[name] = column if self._order is None else column[self._order]
        return table

    def _read_tables(self):
        name = plain_text(self.path)
        images = find_dataset(self._file, "images")
        if images is None or len(images.shape) != 3:
            found = "no dataset `images`" if images is None else f"`images` of shape {images.shape}"
            raise UnreadableFileError(f"{name}: has {found}, expected (256, 256, n) or (n, 512, 512)")
        stored = self._stored_times()
        self._n_stored = len(stored)
        axis = self._frame_axis(images, self._n_stored, "images")
        self._images = FrameStack(self.path, images, axis)
        raw = find_dataset(self._file, "raw_images")
        if raw is not None and (raw.dtype.kind, raw.dtype.itemsize) != ("u", 2):
            raise UnreadableFileError(f"{name}: `raw_images` holds {raw.dtype}, expected uint16")
        self._raw = None
        if raw is not None:
            self._raw = FrameStack(self.path, raw, self._frame_axis(raw, self._n_stored, "raw_images"))
            if self._raw.shape != self._images.shape:
                raise UnreadableFileError(f"{name}: `raw_images` are not of the size of `images`")

        without = np.isnat(stored)
        if without.any():
            reason = f"{without.sum()} of {len(stored)} frames have no readable time, left out"
            self.problems.append(Problem(name, reason, int((~without).sum())))
        self._order = np.argsort(stored, kind="stable")[: len(stored) - int(without.sum())]
        self.times = stored[self._order]
        if len(self._order) == len(stored) and (np.diff(self._order) == 1).all():
            self._order = None
        elif not without.any():
            self.problems.append(Problem(name, "frames are not in time order; put in order", len(stored)))

        named = _NAME.fullmatch(self.path.name)
        self.about = self._our_notes()
        self.site = named[3] if named and named[3] else ("pkr" if named and named[2] else None)
        self.wavelength = text_attribute(images, "wavelength") or (named[2] if named else None)
        self.date = _date(named[1]) if named else None
        if self.date is None and len(self.times):
            self.date = self.times[0].astype("datetime64[D]").item()
        self.latitude = number_attribute(images, "station_latitude", -90, 90)
        self.longitude = number_attribute(images, "station_longitude", -360, 360)

    def _frame_axis(self, dataset, n_frames, what):
        """Which axis counts the frames: the first or the last."""
        shape = dataset.shape
        fits = [axis for axis in (0, 2) if shape[axis] == n_frames]
        if len(fits) == 2:
            # As many frames as pixels: the chunks tell, else frames last as in THEMIS day files.
            chunks = dataset.chunks or shape
            fits = [0] if chunks[0] < chunks[2] or (chunks[0] == chunks[2] and shape[1] > 256) else [2]
        if not fits or n_frames > MOST_FRAMES:
            raise UnreadableFileError(
                f"{plain_text(self.path)}: `{what}` of shape {shape} with {n_frames} times, expected one "
                f"time a frame and at most {MOST_FRAMES} frames"
            )
        rows, columns = shape[1:] if fits[0] == 0 else shape[:2]
        if not (1 <= rows <= MOST_PIXELS and 1 <= columns <= MOST_PIXELS) or dataset.dtype.kind not in "iu":
            raise UnreadableFileError(
                f"{plain_text(self.path)}: `{what}` has frames of {rows} x {columns} {dataset.dtype}, "
                f"expected counts, at most {MOST_PIXELS} pixels a side"
            )
        return fits[0]

    def _stored_times(self):
        name = plain_text(self.path)
        dataset = find_dataset(self._file, "iso_ut_time")
        if dataset is None or len(dataset.shape) != 1 or dataset.shape[0] > MOST_FRAMES:
            found = "is missing" if dataset is None else f"has shape {dataset.shape}"
            raise UnreadableFileError(f"{name}: `iso_ut_time` {found}, expected one time a frame")
        with telling(self.path, "has broken times"):
            check_chunks(dataset)
            if dataset.dtype.kind == "O" and h5py.check_string_dtype(dataset.dtype) is not None:
                # One at a time: each may claim the longest text in the file.
                values = [dataset[i][:64] for i in range(len(dataset))]
            elif dataset.dtype.kind in "Siuf" and dataset.dtype.itemsize <= 64:
                values = dataset[()]
            else:
                raise UnreadableFileError(f"{name}: `iso_ut_time` holds {dataset.dtype}, expected text")
        if isinstance(values, list) or values.dtype.kind == "S":
            return _parse_times(values)
        return _posix_times(values)

    def noted_problems(self, imager=None):
        """Return what was wrong with the files this one was made from, as a list of Problem.

        Parameters
        ----------
        imager : str, optional
            Only those of one imager's files, and those of no imager.
        """
        found = []
        for path, reason, n_kept, of in self.about.get("problems", ()):
            if imager is None or of in (None, imager):
                found.append(Problem(path, reason, n_kept))
        return found

    def _our_notes(self):
        stored = read_whole(self._file, f"{OURS}/about")
        if stored is None:
            return {}
        try:
            return _checked_notes(json.loads(stored.reshape(-1)[0]))
        except (ValueError, TypeError, KeyError, IndexError, RecursionError):
            raise UnreadableFileError(
                f"{plain_text(self.path)}: the notes of pulsaurora in it are damaged"
            ) from None

    def _get(self, stack, key):
        if isinstance(key, slice):
            rows = np.arange(len(self))[key]
            return stack.read(rows if self._order is None else self._order[rows], self._buffers)
        if not isinstance(key, (int, np.integer)):
            raise TypeError(f"a day file takes an index or a slice, not {type(key).__name__}")
        if not -len(self) <= key < len(self):
            raise IndexError(f"frame {key} of {len(self)}")
        return self._get(stack, slice(key % len(self), key % len(self) + 1))[0]


def _checked_notes(notes):
    """Return the notes if whoever uses them can rely on their form: names end up in paths."""
    for imager in notes["imagers"]:
        if not re.fullmatch(r"[a-z0-9]{1,16}", imager["name"], re.ASCII):
            raise ValueError
        if imager["position_since"] is not None:
            for name, limit in (("latitude", 90), ("longitude", 360), ("position_since", 1440)):
                if not -limit <= imager[name] <= limit:
                    raise ValueError
    if "night" in notes and not re.fullmatch(r"[a-z0-9-]{1,40}", notes["night"], re.ASCII):
        raise ValueError
    for flags in notes["qualities"]:
        if not all(re.fullmatch(r"\w{1,40}", flag, re.ASCII) for flag in flags):
            raise ValueError
    for path, reason, n_kept, imager in notes["problems"]:
        if not (isinstance(path, str) and isinstance(reason, str) and isinstance(n_kept, int)):
            raise ValueError
        if imager is not None and not isinstance(imager, str):
            raise ValueError
    return notes


def _parse_times(values):
    """Times as text -> datetime64[us]; NaT for what is no time."""
    times = np.full(len(values), np.datetime64("NaT", "us"))
    for i, value in enumerate(values):
        text = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
        match = _TIME.fullmatch(text.strip("\0 "))
        if match:
            try:
                times[i] = np.datetime64(f"{match[1]}T{match[2]}", "us")
            except ValueError:
                continue
    return times


def _posix_times(values):
    """Seconds since 1970 -> datetime64[us]; NaT for what cannot be the time of an image."""
    seconds = np.asarray(values, np.float64)
    with np.errstate(invalid="ignore"):
        known = (seconds > 0) & (seconds < 2**32)
    times = np.full(len(seconds), np.datetime64("NaT", "us"))
    times[known] = np.round(seconds[known] * 1e6).astype(np.int64).view("datetime64[us]")
    return times


def _date(text):
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None


class DayFileName(NamedTuple):
    """What the name of a day file says; `site` or `wavelength` is None."""

    date: dt.date
    site: str | None
    wavelength: str | None


def parse_dayfile_name(name):
    """Read `all-images-2014-03-10-gill.h5`; None for a name that is not of this form."""
    match = _NAME.fullmatch(name)
    date = _date(match[1]) if match else None
    return None if date is None else DayFileName(date, match[3], match[2])
