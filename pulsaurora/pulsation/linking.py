"""Pulses of cells to patches: what brightens together, and what brightens again in the same place.

An event is one brightening of a stretch of sky: pulses of touching cells that shine at the same time. A
patch is a chain of events whose cells overlap, with at most a minute and a half of darkness between them; it
may drift and change its outline from one pulse to the next, as patches do (Humberset et al. 2018, J. Geophys.
Res. 123, 4547). An event that covers two patches known from before is shared out between them.
"""

from dataclasses import dataclass, field

import numpy as np

from pulsaurora._core import _pulses
from pulsaurora.pulsation.series import TRIMMED_DEVIATION

LEAST_SHARED = 0.5  # of the time from the first's start to the last's end
EDGE = 0.5  # a cell that brightens by less than this share of a neighbour lies outside
FEWEST_CELLS = 4
# A lamp or star on the border of two cells brightens the means of all cells round them. The cells of an event
# but for the two that brighten most must do so themselves: by this share of those means' pulses.
OWN_SHARE, N_SET_ASIDE = 0.5, 2
MOST_OF_SKY = 0.4  # what brightens more at once is cloud or lamp light, or cannot be told from it
LONGEST_DARK_S = 90.0  # three off-times of 30 s: one or two faint pulses may be missed
LEAST_OVERLAP = 0.5  # of the smaller of event and patch
LEAST_ALIKE = 0.2  # of the cells of either
REMEMBERED = 5  # events that make a patch's present outline
FEWEST_EVENTS = 3


@dataclass(slots=True)
class Event:
    """One brightening of neighbouring cells.

    Attributes
    ----------
    cells : ndarray of int
        Ascending.
    mask : int
        The same as bits.
    weight : ndarray of float, counts
        How much each cell brightened.
    start_s, peak_s, end_s : float
        Means over the cells by weight.
    sigma, background : float, counts
        Of a cell: means over the cells.
    """

    cells: np.ndarray
    mask: int
    weight: np.ndarray
    start_s: float
    peak_s: float
    end_s: float
    sigma: float
    background: float
    parts: tuple = ()


@dataclass(slots=True)
class Track:
    """Events of one patch, in the order of time."""

    events: list = field(default_factory=list)
    outline: int = 0

    def add(self, event):
        self.events.append(event)
        self.outline = outline_of(self.events[-REMEMBERED:])


def outline_of(events):
    """Return, as bits, the cells that take part in half of some events or more."""
    if len(events) == 1:
        return events[0].mask
    cells, counts = np.unique(np.concatenate([event.cells for event in events]), return_counts=True)
    return bits(cells[2 * counts >= len(events)])


def bits(cells):
    """Return numbers of cells as the bits of one int."""
    return sum(1 << cell for cell in cells.tolist())


def find_events_of(pulses, cells):
    """Link pulses of neighbouring cells that brighten together.

    Parameters
    ----------
    pulses : dict of ndarray
        As `cell_pulses` gives them, of a whole night, in any order.
    cells : CellMap

    Returns
    -------
    list of Event
        By peak, then by first cell.
    """
    n_around = (cells.neighbours >= 0).sum(axis=1)
    order = np.lexsort((pulses["start_s"], pulses["cell"]))
    pulses = {name: values[order] for name, values in pulses.items()}
    pulses["height"] = pulses["prominence"] * pulses["sigma"] * TRIMMED_DEVIATION[n_around[pulses["cell"]]]
    # The mean over neighbours reaches a cell beyond a patch's edge: those are let go, and links through them.
    _, highest = _groups(pulses, cells)
    inside = pulses["height"] >= EDGE * highest
    pulses = {name: values[inside] for name, values in pulses.items()}
    groups, _ = _groups(pulses, cells)
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    events = []
    for members in np.split(order, starts[1:]) if len(order) else ():
        if len(members) >= FEWEST_CELLS and _is_broad(pulses["own"][members], pulses["height"][members]):
            event = _event({name: values[members] for name, values in pulses.items()})
            if FEWEST_CELLS <= len(event.cells) <= MOST_OF_SKY * cells.n:
                events.append(event)
    events.sort(key=lambda event: (event.peak_s, event.cells[0]))
    return events


def _is_broad(own, height):
    """Tell whether cells brighten themselves and not only in the means over their neighbours."""
    return np.nanmean(np.sort(own)[:-N_SET_ASIDE]) >= OWN_SHARE * height.mean()


def _groups(pulses, cells):
    number = np.ascontiguousarray(pulses["cell"], np.int32)
    offsets = np.searchsorted(number, np.arange(cells.n + 1)).astype(np.int32)
    groups, highest = np.empty(len(number), np.int32), np.empty(len(number))
    _pulses.fill_groups(
        number, *(np.ascontiguousarray(pulses[name], np.float64) for name in ("start_s", "end_s", "height")),
        offsets, cells.neighbours, LEAST_SHARED, groups, highest,
    )  # fmt: skip
    return groups, highest


def _event(parts):
    """Make an event of pulses; of a cell that pulsed twice in it, the higher counts."""
    order = np.lexsort((-parts["height"], parts["cell"]))
    first = np.flatnonzero(np.diff(parts["cell"][order], prepend=-1))
    parts = {name: values[order][first] for name, values in parts.items()}
    weight = parts["height"]
    start, peak, end = (
        float(np.average(parts[name], weights=weight)) for name in ("start_s", "peak_s", "end_s")
    )
    return Event(
        parts["cell"], bits(parts["cell"]), weight, start, peak, end,
        float(parts["sigma"].mean()), float(parts["background"].mean()), parts,
    )  # fmt: skip


def follow(events):
    """Chain events into patches.

    Parameters
    ----------
    events : list of Event
        By peak.

    Returns
    -------
    list of Track
        Those of FEWEST_EVENTS events or more, by their first peak.
    """
    alive, done = [], []
    for event in events:
        still = []
        for track in alive:
            if event.peak_s - track.events[-1].peak_s > LONGEST_DARK_S:
                done.append(track)
            else:
                still.append(track)
        alive = still
        covered = [t for t in alive if _is_free(t, event) and _covers(event.mask, t.outline)]
        pieces = _share_out(event, covered)
        for track, piece in pieces:
            if track is None:
                track = _best(alive, piece)
            if track is None:
                track = Track()
                alive.append(track)
            track.add(piece)
    tracks = [track for track in done + alive if len(track.events) >= FEWEST_EVENTS]
    tracks.sort(key=lambda track: (track.events[0].peak_s, track.events[0].cells[0]))
    return tracks


def _is_free(track, event):
    """Tell whether a patch is dark when an event begins."""
    return track.events[-1].end_s <= event.start_s + 1e-9


def _covers(event, outline):
    return 2 * (event & outline).bit_count() > outline.bit_count() > 0


def _share_out(event, covered):
    """Return (track, piece) pairs: an event that covers two patches or more is cut between them."""
    # Patches whose outlines lie over one another are one patch seen twice: the one seen last counts.
    apart = []
    for track in sorted(covered, key=lambda t: -t.events[-1].peak_s):
        size = track.outline.bit_count()
        if all(
            2 * (track.outline & o.outline).bit_count() <= min(size, o.outline.bit_count()) for o in apart
        ):
            apart.append(track)
    if len(apart) < 2:
        return [(None, event)]
    owner = np.full(len(event.cells), -1)
    for number, track in enumerate(apart):
        own = np.array([track.outline >> cell & 1 for cell in event.cells.tolist()], bool)
        owner[own & (owner < 0)] = number
    pairs = []
    for number, track in enumerate(apart):
        members = owner == number
        if members.sum() >= FEWEST_CELLS:
            pairs.append((track, _event({k: v[members] for k, v in event.parts.items()})))
    return pairs


def _best(alive, event):
    """Return the patch in whose place an event lies, or None."""
    best, most = None, 0.0
    for track in alive:
        shared = (track.outline & event.mask).bit_count()
        if not shared or not _is_free(track, event):
            continue
        sizes = track.outline.bit_count(), event.mask.bit_count()
        alike = shared / (sum(sizes) - shared)
        if shared >= LEAST_OVERLAP * min(sizes) and alike >= LEAST_ALIKE and alike > most:
            best, most = track, alike
    return best
