"""A night at one look: keogram, class ribbon, pulsating fraction and dominant period.

A keogram is the strip through the middle of each frame, north to south, side by side in time. Frames
are in file orientation, whose row 0 is north, so a keogram needs no turning to have north up.
"""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pulsaurora.archive.files import whole_file
from pulsaurora.archive.tables import classification_path, parquet_path, read_classifications
from pulsaurora.classes import CLASSES
from pulsaurora.imaging.skymap import find_skymap, optics_elevation, read_skymap
from pulsaurora.imaging.themis import read_minute
from pulsaurora.problems import ContractError, Problem, UnreadableFileError
from pulsaurora.views.colors import CLASS_COLORS, CLASS_TITLES
from pulsaurora.views.timeline import Timeline

N_COLUMNS = 7


@dataclass(slots=True)
class Keogram:
    """The middle strips of a night's frames.

    Attributes
    ----------
    brightness : ndarray of float32, shape (n_rows, n_frames), counts
        Row 0 is north.
    times : ndarray of datetime64[us], shape (n_frames,)
        UTC, ascending.
    site, imager : str
    date : datetime.date
    problems : list of Problem
        What could not be read.
    """

    brightness: np.ndarray
    times: np.ndarray
    site: str
    imager: str
    date: dt.date
    problems: list = field(default_factory=list)


def keogram_of(images, n_columns=N_COLUMNS):
    """Take the middle strip of each frame.

    Parameters
    ----------
    images : ndarray of shape (n_frames, n_rows, n_columns), counts
        In file orientation.
    n_columns : int
        Columns of pixels in the middle that one value is the mean of, the brightest and the darkest
        left out where there are three or more: a hot pixel or a star leaves no line.

    Returns
    -------
    ndarray of float32, shape (n_rows, n_frames), counts

    Raises
    ------
    ContractError
        If images have not three dimensions or fewer columns than asked for.
    """
    images = np.asarray(images)
    if images.ndim != 3 or not 1 <= n_columns <= images.shape[2]:
        raise ContractError(
            f"images: found shape {images.shape}, expected (n_frames, rows, columns) with at least "
            f"{n_columns} columns"
        )
    first = (images.shape[2] - n_columns) // 2
    strip = images[:, :, first : first + n_columns].astype(np.float32)
    total, n = strip.sum(axis=2), n_columns
    if n_columns >= 3:
        total, n = total - strip.max(axis=2) - strip.min(axis=2), n_columns - 2
    return np.ascontiguousarray((total / np.float32(n)).T)


def read_keogram(night, workers=None, on_minutes=None):
    """Read a night's frames and keep their middle strips.

    Each thread holds one minute of frames at a time; what stays is 1 kB a frame.

    Parameters
    ----------
    night : archive.layout.Night
    workers : int, optional
        Threads; a few more than there are processors when not given.
    on_minutes : callable, optional
        Called with 1 after each minute file.

    Returns
    -------
    Keogram
        Frames of one time are taken once. No frames if none can be read.
    """
    minutes = [minute for hour in sorted(night.hours) for minute in night.hours[hour]]

    def strip(minute):
        frames = read_minute(minute.alternatives, metadata=False)
        return keogram_of(frames.images), frames.times, frames.problems

    parts, times, problems = [np.empty((256, 0), np.float32)], [np.empty(0, "datetime64[us]")], []
    with ThreadPoolExecutor(workers) as pool:
        for part, when, found in pool.map(strip, minutes):
            parts.append(part)
            times.append(when)
            problems += found
            if on_minutes:
                on_minutes(1)
    times, order = np.unique(np.concatenate(times), return_index=True)
    brightness = np.concatenate(parts, axis=1)[:, order]
    return Keogram(brightness, times, night.site, night.imager, night.date, problems)


def draw_keogram(keogram, table=None, note="", elevation=None):
    """Draw a night: its keogram and, under it, what was found out about its frames.

    Parameters
    ----------
    keogram : Keogram
        Of at least one frame.
    table : DataFrame or mapping, optional
        One row a frame: `time` (UTC) and `label`, as `read_classifications` gives them, for the class
        ribbon; `frac_pulsating` and `period_s` for the two curves. What is not there is not drawn.
    note : str
        A few words on where the labels come from.
    elevation : ndarray of shape (n_rows, n_columns), degrees, optional
        From a skymap, for the angles at the side; from the optics' own radius when not given.

    Returns
    -------
    matplotlib.figure.Figure
        Not attached to any window; write it with `write_figure`.

    Raises
    ------
    ContractError
        If there is no frame to draw.
    """
    from matplotlib.figure import Figure

    if not len(keogram.times):
        raise ContractError(f"{keogram.site} {keogram.date}: no frames to draw a keogram of")
    rows = _sorted_rows(table)
    panels = [("keogram", 5.0)]
    if rows is not None:
        panels.append(("ribbon", 0.45))
        panels += [(name, 1.5) for name in ("frac_pulsating", "period_s") if name in rows]
    figure = Figure(figsize=(12, 1.3 + 0.72 * sum(height for _, height in panels)), layout="constrained")
    axes = figure.subplots(
        len(panels), 2, squeeze=False, gridspec_kw={
            "height_ratios": [height for _, height in panels], "width_ratios": [1, 0.014]
        },
    )  # fmt: skip
    for bar in axes[1:, 1]:
        bar.set_axis_off()
    axes = dict(zip([name for name, _ in panels], axes[:, 0], strict=True)) | {"bar": axes[0, 1]}

    start, stop = _draw_strips(figure, axes["keogram"], axes["bar"], keogram, elevation, rows)
    if rows is not None:
        start, stop = _draw_rows(axes, rows, start, stop)
    title = f"{keogram.site}  {keogram.imager}  {keogram.date}"
    axes["keogram"].set_title(title, loc="left", fontsize=14, fontweight="bold")
    axes["keogram"].set_title(note, loc="right", fontsize=9, color="0.35")
    _mark_time([axes[name] for name, _ in panels], start, stop, keogram.date)
    return figure


def plot_night(night, out, classifications=None, stream0=None, workers=None, on_minutes=None):
    """Read a night's frames and what was found out about them, and draw both.

    Parameters
    ----------
    night : archive.layout.Night
    out : path-like
        Folder; the picture is `YYYYMMDD_SITE_IMAGER_keogram.png` there.
    classifications : path-like, optional
        Root of the tree of classification files. Without this night's file the keogram is drawn alone.
    stream0 : path-like, optional
        Where to look for a skymap, besides the night's own folders.
    workers, on_minutes
        As of `read_keogram`.

    Returns
    -------
    path : pathlib.Path or None
        None if there is no frame to draw.
    problems : list of Problem
        What could not be read.
    """
    table, elevation, problems = None, None, []
    if classifications is not None:
        path = classification_path(classifications, night.site, night.imager, night.date)
        path = next((each for each in (parquet_path(path), path) if each.is_file()), None)
        try:
            table = None if path is None else read_classifications(path, problems)
        except UnreadableFileError as error:
            problems.append(Problem(str(path), str(error).removeprefix(f"{path}: ")))
    for folder in (*night.folders, *([] if stream0 is None else [stream0])):
        if elevation is None and (skymap := find_skymap(folder, night.site, night.date)):
            try:
                elevation = read_skymap(skymap).elevation
            except UnreadableFileError as error:
                problems.append(Problem(str(skymap), str(error).removeprefix(f"{skymap.name}: ")))
    keogram = read_keogram(night, workers, on_minutes)
    problems += keogram.problems
    if not len(keogram.times):
        return None, problems
    path = Path(out) / f"{night.date:%Y%m%d}_{night.site}_{night.imager}_keogram.png"
    write_figure(draw_keogram(keogram, table, _origin(table), elevation), path)
    return path, problems


def _origin(table):
    """Where the labels come from, in a few words."""
    if table is None:
        return "not classified"
    about = table.attrs
    said = [f"model {about['model'][:8]}"] if "model" in about else ["model not told"]
    if about.get("trained on", "").startswith("simulated skies only"):
        said[0] += ", trained on simulated skies only"
    return " · ".join(said + [f"pulsaurora {about['version']}"] * ("version" in about))


def write_figure(figure, path, dpi=110):
    """Write a figure as PNG, whole or not at all.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    path : path-like
        Replaced if it is there; its folders are made.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    with whole_file(path) as passing:
        figure.savefig(passing, format="png", dpi=dpi, metadata={"Software": "pulsaurora"})


def _sorted_rows(table):
    """The columns that are drawn, as arrays in time order; None if there are no rows."""
    if table is None or not len(table["time"]):
        return None
    times = np.asarray(table["time"]).astype("datetime64[us]")
    order = np.argsort(times, kind="stable")
    label = table["label"]
    if hasattr(label, "cat"):
        codes = label.cat.set_categories(CLASSES).cat.codes.to_numpy()
    else:
        codes = np.asarray(label)
    rows = {"time": times[order], "label": codes[order]}
    for name in ("frac_pulsating", "period_s"):
        if name in table:
            rows[name] = np.asarray(table[name], np.float64)[order]
    return rows


def _draw_strips(figure, axis, bar, keogram, elevation, rows):
    """The keogram and its colour bar; returns the first and last time drawn."""
    from matplotlib.colors import PowerNorm
    from matplotlib.dates import date2num

    n_rows = len(keogram.brightness)
    if elevation is None:
        elevation = optics_elevation((n_rows, n_rows))
    # Down the column that passes nearest to the zenith; what is below the horizon is cut off.
    along = elevation[:, np.unravel_index(np.nanargmax(elevation), elevation.shape)[1]]
    sky = np.flatnonzero(along > 0)
    first, last = int(sky[0]), int(sky[-1]) + 1

    timeline = Timeline(keogram.times)
    strips = timeline.mean(keogram.brightness[first:last])
    sample = strips[along[first:last] > 10][:, _telling(timeline.middles, rows)]
    sample = sample[np.isfinite(sample)]
    low, high = np.percentile(sample if sample.size else strips[np.isfinite(strips)], (0.5, 99.7))
    drawn = axis.imshow(
        np.ma.masked_invalid(strips),
        aspect="auto",
        interpolation="nearest",
        extent=(*date2num(timeline.edges[[0, -1]]), last - 0.5, first - 0.5),
        cmap="viridis",
        norm=PowerNorm(0.6, vmin=low, vmax=max(high, low + 1)),
    )
    colors = figure.colorbar(drawn, cax=bar, extend="both")
    colors.set_label("counts")
    zenith = first + int(np.nanargmax(along[first:last]))
    ticks, labels = [zenith], ["zenith"]
    for degrees in (60, 30, 10):
        for side, sign, name in ((slice(first, zenith), 1, "N"), (slice(zenith, last), -1, "S")):
            part = along[side]
            ticks.append(side.start + np.interp(degrees, part[::sign], np.arange(len(part))[::sign]))
            labels.append(f"{degrees}° {name}")
    axis.set_yticks(ticks, labels)
    axis.set_ylabel("elevation")
    return timeline.edges[0], timeline.edges[-1]


def _telling(times, rows):
    """Which columns set the brightness scale: not those of bad viewing, twilight above all, if others are."""
    if rows is None:
        return slice(None)
    nearest = np.clip(np.searchsorted(rows["time"], times), 0, len(rows["time"]) - 1)
    good = rows["label"][nearest] != CLASSES.index("bad_viewing")
    return good if good.mean() > 0.02 else slice(None)


def _draw_rows(axes, rows, start, stop):
    """Ribbon and curves; returns the first and last time drawn by now."""
    from matplotlib.dates import date2num
    from matplotlib.patches import Patch

    timeline = Timeline(rows["time"])
    edges = date2num(timeline.edges)
    middles = date2num(timeline.middles)
    codes = timeline.most_frequent(rows["label"], len(CLASSES))
    ribbon = axes["ribbon"]
    # One bar a run: thousands of columns need no thousands of shapes.
    turns = np.flatnonzero(np.diff(codes, prepend=-2))
    for begin, end in zip(turns, [*turns[1:], len(codes)], strict=True):
        if codes[begin] >= 0:
            color = CLASS_COLORS[CLASSES[codes[begin]]]
            ribbon.axvspan(edges[begin], edges[end], color=color, linewidth=0)
    ribbon.set_yticks([])
    ribbon.set_ylabel("class", rotation=0, ha="right", va="center")
    shares = np.bincount(rows["label"][rows["label"] >= 0], minlength=len(CLASSES)) / len(rows["label"])
    handles = [
        Patch(facecolor=CLASS_COLORS[name], label=f"{CLASS_TITLES[name]} {_percent(share)}")
        for name, share in zip(CLASSES, shares, strict=True)
    ]
    ribbon.legend(
        handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=4, frameon=False,
        fontsize=9, handlelength=1.2, borderaxespad=0.2,
    )  # fmt: skip

    if "frac_pulsating" in axes:
        axis, values = axes["frac_pulsating"], timeline.mean(rows["frac_pulsating"])
        axis.fill_between(middles, values, color=CLASS_COLORS["pulsating"], alpha=0.35, linewidth=0)
        axis.plot(middles, values, color="#8A5A00", linewidth=1)
        top = np.nanmax(values, initial=0.0)
        axis.set_ylim(0, min(1.0, max(0.2, 1.08 * top)))
        axis.set_ylabel("pulsating\nfraction")
    if "period_s" in axes:
        axis = axes["period_s"]
        period = np.where(rows["period_s"] > 0, rows["period_s"], np.nan)
        for code, name in enumerate(CLASSES):
            chosen = np.where(rows["label"] == code, period, np.nan)
            size, alpha = (6, 1.0) if name == "pulsating" else (3, 0.5)
            axis.scatter(
                middles, timeline.mean(chosen), s=size, color=CLASS_COLORS[name], alpha=alpha, linewidth=0
            )
        axis.set_yscale("log")
        axis.set_ylim(5, 50)
        axis.set_yticks([6, 10, 20, 40], ["6", "10", "20", "40"])
        axis.set_yticks([], minor=True)
        axis.set_ylabel("dominant\nperiod (s)")
    return min(start, timeline.edges[0]), max(stop, timeline.edges[-1])


def _percent(share):
    return "<1 %" if 0 < share < 0.005 else f"{100 * share:.0f} %"


def _mark_time(axes, start, stop, date):
    """One UT axis for all panels, its labels under the last."""
    from matplotlib.dates import AutoDateLocator, DateFormatter

    stop = max(stop, start + np.timedelta64(1, "m"))
    is_short = stop - start < np.timedelta64(3, "m")
    for axis in axes:
        axis.set_xlim(start, stop)
        axis.xaxis.set_major_locator(AutoDateLocator(minticks=5, maxticks=12))
        axis.xaxis.set_major_formatter(DateFormatter("%H:%M:%S" if is_short else "%H:%M"))
        is_last = axis is axes[-1]
        is_curve = axis is not axes[0] and axis.get_yticks().size > 0
        axis.tick_params(axis="x", labelbottom=is_last, bottom=is_last or is_curve)
        if is_curve:
            axis.grid(color="0.88", linewidth=0.6)
            axis.set_axisbelow(True)
    axes[-1].set_xlabel(f"UT on {date}")
