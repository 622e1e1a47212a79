"""What a night holds, in numbers and in one sentence: for the report of a night.

Labels may flicker (files of other programs do), so an interval of pulsating aurora is where at least half of
the frames within a minute are pulsating, not a run of frames without exception.
"""

from dataclasses import dataclass

import numpy as np

from pulsaurora.classes import BAD_VIEWING, CLASSES, OTHER_AURORA, PULSATING
from pulsaurora.classification.assessment import LEAST_PULSATING_S
from pulsaurora.imaging.ephemeris import sun_moon

WINDOW_S = 60.0  # in which at least half of the frames are pulsating
LEAST_S = 60.0  # shorter intervals are counted, not listed
GAP_S = 60.0  # longer without a frame, an interval ends
_UNSURE = 0.6  # mean confidence below which the summary says so
_TWILIGHT_DEG = -12.0  # a higher sun lights the sky


@dataclass(frozen=True)
class Interval:
    """A stretch of pulsating aurora.

    Attributes
    ----------
    start, end : datetime64[us]
        Of its first and last pulsating frame.
    n_frames : int
    share : float
        Part of its frames that are labelled pulsating.
    confidence : float
        Mean of those frames.
    period_s : float
        Median of those frames' dominant periods; NaN where it is not known.
    """

    start: np.datetime64
    end: np.datetime64
    n_frames: int
    share: float
    confidence: float
    period_s: float

    @property
    def seconds(self):
        return seconds_between(self.start, self.end)


@dataclass(frozen=True)
class Totals:
    """Frames of one class.

    Attributes
    ----------
    n_frames : int
    hours : float
        Frames times the usual time between them.
    share : float
    confidence : float
        Mean; NaN without frames.
    """

    n_frames: int
    hours: float
    share: float
    confidence: float


@dataclass(frozen=True)
class Facts:
    """What the labels of a night come to.

    Attributes
    ----------
    start, end : datetime64[us] or None
        First and last frame.
    n_frames : int
    cadence_s : float
        Median time between frames; 3 with fewer than two.
    classes : dict of str to Totals
    intervals : list of Interval
    n_short : int
        Intervals too short to be listed.
    n_gaps, gap_s
        Gaps longer than 1.5 times the cadence, and how long they are together.
    longest_gap : (datetime64[us], float) or None
        Where it begins, seconds.
    """

    start: np.datetime64 | None
    end: np.datetime64 | None
    n_frames: int
    cadence_s: float
    classes: dict
    intervals: list
    n_short: int
    n_gaps: int
    gap_s: float
    longest_gap: tuple | None


def facts_of(times, labels, confidence, period_s=None):
    """Sum up the labels of a night.

    Parameters
    ----------
    times : ndarray of datetime64, shape (n_frames,)
        UTC, in order.
    labels : ndarray of int, shape (n_frames,)
        Class numbers.
    confidence : ndarray of shape (n_frames,), 0 to 1
    period_s : ndarray of shape (n_frames,), seconds, optional
        Dominant period; what is not above 0 is not known.

    Returns
    -------
    Facts
    """
    times = np.asarray(times).astype("datetime64[us]")
    labels, confidence = np.asarray(labels, np.int64), np.asarray(confidence, np.float64)
    period_s = np.full(len(times), np.nan) if period_s is None else np.asarray(period_s, np.float64)
    steps = np.diff(times) / np.timedelta64(1, "s")
    cadence_s = float(np.median(steps)) if len(steps) else 3.0
    counts = np.bincount(labels[labels >= 0], minlength=len(CLASSES))
    classes = {
        name: Totals(
            int(n),
            float(n * cadence_s / 3600),
            float(n / max(len(times), 1)),
            float(confidence[labels == code].mean()) if n else np.nan,
        )
        for code, (name, n) in enumerate(zip(CLASSES, counts, strict=True))
    }
    gaps = np.flatnonzero(steps > 1.5 * cadence_s)
    longest = gaps[steps[gaps].argmax()] if len(gaps) else None
    found = pulsating_intervals(times, labels, confidence, period_s)
    return Facts(
        times[0] if len(times) else None,
        times[-1] if len(times) else None,
        len(times),
        cadence_s,
        classes,
        [interval for interval in found if interval.seconds >= LEAST_S],
        sum(interval.seconds < LEAST_S for interval in found),
        len(gaps),
        float(steps[gaps].sum()),
        None if longest is None else (times[longest], float(steps[longest])),
    )


def pulsating_intervals(times, labels, confidence, period_s):
    """Find the stretches where at least half of the frames within WINDOW_S are pulsating.

    Parameters are those of `facts_of`.

    Returns
    -------
    list of Interval
        In time order, each beginning and ending with a pulsating frame.
    """
    if not len(times):
        return []
    is_pulsating = labels == PULSATING
    before = np.concatenate([[0], np.cumsum(is_pulsating)])
    half = np.timedelta64(round(WINDOW_S / 2 * 1e6), "us")
    low, high = np.searchsorted(times, times - half), np.searchsorted(times, times + half, "right")
    inside = 2 * (before[high] - before[low]) >= high - low
    breaks = np.diff(times) > np.timedelta64(round(GAP_S * 1e6), "us")
    run = np.cumsum(np.concatenate([[True], (inside[1:] != inside[:-1]) | breaks]))
    found = []
    which = np.flatnonzero(inside)
    for members in np.split(which, np.flatnonzero(np.diff(run[which])) + 1):
        members = members[is_pulsating[members]]
        if not len(members):
            continue
        n_frames = int(members[-1] - members[0] + 1)
        known = period_s[members]
        known = known[known > 0]
        found.append(
            Interval(
                times[members[0]],
                times[members[-1]],
                n_frames,
                len(members) / n_frames,
                float(confidence[members].mean()),
                float(np.median(known)) if len(known) else np.nan,
            )
        )
    return found


def seconds_between(start, end):
    """Seconds from one time to another."""
    return float((end - start) / np.timedelta64(1, "s"))


def duration_text(seconds):
    """Write a duration as a person would: `2 h 05 min`, `17 min`, `42 s`."""
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"


def clock(time, seconds=True):
    """Write a time of day, UTC; `none` without one."""
    return "none" if time is None else str(time.astype("datetime64[s]"))[11 : 19 if seconds else 16]


def verdict(facts):
    """Say in a word or two and in one sentence whether a night is worth its reader's time.

    Parameters
    ----------
    facts : Facts

    Returns
    -------
    word : str
        `worth a look`, `a little`, `nothing pulsating` or `no frames`.
    sentence : str
    """
    if not facts.n_frames:
        return "no frames", "The classification file holds no frame: there is nothing to see."
    pulsating, bad = facts.classes[CLASSES[PULSATING]], facts.classes[CLASSES[BAD_VIEWING]]
    night = f"{duration_text(facts.n_frames * facts.cadence_s)} of frames"
    viewing = f"viewing was bad in {percent(bad.share)}"
    if not pulsating.n_frames:
        other = percent(facts.classes[CLASSES[OTHER_AURORA]].share)
        return "nothing pulsating", f"No pulsating aurora in {night}; other aurora in {other}, and {viewing}."
    amount = duration_text(pulsating.hours * 3600)
    amount = f"{amount} of pulsating aurora ({percent(pulsating.share)} of {night})"
    sure = f"mean confidence {'only ' if pulsating.confidence < _UNSURE else ''}{pulsating.confidence:.2f}"
    where = "scattered in less than a minute at a time"
    if facts.intervals:
        longest = max(facts.intervals, key=lambda interval: interval.seconds)
        n = len(facts.intervals)
        span = f"{clock(longest.start, False)} to {clock(longest.end, False)} UTC"
        where = f"in one interval, {span}" if n == 1 else f"in {n} intervals, the longest {span}"
    if pulsating.hours * 3600 < LEAST_PULSATING_S:
        return "a little", f"Only {amount}, {where}; {sure}; {viewing}."
    return "worth a look", f"{amount}, {where}; {sure}; {viewing}."


def percent(share):
    """Write a share in per cent; what is there is never 0 %."""
    return "<1\N{NO-BREAK SPACE}%" if 0 < share < 0.005 else f"{100 * share:.0f}\N{NO-BREAK SPACE}%"


def sky_sentences(start, end, position):
    """Say when the sky was dark and where the moon stood.

    Parameters
    ----------
    start, end : datetime64
        First and last frame.
    position : (float, float)
        Degrees north and east.

    Returns
    -------
    list of (str, str)
        What, and a sentence.
    """
    start, end = start.astype("datetime64[s]"), end.astype("datetime64[s]") + np.timedelta64(1, "s")
    times = np.arange(start, end, np.timedelta64(1, "m")).astype("datetime64[us]")
    sky = sun_moon(times, *position)
    sun, moon, lit = sky.sun_elevation_deg, sky.moon_elevation_deg, sky.moon_illumination
    dark = _spans(times, sun < _TWILIGHT_DEG)
    up = _spans(times, moon > 0)
    limit = _degrees(_TWILIGHT_DEG)
    said_sun = f"between {_degrees(sun.min())} and {_degrees(sun.max())}; " + (
        f"below {limit} {dark}" if dark else f"never below {limit}: twilight or day"
    )
    said_moon = f"{100 * lit.mean():.0f} % lit; " + (
        f"above the horizon {up}, at most {_degrees(moon.max())} high"
        if up
        else "below the horizon throughout"
    )
    return [("Sun", said_sun), ("Moon", said_moon)]


def _spans(times, chosen):
    """Say when something held: `throughout`, `07:05 to 09:10 and ...`, or nothing."""
    if chosen.all():
        return "throughout"
    edges = np.flatnonzero(np.diff(np.concatenate([[False], chosen, [False]]).astype(int)))
    spans = [
        f"from {clock(times[first], False)} to {clock(times[end - 1], False)}"
        for first, end in zip(edges[::2], edges[1::2], strict=True)
    ]
    return " and ".join(spans)


def _degrees(value):
    return f"{value:.0f}°".replace("-", "−")
