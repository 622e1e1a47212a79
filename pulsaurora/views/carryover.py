"""A comparison of features on simulated and real frames as Markdown, JSON and a picture a feature."""

import json
from pathlib import Path

import numpy as np

from pulsaurora import __version__
from pulsaurora.archive.files import whole_file
from pulsaurora.classes import CLASSES
from pulsaurora.classification.carryover import RANGE, SKY_NAMES
from pulsaurora.pulsation.table import FEATURES
from pulsaurora.views.colors import CLASS_COLORS, CLASS_TITLES
from pulsaurora.views.keogram import write_figure

NAME = "features"
_ALIKE, _REAL = "#222222", "#CC3311"
_MEANING = {feature.name: feature for feature in FEATURES}
# What is told of the joint distance: features that make up this much of it, and no more than so many.
_N_APART = 8


def write_comparison(comparison, out, about, problems=()):
    """Write OUT/features.md, OUT/features.json and pictures under OUT/figures.

    Parameters
    ----------
    comparison : pulsaurora.classification.carryover.Comparison
    out : path-like
        Folder; made if needed. Each file is replaced only when complete.
    about : dict of str to str
        What was compared: goes into the report's head.
    problems : iterable of Problem

    Returns
    -------
    list of pathlib.Path
        The report first.
    """
    out = Path(out)
    about = {**about, "pulsaurora": __version__}
    texts = {
        f"{NAME}.md": _markdown(comparison, about, list(problems)),
        f"{NAME}.json": json.dumps(_plain(comparison, about), indent=1) + "\n",
    }
    written = []
    for name, text in texts.items():
        with whole_file(out / name) as passing:
            passing.write_text(text, encoding="utf-8")
        written.append(out / name)
    for row in comparison.table.to_dict("records"):
        path = out / "figures" / f"{row['feature']}.png"
        write_figure(draw_feature(comparison, row), path, dpi=80)
        written.append(path)
    path = out / "figures" / "together.png"
    write_figure(_draw_distances(comparison), path, dpi=80)
    return [*written, path]


def _groups(comparison):
    """Return the groups of the table, the one the real frames should be like first."""
    columns = comparison.table.columns
    return [name for name in ("alike", "class", "all") if f"outside_{name}" in columns]


def _title(comparison, group):
    if group == "alike":
        return "scenes alike"
    if group == "all":
        return "all simulated"
    return CLASS_TITLES.get(group) or "same class"


def _markdown(comparison, about, problems):
    table, groups = comparison.table, _groups(comparison)
    first = groups[0]
    n_out = int((table[f"outside_{first}"] > 0.5).sum())
    n_all = int((table["outside_all"] > 0.5).sum())
    lines = ["# Features of real frames among those of simulated frames", ""]
    lines += [f"- {key}: {value}" for key, value in about.items()]
    lines += [
        "",
        f"Of {len(table)} features, {n_all} lie mostly outside what is simulated at all"
        + (f", {n_out} outside {_title(comparison, first)}" if first != "all" else "")
        + f" (percentiles {RANGE[0]} to {RANGE[1]}; by chance one frame in a hundred would). Frames of one"
        " night are one sky, not many: what lies outside does not fit, what lies inside may.",
        "",
        "## Each feature by itself",
        "",
        "`outside`: share of real frames outside the range; `beyond`: how far, in widths of the range of all;"
        " `place`: share of simulated frames below the median real one.",
        "",
        "| feature | real 5, 50, 95 % | "
        + " | ".join(
            f"{_title(comparison, g)}: range | outside | beyond | place"
            if g == first
            else f"{_title(comparison, g)}: range | outside | place"
            for g in groups
        )
        + " |",
        "|---|---|" + "|".join("---|---:|---:|---:" if g == first else "---|---:|---:" for g in groups) + "|",
    ]
    for row in table.to_dict("records"):
        name = row["feature"]
        cells = [f"[{name}](figures/{name}.png)"]
        cells.append(", ".join(f"{row[k]:.3g}" for k in ("real_low", "real_median", "real_high")))
        for group in groups:
            cells.append(f"{row[f'low_{group}']:.3g} to {row[f'high_{group}']:.3g}")
            cells.append(f"{row[f'outside_{group}']:.2f}")
            if group == first:
                cells.append(f"{row[f'beyond_{group}']:.2f}")
            cells.append(f"{row[f'place_{group}']:.3f}")
        lines.append("| " + " | ".join(cells) + " |")
    if untold := _untold(comparison):
        lines += [
            "",
            f"{len(untold)} features have one value in nearly all of these real frames, which therefore tell "
            f"little of them: {', '.join(untold)}.",
        ]
    lines += ["", "## All features together", "", *_joint_lines(comparison)]
    if problems:
        lines += ["", "## What could not be read", "", *[f"- {problem}" for problem in problems]]
    return "\n".join(lines) + "\n"


def _untold(comparison):
    """Name the features that are the same in (nearly) all real frames, of which these can tell nothing."""
    table = comparison.table
    same = table[table["real_low"] == table["real_high"]]
    return sorted(same["feature"])


def _joint_lines(comparison):
    lines = [
        "Distance to the nearest simulated row of another site, each feature by its rank among all simulated",
        "frames; sun and moon are left out. Simulated sites left out show what is usual.",
        "",
        "| among | usual: median | 99 % | real: median | real beyond the 99 % | simulated nearer |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for group, found in comparison.joint.items():
        lines.append(
            f"| {_title(comparison, group)} | {np.median(found.simulated):.3f} | {found.limit:.3f} | "
            f"{np.median(found.real):.3f} | {found.outside:.2f} | {found.place:.3f} |"
        )
    for group, found in comparison.joint.items():
        near = ", ".join(f"{name} {share:.2f}" for name, share in list(found.nearest.items())[:6])
        apart = ", ".join(f"{name} {share:.2f}" for name, share in list(found.apart.items())[:_N_APART])
        lines += [
            "",
            f"Nearest among {_title(comparison, group)}: {near}.",
            f"What sets the real frames apart most: {apart}.",
        ]
    return [*lines, "", "![All features together](figures/together.png)"]


def _plain(comparison, about):
    joint = {}
    for group, found in comparison.joint.items():
        joint[group] = {
            "simulated_percentiles": _percentiles(found.simulated),
            "real_percentiles": _percentiles(found.real),
            "limit": round(found.limit, 6),
            "outside": round(found.outside, 6),
            "place": round(found.place, 6),
            "nearest": {name: round(share, 6) for name, share in found.nearest.items()},
            "apart": {name: round(share, 6) for name, share in found.apart.items()},
        }
    rows = [
        {key: value if isinstance(value, str) else float(f"{value:.7g}") for key, value in row.items()}
        for row in comparison.table.to_dict("records")
    ]
    counts = {name: int(mine.sum()) for name, mine in comparison.groups.items()}
    return {
        "about": about,
        "percentiles": list(RANGE),
        "reference": comparison.reference,
        "n_real": len(comparison.real),
        "n_simulated": counts,
        "features": rows,
        "untold": _untold(comparison),
        "together": joint,
    }


def _percentiles(values):
    return {str(q): round(float(np.percentile(values, q)), 6) for q in (1, 5, 50, 95, 99)}


def draw_feature(comparison, row):
    """Draw one feature: the classes as simulated, the frames that should be alike, and the real ones.

    Parameters
    ----------
    comparison : Comparison
    row : dict
        The feature's row of `comparison.table`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    feature = _MEANING[row["feature"]]
    column = SKY_NAMES.index(feature.name)
    simulated, real = comparison.simulated[:, column], comparison.real[:, column]
    group = _groups(comparison)[0]
    low = min(np.percentile(simulated, 0.2), real.min())
    high = max(np.percentile(simulated, 99.8), real.max())
    spread = (high - low) or 1.0
    bins = np.linspace(low - 0.02 * spread, high + 0.02 * spread, 81)
    # Margins by hand: to have them laid out takes several times as long as the rest, for every feature.
    figure = Figure(figsize=(7.5, 4.6))
    figure.subplots_adjust(left=0.05, right=0.985, bottom=0.11, top=0.94, hspace=0.06)
    upper, lower = figure.subplots(2, 1, sharex=True)
    for name in CLASSES:
        _outline(upper, simulated[comparison.groups[name]], bins, CLASS_COLORS[name], CLASS_TITLES[name])
    label = _title(comparison, comparison.reference)
    _outline(lower, simulated[comparison.groups[comparison.reference]], bins, _ALIKE, label, fill=True)
    _outline(lower, real, bins, _REAL, f"real, {len(real)} frames", fill=True)
    for axes, name in ((upper, "all"), (lower, group)):
        axes.axvspan(row[f"low_{name}"], row[f"high_{name}"], color="0.93", zorder=0, linewidth=0)
        axes.axvline(row["real_median"], color=_REAL, linewidth=1, linestyle=":")
        axes.legend(frameon=False, fontsize=8)
        axes.set_yticks([])
        axes.set_ylabel("root of share")
    upper.set_title(
        f"{feature.name}: {100 * row['outside_all']:.0f} % of real frames outside all simulated, "
        f"{100 * row[f'outside_{group}']:.0f} % outside {label}",
        fontsize=10,
        loc="left",
    )
    lower.set_xlabel(f"{feature.name} ({feature.unit}); shaded: percentiles {RANGE[0]} to {RANGE[1]}")
    return figure


def _outline(axes, values, bins, color, label, fill=False):
    """Draw a histogram by its outline, as tall as its tallest bin lets it; features with a spike are many."""
    if not len(values):
        return
    counts, _ = np.histogram(np.clip(values, bins[0], bins[-1]), bins)
    # Roots, so that what is rare beside a spike is still seen.
    share = np.sqrt(counts / len(values))
    axes.stairs(share, bins, color=color, label=label, linewidth=1.3)
    if fill:
        axes.stairs(share, bins, color=color, alpha=0.25, fill=True)


def _draw_distances(comparison):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 2.4 * len(comparison.joint)), layout="constrained")
    all_axes = figure.subplots(len(comparison.joint), 1, squeeze=False, sharex=True)[:, 0]
    top = max(max(f.simulated.max(), f.real.max()) for f in comparison.joint.values())
    bins = np.linspace(0, 1.02 * top, 81)
    for axes, (group, found) in zip(all_axes, comparison.joint.items(), strict=True):
        _outline(axes, found.simulated, bins, _ALIKE, f"{_title(comparison, group)}: sites left out", True)
        _outline(axes, found.real, bins, _REAL, f"real, {len(found.real)} frames", True)
        axes.axvline(found.limit, color=_ALIKE, linewidth=1, linestyle=":")
        axes.set_yticks([])
        axes.set_ylabel("root of share")
        axes.legend(frameon=False, fontsize=8)
    all_axes[-1].set_xlabel("distance to the nearest simulated row of another site, in ranks (dotted: 99 %)")
    return figure
