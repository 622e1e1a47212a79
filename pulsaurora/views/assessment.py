"""An assessment as Markdown, JSON, CSV tables and pictures."""

import csv
import json
import math
from pathlib import Path

from pulsaurora import __version__
from pulsaurora.archive.files import whole_file
from pulsaurora.classes import CLASSES
from pulsaurora.classification.assessment import LEAST_PULSATING_S

NAME = "evaluation"
_BLUE, _ORANGE, _GREY = "#2b6a99", "#d95f02", "#888888"


def write_assessment(assessment, out, about, problems=()):
    """Write OUT/evaluation.md, .json, two CSV tables, and three pictures under OUT/figures.

    Parameters
    ----------
    assessment : Assessment
    out : path-like
        Folder; made if needed. Each file is replaced only when complete.
    about : dict of str to str
        What was compared: goes into the report's head.
    problems : iterable of Problem

    Returns
    -------
    list of pathlib.Path
    """
    out = Path(out)
    problems = list(problems)
    written = []
    texts = {
        f"{NAME}.md": _markdown(assessment, about, problems),
        f"{NAME}.json": json.dumps(_plain(assessment, about, problems), indent=1) + "\n",
    }
    for name, text in texts.items():
        with whole_file(out / name) as passing:
            passing.write_text(text, encoding="utf-8")
        written.append(out / name)
    for name, rows in (("nights", assessment.per_night), ("intervals", assessment.per_interval)):
        path = out / f"{NAME}_{name}.csv"
        with whole_file(path) as passing, open(passing, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys() if rows else ["site"], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        written.append(path)
    pictures = (("confusion", _draw_confusion), ("reliability", _draw_reliability), ("nights", _draw_nights))
    for name, draw in pictures:
        path = out / "figures" / f"{NAME}_{name}.png"
        with whole_file(path) as passing:
            draw(assessment).savefig(passing, format="png", dpi=150, metadata={"Software": "pulsaurora"})
        written.append(path)
    return written


def _head(assessment, about):
    return {
        **about,
        "pulsaurora": __version__,
        "frames": f"{assessment.n_frames:,} labelled ({assessment.n_unlabelled:,} more without a label, "
        f"{assessment.n_contested:,} with two), in {assessment.n_intervals} intervals of "
        f"{len(assessment.per_night)} nights",
        "intervals": f"95 in 100, from {assessment.n_resamples:,} resamplings of whole nights, "
        f"seed {assessment.seed}",
    }


def _markdown(assessment, about, problems):
    figures, intervals, nights = assessment.frames, assessment.intervals, assessment.nights
    error = assessment.reliability.expected_calibration_error
    lines = ["# Classification files against human labels", ""]
    lines += [f"- {key}: {value}" for key, value in _head(assessment, about).items()]
    lines += ["", "## By frame", "", *_scores(figures)]
    lines += ["", f"Expected calibration error: {error}.", "", "Frames, people's labels down:", ""]
    lines += _matrix(assessment.confusion)
    lines += ["", f"![Confusion](figures/{NAME}_confusion.png)"]
    lines += [f"![Reliability](figures/{NAME}_reliability.png)"]
    lines += ["", "## By labelled interval", ""]
    lines += ["Each interval by the class that most of its frames got.", "", *_scores(intervals), ""]
    lines += _matrix(assessment.interval_confusion)
    minutes = LEAST_PULSATING_S / 60
    lines += ["", "## By night", ""]
    lines += [f"- accuracy, each night counting the same: {nights['accuracy_of_nights']}"]
    lines += [
        f"- nights with {minutes:.0f} minutes or more of pulsating aurora that were found: "
        f"{nights['pulsating_found']}; of those called so, truly: {nights['pulsating_true']}",
        f"- mean error of the hours of pulsating aurora in a night: {nights['hours_error']}",
        "",
        f"![Nights](figures/{NAME}_nights.png)",
        "",
        "| night | frames | accuracy | pulsating, hours labelled | hours said | precision | recall |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in assessment.per_night:
        found = ["" if row[f"{n}_pulsating"] is None else f"{row[f'{n}_pulsating']:.2f}" for n in _TWO]
        lines.append(
            f"| {row['date']} {row['site']} | {row['n_frames']} | {row['accuracy']:.3f} | "
            f"{row['pulsating_hours']:.2f} | {row['said_pulsating_hours']:.2f} | {found[0]} | {found[1]} |"
        )
    if problems:
        lines += ["", "## What was repaired or could not be read", ""]
        n_in_order = sum(_was_put_in_order(problem) for problem in problems)
        if n_in_order:
            lines.append(f"- {n_in_order} files had rows out of order in time; they were put in order")
        lines += [f"- {_inline(problem)}" for problem in problems if not _was_put_in_order(problem)]
    return "\n".join(lines) + "\n"


_TWO = ("precision", "recall")


def _was_put_in_order(problem):
    return "put in order" in problem.reason


def _inline(text):
    return " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;")


def _scores(figures):
    lines = ["| class | precision | recall | F1 |", "|---|---|---|---|"]
    for name in CLASSES:
        cells = " | ".join(str(figures[f"{score}_{name}"]) for score in ("precision", "recall", "f1"))
        lines.append(f"| {name} | {cells} |")
    return [*lines, "", f"Accuracy {figures['accuracy']}, macro F1 {figures['macro_f1']}."]


def _matrix(confusion):
    lines = ["| | " + " | ".join(CLASSES) + " |", "|---|" + "---:|" * len(CLASSES)]
    return lines + [
        f"| {name} | " + " | ".join(f"{int(n)}" for n in row) + " |"
        for name, row in zip(CLASSES, confusion, strict=True)
    ]


def _plain(assessment, about, problems):
    """Return the whole assessment as what JSON can hold; NaN becomes null."""
    curve = assessment.reliability

    def estimates(found):
        return {name: _triple(value) for name, value in found.items()}

    return {
        "about": _head(assessment, about),
        "classes": list(CLASSES),
        "frames": {"confusion": assessment.confusion.tolist(), **estimates(assessment.frames)},
        "intervals": {"confusion": assessment.interval_confusion.tolist(), **estimates(assessment.intervals)},
        "nights": estimates(assessment.nights),
        "calibration": {
            "expected_calibration_error": _triple(curve.expected_calibration_error),
            "edges": curve.edges.tolist(),
            "counts": curve.counts.tolist(),
            "confidence": [_number(value) for value in curve.confidence],
            "accuracy": [_triple(value) for value in curve.accuracy],
        },
        "per_night": assessment.per_night,
        "per_interval": assessment.per_interval,
        "problems": [{"path": problem.path, "reason": problem.reason} for problem in problems],
    }


def _triple(value):
    return {"value": _number(value.value), "low": _number(value.low), "high": _number(value.high)}


def _number(value):
    return None if math.isnan(value) else round(float(value), 6)


def _figure(width, height):
    # Not pyplot, which keeps figures and needs a display's backend.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _draw_confusion(assessment):
    figure = _figure(9.5, 4.2)
    for axes, confusion, title in zip(
        figure.subplots(1, 2),
        (assessment.confusion, assessment.interval_confusion),
        ("frames", "labelled intervals"),
        strict=True,
    ):
        total = confusion.sum(axis=1, keepdims=True)
        share = confusion / total.clip(min=1)
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for i in range(len(CLASSES)):
            for j in range(len(CLASSES)):
                axes.text(
                    j,
                    i,
                    f"{100 * share[i, j]:.0f}%\n{confusion[i, j]:,}",
                    ha="center",
                    va="center",
                    fontsize=8,
                    color="white" if share[i, j] > 0.6 else "black",
                )
        names = [name.replace("_", "\n") for name in CLASSES]
        axes.set_xticks(range(len(CLASSES)), names, fontsize=8)
        axes.set_yticks(range(len(CLASSES)), names, fontsize=8)
        axes.set(xlabel="said by the files", ylabel="said by people", title=title)
    return figure


def _draw_reliability(assessment):
    curve = assessment.reliability
    figure = _figure(5, 5.4)
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    axes.plot([0, 1], [0, 1], color=_GREY, linestyle=":", linewidth=1)
    points = [
        (x, y.value, y.low, y.high)
        for x, y, n in zip(curve.confidence, curve.accuracy, curve.counts, strict=True)
        if n
    ]
    if points:
        x, y, low, high = zip(*points, strict=True)
        spread = [
            [0 if math.isnan(b) else max(a - b, 0) for a, b in zip(y, low, strict=True)],
            [0 if math.isnan(b) else max(b - a, 0) for a, b in zip(y, high, strict=True)],
        ]
        axes.errorbar(x, y, spread, color=_BLUE, marker="o", markersize=4, linewidth=1, capsize=2)
    error = curve.expected_calibration_error
    axes.set(ylabel="part that is right", xlim=(0, 1), ylim=(0, 1), title=f"calibration error {error}")
    axes.title.set_fontsize(10)
    below.stairs(curve.counts, curve.edges, fill=True, color=_BLUE)
    below.set(xlabel="confidence", ylabel="frames")
    return figure


def _draw_nights(assessment):
    rows = assessment.per_night
    figure = _figure(9, 4.2)
    hours, accuracy = figure.subplots(1, 2)
    labelled = [row["pulsating_hours"] for row in rows]
    said = [row["said_pulsating_hours"] for row in rows]
    top = 1.05 * max([*labelled, *said, 1.0])
    hours.plot([0, top], [0, top], color=_GREY, linestyle=":", linewidth=1)
    hours.scatter(labelled, said, s=16, color=_ORANGE)
    hours.set(
        xlabel="labelled by people",
        ylabel="said by the files",
        xlim=(0, top),
        ylim=(0, top),
        title="hours of pulsating aurora a night",
    )
    accuracy.hist([row["accuracy"] for row in rows], bins=[i / 10 for i in range(11)], color=_BLUE)
    accuracy.set(xlabel="accuracy", ylabel="nights", title="accuracy of nights")
    return figure
