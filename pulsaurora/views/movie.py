"""Films of a night, frame-numbered, to look at and to label from.

Every frame of the film is one of the night's, in time order, 20 a second. Its number is that of the label
workbooks: counted from zero along the UT date, whatever imagers the site had on it and whatever part the film
shows. H.264 in an MP4 file, encoded by PyAV, which brings its own FFmpeg.
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
from pulsaurora.archive.tables import classification_path, parquet_path, read_whole_night
from pulsaurora.classification.frametruth import choose_apart
from pulsaurora.imaging.contrast import clahe
from pulsaurora.imaging.nightreader import open_minutes
from pulsaurora.imaging.skymap import elevation_mask, optics_elevation
from pulsaurora.imaging.timeorder import order_in_time
from pulsaurora.problems import Problem, UnreadableFileError, UsageError
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
    first_number: int = 0  # of the first frame, along the UT date


def make_movies(
    nights,
    out,
    first=None,
    last=None,
    classifications=None,
    counts=False,
    workers=None,
    watch=None,
    problems=None,
):
    """Make films of a UT date, or of a part of it: one for each imager that a site had.

    Each is made when the next one is asked for.

    Parameters
    ----------
    nights : list of archive.layout.Night
        All that a site had on the date: its frames are numbered from one imager to the next.
    out : path-like
        Folder; a film is `YYYYMMDD_SITE_IMAGER_movie.mp4` there, or `..._movie_FIRST-LAST.mp4`, with frame
        numbers, where it is a part of what the imager has.
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
    problems : list of Problem, optional
        What could not be read is appended.

    Yields
    ------
    path : pathlib.Path
    n_frames : int
        No film of imagers without a frame between `first` and `last`, or without one that can be read.

    Raises
    ------
    UsageError
        If no imager has a frame between `first` and `last`, or the ribbon is asked for and there is no
        classification file.
    """
    problems = [] if problems is None else problems
    labels = [
        None if classifications is None else _labels(night, classifications, problems) for night in nights
    ]
    with ThreadPoolExecutor(workers or n_cores()) as pool, contextlib.ExitStack() as opened:
        try:
            reads = [opened.enter_context(open_minutes(night)) for night in nights]
            parts = []
            for night, read, known in zip(nights, reads, labels, strict=True):
                listed = _list_frames(night.minutes, read, pool, watch)
                problems += listed.problems
                if len(listed.times):
                    parts.append((night, read, known, listed))
            for site in sorted({night.site for night in nights}):
                of_site = [(night, listed) for night, _, _, listed in parts if night.site == site]
                _number_along_date(of_site, problems)
            chosen = [_range(listed, night, first, last) for night, _, _, listed in parts]
            if parts and not any(chosen):
                raise UsageError(_no_frame([(night, listed) for night, _, _, listed in parts], first, last))
            for (night, read, known, listed), part in zip(parts, chosen, strict=True):
                if part is not None:
                    path = _path(night, out, part, listed)
                    _film(path, night, read, known, listed, part, counts, pool, watch)
                    yield path, part.stop - part.start
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _film(path, night, read, labels, listed, chosen, counts, pool, watch):
    """Make the film of a part of a night."""
    minutes = night.minutes
    classes, confidence = (None, None) if labels is None else _match(listed.times[chosen], *labels)
    film = FilmFrame(256, f"{night.site} {night.imager}", classes, confidence)
    scale = _scale(listed.limits) if counts else clahe

    def draw(run):
        return _draw(run, minutes, read, listed, film, scale, chosen.start)

    _encode(path, film, _in_order(pool, draw, _runs(listed, chosen), watch, listed, chosen))


def _labels(night, classifications, problems):
    """Times, class codes and confidence from a night's classification file."""
    path = classification_path(classifications, night.site, night.imager, night.date)
    if not (path.is_file() or parquet_path(path).is_file()):
        raise UsageError(f"{path}: no such file; classify the night first, or leave out --ribbon")
    table = read_whole_night(path, problems)
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
    """Read everything once for its times, so that numbers and order are those of the whole night."""
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


def _number_along_date(parts, problems):
    """Number the frames of a date's imagers as those count that give frames their labels."""
    chosen, aside = choose_apart([listed.times for _, listed in parts]) if parts else ([], [])
    number = 0
    for index in chosen:
        parts[index][1].first_number = number
        number += len(parts[index][1].times)
    for index in aside:
        night, other = parts[index][0], parts[chosen[0]][0]
        reason = (
            f"has the same hours as {other.site}_{other.imager}, which has more frames: labels by frame "
            "number are taken for those of the other"
        )
        name = f"{night.date} {night.site}_{night.imager}"
        problems.append(Problem(name, reason, len(parts[index][1].times)))


def _range(listed, night, first, last):
    """The part of a night that is asked for: a slice of its frames; None if it has none of it."""
    start = 0 if first is None else _place(listed, night, first, "left")
    stop = len(listed.times) if last is None else _place(listed, night, last, "right")
    return slice(start, stop) if start < stop else None


def _no_frame(parts, first, last):
    """Say that there is no frame of what was asked for, and which there are."""
    night = parts[0][0]
    has = [
        f"{f'{night.site}_{night.imager}' if len(parts) > 1 else 'it'} has frames {listed.first_number} to "
        f"{listed.first_number + len(listed.times) - 1}, "
        f"{str(listed.times[0])[11:19]} to {str(listed.times[-1])[11:19]} UT"
        for night, listed in parts
    ]
    return (
        f"no frame of {night.site} {night.date} from {first if first is not None else 'its first'} to "
        f"{last if last is not None else 'its last'}; {'; '.join(has)}"
    )


def _place(listed, night, value, side):
    """Place of a frame number or UT time; of the frame after it for the side `right`."""
    text = str(value).strip()
    if text.isdecimal() and text.isascii():
        return min(max(int(text) + (side == "right") - listed.first_number, 0), len(listed.times))
    match = _CLOCK.fullmatch(text)
    try:
        moment = dt.time(*(int(part or 0) for part in match.groups()))
    except (AttributeError, ValueError):
        raise UsageError(f"{text!r:.40} is no UT time (HH:MM or HH:MM:SS) and no frame number") from None
    at = np.datetime64(dt.datetime.combine(night.date, moment), "us")
    if side == "right":  # to the end of the second or minute that is named
        at += np.timedelta64(1 if match[3] else 60, "s") - np.timedelta64(1, "us")
    return int(np.searchsorted(listed.times, at, side))


def _path(night, out, chosen, listed):
    name = f"{night.date:%Y%m%d}_{night.site}_{night.imager}_movie"
    if (chosen.start, chosen.stop) != (0, len(listed.times)):
        name += f"_{listed.first_number + chosen.start:05d}-{listed.first_number + chosen.stop - 1:05d}"
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
    numbers = listed.first_number + np.arange(run.start, run.stop)
    return film.draw(images, times, numbers, run.start - film_start)


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
