"""The pipeline of one night: minute files -> one labelled row a frame.

Minute files are read and reduced to some 10 kB a frame in a pool of threads, in order and a little ahead.
When a chunk of six minutes and the minutes beside it are there, its features and probabilities are computed
in the same pool and the reduced frames are dropped; only rows of some 1,200 bytes a frame stay until the
end, where the labels are steadied over the whole night. Memory therefore hardly grows with the night, and
chunks begin at fixed times, so that results do not depend on the number of threads.
"""

import threading
from collections import deque
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from pulsaurora.archive.layout import plain_text
from pulsaurora.classes import CLASSES
from pulsaurora.classification.model import load_model
from pulsaurora.classification.nightskymap import elevation_from_frames
from pulsaurora.classification.refine import steady
from pulsaurora.imaging.ephemeris import site_position
from pulsaurora.imaging.nightreader import open_minutes
from pulsaurora.imaging.skycircle import sky_elevation
from pulsaurora.imaging.skymap import elevation_mask, optics_elevation
from pulsaurora.imaging.timeorder import order_in_time, sort_frames
from pulsaurora.pulsation.looks import look_features
from pulsaurora.pulsation.reduction import WINDOW_S, Reduced, SkyGrid, reduce_frames
from pulsaurora.pulsation.table import FEATURE_NAMES

# A divisor of 60. The longer, the less is looked at twice in the margins, and the longer one thread has the
# last chunk for itself: 40 ms with 15, 16 ms with 6.
CHUNK_MINUTES = 6
# Files on either side of a chunk that can hold frames of its looks or pulses, and one for jitter.
MARGIN_MINUTES = int(np.ceil(WINDOW_S / 60)) + 1
CHUNKS_AT_ONCE = 4

# A frame later than this many usual cadences after the one before has a gap before it.
_GAP = 1.5
_FEW_SAMPLES = 0.5  # of the frames that a whole window holds


@dataclass(slots=True)
class LabelledNight:
    """What was found out about each frame of a night.

    Attributes
    ----------
    table : dict of str to ndarray of shape (n_frames,)
        In time order: `time`, `label` and `confidence` (steadied over time), `raw_label` (of the model
        alone), the steadied probability of each class under its name, the model's under `raw_` and its
        name, `quality` (names of what touched the frame, joined by `;`) and every feature.
    problems : list of Problem
        Each input that could not be used as it is, once, by path.
    """

    table: dict
    problems: list

    def __len__(self):
        return len(self.table["time"])


@dataclass(slots=True)
class Rows:
    """Frames of a file or of a chunk; `reduced` or `features` according to how far they have come."""

    name: str
    times: np.ndarray
    quality: list
    problems: list = field(default_factory=list)
    probabilities: np.ndarray | None = None
    reduced: Reduced | None = None
    features: np.ndarray | None = None
    position: tuple | None = None
    source: np.ndarray | None = None  # number of each frame's file in the night


def classify_night(night, model, pool, elevation=None, on_minutes=None, stop=None):
    """Label every frame of a night.

    Parameters
    ----------
    night : archive.layout.Night
    model : Model
    pool : concurrent.futures.Executor
        Threads that do the work; may be shared between nights.
    elevation : ndarray of shape (256, 256), degrees, optional
        Elevation of each pixel from a skymap; as some of the frames show it when not given.
    on_minutes : callable, optional
        Called with the number of minute files finished since the last call.
    stop : threading.Event, optional
        When set, the night is given up with KeyboardInterrupt.

    Returns
    -------
    LabelledNight
    """
    minutes = night.minutes
    position = SitePosition(night.site)

    def look():
        where = elevation_from_frames(minutes, read_minute) if elevation is None else elevation
        return SkyGrid(where), _visible(model, where)

    def read(minute):
        return _read(minute, read_minute, model, sky)

    def compute(files, first, own, latitude, longitude):
        return _compute(files, first, own, model, latitude, longitude)

    with open_minutes(night, reuse=True, packed=model.kind == "features") as read_minute:
        # First in the queue, so that whoever waits for it waits for what is under way.
        sky = pool.submit(look)
        done = list(in_chunks(pool, minutes, read, compute, position, on_minutes, stop or threading.Event()))
    return finish_night(done, [plain_text(minute.alternatives[0]) for minute in minutes])


def classify_frames(images, times, site=None, model=None, *, latitude=None, longitude=None, elevation=None):
    """Label frames that are held as arrays.

    Parameters
    ----------
    images : ndarray of uint16, shape (n_frames, 256, 256), counts
        In file orientation: row 0 is the first row of the file. Other square sizes of 128 pixels and more
        that are multiples of 64 work with a `features` model.
    times : array-like of datetime64, shape (n_frames,)
        UTC, in any order, no two alike.
    site : str, optional
        Such as `gill`; tells where sun and moon stand. Without it and a position the sky is taken as dark.
    model : Model or path-like, optional
        The model that comes with pulsaurora when not given.
    latitude, longitude : float, degrees north and east, optional
        Of the site, in place of what is known of it.
    elevation : ndarray of the shape of one image, degrees, optional
        Elevation of each pixel from a skymap; as the frames show it when not given.

    Returns
    -------
    DataFrame
        One row a frame in time order: `time`, `label` (categorical), `confidence`, and the probability of
        each class, all steadied over time. Its `attrs` tell the model and what that was trained on.

    Raises
    ------
    ContractError
        If the arrays do not fit each other, or the model does not fit this version.
    """
    import pandas as pd

    if model is None or not hasattr(model, "predict"):
        model = load_model(model)
    images, times = sort_frames(images, times)
    if latitude is None or longitude is None:
        latitude, longitude = (site_position(site) if site else None) or (None, None)
    if elevation is None:
        elevation = sky_elevation([images])
    grid = SkyGrid(elevation, images.shape[1:])
    if model.kind == "image":
        probabilities = model.predict_images(images, _visible(model, elevation))
    else:
        rows = look_features(reduce_frames(images, times, grid), None, latitude, longitude)
        probabilities = model.predict(rows)
    steadied = steady(probabilities, times)
    table = pd.DataFrame(
        {
            "time": times,
            "label": pd.Categorical.from_codes(steadied.argmax(axis=1), categories=CLASSES),
            "confidence": steadied.max(axis=1),
            **dict(zip(CLASSES, steadied.T, strict=True)),
        }
    )
    table.attrs = {"model": model.sha256, "trained on": model.learned_from}
    return table


def _visible(model, elevation):
    """Return which pixels a model of images is shown; None for a model of features."""
    if model.kind != "image":
        return None
    return elevation_mask(optics_elevation() if elevation is None else elevation)


class SitePosition:
    """Where the site is: as its files say (the first that does), else as the table of sites does."""

    def __init__(self, site):
        self.known = site_position(site) or (None, None)
        self._from_file = False

    def learn(self, latitude, longitude):
        if not self._from_file:
            self.known = (latitude, longitude)
            self._from_file = True


def in_chunks(pool, minutes, read, compute, position, on_minutes, stop):
    """Read all minutes and compute all chunks in `pool`; yield what comes out, in order.

    Parameters
    ----------
    pool : concurrent.futures.Executor
    minutes : list of Minute
        Of one night, in order.
    read : callable
        Takes a Minute and returns what is kept of it, with the attribute `position` (a pair or None).
    compute : callable
        Takes a list of these, the number of the first, the range of those that are the chunk's own (the
        others are its margins), and the site's latitude and longitude.
    position : SitePosition
    on_minutes : callable or None
    stop : threading.Event
    """
    stamps = [60 * minute.hour + minute.minute for minute in minutes]
    chunks = [
        (key * CHUNK_MINUTES, [index for index, _ in members])
        for key, members in groupby(enumerate(stamps), lambda pair: pair[1] // CHUNK_MINUTES)
    ]
    reading, computing, n_submitted = {}, deque(), 0
    try:
        for number, (start, own) in enumerate(chunks):
            low = np.searchsorted(stamps, start - MARGIN_MINUTES)
            high = np.searchsorted(stamps, start + CHUNK_MINUTES + MARGIN_MINUTES)
            # The next chunk's files are queued before this one's are waited for: no thread runs dry.
            following = chunks[min(number + 1, len(chunks) - 1)][1][-1] + 1 + MARGIN_MINUTES
            while n_submitted < min(max(following, high), len(minutes)):
                reading[n_submitted] = pool.submit(read, minutes[n_submitted])
                n_submitted += 1
            # The last is waited for first: waiting for each in turn, this thread would wake up for each.
            files = [_result(reading[index], stop) for index in reversed(range(low, high))][::-1]
            for file in files:
                if file.position:
                    position.learn(*file.position)
            mine = range(own[0] - low, own[-1] + 1 - low)
            computing.append(pool.submit(compute, files, low, mine, *position.known))
            del files
            if on_minutes:
                on_minutes(len(own))
            kept = np.searchsorted(stamps, start + CHUNK_MINUTES - MARGIN_MINUTES)
            for index in [index for index in reading if index < kept]:
                del reading[index]
            while len(computing) >= CHUNKS_AT_ONCE:
                yield _result(computing.popleft(), stop)
        while computing:
            yield _result(computing.popleft(), stop)
    finally:
        for future in (*reading.values(), *computing):
            future.cancel()


def _result(future, stop):
    if stop.is_set():
        raise KeyboardInterrupt
    return future.result()


def _read(minute, read_minute, model, sky):
    """Read one minute and drop its pixels; `sky` is the future SkyGrid and pixels that are shown."""
    frames = read_minute(minute)
    grid, visible = sky.result()
    rows = Rows(
        name=plain_text(minute.alternatives[0]),
        times=frames.times,
        quality=frames.quality,
        problems=frames.problems,
        reduced=reduce_frames(frames.images, frames.times, grid),
        position=None if None in (frames.latitude, frames.longitude) else (frames.latitude, frames.longitude),
    )
    if model.kind == "image":
        rows.probabilities = model.predict_images(frames.images, visible)
    return rows


def _compute(files, first, own, model, latitude, longitude):
    """Features and probabilities of the frames of `files[own]`, in time order; `first` numbers `files[0]`."""
    reduced = Reduced.concatenate([file.reduced for file in files])
    quality = [flags for file in files for flags in file.quality]
    source = np.repeat(np.arange(len(files)), [len(file.times) for file in files])
    order, problems = order_in_time(reduced.times, quality, source, [file.name for file in files], own)
    if order is not None:
        reduced, source = reduced[order], source[order]
        quality = [quality[index] for index in order.tolist()]
    mine = np.flatnonzero((source >= own.start) & (source < own.stop))
    inner = slice(mine[0], mine[-1] + 1) if mine.size else slice(0, 0)
    features = look_features(reduced, inner, latitude, longitude)
    if inner.stop - inner.start > mine.size:  # clocks that overlap put frames of other files in between
        features = features[mine - inner.start]
    if model.kind == "image":
        probabilities = np.concatenate([file.probabilities for file in files])
        probabilities = probabilities[mine if order is None else order[mine]]
    else:
        probabilities = model.predict(features)
    for file in files[own.start : own.stop]:
        problems.extend(file.problems)
    return Rows(
        name="",
        times=reduced.times[mine],
        quality=[quality[index] for index in mine.tolist()],
        problems=problems,
        probabilities=probabilities,
        features=features,
        source=first + source[mine],
    )


def finish_night(chunks, names):
    """Join the chunks, steady the labels over the night and name what touched each frame.

    Parameters
    ----------
    chunks : list of Rows
        With features and probabilities, in any order.
    names : list of str
        Of the files that `Rows.source` counts.

    Returns
    -------
    LabelledNight
    """
    if not chunks:
        chunks = [
            Rows(
                "",
                np.empty(0, "datetime64[us]"),
                [],
                probabilities=np.empty((0, len(CLASSES)), np.float32),
                features=np.empty((0, len(FEATURE_NAMES)), np.float32),
                source=np.empty(0, int),
            )
        ]
    times = np.concatenate([chunk.times for chunk in chunks])
    raw = np.concatenate([chunk.probabilities for chunk in chunks])
    # Each column in one piece, as it is written.
    features = np.empty((len(FEATURE_NAMES), len(times)), np.float32)
    np.concatenate([chunk.features.T for chunk in chunks], axis=1, out=features)
    quality = [flags for chunk in chunks for flags in chunk.quality]
    problems = [problem for chunk in chunks for problem in chunk.problems]
    # A clock that was set back puts frames of distant files in one another's time.
    order, dropped = order_in_time(times, quality, np.concatenate([chunk.source for chunk in chunks]), names)
    if order is not None:
        times, raw, features = times[order], raw[order], features.take(order, axis=1)
        quality = [quality[index] for index in order.tolist()]
        problems += dropped
    steadied = steady(raw, times)
    table = {
        "time": times,
        "label": steadied.argmax(axis=1).astype(np.int8),
        "confidence": steadied.max(axis=1),
        "raw_label": np.nan_to_num(raw, nan=-1.0).argmax(axis=1).astype(np.int8),
    }
    table |= dict(zip(CLASSES, steadied.T, strict=True))
    table |= {f"raw_{name}": column for name, column in zip(CLASSES, raw.T, strict=True)}
    features = dict(zip(FEATURE_NAMES, features, strict=True))
    table["quality"] = _quality(times, features, quality)
    table |= features
    problems = sorted(dict.fromkeys(problems), key=lambda problem: (problem.path, problem.reason))
    return LabelledNight(table, problems)


def _quality(times, features, touched):
    """Return, as text, what the reader says touched each frame and what its neighbours and the sun do."""
    gaps = np.diff(times).astype(np.float64)
    late = np.zeros(times.size, bool)
    if gaps.size:
        late[1:] = gaps > _GAP * np.median(gaps)
    found = {
        "gap_before": late,
        "few_samples": features["window_filled"] < _FEW_SAMPLES,
        "sun_up": features["sun_elevation"] > 0,
    }
    codes = sum(flag.astype(np.int64) << bit for bit, flag in enumerate(found.values()))
    texts = [
        ";".join(name for bit, name in enumerate(found) if code >> bit & 1) for code in range(1 << len(found))
    ]
    quality = np.array(texts, object)[codes]
    for index in [index for index, flags in enumerate(touched) if flags]:
        quality[index] = ";".join((*touched[index], *filter(None, [quality[index]])))
    return quality
