"""The picture of a night: keogram, class ribbon, pulsating fraction, dominant period, sun and moon.

Everything is drawn against one axis of UT. Frames are in file orientation, whose row 0 is north, so that a
keogram needs no turning to have north up.
"""

import io

import numpy as np

from pulsaurora.archive.files import whole_file
from pulsaurora.classes import CLASSES
from pulsaurora.imaging.ephemeris import sun_moon
from pulsaurora.imaging.skymap import optics_elevation
from pulsaurora.problems import ContractError
from pulsaurora.views.colors import CLASS_COLORS, CLASS_TITLES
from pulsaurora.views.timeline import Timeline

_SKY_STEP = np.timedelta64(5, "m")
_SKY_LIMITS = (-60.0, 75.0)
_DARK = -12.0  # degrees; a dotted line where a higher sun lights the sky
_SUN, _MOON = "#D55E00", "#444444"


def draw_keogram(keogram, table=None, note="", elevation=None, position=None):
    """Draw a night: its keogram and, under it, what was found out about its frames.

    Parameters
    ----------
    keogram : Keogram
        Without a frame, what the table has is drawn alone.
    table : DataFrame or mapping, optional
        One row a frame: `time` (UTC) and `label`, as `read_classifications` gives them, for the class
        ribbon; `frac_pulsating` and `period_s` for the two curves. What is not there is not drawn.
    note : str
        A few words on where the labels come from.
    elevation : ndarray of shape (n_rows, n_columns), degrees, optional
        From a skymap, for the angles at the side; from the optics' own radius when not given.
    position : (float, float), degrees north and east, optional
        Of the site; draws how high sun and moon stood.

    Returns
    -------
    matplotlib.figure.Figure
        Not attached to any window; write it with `write_figure`.

    Raises
    ------
    ContractError
        If there is neither a frame nor a row to draw.
    """
    from matplotlib.figure import Figure

    rows = _sorted_rows(table)
    panels = [("keogram", 5.0)] if len(keogram.times) else []
    if rows is not None:
        panels.append(("ribbon", 0.45))
        panels += [(name, 1.5) for name in ("frac_pulsating", "period_s") if name in rows]
    if not panels:
        raise ContractError(f"{keogram.site} {keogram.date}: no frames to draw a keogram of")
    if position is not None:
        panels.append(("sky", 1.5))
    figure = Figure(figsize=(12, 1.3 + 0.72 * sum(height for _, height in panels)), layout="constrained")
    axes = figure.subplots(
        len(panels), 2, squeeze=False, gridspec_kw={
            "height_ratios": [height for _, height in panels], "width_ratios": [1, 0.014]
        },
    )  # fmt: skip
    bars = dict(zip([name for name, _ in panels], axes[:, 1], strict=True))
    for name, bar in bars.items():
        if name != "keogram":
            bar.set_axis_off()
    axes = dict(zip(bars, axes[:, 0], strict=True))

    spans = []
    if "keogram" in axes:
        spans.append(_draw_strips(figure, axes["keogram"], bars["keogram"], keogram, elevation, rows))
    if rows is not None:
        spans.append(_draw_rows(axes, rows))
    start, stop = min(span[0] for span in spans), max(span[1] for span in spans)
    if position is not None:
        _draw_sky(axes["sky"], start, stop, position)
    title = f"{keogram.site}  {keogram.imager}  {keogram.date}"
    top = next(iter(axes.values()))
    # What files say is no formula, whatever dollar signs are in it.
    top.set_title(title, loc="left", fontsize=14, fontweight="bold", parse_math=False)
    top.set_title(note, loc="right", fontsize=9, color="0.35", parse_math=False)
    _mark_time(axes, start, stop, keogram.date)
    return figure


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


def figure_bytes(figure, dpi=150):
    """Return a figure as the bytes of a PNG file, for a page that holds its pictures itself."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=dpi, metadata={"Software": "pulsaurora"})
    return content.getvalue()


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


def _draw_rows(axes, rows):
    """Ribbon and curves; returns the first and last time drawn."""
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
    return timeline.edges[0], timeline.edges[-1]


def _draw_sky(axis, start, stop, position):
    """How high sun and moon stood, the moon as dark as it was lit."""
    from matplotlib.dates import date2num
    from matplotlib.lines import Line2D

    times = np.arange(start, stop + _SKY_STEP, _SKY_STEP)
    sky = sun_moon(times, *position)
    at, lit = date2num(times), float(sky.moon_illumination.mean())
    alpha = 0.25 + 0.75 * lit
    axis.axhspan(-90, 0, color="0.93", linewidth=0)
    axis.plot(at, sky.sun_elevation_deg, color=_SUN, linewidth=1.3)
    axis.plot(at, sky.moon_elevation_deg, color=_MOON, alpha=alpha, linewidth=1.3)
    axis.set_ylim(*_SKY_LIMITS)
    axis.axhline(_DARK, color="0.6", linewidth=0.8, linestyle=(0, (1, 2)))
    axis.set_yticks([-30, 0, 30, 60], ["−30°", "0°", "30°", "60°"])
    axis.set_ylabel("elevation")
    handles = [
        Line2D([], [], color=_SUN, linewidth=1.3, label="sun"),
        Line2D([], [], color=_MOON, alpha=alpha, linewidth=1.3, label=f"moon, {100 * lit:.0f} % lit"),
    ]
    axis.legend(handles=handles, loc="upper right", ncols=2, frameon=False, fontsize=8, handlelength=1.4)


def _percent(share):
    return "<1 %" if 0 < share < 0.005 else f"{100 * share:.0f} %"


def _mark_time(axes, start, stop, date):
    """One UT axis for all panels, its labels under the last."""
    from matplotlib.dates import AutoDateLocator, DateFormatter

    stop = max(stop, start + np.timedelta64(1, "m"))
    is_short = stop - start < np.timedelta64(3, "m")
    for name, axis in axes.items():
        axis.set_xlim(start, stop)
        axis.xaxis.set_major_locator(AutoDateLocator(minticks=5, maxticks=12))
        axis.xaxis.set_major_formatter(DateFormatter("%H:%M:%S" if is_short else "%H:%M"))
        is_last = name == list(axes)[-1]
        is_curve = name not in ("keogram", "ribbon")
        axis.tick_params(axis="x", labelbottom=is_last, bottom=is_last or is_curve)
        if is_curve:
            axis.grid(color="0.88", linewidth=0.6)
            axis.set_axisbelow(True)
    axes[list(axes)[-1]].set_xlabel(f"UT on {date}")
