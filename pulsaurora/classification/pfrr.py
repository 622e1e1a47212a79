"""PFRR nights through a model made for THEMIS frames.

A frame is binned to 256 x 256 and its counts rescaled so that pedestal, photon noise and read noise are about
those of a THEMIS imager; features are computed with the cadence of the filter. How well that works has not
been measured: docs/pfrr.md says what is known.
"""

import datetime as dt
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from pulsaurora import __version__
from pulsaurora.archive.daynights import find_pfrr_dayfile_nights
from pulsaurora.archive.layout import fingerprint_files, plain_text
from pulsaurora.archive.pfrr_layout import NO_WAVELENGTH, WAVELENGTHS, find_pfrr_nights
from pulsaurora.archive.problem_table import check_writable, update_problems
from pulsaurora.archive.tables import classification_path, write_classifications
from pulsaurora.classes import CLASSES
from pulsaurora.classification.batch import BatchResult, NightResult, classified_already, report
from pulsaurora.classification.model import load_model
from pulsaurora.classification.night import Rows, finish_night
from pulsaurora.imaging.ephemeris import site_position
from pulsaurora.imaging.pfrr import SITE
from pulsaurora.imaging.pfrrnight import open_images
from pulsaurora.imaging.pfrrpack import calibration_folders, night_calibration
from pulsaurora.imaging.skymap import optics_elevation
from pulsaurora.imaging.timeorder import order_in_time
from pulsaurora.problems import ContractError, Problem, PulsauroraError
from pulsaurora.pulsation.reduction import Reduced, SkyGrid, reduce_frames, window_features
from pulsaurora.workers import n_cores

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
_USUAL_CADENCE_S = 12.5

_log = logging.getLogger(__name__)


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
    """Return the usual time between frames of one filter, seconds: the median without the gaps."""
    steps = np.diff(times) / np.timedelta64(1, "s")
    steps = steps[steps < _LONGEST_CADENCE_S]
    return float(np.median(steps)) if steps.size else _USUAL_CADENCE_S


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
    model = load_model(model)
    if model.kind != "features":
        raise ContractError(f"PFRR images need a features model; this one is of the kind {model.kind}")
    check_writable(out)
    folders = calibration_folders(raw, calibration)
    listed, results, stop = [], [], threading.Event()
    try:
        with ThreadPoolExecutor(workers or n_cores(), "pulsaurora") as pool:
            try:
                for number in range((end - start).days + 1):
                    date = start + dt.timedelta(days=number)
                    nights, problems = _find(raw, date, wavelengths)
                    listed += problems
                    if watch and not nights:
                        watch(1.0)
                    for night in nights:
                        for result in _classify(night, out, folders, model, pool, overwrite, stop):
                            results.append(result)
                            report(result)
                        if watch:
                            watch(1 / len(nights))
            finally:
                stop.set()
    finally:
        listed = list(dict.fromkeys(listed))
        found = [(problem, "") for problem in listed]
        found += [(problem, result.name) for result in results for problem in result.problems]
        done = [result.name for result in results if result.status != "failed"]
        update_problems(out, found, done, raw, start, end)
    for problem in listed:
        _log.warning("%s", problem)
    return BatchResult(results, listed)


def _find(raw, date, wavelengths):
    """Nights of a date; day files count where there are no images of a filter."""
    nights, problems = find_pfrr_nights(raw, date, date, wavelengths)
    known = {night.wavelength for night in nights}
    packed, more = find_pfrr_dayfile_nights(raw, date, date, wavelengths, known)
    return sorted(nights + packed, key=lambda night: night.wavelength), problems + more


def _classify(night, out, folders, model, pool, overwrite, stop):
    """Results of one night; several where names tell no filter and headers tell more than one."""
    began = time.perf_counter()
    # Where names tell no filter, headers may.
    imagers = [f"dasc{night.wavelength}"]
    if night.wavelength == NO_WAVELENGTH:
        imagers = ["dasc", *(f"dasc{wavelength}" for wavelength in WAVELENGTHS)]
    name, path = _named(night.date, imagers[0], out)
    try:
        calibration, used, problems = {}, [night.dayfile], []
        if night.dayfile is None:
            calibration, used, problems = night_calibration(folders, night.date)
        about = {
            "version": __version__,
            "model": model.sha256,
            "trained on": model.learned_from,
            "inputs": fingerprint_files([*night.files, *used]),
        }
        results = []
        for one, its_path in (_named(night.date, imager, out) for imager in imagers):
            if not overwrite and (already := classified_already(its_path, about)) is not None:
                results.append(NightResult(one, "skipped", its_path, problems=already))
        if results:
            return results
        groups, unread = _read(night, calibration.get("elevation"), pool, stop)
        for imager, rows in sorted(groups.items()) or [(None, [])]:
            if imager:
                name, path = _named(night.date, imager, out)
            labelled = _label(rows, model)
            told = [*problems, *unread, *labelled.problems]
            named = {**about, "model name": plain_text(model.path.name)}
            write_classifications(path, labelled.table, named, told)
            counts = np.bincount(labelled.table["label"], minlength=len(CLASSES)).tolist()
            labels = dict(zip(CLASSES, counts, strict=True))
            results.append(NightResult(name, "done", path, len(labelled), labels, told))
            problems, unread = [], []
    except Exception as error:
        # As in a THEMIS batch: whatever is wrong with one night, the others are to be done.
        _log.debug("%s failed", name, exc_info=True)
        known = isinstance(error, (OSError, PulsauroraError))
        said = str(error) if known else f"{type(error).__name__}: {error}"
        results = [
            NightResult(name, "failed", path, problems=[Problem(str(path), f"not made: {said}")], error=said)
        ]
    for result in results:
        result.seconds = (time.perf_counter() - began) / len(results)
    return results


def _named(date, imager, out):
    """Name of a night and path of its classification file."""
    return f"{date:%Y%m%d}_{SITE}_{imager}", classification_path(out, SITE, imager, date)


def _read(night, elevation, pool, stop):
    """Reduced frames by imager, and the problems of files that gave none."""
    groups, unread = {}, []
    with open_images(night) as (parts, read_part, kept):
        elevation = kept if elevation is None else elevation
        if elevation is None:
            elevation = optics_elevation((SIDE, SIDE), _CENTRE, _RADIUS)
        block = len(elevation) // SIDE
        grid = SkyGrid(elevation.reshape(SIDE, block, SIDE, block).mean(axis=(1, 3)))

        def read(part):
            if stop.is_set():
                raise KeyboardInterrupt
            frames = read_part(part)
            rows = Rows(_name(night, part), frames.times, frames.quality, frames.problems)
            if len(frames):
                rows.reduced = reduce_frames(as_themis(frames.images), frames.times, grid)
                rows.position = (frames.latitude, frames.longitude)
            return frames.imager, rows

        for imager, rows in pool.map(read, parts):
            if rows.reduced is None:
                unread += rows.problems
            else:
                groups.setdefault(imager, []).append(rows)
    return groups, unread


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
    features = window_features(joined, None, latitude, longitude, cadence_s=cadence_of(joined.times))
    problems += [problem for rows in files for problem in rows.problems]
    rows = Rows("", joined.times, quality, problems, model.predict(features), None, features, source=source)
    return finish_night([rows], names)
