"""Pulsating patches of many nights: each night's minutes to its two tables, resumable as `classify` is.

Minutes are read and reduced in a pool of threads; the cells' pulses are found in chunks at fixed times, each
with the minutes beside it, and depend on nothing beyond those, so that joining chunks loses and doubles none.
What stays of a night is its cells' series, some 4 kB a frame (60 MB for twelve hours); patches are linked
from the whole night's pulses when the last chunk is there. Nothing depends on the number of threads.
"""

import threading
from dataclasses import dataclass

import numpy as np

from pulsaurora import __version__
from pulsaurora.archive.eventtables import event_files, events_already, events_path, write_events
from pulsaurora.archive.layout import fingerprint
from pulsaurora.archive.outcomes import NightResult
from pulsaurora.archive.parquettables import prepare_to_write
from pulsaurora.classification.batch import run_batch
from pulsaurora.classification.engines import ThreadEngine
from pulsaurora.classification.night import MARGIN_MINUTES, SitePosition, in_chunks
from pulsaurora.classification.nightskymap import elevation_from_frames, find_night_skymap, night_grids
from pulsaurora.classification.tasks import NightTask, list_tasks
from pulsaurora.imaging.nightreader import open_minutes
from pulsaurora.imaging.timeorder import order_in_time
from pulsaurora.pulsation.events import LEAST_CONFIDENCE, find_patches
from pulsaurora.pulsation.geography import place_cells
from pulsaurora.pulsation.kinds_table import FITTED
from pulsaurora.pulsation.pulses import MARGIN_S, Stretch, find_cell_pulses
from pulsaurora.pulsation.reduction import Reduced, SkyGrid, reduce_frames
from pulsaurora.pulsation.series import CellMap
from pulsaurora.pulsation.tabulating import tabulate

# Frames within MARGIN_S of a chunk lie in the minutes beside it: less one for jitter of the clock.
if MARGIN_S > 60 * MARGIN_MINUTES:
    raise ImportError(
        f"pulses depend on {MARGIN_S} s around them, chunks have {MARGIN_MINUTES} minutes beside"
    )

METHOD = f"events 2, kinds {FITTED}"


class EventTask(NightTask):
    """One night whose events are to be found."""

    __slots__ = ()

    @property
    def path(self):
        """The table of patches that is to be there."""
        return events_path(self.out, self.night.site, self.night.imager, self.night.date)

    @property
    def files(self):
        """All files that are made."""
        return event_files(self.path)


@dataclass(slots=True)
class _Minute:
    name: str
    reduced: Reduced
    quality: list
    problems: list
    position: tuple | None = None


def find_night_events(night, pool, elevation=None, ground=None, on_minutes=None, stop=None):
    """Find the pulsating patches of a night.

    Parameters
    ----------
    night : archive.layout.Night
    pool : concurrent.futures.Executor
        Threads that do the work; may be shared between nights.
    elevation : ndarray of shape (256, 256), degrees, optional
        From a skymap; as some of the frames show it when not given.
    ground : (ndarray, ndarray) of shape (257, 257), degrees, optional
        Latitude and longitude of the pixels' corners.
    on_minutes, stop
        As for `classify_night`.

    Returns
    -------
    patches, pulses : dict of ndarray
        As `tabulate` gives them.
    n_frames : int
    problems : list of Problem
        Each input that could not be used as it is, once, by path.
    """
    minutes = night.minutes
    origin = np.datetime64(night.date, "D")

    def read(minute):
        frames = read_minute(minute)
        reduced = reduce_frames(frames.images, frames.times, cells.grid)
        return _Minute(str(minute.alternatives[0]), reduced, frames.quality, frames.problems)

    def compute(files, first, own, latitude, longitude):
        return _compute(files, own, cells, origin)

    parts, problems = [], []
    with open_minutes(night, reuse=True, packed=True) as read_minute:
        if elevation is None:
            elevation = elevation_from_frames(minutes, read_minute)
        cells = CellMap(SkyGrid(elevation))
        where = SitePosition(night.site)
        for part, found in in_chunks(
            pool, minutes, read, compute, where, on_minutes, stop or threading.Event()
        ):
            parts.append(part)
            problems += found
    sky = _in_order(Stretch.concatenate(parts, cells.n))
    del parts
    patches = find_patches(sky, cells, origin, LEAST_CONFIDENCE)
    tables = tabulate(patches, cells, place_cells(cells, *(ground or (None, None))), origin)
    problems = sorted(dict.fromkeys(problems), key=lambda problem: (problem.path, problem.reason))
    return *tables, len(sky.times), problems


def _compute(files, own, cells, origin):
    """Find the pulses of the frames of `files[own]`."""
    reduced = Reduced.concatenate([file.reduced for file in files])
    quality = [flags for file in files for flags in file.quality]
    source = np.repeat(np.arange(len(files)), [len(file.reduced) for file in files])
    order, problems = order_in_time(reduced.times, quality, source, [file.name for file in files], own)
    if order is not None:
        reduced, source = reduced[order], source[order]
    for file in files[own.start : own.stop]:
        problems.extend(file.problems)
    mine = np.flatnonzero((source >= own.start) & (source < own.stop))
    inner = slice(mine[0], mine[-1] + 1) if mine.size else slice(0, 0)
    part = find_cell_pulses(reduced, cells, origin, inner)
    if len(part.times) > mine.size:  # clocks that overlap put frames of other files in between
        part = _only(part, mine - inner.start, reduced.times[mine], origin)
    return part, problems


def _only(part, which, times, origin):
    """Keep some frames of a stretch and the pulses that peak in them."""
    peaks = np.round(part.pulses["peak_s"] * 1e6).astype(np.int64) * np.timedelta64(1, "us") + origin
    kept = np.isin(peaks, times)
    pulses = {name: values[kept] for name, values in part.pulses.items()}
    return Stretch(part.times[which], part.change[which], part.background[which], pulses)


def _in_order(sky):
    """Put a night in time order, one frame a time: a clock may have been set back."""
    if len(sky.times) < 2 or (sky.times[1:] > sky.times[:-1]).all():
        return sky
    times, order = np.unique(sky.times, return_index=True)
    return Stretch(times, sky.change[order], sky.background[order], sky.pulses)


def find_events_of_nights(
    stream0,
    out,
    start,
    end,
    sites=None,
    workers=None,
    overwrite=False,
    watch=None,
    dayfiles=False,
    engine=None,
    shard=None,
):
    """Find the pulsating patches of every night from `start` to `end`.

    Parameters
    ----------
    stream0, out, start, end, sites, workers, overwrite, watch, dayfiles, engine, shard
        As for `classify_nights`.

    Returns
    -------
    BatchResult

    Raises
    ------
    UsageError
        If a folder is missing or cannot be written.
    """
    threading.Thread(target=prepare_to_write, daemon=True).start()

    def list_days(problems):
        return list_tasks(
            stream0, out, start, end, sites, None, overwrite, problems, dayfiles, EventTask, shard
        )

    engine = engine or ThreadEngine(workers)
    return run_batch(list_days, stream0, out, start, end, sites, engine, watch, None, events_task, shard)


def events_task(task, model, pool, count, stop):
    """Find the events of one night unless that is done already; the arguments are those of `run_task`."""
    night = task.night
    skymap_path = find_night_skymap(night, task.stream0)
    about = {"version": __version__, "method": METHOD, "inputs": fingerprint(night, skymap_path)}
    if not task.overwrite and (already := events_already(task.path, about)) is not None:
        return NightResult(task.name, "skipped", task.path, *already)
    elevation, ground, problems = night_grids(night, skymap_path)
    patches, pulses, n_frames, found = find_night_events(night, pool, elevation, ground, count, stop)
    problems += found
    write_events(task.path, patches, pulses, {**about, "frames": str(n_frames)}, problems)
    n_found = {"patches": len(patches["patch"]), "pulses": len(pulses["patch"])}
    return NightResult(task.name, "done", task.path, n_frames, n_found, problems)
