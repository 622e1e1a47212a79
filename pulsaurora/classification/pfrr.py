"""PFRR nights through a model made for THEMIS frames.

A frame is binned to 256 x 256 and its counts rescaled so that pedestal, photon noise and read noise are about
those of a THEMIS imager; features are computed with the cadence of the filter. How well that works has not
been measured: docs/pfrr.md says what is known.
"""

import contextlib
import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pulsaurora import __version__
from pulsaurora.archive.daynights import find_pfrr_dayfile_nights
from pulsaurora.archive.layout import fingerprint_files
from pulsaurora.archive.pfrr_layout import (
    IMAGER,
    NO_WAVELENGTH,
    WAVELENGTHS,
    find_pfrr_nights,
    imager_through,
)
from pulsaurora.archive.tables import classification_path, parquet_path, read_about
from pulsaurora.classification.batch import classified_already, keep_labels, run_batch
from pulsaurora.classification.engines import ThreadEngine
from pulsaurora.classification.model import load_model
from pulsaurora.classification.night import Rows, finish_night
from pulsaurora.classification.tasks import dates
from pulsaurora.imaging.ephemeris import site_position
from pulsaurora.imaging.pfrr import SITE
from pulsaurora.imaging.pfrrnight import open_images
from pulsaurora.imaging.pfrrpack import calibration_folders, night_calibration
from pulsaurora.imaging.skymap import optics_elevation
from pulsaurora.imaging.timeorder import order_in_time
from pulsaurora.problems import ContractError, Problem
from pulsaurora.pulsation.looks import look_features
from pulsaurora.pulsation.reduction import Reduced, SkyGrid, reduce_frames

SIDE = 256
# Measured on the three 558 and 630 nm frames at hand, 512 x 512: pedestal 370 to 377 counts in the corners,
# which see no sky; of 2 x 2 means, variance = 0.17 to 0.21 x (count - pedestal) + 3 to 6 counts^2. Times GAIN
# that is 1.6 to 1.9 x (count - PEDESTAL) + 260 to 520, beside 1.68 and 380 of a THEMIS imager.
GAIN = 9.3
PEDESTAL = 3000.0
_CORNER = 1 / 16  # of the side
# Zenith and horizon on 256 x 256 pixels where there is no calibration: those of February 2015.
_CENTRE, _RADIUS = (124.0, 121.5), 125.5
# Frames farther apart than this are not of one run of the filter wheel.
_LONGEST_CADENCE_S = 60.0
# Frames closer than this are one exposure under two names: none is exposed and read out in less.
_SHORTEST_CADENCE_S = 0.5
_USUAL_CADENCE_S = 12.5


def as_themis(images):
    """Make frames that look like a THEMIS imager's of PFRR frames.

    Parameters
    ----------
    images : ndarray of uint16, shape (n_frames, 512, 512) or (n_frames, 1024, 1024), counts

    Returns
    -------
    ndarray of uint16, shape (n_frames, 256, 256), counts

    Raises
    ------
    ContractError
        If frames are not square with a multiple of 256 pixels a side.
    """
    images = np.asarray(images)
    if images.ndim != 3 or images.shape[1] != images.shape[2] or images.shape[1] % SIDE:
        raise ContractError(f"images: found shape {images.shape}, expected (n_frames, 512, 512)")
    side, n = images.shape[1], max(int(images.shape[1] * _CORNER), 1)
    ends = np.r_[0:n, side - n : side]
    corners = images[:, ends][:, :, ends].reshape(len(images), -1)
    block = side // SIDE
    binned = images.reshape(-1, SIDE, block, SIDE, block).mean(axis=(2, 4), dtype=np.float32)
    above = binned - np.median(corners, axis=1).astype(np.float32)[:, None, None]
    # Pixels of a 1024 x 1024 frame gather a quarter of the light of those that are read out two by two.
    gain = GAIN * (side / 512) ** 2
    return np.clip(np.rint(above * gain + PEDESTAL), 0, 65535).astype(np.uint16)


def cadence_of(times):
    """Return the usual time between frames of one filter, seconds: the median without gaps and doublets."""
    steps = np.diff(times) / np.timedelta64(1, "s")
    steps = steps[(steps >= _SHORTEST_CADENCE_S) & (steps < _LONGEST_CADENCE_S)]
    return float(np.median(steps)) if steps.size else _USUAL_CADENCE_S


@dataclass(frozen=True, slots=True)
class PfrrTask:
    """What is classified at one time: a date and filter, or a whole date where headers tell the filter.

    Attributes
    ----------
    nights : tuple of PfrrNight
        Of one date. Several where names of some images tell no filter: what is of one filter goes to one
        file, whatever tells it.
    out : Path
    calibration : tuple of Path
        Folders where the elevation of each pixel may lie.
    model : Path or None
    overwrite : bool
    wavelengths : tuple of str or None
        Filters that are asked for; files are made of no other. All when None.
    """

    nights: tuple
    out: Path
    calibration: tuple = ()
    model: Path | None = None
    overwrite: bool = False
    wavelengths: tuple | None = None

    @property
    def is_mixed(self):
        """Whether only headers tell the filter of some images."""
        return any(night.wavelength == NO_WAVELENGTH for night in self.nights)

    @property
    def named_imagers(self):
        """Those that names tell; a file of each is made."""
        return [night.imager for night in self.nights if night.wavelength != NO_WAVELENGTH]

    @property
    def imagers(self):
        """What the images may be of, as far as it is asked for."""
        known = map(imager_through, (NO_WAVELENGTH, *WAVELENGTHS) if self.is_mixed else ())
        return [imager for imager in dict.fromkeys([*known, *self.named_imagers]) if self.asks_for(imager)]

    @property
    def name(self):
        return self.named(self.nights[0].imager)[0]

    @property
    def path(self):
        """The classification file that is to be there: of a mixed date the same one whatever is asked for."""
        return self.named(self.nights[0].imager)[1]

    @property
    def files(self):
        """All files that may be made."""
        paths = [self.named(imager)[1] for imager in self.imagers]
        return (*paths, *map(parquet_path, paths))

    @property
    def n_parts(self):
        return 1

    def asks_for(self, imager):
        return self.wavelengths is None or imager in map(imager_through, self.wavelengths)

    def named(self, imager):
        """Name of the night of one imager, and path of its classification file."""
        date = self.nights[0].date
        return f"{date:%Y%m%d}_{SITE}_{imager}", classification_path(self.out, SITE, imager, date)

    def sources(self, imager):
        """Files that may hold frames of one imager."""
        nights = [night for night in self.nights if night.imager in (imager, IMAGER)]
        return [path for night in nights for path in (*night.files, night.dayfile) if path is not None]


def classify_pfrr(
    raw,
    out,
    start,
    end,
    wavelengths=None,
    workers=None,
    model=None,
    overwrite=False,
    watch=None,
    calibration=None,
    engine=None,
    shard=None,
):
    """Label every PFRR image of every night from `start` to `end`, each filter by itself.

    Parameters
    ----------
    raw, out : path-like
        Root of the images, or folder of their day files with raw frames, which are used where there are no
        images; and root of the classification files, `YYYYMMDD_pkr_dascWWW_classifications.txt`.
    start, end : datetime.date
        Both included.
    wavelengths : iterable of str, optional
        Three digits each; all when not given.
    workers : int, optional
        Threads; as many as this process may use cores when not given.
    model : path-like, optional
        A `features` model; the one that comes with pulsaurora when not given.
    overwrite : bool
    watch : callable, optional
        Called with the part of a day that was finished since the last call.
    calibration : path-like, optional
        Folder of the elevation of each pixel; beside the images when not given. Without one the frame's
        inner circle is looked at.
    engine : ThreadEngine or DaskEngine, optional
        Where the nights are done; in `workers` threads when not given.
    shard : Shard, optional
        Only its dates.

    Returns
    -------
    BatchResult

    Raises
    ------
    ContractError
        If the model cannot be used.
    UsageError
        If a folder is missing or cannot be written.
    """
    model_path = None if model is None else Path(model)
    model = load_model(model)
    if model.kind != "features":
        raise ContractError(f"PFRR images need a features model; this one is of the kind {model.kind}")
    folders = tuple(calibration_folders(raw, calibration))
    asked = None if wavelengths is None else tuple(wavelengths)

    def list_days(problems):
        for date in dates(start, end):
            # One site, so that dates alone go round the shards; filters share calibration and damage.
            found = ([], []) if shard and not shard.takes("", date) else _find(raw, date, wavelengths)
            problems.extend(found[1])
            yield [PfrrTask(nights, Path(out), folders, model_path, overwrite, asked) for nights in found[0]]

    engine = engine or ThreadEngine(workers)
    return run_batch(list_days, raw, out, start, end, None, engine, watch, model, classify_pfrr_task, shard)


def _find(raw, date, wavelengths):
    """Nights of a date that are done together; day files count where there are no images of a filter."""
    nights, problems = find_pfrr_nights(raw, date, date, wavelengths)
    known = {night.wavelength for night in nights}
    packed, more = find_pfrr_dayfile_nights(raw, date, date, wavelengths, known)
    nights = sorted(nights + packed, key=lambda night: night.wavelength)
    # Headers may tell the filter that other names tell.
    is_mixed = bool(nights) and nights[0].wavelength == NO_WAVELENGTH
    return [tuple(nights)] if is_mixed else [(night,) for night in nights], problems + more


def classify_pfrr_task(task, model, pool, count, stop):
    """Classify one night unless it is done already; the arguments are those of `run_task`.

    Returns
    -------
    list of NightResult
        Several where names tell no filter and headers tell more than one.
    """
    model = load_model(task.model) if model is None else model
    calibration, used, problems = {}, [], []
    if any(night.dayfile is None for night in task.nights):
        calibration, used, problems = night_calibration(task.calibration, task.nights[0].date)

    def about(imager):
        return {
            "version": __version__,
            "model": model.sha256,
            "trained on": model.learned_from,
            "inputs": fingerprint_files([*task.sources(imager), *used]),
        }

    if not task.overwrite and (already := _done_already(task, about)):
        return already
    groups, unread, told = _read(task, calibration.get("elevation"), pool, stop)
    more = {"imagers": " ".join(sorted(told))} if task.is_mixed else {}
    results = []
    for imager in sorted({*task.named_imagers, *groups}) or task.imagers[:1]:
        labelled = _label(groups.get(imager, []), model)
        # What is of no known filter is told with the first.
        found = [*problems, *unread.pop(IMAGER, []), *unread.pop(imager, []), *labelled.problems]
        results.append(keep_labels(*task.named(imager), labelled, about(imager) | more, model, found))
        problems = []
    return results


def _done_already(task, about):
    """Return the results of a night of which all files are there, else an empty list.

    Of a mixed date each file tells which others there are: whoever was killed between one and the next has
    left some of them.
    """
    needed, found, looked_at = {*task.named_imagers}, {}, list(task.imagers)
    for imager in looked_at:
        result = classified_already(*task.named(imager), about(imager))
        if result is None:
            continue
        found[imager] = result
        if task.is_mixed:
            told = read_about(result.path).get("imagers")
            if told is None:
                return []
            told = {each for each in told.split() if task.asks_for(each)}
            needed |= told
            looked_at += sorted(told.difference(looked_at))
    if not needed <= {*found}:
        return []
    return [result for imager, result in sorted(found.items()) if imager in needed or not needed]


def _read(task, elevation, pool, stop):
    """Reduced frames by imager, problems of files that gave none by imager, and the imagers headers tell.

    Frames of a filter that is not asked for, and those whose name tells another one, are not kept.
    """
    groups, unread, told = {}, {}, set()
    with contextlib.ExitStack() as stack:
        opened = [(night, *stack.enter_context(open_images(night))) for night in task.nights]
        grids = [elevation, *(kept for *_, kept in opened)]
        elevation = next((grid for grid in grids if grid is not None), None)
        if elevation is None:
            elevation = optics_elevation((SIDE, SIDE), _CENTRE, _RADIUS)
        block = len(elevation) // SIDE
        grid = SkyGrid(elevation.reshape(SIDE, block, SIDE, block).mean(axis=(1, 3)))

        def read(night, read_part, part):
            if stop.is_set():
                raise KeyboardInterrupt
            frames = read_part(part)
            rows = Rows(_name(night, part), frames.times, frames.quality, frames.problems)
            if len(frames) and night.imager not in (frames.imager, IMAGER):
                rows.problems = [*rows.problems, Problem(rows.name, _disagreement(night, frames))]
            elif len(frames) and task.asks_for(frames.imager):
                rows.reduced = reduce_frames(as_themis(frames.images), frames.times, grid)
                rows.position = (frames.latitude, frames.longitude)
            return frames.imager, rows

        for night, parts, read_part, _ in opened:
            for imager, rows in pool.map(functools.partial(read, night, read_part), parts):
                if rows.reduced is not None:
                    groups.setdefault(imager, []).append(rows)
                elif len(rows.times) == 0 or night.imager != IMAGER:
                    unread.setdefault(night.imager, []).extend(rows.problems)
                if night.imager == IMAGER and len(rows.times):
                    told.add(imager)
    return groups, unread, told


def _disagreement(night, frames):
    header = frames.imager.removeprefix(IMAGER) or "no filter"
    return f"its name tells {night.wavelength} nm, its header {header}: left out; name it by its true filter"


def _name(night, part):
    return str(part) if night.dayfile is None else f"{night.dayfile}, frame {part}"


def _label(files, model):
    """Features, probabilities and steady labels of the frames of one filter."""
    if not files:
        return finish_night([], [])
    names = [rows.name for rows in files]
    joined = Reduced.concatenate([rows.reduced for rows in files])
    quality = [flags for rows in files for flags in rows.quality]
    source = np.arange(len(files))
    order, problems = order_in_time(joined.times, quality, source, names)
    if order is not None:
        joined, source = joined[order], source[order]
        quality = [quality[index] for index in order.tolist()]
    positions = [rows.position for rows in files if None not in rows.position]
    latitude, longitude = positions[0] if positions else site_position(SITE)
    features = look_features(joined, None, latitude, longitude, cadence_s=cadence_of(joined.times))
    problems += [problem for rows in files for problem in rows.problems]
    rows = Rows("", joined.times, quality, problems, model.predict(features), None, features, source=source)
    return finish_night([rows], names)
