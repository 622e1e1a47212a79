"""What a patch is: one of the three kinds of pulsating aurora, or something else that flickers.

The kinds are those of Grono and Donovan (2018, Ann. Geophys. 36, 891): patchy aurora has a stable structure
that pulsates in small parts only; patchy pulsating aurora has stable patches that pulsate over most of their
area; amorphous pulsating aurora evolves so fast that no patch can be followed for long. The fourth, `other`,
is what pulses without being pulsating aurora: cloud that moves, arcs, rain on the dome.

A patch is described by the numbers in FEATURES; a multinomial logistic regression, fitted to patches found in
simulated skies of known kind, gives a probability each. `python -m pulsaurora.pulsation.kinds_training` fits
it again; kinds_table.py holds what it gave and how it scored.
"""

import numpy as np

from pulsaurora.pulsation.kinds_table import INTERCEPTS, MEANS, SCALES, WEIGHTS
from pulsaurora.pulsation.linking import outline_of

KINDS = ("patchy", "patchy_pulsating", "amorphous", "other")
FEATURES = (
    "n_pulses",  # log10
    "pulse_rate",  # pulses each 10 s
    "snr",  # log10 of amplitude over the patch's own noise
    "relative_amplitude",  # log10 of amplitude over background
    "unevenness",  # log10 of how much the dark level changes from pulse to pulse, in amplitudes
    "slowness",  # log10 of slow change over fast change
    "spread",  # log10 of how many seconds apart the cells brighten
    "sweep",  # log10 of seconds a cell by which brightening moves on, the same way each time
    "skewness",  # of the de-trended series
    "on_time",  # log10 of seconds
    "on_spread",  # standard deviation of on-times over their mean
    "likeness",  # cells that one event shares with the next, of the cells of either
    "wander",  # from centre to centre of events, in patch diameters
    "size",  # log10 of cells
    "linked",  # events over pulses
    "glow",  # log10 of background over that of the whole sky
    "structure",  # log10 of how much the background varies within four cells of it, over that background
    "persistence",  # cells that the first and the last half of the events share, of the cells of either
    "company",  # share of the sky's events at that time that are part of a patch
)


def describe(track, series, pulses, sky_background, company, cells):
    """Describe a patch in numbers.

    Parameters
    ----------
    track : Track
    series : PatchSeries
    pulses : ndarray of shape (n_pulses, 8)
        As patch_pulses gives them; two or more.
    sky_background : ndarray of shape (n_cells,), counts
        While the patch is there.
    company : float, 0 to 1
        Share of the sky's events, while the patch is there, that are part of a patch.
    cells : CellMap

    Returns
    -------
    ndarray of float64, shape (len(FEATURES),)
    """
    events = track.events
    start, peak_s, end, prominence = pulses[:, 2], pulses[:, 3], pulses[:, 4], pulses[:, 5]
    on = end - start
    amplitude = max(float(np.median(prominence)), 1e-3)
    change = series.change[np.isfinite(series.change)].astype(float)
    fast = max(change.std() ** 2 - series.sigma**2, 1e-2 * series.sigma**2) ** 0.5
    slow = np.nanstd(series.background.astype(float)) if np.isfinite(series.background).any() else 0.0
    level = np.nan_to_num(series.change.astype(float) + series.background)
    at = np.searchsorted(series.times_s, peak_s)
    dark = np.array([level[a:b].min() for a, b in zip(at[:-1], at[1:], strict=True) if b > a])
    uneven = np.median(np.abs(np.diff(dark))) / amplitude if len(dark) > 1 else 1.0
    spreads, slopes, centres = [], [], []
    for event in events:
        share = event.weight / event.weight.sum()
        place = np.stack([cells.row[event.cells], cells.col[event.cells]], axis=1).astype(float)
        centre = share @ place
        middle = (event.parts["start_s"] + event.parts["end_s"]) / 2
        late = middle - share @ middle
        spreads.append(np.sqrt(share @ late**2))
        away = place - centre
        moment = (share[:, None] * away).T @ away + 0.25 * np.eye(2)  # never singular: a cell has a width
        slopes.append(np.linalg.solve(moment, (share * late) @ away))
        centres.append(centre)
    n_cells = np.mean([len(event.cells) for event in events])
    likeness = [
        (a.mask & b.mask).bit_count() / (a.mask | b.mask).bit_count()
        for a, b in zip(events, events[1:], strict=False)
    ]
    steps = np.linalg.norm(np.diff(centres, axis=0), axis=1) / np.sqrt(n_cells)
    background = np.median([event.background for event in events])
    sky = np.nan_to_num(sky_background.astype(float), nan=background)
    middle = np.mean(centres, axis=0)
    around = np.maximum(np.abs(cells.row - middle[0]), np.abs(cells.col - middle[1])) <= 4
    uniform = max(float(sky[around].mean()), 1.0) if around.any() else 1.0
    structure = sky[around].std() / uniform if around.any() else 0.0
    halves = [outline_of(half) for half in (events[: len(events) // 2], events[len(events) // 2 :])]
    persistence = (halves[0] & halves[1]).bit_count() / max((halves[0] | halves[1]).bit_count(), 1)
    third = np.mean((change - change.mean()) ** 3) / max(change.std(), 1e-6) ** 3
    return np.array(
        [
            np.log10(len(pulses)),
            10 * len(pulses) / max(peak_s[-1] - peak_s[0], 3.0),
            np.log10(amplitude / series.sigma),
            np.log10(amplitude / background),
            np.log10(uneven + 0.01),
            np.log10((slow + 1e-3) / fast),
            np.log10(np.mean(spreads) + 0.05),
            np.log10(np.linalg.norm(np.mean(slopes, axis=0)) + 0.05),
            third,
            np.log10(np.mean(on)),
            np.std(on) / np.mean(on),
            np.mean(likeness),
            np.mean(steps),
            np.log10(n_cells),
            len(events) / len(pulses),
            np.log10(background / max(float(np.median(sky)), 1.0)),
            np.log10(structure + 0.01),
            persistence,
            company,
        ]
    )


def kind_probabilities(descriptions):
    """Return how likely each kind is.

    Parameters
    ----------
    descriptions : ndarray of shape (n_patches, n_features)

    Returns
    -------
    ndarray of float64, shape (n_patches, 4)
        Columns KINDS; rows sum to one.
    """
    x = np.clip((np.reshape(descriptions, (-1, len(FEATURES))) - MEANS) / SCALES, -4, 4)
    logits = x @ WEIGHTS.T + INTERCEPTS
    logits -= logits.max(axis=1, keepdims=True)
    odds = np.exp(logits)
    return odds / odds.sum(axis=1, keepdims=True)
