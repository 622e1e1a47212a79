"""Pulsating patches and their pulses: the whole of it in one call, or joined from parts of a night.

Pulses are looked for cell by cell (pulses.py), linked to patches (linking.py), measured on each patch's own
mean brightness (measuring.py) and judged (kinds.py). docs/events.md tells what every column means.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pulsaurora.imaging.skycircle import sky_elevation
from pulsaurora.imaging.skymap import Skymap, read_skymap
from pulsaurora.imaging.timeorder import sort_frames
from pulsaurora.problems import ContractError
from pulsaurora.pulsation.geography import nearest_altitude, place_cells
from pulsaurora.pulsation.kinds import KINDS, describe, kind_probabilities
from pulsaurora.pulsation.linking import FEWEST_EVENTS, find_events_of, follow
from pulsaurora.pulsation.measuring import patch_pulses, patch_series
from pulsaurora.pulsation.pulses import find_cell_pulses
from pulsaurora.pulsation.reduction import SkyGrid, reduce_frames
from pulsaurora.pulsation.series import CellMap, seconds_since
from pulsaurora.pulsation.tabulating import tabulate

# Of pulsating patches in simulated skies left out of the fit 98 of 100 are at least so likely to be that,
# and 56 of 100 others; at 0.5 they are 93 and 37, and what is lost are the patches with long on-times.
LEAST_CONFIDENCE = 0.25


@dataclass(slots=True)
class Patch:
    """A patch that was found, before it is put into tables."""

    track: object
    series: object
    pulses: np.ndarray
    description: np.ndarray
    probabilities: np.ndarray | None = None


def find_events(
    images,
    times,
    site=None,
    skymap=None,
    *,
    elevation=None,
    least_confidence=LEAST_CONFIDENCE,
):
    """Find pulsating patches in frames, and the pulses of each.

    Parameters
    ----------
    images : ndarray of uint16, shape (n_frames, 256, 256), counts
        In file orientation: row 0 is the first row of the file. Other square sizes of 128 pixels and more
        that are multiples of 64 work.
    times : array-like of datetime64, shape (n_frames,)
        UTC, in any order, no two alike. THEMIS takes a frame each 3 s; frames may be missing.
    site : str, optional
        Such as `gill`; must be the skymap's where both are given.
    skymap : Skymap or path-like, optional
        Gives the cells' elevation, places on the Earth and areas; without it the frames show where the
        sky is, or else the usual optics tell, and places are NaN.
    elevation : ndarray of the shape of one image, degrees, optional
        In place of the skymap's.
    least_confidence : float, 0 to 1
        Patches that are less likely pulsating aurora than this are left out.

    Returns
    -------
    patches, pulses : pandas.DataFrame
        One row a patch and one row a pulse, as docs/events.md has them. Pulses that a gap or an end of the
        frames cuts have NaN for an on-time.

    Raises
    ------
    ContractError
        If the arrays do not fit each other or the skymap, or a time is given twice.
    UnreadableFileError
        If the skymap cannot be read.
    """
    images, times = sort_frames(images, times)
    latitude = longitude = None
    if skymap is not None:
        skymap = skymap if isinstance(skymap, Skymap) else read_skymap(skymap)
        if site is not None and skymap.site != str(site).lower():
            raise ContractError(f"the skymap is of {skymap.site}, the frames of {site}")
        at = nearest_altitude(skymap.altitudes_km)
        latitude, longitude = skymap.latitude[at], skymap.longitude[at]
        elevation = skymap.elevation if elevation is None else elevation
    if elevation is None:
        elevation = sky_elevation([images])
    cells = CellMap(SkyGrid(elevation, images.shape[1:]))
    origin = times[0].astype("datetime64[D]") if len(times) else np.datetime64("1970-01-01")
    sky = find_cell_pulses(reduce_frames(images, times, cells.grid), cells, origin)
    patches = find_patches(sky, cells, origin, least_confidence)
    patches, pulses = tabulate(patches, cells, place_cells(cells, latitude, longitude), origin)
    return pd.DataFrame(patches), pd.DataFrame(pulses)


def find_patches(sky, cells, origin, least_confidence=LEAST_CONFIDENCE):
    """Link and measure the patches of a night whose cells' pulses have been found.

    Parameters
    ----------
    sky : Stretch
        The whole night, in strictly ascending time order.
    cells : CellMap
    origin : datetime64 or date
        As it was given to `find_cell_pulses`.
    least_confidence : float, 0 to 1

    Returns
    -------
    list of Patch
        By their first pulse.
    """
    times_s = seconds_since(sky.times, origin)
    events = find_events_of(sky.pulses, cells)
    tracks = follow(events)
    # An event that was shared out counts once a piece, here and there.
    all_peaks = np.array([event.peak_s for event in events])
    own_peaks = np.sort([event.peak_s for track in tracks for event in track.events])
    patches = []
    for track in tracks:
        series = patch_series(track, sky, times_s)
        pulses = patch_pulses(track, series)
        if len(pulses) < FEWEST_EVENTS:
            continue
        frame = np.searchsorted(times_s, track.events[len(track.events) // 2].peak_s)
        background = sky.background[min(frame, len(times_s) - 1)]
        life = track.events[0].peak_s, track.events[-1].peak_s
        n_all, n_own = (np.diff(np.searchsorted(peaks, life))[0] + 1 for peaks in (all_peaks, own_peaks))
        description = describe(track, series, pulses, background, min(n_own / n_all, 1.0), cells)
        patches.append(Patch(track, series, pulses, description))
    if not patches:
        return []
    likely = kind_probabilities(np.stack([patch.description for patch in patches]))
    for patch, probabilities in zip(patches, likely, strict=True):
        patch.probabilities = probabilities
    kept = [p for p in patches if 1 - p.probabilities[KINDS.index("other")] >= least_confidence]
    return sorted(kept, key=lambda p: (p.pulses[0, 3], p.track.events[0].cells[0]))
