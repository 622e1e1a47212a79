"""The nights of a batch as tasks: descriptions that can be sent to another thread, process or machine."""

import datetime
from dataclasses import dataclass
from pathlib import Path

from pulsaurora.archive.layout import Night, find_nights
from pulsaurora.archive.tables import classification_path, parquet_path


@dataclass(frozen=True, slots=True)
class NightTask:
    """One night to be classified: all that whoever does it must know.

    Attributes
    ----------
    night : Night
    stream0 : Path
        Root of the archive; skymaps are looked for there, beside it and in the night's own folder. For a
        night in a day file its folder; the file has its skymap in it.
    out : Path
    model : Path or None
        None is the model that comes with pulsaurora.
    overwrite : bool
        Whether to do again what is done.
    imager_changed : bool
        Whether the site had another imager earlier on that date.
    """

    night: Night
    stream0: Path
    out: Path
    model: Path | None = None
    overwrite: bool = False
    imager_changed: bool = False

    @property
    def name(self):
        return f"{self.night.date:%Y%m%d}_{self.night.site}_{self.night.imager}"

    @property
    def path(self):
        """The classification file that is to be there."""
        return classification_path(self.out, self.night.site, self.night.imager, self.night.date)

    @property
    def files(self):
        """All files that are made."""
        return self.path, parquet_path(self.path)

    @property
    def n_parts(self):
        """How many parts it has, for whoever shows how far the work is."""
        return self.night.n_minutes


def list_tasks(
    stream0,
    out,
    start,
    end,
    sites=None,
    model=None,
    overwrite=False,
    problems=None,
    dayfiles=False,
    kind=NightTask,
    shard=None,
):
    """List what a batch has to do, a date at a time.

    Parameters
    ----------
    stream0, out : path-like
        Root of the archive's files, and of the classification files.
    start, end : datetime.date
        Both included.
    sites : list of str, optional
        All sites when not given.
    model : path-like, optional
    overwrite : bool
    problems : list, optional
        What lies in the archive and is no part of it is appended, each once.
    dayfiles : bool
        Whether `stream0` is a folder of day files with raw frames.
    kind : type
        NightTask or a class made of it.
    shard : Shard, optional
        Only its nights.

    Yields
    ------
    list of NightTask
        Those of one date, by site and imager; a date without any gives an empty list. Years of nights have
        millions of files, so they are not listed all at once.
    """
    stream0, out = Path(stream0), Path(out)
    model = None if model is None else Path(model)
    told = set()
    find = find_nights
    if dayfiles:
        from pulsaurora.archive.daynights import find_dayfile_nights as find
    for date in dates(start, end):
        nights, found = find(stream0, date, date, sites, shard)
        if problems is not None:
            problems.extend(problem for problem in dict.fromkeys(found) if problem not in told)
            told.update(found)
        first = {}
        for night in sorted(nights, key=_beginning):
            first.setdefault(night.site, night)
        yield [
            kind(night, stream0, out, model, overwrite, first[night.site] is not night) for night in nights
        ]


def dates(start, end):
    """Yield the dates from `start` to `end`, both included."""
    for day in range((end - start).days + 1):
        yield start + datetime.timedelta(days=day)


def _beginning(night):
    hour = min(night.hours)
    return hour, night.hours[hour][0].minute
