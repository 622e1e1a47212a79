"""The images of a PFRR night as Frames, wherever they are kept: in FITS files or in a day file.

h5py is imported where there is a day file, not before.
"""

import contextlib

from pulsaurora.archive.layout import plain_text
from pulsaurora.imaging.frames import Frames
from pulsaurora.imaging.pfrr import SITE, read_pfrr_file
from pulsaurora.problems import Problem, UnreadableFileError


@contextlib.contextmanager
def open_images(night):
    """Open a night to read its images.

    Parameters
    ----------
    night : archive.pfrr_layout.PfrrNight

    Yields
    ------
    parts : sequence
        In order of time.
    read : callable
        Takes one of them and returns its `Frames`, of one frame or none. Safe to call from threads at once;
        never raises for what is wrong with an image, which is in `problems`.
    elevation : ndarray or None
        Of each pixel, degrees, if a day file holds it.

    Raises
    ------
    UnreadableFileError
        If a day file is not what it was when the night was listed.
    """
    if night.dayfile is None:
        yield night.files, read_pfrr_file, None
        return
    from pulsaurora.archive.dayfile import read_dayfile

    with read_dayfile(night.dayfile) as day:
        images = _DayImages(day)
        yield range(len(day)), images.read, images.elevation()


class _DayImages:
    """What the FITS files gave, as a day file keeps it."""

    def __init__(self, day):
        self._day, self._name = day, plain_text(day.path)
        self._table = day.frame_table()
        if self._table is None or not day.has_raw16:
            raise UnreadableFileError(f"{self._name}: has no raw frames that were packed from FITS files")
        self._imagers = day.about["imagers"]
        # What was wrong with files is told with the first frame of their imager, with the first of all if
        # they gave none.
        self._first = {}
        for row, number in enumerate(self._table["imager"].tolist()):
            self._first.setdefault(self._imagers[number]["name"], row)

    def elevation(self):
        grid = self._day.skymap("elevation")
        known = grid is not None and grid.dtype.kind == "f" and grid.ndim == 2
        side = len(grid) if known else 0
        return grid if side and grid.shape == (side, side) and side % 256 == 0 else None

    def read(self, row):
        imager = self._imagers[self._table["imager"][row]]
        about = {
            "site": SITE,
            "imager": imager["name"],
            "latitude": imager["latitude"],
            "longitude": imager["longitude"],
            "problems": self._problems(row),
        }
        try:
            images = self._day.raw16(slice(row, row + 1))
        except UnreadableFileError as error:
            reason = str(error).removeprefix(f"{self._name}: ")
            about["problems"].append(Problem(self._name, reason))
            return Frames.empty(*self._day.shape[1:], **about)
        quality = tuple(self._day.about["qualities"][self._table["quality"][row]])
        return Frames(images=images, times=self._day.times[row : row + 1], quality=[quality], **about)

    def _problems(self, row):
        return [
            Problem(path, reason, n_kept)
            for path, reason, n_kept, of in self._day.about.get("problems", ())
            if row == self._first.get(of, 0)
        ]
