"""The minutes of a night as Frames, wherever they are kept: in minute files or in a day file.

h5py is imported where there is a day file, not before.
"""

import contextlib
import threading

import numpy as np

from pulsaurora.archive.layout import plain_text
from pulsaurora.imaging.frames import Frames
from pulsaurora.imaging.themis import FRAMES_A_MINUTE, read_minute
from pulsaurora.problems import Problem, UnreadableFileError


@contextlib.contextmanager
def open_minutes(night, reuse=False, packed=False):
    """Open a night to read its minutes.

    Parameters
    ----------
    night : archive.layout.Night
    reuse : bool
        Whether the images of a minute file may be overwritten when the same thread reads the next. Memory
        that is given back after each file and asked for again costs a tenth of the time that reading takes.
    packed : bool
        Whether images may be given as PackedImages.

    Yields
    ------
    callable
        Takes a `Minute` of the night and returns its `Frames`, without header dictionaries. Safe to call
        from threads at once; never raises for what is wrong with a minute, which is in its `problems`.

    Raises
    ------
    UnreadableFileError
        If a day file is not what it was when the night was listed.
    """
    if night.dayfile is None:
        rooms = _Rooms() if reuse else None
        yield lambda minute: read_minute(minute.alternatives, False, rooms and rooms.images, packed)
        return
    from pulsaurora.archive.dayfile import read_dayfile

    with read_dayfile(night.dayfile) as day:
        yield _DayMinutes(night, day).read


class _Rooms(threading.local):
    """Room for the images of one minute, for each thread its own."""

    def __init__(self):
        self.images = np.empty((FRAMES_A_MINUTE, 256, 256), np.uint16)


class _DayMinutes:
    """What the minute files gave of one imager, as a day file keeps it."""

    def __init__(self, night, day):
        self._night, self._day = night, day
        table = day.frame_table()
        numbers = [number for number, one in enumerate(day.about["imagers"]) if one["name"] == night.imager]
        if table is None or not numbers or not day.has_raw16:
            raise UnreadableFileError(f"{plain_text(day.path)}: has no raw frames of {night.imager}")
        self._imager = day.about["imagers"][numbers[0]]
        self._own = np.flatnonzero(table["imager"] == numbers[0])
        self._minutes = table["minute"][self._own]
        self._quality = table["quality"]
        minutes = [minute for hour in night.hours.values() for minute in hour]
        self._first = min((_stamp(minute) for minute in minutes), default=None)

    def read(self, minute):
        stamp = _stamp(minute)
        rows = self._own[self._minutes == stamp]
        problems = self._day.noted_problems(self._night.imager) if stamp == self._first else []
        known = {"site": self._night.site, "imager": self._night.imager}
        since = self._imager.get("position_since")
        if since is not None and stamp >= since:
            known |= {"latitude": self._imager["latitude"], "longitude": self._imager["longitude"]}
        try:
            images = self._images(rows)
        except UnreadableFileError as error:
            name = plain_text(self._day.path)
            images, rows = self._whole_ones(rows)
            reason = f"{minute.hour:02d}:{minute.minute:02d}: {str(error).removeprefix(f'{name}: ')}"
            problems = [*problems, Problem(name, reason, len(rows))]
        return Frames(
            images=images,
            times=self._day.times[rows],
            problems=problems,
            quality=[tuple(self._day.about["qualities"][number]) for number in self._quality[rows].tolist()],
            **known,
        )

    def _images(self, rows):
        if not len(rows):
            return np.empty((0, 256, 256), np.uint16)
        # Frames of one file stand together, unless its clock jumped or another imager ran beside it.
        if rows[-1] - rows[0] == len(rows) - 1:
            return self._day.raw16(slice(int(rows[0]), int(rows[-1]) + 1))
        return np.stack([self._day.raw16(int(row)) for row in rows])


    def _whole_ones(self, rows):
        """Images that can be read, one by one, and their rows."""
        images, whole = [np.empty((0, 256, 256), np.uint16)], []
        for row in rows.tolist():
            try:
                images.append(self._day.raw16(row)[np.newaxis])
            except UnreadableFileError:
                continue
            whole.append(row)
        return np.concatenate(images), np.array(whole, int)


def _stamp(minute):
    return 60 * minute.hour + minute.minute
