"""Patches to the two tables, patches and pulses, whose columns docs/events.md explains."""

import numpy as np

from pulsaurora.pulsation.geography import distance_km, mean_place
from pulsaurora.pulsation.kinds import KINDS
from pulsaurora.pulsation.linking import outline_of
from pulsaurora.pulsation.measuring import cells_of, times_of

PATCH_COLUMNS = {
    "patch": int, "start": "datetime64[us]", "end": "datetime64[us]", "n_pulses": int, "n_whole": int,
    "row": float, "col": float, "n_cells": int, "diameter_px": float, "latitude": float, "longitude": float,
    "area_km2": float, "diameter_km": float, "drift_row_px_s": float, "drift_col_px_s": float,
    "drift_north_m_s": float, "drift_east_m_s": float, "on_s": float, "off_s": float, "period_s": float,
    "irregularity": float, "amplitude": float, "relative_amplitude": float, "snr": float,
    "confidence": float, "kind": object, "kind_confidence": float, "p_patchy": float,
    "p_patchy_pulsating": float, "p_amorphous": float, "outline": object,
}  # fmt: skip
PULSE_COLUMNS = {
    "patch": int, "pulse": int, "start": "datetime64[us]", "peak": "datetime64[us]", "end": "datetime64[us]",
    "on_s": float, "off_s": float, "period_s": float, "prominence": float, "relative_prominence": float,
    "snr": float, "is_whole": bool, "row": float, "col": float, "n_cells": int,
}  # fmt: skip


def tabulate(patches, cells, places, origin):
    """Put patches into tables.

    Parameters
    ----------
    patches : list of Patch
    cells : CellMap
    places : Geography
    origin : datetime64 or date
        Where seconds count from.

    Returns
    -------
    patches, pulses : dict of ndarray
        Columns PATCH_COLUMNS, one row a patch, numbered from 1; and PULSE_COLUMNS, one row a pulse, by patch
        and time.
    """
    rows, pulse_rows = [], []
    for number, patch in enumerate(patches, start=1):
        row, pulses = _rows(number, patch, cells, places, np.datetime64(origin, "us"))
        rows.append(row)
        pulse_rows += pulses
    return _columns(rows, PATCH_COLUMNS), _columns(pulse_rows, PULSE_COLUMNS)


def _columns(rows, kinds):
    return {name: np.array([row[name] for row in rows], kind) for name, kind in kinds.items()}


def _rows(number, patch, cells, places, origin):
    events, series, pulses = patch.track.events, patch.series, patch.pulses
    on, off, period = times_of(pulses, series.times_s)
    outline = np.array(cells_of(outline_of(events)) or sorted(set(np.concatenate(series.outlines).tolist())))
    weight = np.zeros(cells.n)
    for event in events:
        weight[event.cells] += event.weight
    weight = weight[outline] + 1e-9
    background = float(np.median([event.background for event in events]))
    amplitude = float(np.median(pulses[:, 5]))
    latitude, longitude = mean_place(places.latitude[outline], places.longitude[outline], weight)
    area_km2 = float(places.area_km2[outline].sum())
    peaks = np.array([event.peak_s for event in events])
    place = np.array([_centre(event.cells, event.weight, places) for event in events])
    drift = _slopes(peaks, place)
    likely = patch.probabilities
    three = likely[:3] / max(likely[:3].sum(), 1e-12)
    row = {
        "patch": number,
        "start": _time(origin, pulses[0, 2]),
        "end": _time(origin, pulses[-1, 4]),
        "n_pulses": len(pulses),
        "n_whole": int(pulses[:, 7].sum()),
        "row": np.average(places.row[outline], weights=weight),
        "col": np.average(places.col[outline], weights=weight),
        "n_cells": len(outline),
        "diameter_px": 2 * cells.block * np.sqrt(len(outline) / np.pi),
        "latitude": latitude,
        "longitude": longitude,
        "area_km2": area_km2,
        "diameter_km": 2 * np.sqrt(area_km2 / np.pi),
        "drift_row_px_s": drift[0],
        "drift_col_px_s": drift[1],
        **_ground_drift(outline, drift, cells, places),
        "on_s": _median(on),
        "off_s": _median(off),
        "period_s": _median(period),
        "irregularity": _irregularity(period),
        "amplitude": amplitude,
        "relative_amplitude": amplitude / background,
        "snr": amplitude / series.sigma,
        "confidence": float(likely[:3].sum()),
        "kind": KINDS[int(three.argmax())],
        "kind_confidence": float(three.max()),
        **{f"p_{kind}": float(p) for kind, p in zip(KINDS[:3], likely, strict=False)},
        "outline": " ".join(f"{cells.row[k]}:{cells.col[k]}" for k in outline.tolist()),
    }
    nearest = np.abs(peaks[:, None] - pulses[:, 3]).argmin(axis=0)
    pulse_rows = [
        {
            "patch": number,
            "pulse": k + 1,
            "start": _time(origin, pulses[k, 2]),
            "peak": _time(origin, pulses[k, 3]),
            "end": _time(origin, pulses[k, 4]),
            "on_s": on[k],
            "off_s": off[k],
            "period_s": period[k],
            "prominence": pulses[k, 5],
            "relative_prominence": pulses[k, 5] / background,
            "snr": pulses[k, 5] / series.sigma,
            "is_whole": bool(pulses[k, 7]),
            "row": place[nearest[k], 0],
            "col": place[nearest[k], 1],
            "n_cells": len(series.outlines[nearest[k]]),
        }
        for k in range(len(pulses))
    ]
    return row, pulse_rows


def _time(origin, seconds):
    return origin + np.timedelta64(round(seconds * 1e6), "us")


def _centre(members, weight, places):
    return np.average(places.row[members], weights=weight), np.average(places.col[members], weights=weight)


def _slopes(t, values):
    """Return the slope of each column over time by least squares."""
    late = t - t.mean()
    return late @ (values - values.mean(axis=0)) / max(late @ late, 1e-9)


def _ground_drift(outline, drift, cells, places):
    """Return the drift north and east, m/s, by how places change with pixels round the patch."""
    unknown = {"drift_north_m_s": np.nan, "drift_east_m_s": np.nan}
    here = outline[0]
    near = cells.neighbours[outline].ravel()
    near = np.unique(near[near >= 0])
    if len(near) < 3 or not np.isfinite(places.latitude[near]).all():
        return unknown
    north, east = distance_km(
        places.latitude[here], places.longitude[here], places.latitude[near], places.longitude[near]
    )
    pixels = np.stack([np.ones(len(near)), places.row[near], places.col[near]], axis=1)
    per_pixel, *_ = np.linalg.lstsq(pixels, np.stack([north, east], axis=1), rcond=None)
    north_m, east_m = 1000 * (np.asarray(drift) @ per_pixel[1:])
    return {"drift_north_m_s": north_m, "drift_east_m_s": east_m}


def _median(values):
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else np.nan


def _irregularity(period):
    """Return the standard deviation of periods over their mean; NaN of fewer than three."""
    known = period[np.isfinite(period)]
    return float(known.std(ddof=1) / known.mean()) if len(known) > 2 else np.nan
