"""Pulsating patches of a night: where they were (map) and when they shone (raster)."""

from pathlib import Path

import numpy as np

from pulsaurora.archive.eventtables import read_events
from pulsaurora.views.keogram import write_figure

CELL_PX = 8
_PERIODS_S = (5.0, 40.0)
_MOST_ROWS = 400  # a raster with more patches than this shows those of the most pulses


def draw_map(patches, title="", shape=(256, 256)):
    """Draw where patches were: each one's cells, in the colour of its period.

    Parameters
    ----------
    patches : DataFrame or mapping
        As `find_events` gives it; `outline` and `period_s` are used, and `latitude` and `longitude` where
        they are known.
    title : str
    shape : (int, int)
        Of the frames, pixels. Row 0, north in THEMIS frames, is drawn at the top.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure

    period = np.asarray(patches["period_s"], float)
    latitude, longitude = (np.asarray(patches[name], float) for name in ("latitude", "longitude"))
    on_earth = np.isfinite(latitude).any()
    figure = Figure(figsize=(12.5 if on_earth else 7.2, 6.2), layout="constrained")
    axes = figure.subplots(1, 2 if on_earth else 1, squeeze=False)[0]
    norm, squares, colors = LogNorm(*_PERIODS_S), [], []
    # Later patches lie over earlier ones; what overlaps shows through.
    for outline, seconds in zip(patches["outline"], period.tolist(), strict=True):
        for cell in str(outline).split():
            row, col = (CELL_PX * int(k) - 0.5 for k in cell.split(":"))
            squares.append(
                [(col, row), (col + CELL_PX, row), (col + CELL_PX, row + CELL_PX), (col, row + CELL_PX)]
            )
            colors.append(seconds)
    drawn = PolyCollection(
        squares, array=np.array(colors), norm=norm, cmap="viridis", alpha=0.45, linewidths=0
    )
    axes[0].add_collection(drawn)
    axes[0].plot(np.asarray(patches["col"], float), np.asarray(patches["row"], float), "k.", markersize=3)
    axes[0].set(
        xlim=(-0.5, shape[1] - 0.5), ylim=(shape[0] - 0.5, -0.5), aspect="equal", xlabel="column (pixels)",
        ylabel="row (pixels)",
    )  # fmt: skip
    axes[0].set_title(title, loc="left", fontsize=12, fontweight="bold")
    axes[0].set_title(f"{len(period)} patches", loc="right", fontsize=9, color="0.35")
    if on_earth:
        size = np.asarray(patches["diameter_km"], float)
        middle = np.nanmedian(longitude)
        east = (longitude - middle + 180) % 360 - 180 + middle
        axes[1].scatter(
            east, latitude, s=np.nan_to_num(size) * 2, c=period, norm=norm, cmap="viridis", alpha=0.6
        )
        axes[1].set(
            xlabel="longitude (degrees east)", ylabel="latitude (degrees north)",
            aspect=1 / np.cos(np.radians(np.clip(np.nanmedian(latitude), -85, 85))),
        )  # fmt: skip
        axes[1].set_title("at the height of emission, size by diameter", loc="left", fontsize=9, color="0.35")
    bar = figure.colorbar(drawn, ax=axes, shrink=0.8, label="period (s)", ticks=[6, 10, 20, 40])
    bar.ax.set_yticklabels(["6", "10", "20", "40"])
    bar.ax.minorticks_off()
    return figure


def draw_raster(patches, pulses, title=""):
    """Draw when patches shone: a row a patch, a bar a pulse, as long as its on-time.

    Parameters
    ----------
    patches, pulses : DataFrame or mapping
        As `find_events` gives them.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
        Bars of pulses that are not whole are grey.
    """
    from matplotlib.collections import PolyCollection
    from matplotlib.dates import AutoDateLocator, DateFormatter, date2num
    from matplotlib.figure import Figure

    number, n_pulses = np.asarray(patches["patch"]), np.asarray(patches["n_pulses"])
    shown = np.sort(np.argsort(-n_pulses, kind="stable")[:_MOST_ROWS])
    row_of = {int(number[k]): row for row, k in enumerate(shown)}
    figure = Figure(figsize=(12, float(np.clip(1.6 + 0.16 * len(shown), 2.5, 14))), layout="constrained")
    axis = figure.subplots()
    start, end = (date2num(np.asarray(pulses[name], "datetime64[us]")) for name in ("start", "end"))
    relative, whole = np.asarray(pulses["relative_prominence"], float), np.asarray(pulses["is_whole"], bool)
    bars, colors = {True: [], False: []}, []
    for k, patch in enumerate(np.asarray(pulses["patch"]).tolist()):
        if (row := row_of.get(patch)) is None:
            continue
        low, high = row - 0.4, row + 0.4
        bars[bool(whole[k])].append([(start[k], low), (end[k], low), (end[k], high), (start[k], high)])
        if whole[k]:
            colors.append(100 * relative[k])
    axis.add_collection(PolyCollection(bars[False], facecolors="0.75", linewidths=0))
    drawn = PolyCollection(bars[True], array=np.array(colors), cmap="viridis", linewidths=0)
    axis.add_collection(drawn)
    if len(start):
        axis.set_xlim(start.min(), end.max())
    axis.set_ylim(len(shown) - 0.4, -0.6)
    axis.xaxis.set_major_locator(AutoDateLocator(minticks=4, maxticks=12))
    axis.xaxis.set_major_formatter(
        DateFormatter("%H:%M:%S" if len(start) and np.ptp(start) < 0.02 else "%H:%M")
    )
    step = max(1, len(shown) // 20)
    axis.set_yticks(np.arange(0, len(shown), step), [str(number[k]) for k in shown[::step]])
    axis.set(xlabel="UT", ylabel="patch")
    axis.set_title(title, loc="left", fontsize=12, fontweight="bold")
    left_out = f" of {len(number)}" if len(shown) < len(number) else ""
    axis.set_title(f"{len(shown)}{left_out} patches", loc="right", fontsize=9, color="0.35")
    if colors:
        figure.colorbar(drawn, ax=axis, label="height of pulse (% of background)", pad=0.01)
    return figure


def plot_events(path, out):
    """Draw a night's map and raster.

    Parameters
    ----------
    path : path-like
        Its table of patches, as `pulsaurora events` writes it.
    out : path-like
        Folder for `YYYYMMDD_SITE_IMAGER_map.png` and `..._raster.png`.

    Returns
    -------
    list of pathlib.Path
        Empty if the night has no patch.

    Raises
    ------
    UnreadableFileError
        If the tables cannot be read.
    """
    path = Path(path)
    patches, pulses = read_events(path)
    stem = path.stem.removesuffix("_patches")
    if not len(patches):
        return []
    date, site, imager = stem.split("_", 2)
    title = f"{site}  {imager}  {date[:4]}-{date[4:6]}-{date[6:]}"
    paths = []
    for name, figure in (("map", draw_map(patches, title)), ("raster", draw_raster(patches, pulses, title))):
        paths.append(Path(out) / f"{stem}_{name}.png")
        write_figure(figure, paths[-1])
    return paths
