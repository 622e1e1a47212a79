"""Sensitivity as a picture, JSON, and the section of a model's card."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd

from pulsaurora import __version__
from pulsaurora.archive.files import whole_file
from pulsaurora.problems import UnreadableFileError

NAME = "sensitivity"
HEADING = "## Sensitivity to pulsation injected into frames"
_NUMBERS = (
    "sky_counts",
    "amplitude_counts",
    "amplitude_sigma",
    "visible_share",
    "probability",
    "called",
    "probability_steadied",
    "called_steadied",
)
_SEEN = 0.02  # of the sky: what a person needs to call a frame pulsating (simulation.truth)
_MARKS = "osD^vP"
# Light to dark, readable in grey.
_SHADES = ("#E69F00", "#D55E00", "#8E2A6B", "#0072B2", "#000000", "#009E73")


def write_sensitivity_json(path, table, about):
    """Write what was measured, one record a setting, background and seed."""
    records = [
        {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in row.items()}
        for row in table.to_dict("records")
    ]
    text = json.dumps({"about": {**about, "pulsaurora": __version__}, "rows": records}, indent=1) + "\n"
    with whole_file(path) as passing:
        passing.write_text(text, encoding="utf-8")


def read_sensitivity_json(path):
    """Return (table, about) of a file that `write_sensitivity_json` wrote.

    Raises
    ------
    UnreadableFileError
        If the file is none.
    """
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
        table = pd.DataFrame(found["rows"])
        table["period_s"] = table["period_s"].astype(float)
        return table, found["about"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreadableFileError(f"{path}: holds no sensitivity as JSON: {error}") from None


def average(table):
    """Return the mean over seeds of each background and setting, amplitudes ascending."""
    keys = ["kind", "background", "cover", "period_s", "amplitude_share"]
    # Simulated scenes are drawn anew for each seed, so even what is found without injection may differ.
    without = table.groupby("background")["without"].agg(lambda names: ", ".join(dict.fromkeys(names)))
    mean = table.groupby(keys, dropna=False)[list(_NUMBERS)].mean().reset_index()
    mean["without"] = mean["background"].map(without)
    return mean


def sensitivity_markdown(table, about, picture=None):
    """Write the section of a model's card.

    Parameters
    ----------
    table : DataFrame
        As of `classification.sensitivity.run_sensitivity`.
    about : dict of str to str
        What was measured, in the section's head.
    picture : str, optional
        Where the picture is, from the card.

    Returns
    -------
    str
        Markdown that begins with HEADING and has no other heading of its rank.
    """
    mean = average(table)
    lines = [HEADING, ""]
    lines += [f"- {key}: {value}" for key, value in about.items()]
    lines += [
        "",
        "Amplitude is what a typical pulse adds at the zenith: as a share of the sky's median light, in",
        "counts, and over the noise that a cell of 8 x 8 pixels has in one frame; cover is the share of the",
        "emission layer that patches cover. The first number is the mean pulsating probability of each frame",
        "by itself, in brackets is the share of frames called pulsating, steadied as `classify` does.",
        "*Italics*, hollow in the picture: a person would not yet see it (less than 2 % of the sky visibly",
        "pulsates).",
        "",
        "Real frames keep their own noise, lens and glare. Where frames without injection are bad_viewing,",
        "light was added in front of cloud: no such sky exists, and people would differ on what to call it.",
    ]
    if picture:
        lines += ["", f"![Pulsating probability against amplitude]({picture})"]
    lines += ["", *_limits(mean)]
    for (kind, background), rows in _by_background(mean):
        lines += ["", f"### {_title(kind, background, rows)}", "", *_table(rows)]
    return "\n".join(lines) + "\n"


def _by_background(mean):
    """Group by background, real ones first."""
    groups = mean.groupby(["kind", "background"], sort=False)
    return sorted(groups, key=lambda pair: (pair[0][0] != "real", pair[0][1]))


def _title(kind, background, rows):
    sky = rows["sky_counts"].mean()
    return f"{background} ({kind}, {sky:.0f} counts, without injection {rows['without'].iloc[0]})"


def _series(rows):
    """Return [(cover, period, rows)], irregular pulses last."""
    groups = rows.groupby(["cover", "period_s"], dropna=False)
    ordered = sorted(groups, key=lambda pair: (math.isnan(pair[0][1]), pair[0][0], pair[0][1]))
    return [(cover, period, part.sort_values("amplitude_share")) for (cover, period), part in ordered]


def _period(period_s):
    return "irregular" if math.isnan(period_s) else f"{period_s:g} s"


def smallest_found(part):
    """Return the smallest amplitude (share) from which on half of the frames are called pulsating, or NaN.

    Parameters
    ----------
    part : DataFrame
        One background, cover and period, amplitudes ascending.

    Returns
    -------
    float
        Interpolated in the logarithm between the two amplitudes about it.
    """
    share, called = part["amplitude_share"].to_numpy(), part["called_steadied"].to_numpy()
    missed = np.flatnonzero(called < 0.5)
    if missed.size and missed[-1] == len(share) - 1:
        return math.nan
    above = missed[-1] + 1 if missed.size else 0
    if above == 0 or share[above - 1] <= 0:
        return float(share[above])
    part = (0.5 - called[above - 1]) / (called[above] - called[above - 1])
    return float(np.exp(np.interp(part, [0, 1], np.log(share[above - 1 : above + 1]))))


def _limits(mean):
    lines = [
        "Smallest amplitude, as a share of the sky's light, from which on half of the frames are called",
        "pulsating (steadied):",
        "",
    ]
    columns = [(cover, period) for cover, period, _ in _series(mean)]
    lines.append("| frames | " + " | ".join(f"cover {c:g}, {_period(p)}" for c, p in columns) + " |")
    lines.append("|---|" + "---:|" * len(columns))
    for (kind, background), rows in _by_background(mean):
        found = {_key(c, p): smallest_found(part) for c, p, part in _series(rows)}
        top = rows["amplitude_share"].max()
        cells = [found.get(_key(c, p)) for c, p in columns]
        texts = ["" if v is None else f"> {top:g}" if math.isnan(v) else f"{v:.2g}" for v in cells]
        lines.append(f"| {background} ({kind}) | " + " | ".join(texts) + " |")
    return lines


def _key(cover, period_s):
    return cover, _period(period_s)


def _table(rows):
    series = _series(rows)
    lines = [
        "| amplitude | counts | over noise | "
        + " | ".join(f"cover {cover:g}, {_period(period)}" for cover, period, _ in series)
        + " |",
        "|---:|---:|---:|" + "---:|" * len(series),
    ]
    for share in sorted(rows["amplitude_share"].unique()):
        mine = rows[rows["amplitude_share"] == share]
        cells = [
            f"{share:g}",
            f"{mine['amplitude_counts'].mean():.0f}",
            f"{mine['amplitude_sigma'].mean():.1f}",
        ]
        for _, _, part in series:
            here = part[part["amplitude_share"] == share]
            if not len(here):
                cells.append("")
                continue
            row = here.iloc[0]
            text = f"{row['probability']:.2f} ({row['called_steadied']:.2f})"
            cells.append(text if row["visible_share"] >= _SEEN else f"*{text}*")
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def draw_sensitivity(table):
    """Draw the pulsating probability against amplitude: a row a background, by cover and by period.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    mean = average(table)
    groups = _by_background(mean)
    figure = Figure(figsize=(8, 1.0 + 1.75 * len(groups)), layout="constrained")
    all_axes = figure.subplots(len(groups), 2, squeeze=False, sharex=True, sharey=True)
    for axes, ((kind, background), rows) in zip(all_axes, groups, strict=True):
        series = _series(rows)
        covers = [cover for cover, _, _ in series]
        periods = [_period(period) for _, period, _ in series]
        usual_cover = max(covers, key=covers.count)
        usual_period = max(periods, key=periods.count)
        by_cover = [(f"cover {c:g}", part) for c, p, part in series if _period(p) == usual_period]
        by_period = [(_period(p), part) for c, p, part in series if c == usual_cover]
        _draw_lines(axes[0], by_cover)
        _draw_lines(axes[1], by_period)
        axes[0].set_title(_title(kind, background, rows), fontsize=8, loc="left")
        axes[0].set_ylabel("pulsating\nprobability", fontsize=8)
    shares = sorted(share for share in mean["amplitude_share"].unique() if share > 0)
    for axes in all_axes.ravel():
        axes.set_xticks(shares, [f"{100 * share:g}" for share in shares], fontsize=8)
        axes.set_xticks([], minor=True)
        axes.tick_params(axis="y", labelsize=8)
    for axes in all_axes[0]:  # the lines are the same ones in every row
        axes.legend(
            frameon=False,
            fontsize=7,
            loc="lower left",
            bbox_to_anchor=(0, 1.1),
            ncols=3,
            columnspacing=1,
            borderaxespad=0.3,
        )
    for axes, fixed in zip(all_axes[-1], (f"period {usual_period}", f"cover {usual_cover:g}"), strict=True):
        axes.set_xlabel(f"amplitude, % of the sky's light; {fixed}", fontsize=8)
    return figure


def _draw_lines(axes, lines):
    for k, (label, part) in enumerate(lines):
        part = part[part["amplitude_share"] > 0]
        color = _SHADES[k % len(_SHADES)]
        axes.plot(
            part["amplitude_share"],
            part["probability"],
            color=color,
            label=label,
            marker=_MARKS[k % len(_MARKS)],
            markersize=4,
            linewidth=1.2,
        )
        # Hollow where nobody would see it yet.
        hidden = part[part["visible_share"] < _SEEN]
        axes.plot(
            hidden["amplitude_share"],
            hidden["probability"],
            color=color,
            marker=_MARKS[k % len(_MARKS)],
            markersize=4,
            markerfacecolor="white",
            linestyle="none",
        )
    axes.set_xscale("log")
    axes.set_ylim(-0.03, 1.03)
    axes.axhline(0.5, color="0.8", linewidth=0.8, zorder=0)
