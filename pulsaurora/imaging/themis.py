"""THEMIS all-sky minute files (PGM) -> Frames.

A minute file holds 20 frames, more or fewer at times. Every whole frame in it is kept, whatever
happened to its neighbours, and what was lost is told as a Problem: reading never stops at a bad file.
"""

import datetime
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from pulsaurora._core import _pgm
from pulsaurora.archive.layout import parse_frame_name, plain_text
from pulsaurora.imaging.frames import SHARED, Frames, PackedImages, common
from pulsaurora.imaging.inflate import read_inflated
from pulsaurora.problems import Problem, UnreadableFileError, UsageError
from pulsaurora.workers import n_cores

FRAMES_A_MINUTE = 20
CADENCE = np.timedelta64(3, "s")

# A frame may lie this far from the minute its file is named after before its clock is doubted,
_CLOCK_SLACK = np.timedelta64(5, "m")
# and beyond this the name is believed instead.
_CLOCK_ABSURD = np.timedelta64(1, "D")
# The same in plain numbers, for the usual case.
_EPOCH, _MICROSECOND = datetime.datetime(1970, 1, 1), datetime.timedelta(microseconds=1)
_CLOCK_SLACK_US = int(_CLOCK_SLACK / np.timedelta64(1, "us"))
_HALF_A_MINUTE_US = int(CADENCE / np.timedelta64(1, "us")) * (FRAMES_A_MINUTE // 2)
_MOST_EVENTS = 8

ESTIMATED = "time_estimated"

_TRUNCATING = (_pgm.HEADER_CUT, _pgm.SHORT_FRAME)


def read_frames(paths, workers=None):
    """Read minute files into one stack of frames in time order.

    Parameters
    ----------
    paths : path-like or iterable of path-like
        `.pgm`, `.pgm.gz` or `.pgm.bz2` files, in any order. Content decides, not the suffix.
    workers : int, optional
        Threads; by default one for each processor this process may use.

    Returns
    -------
    Frames
        Images uint16 of shape (n_frames, 256, 256), times in ascending order without repeats.
        A frame whose time another frame has too is dropped; the one that stays carries the flag
        `duplicate_dropped`. Files that cannot be read, or not wholly, are in `problems`.

    Raises
    ------
    UsageError
        If `paths` holds anything but paths, or `workers` is not a positive whole number.
    """
    paths = sorted(_checked_paths(paths), key=os.path.basename)
    if workers is None:
        workers = n_cores()
    elif not isinstance(workers, (int, np.integer)) or workers < 1:
        raise UsageError(f"workers is {workers!r}, expected a whole number from 1 up")
    # Each file is decoded to where its frames will most likely stay.
    stack = np.empty((FRAMES_A_MINUTE * len(paths), _pgm.FRAME_SIDE, _pgm.FRAME_SIDE), np.uint16)

    def read(i):
        return _read_file(paths[i], stack[FRAMES_A_MINUTE * i : FRAMES_A_MINUTE * (i + 1)])

    if workers == 1 or len(paths) < 2:
        parts = [read(i) for i in range(len(paths))]
    else:
        with ThreadPoolExecutor(min(int(workers), len(paths))) as pool:
            parts = list(pool.map(read, range(len(paths))))
    return _in_time_order(parts, [plain_text(path) for path in paths], stack)


def read_minute(path, metadata=True, room=None, packed=False):
    """Read one minute file, or the same minute from several.

    Parameters
    ----------
    path : path-like or sequence of path-like
        One file, or alternatives such as the same minute as `.pgm.gz` and as `.pgm`. The first is
        read; the others only if something is wrong with it, for the frames it lacks.
    metadata : bool
        Whether to make the header dictionaries (about 0.1 ms a minute).
    room : ndarray of uint16, shape (any, 256, 256), optional
        Where the images go if they fit there, in place of an array of their own.
    packed : bool
        Whether images may be given as PackedImages; so they are if nothing is wrong with the file.

    Returns
    -------
    Frames
        In time order; see :func:`read_frames`.

    Notes
    -----
    Safe to call from threads at once: reading, inflating and decoding release the GIL.
    """
    paths = _checked_paths(path)
    same_frames = {}
    for one in paths:
        same_frames.setdefault(os.path.basename(one).partition(".pgm")[0], []).append(one)
    parts, names = [], []
    for alternatives in same_frames.values():
        for one in alternatives:
            found = _scan_file(one, metadata)
            if packed and len(same_frames) == 1 and not parts and not found.problems and _ascend(found.times):
                return found
            parts.append(_unpacked(found, None if parts else room))
            names.append(plain_text(one))
            if not parts[-1].problems:
                break
    if len(parts) == 1 and _ascend(parts[0].times):
        return parts[0]
    return _in_time_order(parts, names, quiet=len(paths) > 1)


def _checked_paths(paths):
    if isinstance(paths, (str, bytes, os.PathLike)):
        paths = [paths]
    try:
        paths = [os.fsdecode(path) for path in paths]
    except TypeError:
        raise UsageError(f"expected a path or several, found {paths!r:.80}") from None
    if not paths:
        raise UsageError("no files to read: the list of paths is empty")
    return paths


def _ascend(times):
    stamps = times.view(np.int64)
    return bool((stamps[1:] > stamps[:-1]).all())


def _read_file(path, room=None):
    """All whole frames of one file, in file order, in `room` (images) if they fit there."""
    return _unpacked(_scan_file(path), room)


def _unpacked(frames, room=None):
    """The same frames with their images in an array, in `room` if they fit there."""
    if room is None or len(frames) > len(room):
        room = np.empty((len(frames), _pgm.FRAME_SIDE, _pgm.FRAME_SIDE), np.uint16)
    images = room[: len(frames)]
    _pgm.fill_pixels(frames.images.data, frames.images.starts, images)
    frames.images = images
    return frames


def _scan_file(path, metadata=True):
    """All whole frames of one file, in file order; their pixels stay where they are."""
    name = plain_text(path)
    try:
        data, complaint = read_inflated(path)
    except UnreadableFileError as error:
        none = PackedImages(b"", np.empty(0, np.int64))
        reason = str(error).removeprefix(f"{name}: ")
        return Frames(none, np.empty(0, "datetime64[us]"), problems=[Problem(name, reason)])
    table = np.empty((len(data) // _pgm.FRAME_BYTES, _pgm.N_FRAME_COLUMNS), np.int64)
    events = np.empty((_MOST_EVENTS, _pgm.N_EVENT_COLUMNS), np.int64)
    n_frames, n_events = _pgm.scan_frames(data, table, events)
    table = table[:n_frames]

    reasons = [complaint] if complaint else []
    reasons += [_event_text(event, data) for event in events[:n_events].tolist()]
    if n_events > _MOST_EVENTS:
        reasons.append(f"and {n_events - _MOST_EVENTS} more such places")
    flags = [()] * n_frames
    if reasons:
        truncated = (complaint or "").find("ends early") >= 0 or any(
            event[_pgm.KIND] in _TRUNCATING for event in events[:n_events].tolist()
        )
        flags = [("file_truncated" if truncated else "file_damaged",)] * n_frames
    elif n_frames == 0:
        reasons.append("holds no frame")

    named = parse_frame_name(os.path.basename(path))
    times, keep = _frame_times(table, named, reasons, flags)
    if not keep.all():
        table, times = table[keep], times[keep]
        flags = [flag for flag, kept in zip(flags, keep, strict=True) if kept]
    _header_complaints(table, reasons, flags)

    headers = _headers(data, table if metadata else table[:1])
    known = _known(headers, named, reasons)
    return Frames(
        images=PackedImages(data, table[:, _pgm.PIXELS_START]),
        times=times,
        metadata=headers if metadata else [],
        problems=[Problem(name, "; ".join(reasons), len(table))] if reasons else [],
        quality=flags,
        **known,
    )


def _event_text(event, data):
    """What the scan found, in words."""
    kind, position, offset, found, found_2 = event
    if kind == _pgm.NOT_PGM:
        return f"is not a PGM file of frames (begins with {bytes(data[:16])!r})"
    if kind == _pgm.BYTES_BEFORE:
        return f"{found} bytes before the first header are ignored"
    if kind == _pgm.HEADER_CUT:
        return f"ends inside the header of frame {position}"
    if kind == _pgm.HEADER_DAMAGED:
        return f"the header of frame {position} at byte {offset} never comes to its pixels"
    if kind == _pgm.WRONG_SIZE:
        return f"frame {position} is {found} x {found_2} pixels, expected 256 x 256"
    if kind == _pgm.WRONG_MAXIMUM:
        return f"frame {position} has largest value {found}, expected 65535"
    if kind == _pgm.SHORT_FRAME:
        return f"frame {position} has {found} bytes, expected {_pgm.FRAME_BYTES}"
    return f"{found} bytes after frame {position} are no frame"


def _header_complaints(table, reasons, flags):
    """Note header lines that were passed over in frames kept."""
    column = table[:, _pgm.FLAGS]
    if not column.any():
        return
    for bit, words in (
        (_pgm.FLAG_NOT_ASCII, "has a header line that is not ASCII, skipped"),
        (_pgm.FLAG_ODD_LINE, "has a header line that is not understood, skipped"),
        (_pgm.FLAG_NO_SIZE, "has no line `256 256` in its header"),
    ):
        touched = np.flatnonzero(column & bit)
        if len(touched):
            more = f" (and {len(touched) - 1} more)" if len(touched) > 1 else ""
            reasons.append(f"frame {table[touched[0], _pgm.POSITION]} {words}{more}")
            _flag(flags, touched, "header_damaged")


def _flag(flags, which, name):
    for i in which:
        flags[i] = (*flags[i], name)


def _frame_times(table, named, reasons, flags):
    """Time of each frame, and which frames have one; what is wrong goes to `reasons` and `flags`."""
    stamps = table[:, _pgm.TIME_US].copy()
    times = stamps.view("datetime64[us]")
    if named is not None and len(stamps):
        # Nearly every file: all clocks agree with its name. NaT is the least of all numbers.
        middle = (named.start - _EPOCH) // _MICROSECOND + _HALF_A_MINUTE_US
        known = stamps.tolist()  # of 20 numbers Python finds the least and the greatest sooner than numpy
        if min(known) >= middle - _CLOCK_SLACK_US and max(known) <= middle + _CLOCK_SLACK_US:
            return times, np.ones(len(times), bool)
    position = table[:, _pgm.POSITION]
    doubtful = np.isnat(times)
    if named is not None:
        minute = np.datetime64(named.start, "us")
        off = np.abs(times - minute - CADENCE * (FRAMES_A_MINUTE // 2))
        doubtful |= off > _CLOCK_ABSURD
        jumped = ~doubtful & (off > _CLOCK_SLACK)
        if jumped.any():
            first = np.flatnonzero(jumped)[0]
            reasons.append(
                f"frame {position[first]} has the time {times[first]}, far from the file's minute "
                f"({jumped.sum()} such frames, kept)"
            )
            _flag(flags, np.flatnonzero(jumped), "clock_jump")
    if not doubtful.any():
        return times, ~doubtful
    first = np.flatnonzero(doubtful)[0]
    found = "no `Image request start`" if np.isnat(times[first]) else f"the time {times[first]}"
    sure = np.flatnonzero(~doubtful)
    if len(sure):
        # The nearest frame in the file that has a time, and the cadence.
        nearest = sure[np.abs(position[doubtful, None] - position[sure]).argmin(axis=1)]
        times[doubtful] = times[nearest] + CADENCE * (position[doubtful] - position[nearest])
    elif named is not None:
        times[doubtful] = minute + CADENCE * position[doubtful]
    else:
        reasons.append(f"frame {position[first]} has {found}, and nothing else gives one: dropped")
        return times, ~doubtful
    reasons.append(f"frame {position[first]} has {found} ({doubtful.sum()} such frames, times estimated)")
    _flag(flags, np.flatnonzero(doubtful), ESTIMATED)
    return times, np.ones(len(times), bool)


def _headers(data, table):
    """One dictionary a frame; site and imager stay what the last header that named them said."""
    headers = []
    site = imager = ""
    for start, stop in table[:, (_pgm.HEADER_START, _pgm.PIXELS_START)].tolist():
        text = str(data[start:stop], "latin-1")
        header = {}
        for line in text.split("\n"):
            if line[:2] == '#"':
                key, quote, value = line[2:].partition('"')
                if quote and line.isascii():
                    header[key] = value.strip()
        site = header.setdefault("Site unique ID", site)
        imager = header.setdefault("Imager unique ID", imager)
        headers.append(header)
    return headers


def _known(headers, named, reasons):
    """Site, imager and position from the first header and the file's name."""
    first = headers[0] if headers else {}
    site, imager = first.get("Site unique ID") or None, first.get("Imager unique ID") or None
    if named is not None:
        if site is not None and site.lower() != named.site:
            reasons.append(f"header says site {site!r:.20}, name says {named.site!r}: the name is believed")
        site, imager = named.site, named.imager
    latitude = _degrees(first.get("Geodetic latitude"), 90)
    longitude = _degrees(first.get("Geodetic Longitude", first.get("Geodetic longitude")), 360)
    if latitude is None or longitude is None:
        return {"site": site, "imager": imager}
    longitude = longitude - 360 if longitude > 180 else longitude
    return {"site": site, "imager": imager, "latitude": latitude, "longitude": longitude}


def _degrees(text, limit):
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return value if -limit <= value <= limit else None


def _in_time_order(parts, names, stack=None, quiet=False):
    """Join the frames of several files, ascending in time, one frame a time."""
    problems = [problem for part in parts for problem in part.problems]
    known = {name: common([getattr(part, name) for part in parts]) for name in SHARED}
    lengths = [len(part) for part in parts]
    if not sum(lengths):
        return Frames.empty(problems=problems, **known)
    sites = sorted({part.site for part in parts if part.site})
    if len(sites) > 1:
        reason = f"read together with files of other sites ({', '.join(sites)})"
        problems.append(Problem(names[0], reason, sum(lengths)))
    times = np.concatenate([part.times for part in parts])
    metadata = [entry for part in parts for entry in part.metadata]
    quality = [flags for part in parts for flags in part.quality]
    source = np.repeat(np.arange(len(parts)), lengths)

    told_apart = _joined_estimates(times, quality, source)
    # Of frames with one time the least touched is kept, then the one of the file given first.
    order = np.lexsort((np.arange(len(times)), [len(flags) for flags in quality], told_apart))
    again = np.zeros(len(order), bool)
    again[1:] = told_apart[order][1:] == told_apart[order][:-1]
    if again.any():
        kept = order[np.flatnonzero(~again)[np.cumsum(~again) - 1]]
        for i in np.unique(kept[again]):
            quality[i] = (*quality[i], "duplicate_dropped")
        if not quiet:
            problems += _duplicate_problems(names, lengths, source[order[again]], source[kept[again]])
        order = order[~again]
    return Frames(
        images=_ordered_images(parts, lengths, order, stack),
        times=told_apart[order],
        metadata=[metadata[i] for i in order],
        problems=problems,
        quality=[quality[i] for i in order],
        **known,
    )


def _joined_estimates(times, quality, source):
    """Times, where an estimated one takes that of the frame in another file that it must be."""
    estimated = np.array([ESTIMATED in flags for flags in quality])
    if not estimated.any() or estimated.all() or source[0] == source[-1]:
        return times
    times = times.copy()
    sure = np.flatnonzero(~estimated)
    for i in np.flatnonzero(estimated):
        others = sure[source[sure] != source[i]]
        if len(others):
            distance = np.abs(times[others] - times[i])
            if distance.min() < CADENCE / 2:
                times[i] = times[others[distance.argmin()]]
    return times


def _duplicate_problems(names, lengths, dropped, kept):
    """One problem a file that frames were dropped from; `dropped` and `kept` are file numbers."""
    problems = []
    for i in np.unique(dropped):
        n_dropped = int((dropped == i).sum())
        other = int(kept[dropped == i][0])
        where = "in the same file" if other == i else f"of {os.path.basename(names[other])}"
        reason = f"{n_dropped} frames have the times of frames {where}: dropped"
        problems.append(Problem(names[i], reason, lengths[i] - n_dropped))
    return problems


def _ordered_images(parts, lengths, order, stack):
    """The images of all parts in a given order; in place where they lie in order already."""
    firsts = np.cumsum([0, *lengths[:-1]])
    if stack is not None and all(
        not len(part) or np.may_share_memory(part.images, stack) for part in parts
    ):
        slots = np.concatenate([FRAMES_A_MINUTE * i + np.arange(n) for i, n in enumerate(lengths)])[order]
        if (np.diff(slots) > 0).all():
            for target, slot in enumerate(slots):
                if target != slot:
                    stack[target] = stack[slot]
            return stack[: len(slots)]
    images = np.empty((len(order), *parts[0].images.shape[1:]), np.uint16)
    source = np.searchsorted(firsts, order, side="right") - 1
    for target, (i, frame) in enumerate(zip(source, order - firsts[source], strict=True)):
        images[target] = parts[i].images[frame]
    return images
