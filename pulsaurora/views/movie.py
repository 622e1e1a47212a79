"""Films of a night, frame-numbered, to look at and to label from.

Every frame of the film is one of the night's, in time order, 20 a second. Its number is that of the label
workbooks: counted from zero along the UT date, whatever part of it the film shows. H.264 in an MP4 file,
encoded by PyAV, which brings its own FFmpeg.
"""

import contextlib
import datetime as dt
import re
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from pulsaurora.archive.files import whole_file
from pulsaurora.archive.tables import classification_path, parquet_path, read_classifications
from pulsaurora.imaging.contrast import clahe
from pulsaurora.imaging.nightreader import open_minutes
from pulsaurora.imaging.skymap import elevation_mask, optics_elevation
from pulsaurora.imaging.timeorder import order_in_time
from pulsaurora.problems import UnreadableFileError, UsageError
from pulsaurora.views.filmframe import FilmFrame
from pulsaurora.workers import n_cores

FRAMES_A_SECOND = 20
_FRAMES_AT_ONCE = 20
# On 1,200 real frames, equalized, in all: superfast takes half the time of veryfast (6.0 ms a frame, 10.4 to
# 11.4; two busy cores) and 3 per cent more room (13.5 kB a frame). A lower crf keeps more of the noise.
_QUALITY = {"crf": "26", "preset": "superfast"}
_GAMMA = 0.6
_LABEL_WITHIN = np.timedelta64(1_500_000, "us")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", re.ASCII)


@dataclass(slots=True)
class _Listed:
    """All frames of a night in time order: where each one is."""

    times: np.ndarray
    source: np.ndarray  # number of the minute
    index: np.ndarray  # place in the minute
    limits: tuple  # counts shown black and white
    problems: list


def make_movie(
    night,
    out,
    first=None,
    last=None,
    classifications=None,
    counts=False,
    workers=None,
    watch=None,
):
    """Make a film of a night, or of a part of it.

    Parameters
    ----------
    night : archive.layout.Night
    out : path-like
        Folder; the film is `YYYYMMDD_SITE_IMAGER_movie.mp4` there, or `..._movie_FIRST-LAST.mp4`, with frame
        numbers, where it is a part.
    first, last : str or int, optional
        UT times `HH:MM[:SS]` or frame numbers, both included.
    classifications : path-like, optional
        Root of the tree of classification files; makes the ribbon of classes.
    counts : bool
        Whether one scale of brightness holds for the whole film. Each frame is equalized by itself
        otherwise, which shows faint structure but not how bright it is.
    workers : int, optional
        Threads; as many as this process may use cores when not given.
    watch : callable, optional
        Called with the number of minutes read or drawn since the last call: each is read twice.

    Returns
    -------
    path : pathlib.Path or None
        None if the night has no frame that can be read.
    n_frames : int
    problems : list of Problem

    Raises
    ------
    UsageError
        If there is no frame between `first` and `last`, or the ribbon is asked for and the night has no
        classification file.
    """
    minutes = night.minutes
    labels = None if classifications is None else _labels(night, classifications)
    with ThreadPoolExecutor(workers or n_cores()) as pool, open_minutes(night) as read:
        try:
            listed = _list_frames(minutes, read, pool, watch)
            if not len(listed.times):
                return None, 0, listed.problems
            chosen = _range(listed.times, night, first, last)
            classes, confidence = (None, None) if labels is None else _match(listed.times[chosen], *labels)
            film = FilmFrame(256, f"{night.site} {night.imager}", classes, confidence)
            path = _path(night, out, chosen, len(listed.times))
            scale = _scale(listed.limits) if counts else clahe

            def draw(run):
                return _draw(run, minutes, read, listed, film, scale, chosen.start)

            runs = _runs(listed, chosen)
            _encode(path, film, _in_order(pool, draw, runs, watch, listed, chosen))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return path, chosen.stop - chosen.start, listed.problems


def _labels(night, classifications):
    """Times, class codes and confidence from a night's classification file."""
    path = classification_path(classifications, night.site, night.imager, night.date)
    found = next((each for each in (parquet_path(path), path) if each.is_file()), None)
    if found is None:
        raise UsageError(f"{path}: no such file; classify the night first, or leave out --ribbon")
    table = read_classifications(found, [])
    return table["time"].to_numpy(), table["label"].cat.codes.to_numpy(), table["confidence"].to_numpy()


def _match(times, labelled, codes, confidence):
    """Class and confidence of each frame of the film: those of the labelled time nearest to it."""
    if not len(labelled):
        return np.full(len(times), -1), np.zeros(len(times))
    after = np.clip(np.searchsorted(labelled, times), 1, max(len(labelled) - 1, 1))
    before = after - 1
    after = np.minimum(after, len(labelled) - 1)
    nearest = np.where(times - labelled[before] <= labelled[after] - times, before, after)
    near = np.abs(times - labelled[nearest]) <= _LABEL_WITHIN
    return np.where(near, codes[nearest], -1).astype(int), confidence[nearest]


def _list_frames(minutes, read, pool, watch):
    """Read everything once for its times, so that numbers and order are those of the whole date."""
    visible = elevation_mask(optics_elevation())

    def look(minute):
        frames = read(minute)
        limits = np.percentile(frames.images[0][visible], (1, 99.5)) if len(frames) else None
        return frames.times, frames.quality, frames.problems, limits

    times, quality, problems, limits = [np.empty(0, "datetime64[us]")], [], [], []
    for found, flags, wrong, limit in pool.map(look, minutes):
        times.append(found)
        quality += flags
        problems += wrong
        limits += [] if limit is None else [limit]
        if watch:
            watch(1)
    lengths = [len(found) for found in times[1:]]
    times = np.concatenate(times)
    source = np.repeat(np.arange(len(minutes)), lengths)
    index = np.concatenate([np.arange(n) for n in [0, *lengths]])
    names = [str(minute.alternatives[0]) for minute in minutes]
    order, dropped = order_in_time(times, quality, source, names)
    if order is not None:
        times, source, index = times[order], source[order], index[order]
    low, high = zip(*limits, strict=True) if limits else ((0,), (1,))
    shown = float(np.percentile(low, 10)), float(np.percentile(high, 90))
    return _Listed(times, source, index, shown, problems + dropped)


def _range(times, night, first, last):
    """The part of a night that is asked for: a slice of its frames."""
    start = 0 if first is None else _place(times, night, first, "left")
    stop = len(times) if last is None else _place(times, night, last, "right")
    if start >= stop:
        raise UsageError(
            f"no frame of {night.site} {night.date} from {first if first is not None else 'its first'} to "
            f"{last if last is not None else 'its last'}; it has frames 0 to {len(times) - 1}, "
            f"{str(times[0])[11:19]} to {str(times[-1])[11:19]} UT"
        )
    return slice(start, stop)


def _place(times, night, value, side):
    """Place of a frame number or UT time; of the frame after it for the side `right`."""
    text = str(value).strip()
    if text.isdecimal() and text.isascii():
        return min(int(text) + (side == "right"), len(times))
    match = _CLOCK.fullmatch(text)
    try:
        moment = dt.time(*(int(part or 0) for part in match.groups()))
    except (AttributeError, ValueError):
        raise UsageError(f"{text!r:.40} is no UT time (HH:MM or HH:MM:SS) and no frame number") from None
    at = np.datetime64(dt.datetime.combine(night.date, moment), "us")
    if side == "right":  # to the end of the second or minute that is named
        at += np.timedelta64(1 if match[3] else 60, "s") - np.timedelta64(1, "us")
    return int(np.searchsorted(times, at, side))


def _path(night, out, chosen, n_frames):
    name = f"{night.date:%Y%m%d}_{night.site}_{night.imager}_movie"
    if (chosen.start, chosen.stop) != (0, n_frames):
        name += f"_{chosen.start:05d}-{chosen.stop - 1:05d}"
    return Path(out) / f"{name}.mp4"


def _scale(limits):
    """Counts to 8 bits, the same way for every frame."""
    low, high = limits
    steps = np.clip((np.arange(65536) - low) / max(high - low, 1.0), 0, 1) ** _GAMMA
    table = np.rint(255 * steps).astype(np.uint8)
    return lambda images: table[images]


def _runs(listed, chosen):
    """Cut the film into frames that follow one another in one file, a few at a time: list of slices."""
    source, index = listed.source[chosen], listed.index[chosen]
    breaks = np.flatnonzero((np.diff(source) != 0) | (np.diff(index) != 1)) + 1
    edges = [0, *breaks.tolist(), len(source)]
    return [
        slice(chosen.start + start, chosen.start + min(start + _FRAMES_AT_ONCE, stop))
        for begin, stop in zip(edges[:-1], edges[1:], strict=True)
        for start in range(begin, stop, _FRAMES_AT_ONCE)
    ]


def _draw(run, minutes, read, listed, film, scale, film_start):
    """Draw the frames of one run."""
    minute = minutes[listed.source[run.start]]
    frames = read(minute)
    index, times = listed.index[run], listed.times[run]
    if index[-1] >= len(frames) or (frames.times[index] != times).any():
        raise UnreadableFileError(f"{minute.alternatives[0]}: changed while the film was made")
    images = scale(frames.images[index[0] : index[-1] + 1])
    return film.draw(images, times, np.arange(run.start, run.stop), run.start - film_start)


def _in_order(pool, draw, runs, watch, listed, chosen):
    """Yield drawn frames in order, a few runs ahead of the encoder."""
    waiting = deque()
    for run in runs:
        waiting.append(pool.submit(draw, run))
        if len(waiting) > n_cores() + 1:
            yield from waiting.popleft().result()
        if watch:
            watch((run.stop - run.start) / len(listed.times) * (listed.source[-1] + 1))
    while waiting:
        yield from waiting.popleft().result()


def _encode(path, film, drawn):
    """Encode frames of YUV planes as H.264; the film is there whole or not at all."""
    import av

    with (
        whole_file(path) as passing,
        contextlib.closing(
            av.open(str(passing), "w", format="mp4", options={"movflags": "+faststart"})
        ) as container,
    ):
        stream = container.add_stream("libx264", rate=FRAMES_A_SECOND, options=_QUALITY)
        stream.width, stream.height, stream.pix_fmt = film.width, film.height, "yuv420p"
        context = stream.codec_context
        context.gop_size = 2 * FRAMES_A_SECOND  # a viewer can jump to every second second
        context.time_base = Fraction(1, FRAMES_A_SECOND)
        context.thread_count = n_cores()
        context.colorspace = context.color_primaries = context.color_trc = 6  # BT.601
        context.color_range = 1  # limited
        for number, planes in enumerate(drawn):
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
