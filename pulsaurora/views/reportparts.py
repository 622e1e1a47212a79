"""The parts of a night's report: each a section of the page, from what was found."""

import datetime as dt

import numpy as np

from pulsaurora import __version__
from pulsaurora.classes import CLASSES
from pulsaurora.views.colors import CLASS_COLORS, CLASS_TITLES
from pulsaurora.views.html import element, joined, pairs, picture, table
from pulsaurora.views.keogram import is_simulated
from pulsaurora.views.nightfacts import (
    GAP_S,
    LEAST_S,
    WINDOW_S,
    clock,
    duration_text,
    percent,
    sky_sentences,
)
from pulsaurora.views.nightfigure import figure_bytes

SIMULATED = (
    "The labels come from a model trained on simulated skies only. Nothing in its training tells how often "
    "it is right on real ones: look at the keogram before you believe them."
)
MOST_INTERVALS = 60
MOST_PROBLEMS = 200
# Seconds; beyond, times are counted beside the picture.
_PERIOD_BINS = np.arange(0, 46, 1.5)
_ON_BINS = np.arange(0, 31, 1.5)

# What each flag of the quality column means.
FLAGS = {
    "gap_before": "frames are missing just before this one",
    "few_samples": "less than half of the two minutes that it is judged by has frames",
    "sun_up": "the sun is above the horizon",
    "file_truncated": "its file ends early; the frame itself is whole",
    "file_damaged": "something in its file is not as it should be; the frame itself is whole",
    "duplicate_dropped": "another frame of the same time was dropped",
    "time_estimated": "it carries no time of its own",
    "time_from_name": "its time comes from the file's name",
    "pixels_damaged": "some of its pixels were damaged and mended",
    "header_damaged": "its header was damaged; what could be read of it is used",
    "clock_jump": "its time is more than five minutes from those of its file",
    "imager_changed": "another imager took the frames before it on that date",
}

STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0; background: #fff; color: #1f2328; -webkit-print-color-adjust: exact;
  print-color-adjust: exact;
  font: 15px/1.5 "Source Sans 3", "Helvetica Neue", "Segoe UI", "Liberation Sans", Arial, sans-serif; }
main { max-width: 1060px; margin: 0 auto; padding: 2.2rem 1.6rem 3rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0; font-weight: 600; letter-spacing: -0.01em; }
h2 { font-size: 1.08rem; margin: 2.2rem 0 0.5rem; font-weight: 600; }
p { margin: 0.35rem 0; max-width: 78ch; }
.sub, .note, figcaption, caption { color: #5b626b; }
.note, figcaption, caption { font-size: 0.88rem; }
.summary { margin: 1.1rem 0 1.4rem; padding: 0.8rem 1.1rem; background: #f5f6f8; border-radius: 6px; }
.verdict { font-size: 1.18rem; line-height: 1.45; }
.sub, .verdict, .caution { max-width: none; }
.note code { white-space: nowrap; }
.word { display: inline-block; padding: 0.05em 0.6em; margin-right: 0.35em; border-radius: 1em;
  background: #dfe2e6; font-weight: 600; }
.word.worth { background: #E69F00; }
.word.a { background: #f7dfae; }
.caution { color: #8a3b00; }
.tag { font-size: 0.8rem; font-weight: 400; color: #8a3b00; border: 1px solid #d9a27c; border-radius: 1em;
  padding: 0.05em 0.7em; margin-left: 0.6em; white-space: nowrap; }
figure { margin: 0 0 1rem; }
img { max-width: 100%; height: auto; display: block; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 0.3rem 0 0.6rem; }
th, td { padding: 0.22rem 1.3rem 0.22rem 0; text-align: left; vertical-align: top; }
th:last-child, td:last-child { padding-right: 0; }
th { font-weight: 600; border-bottom: 1px solid #9aa1a9; white-space: nowrap; }
td { border-bottom: 1px solid #e6e8eb; overflow-wrap: anywhere; }
th.n, td.n { text-align: right; white-space: nowrap; }
caption { caption-side: bottom; text-align: left; padding-top: 0.4rem; }
.swatch { display: inline-block; width: 0.8em; height: 0.8em; border-radius: 2px; margin-right: 0.5em; }
.two { display: grid; grid-template-columns: 1fr 1fr; gap: 0 3rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.2rem 1.2rem; margin: 0.3rem 0; }
dt { color: #5b626b; }
dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
code { font: 0.9em ui-monospace, "SF Mono", Menlo, "Liberation Mono", monospace; overflow-wrap: anywhere; }
@media screen and (max-width: 760px) { .two { grid-template-columns: 1fr; } }
@media print {
  @page { margin: 14mm; }
  body { font-size: 10.5pt; }
  main { max-width: none; padding: 0; }
  .two { gap: 0 1.5rem; }
  h2 { break-after: avoid; }
  figure, tr, .summary { break-inside: avoid; }
  thead { display: table-header-group; }
}
"""


def subtitle(found):
    """What night it is, in one line."""
    facts, position = found.facts, found.position
    said = ["all times are UTC"]
    if facts is not None and facts.n_frames:
        said.append(f"{clock(facts.start)} to {clock(facts.end)}")
        said.append(f"{facts.n_frames:,} frames, one every {facts.cadence_s:.3g} s")
    if position is not None:
        north, east = position
        said.append(
            f"{abs(north):.1f}°\N{NO-BREAK SPACE}{'NS'[north < 0]}, "
            f"{abs(east):.1f}°\N{NO-BREAK SPACE}{'EW'[east < 0]}"
        )
    if found.others:
        said.append(f"that date also has {', '.join(found.others)}, on a page of its own")
    return element("p", " · ".join(said), class_="sub")


def classes(found):
    """Frames, hours and share of each class."""
    tag = (
        element("span", "trained on simulated skies only", class_="tag")
        if is_simulated(found.about)
        else None
    )
    heading = element("h2", "Classes", tag)
    facts = found.facts
    if facts is None:
        return element("section", heading, _note("This night has no classification file that can be read."))
    rows = []
    for name in CLASSES:
        one = facts.classes[name]
        swatch = element("span", class_="swatch", style=f"background:{CLASS_COLORS[name]}")
        cells = (f"{one.n_frames:,}", f"{one.hours:.2f}", percent(one.share), _number(one.confidence, ".2f"))
        rows.append((joined([swatch, CLASS_TITLES[name]]), *cells))
    rows.append(("all", f"{facts.n_frames:,}", f"{facts.n_frames * facts.cadence_s / 3600:.2f}", "", ""))
    header = ("class", "frames", "hours", "share", "mean confidence")
    caption = f"Hours are frames times {facts.cadence_s:.3g} s, the usual time between them."
    return element("section", heading, table(header, rows, range(1, 5), caption))


def sky(found):
    """Gaps, sun and moon."""
    facts, position = found.facts, found.position
    rows = []
    start, end = (facts.start, facts.end) if facts else (None, None)
    if start is None and len(found.keogram.times):
        start, end = found.keogram.times[[0, -1]]
    if facts is not None and facts.n_frames:
        said = "none"
        if facts.n_gaps:
            at, seconds = facts.longest_gap
            many = f"{facts.n_gaps:,} gaps, {duration_text(facts.gap_s)} together; "
            said = f"{many if facts.n_gaps > 1 else ''}the longest {duration_text(seconds)} after {clock(at)}"
        rows.append(("Gaps", said))
    if start is None:
        rows.append(("Sun, moon", "not computed: no frame has a time"))
    elif position is None:
        rows.append(("Sun, moon", f"not computed: where {found.files.site} lies is not known here"))
    else:
        rows += sky_sentences(start, end, position)
    return element("section", element("h2", "Coverage, sun and moon"), pairs(rows))


def intervals(found):
    """When there was pulsating aurora."""
    heading = element("h2", "Pulsating intervals")
    facts = found.facts
    if facts is None:
        return None
    short = f"{facts.n_short} more last less than {LEAST_S:.0f} s." if facts.n_short else ""
    if not facts.intervals:
        return element("section", heading, _note(f"No interval of {LEAST_S:.0f} s or more. {short}"))
    chosen = sorted(facts.intervals, key=lambda one: -one.seconds)[:MOST_INTERVALS]
    rows = [
        (
            clock(one.start),
            clock(one.end),
            duration_text(one.seconds),
            f"{one.confidence:.2f}",
            percent(one.share),
            _number(one.period_s, ".1f"),
        )
        for one in sorted(chosen, key=lambda one: one.start)
    ]
    caption = (
        f"At least half of the frames within {WINDOW_S:.0f} s are pulsating; an interval ends at a gap of "
        f"more than {GAP_S:.0f} s. Confidence is the mean of its pulsating frames. {short}"
    )
    if len(chosen) < len(facts.intervals):
        caption += f" The {len(chosen)} longest of {len(facts.intervals)} are listed."
    header = ("start, UTC", "end, UTC", "duration", "mean confidence", "frames pulsating", "median period, s")
    return element("section", heading, table(header, rows, range(2, 6), caption))


def times(found):
    """Periods and on-times: of pulses where events were looked for, else of frames."""
    heading = element("h2", "Periods and on-times")
    files = found.files
    how = f"pulsaurora events {files.date} {files.date} --sites {files.site}"
    if found.pulses is not None:
        return element("section", heading, *_event_times(found))
    advice = joined(
        ["For on-times, patches and their kinds, run ", element("code", how), " and make this page again."]
    )
    period = None
    if found.table is not None and "period_s" in found.table:
        chosen = (found.table["label"] == "pulsating").to_numpy()
        period = found.table["period_s"].to_numpy(np.float64)[chosen]
        period = period[period > 0]
    if period is None or not len(period):
        why = "No pulsating frame has a period."
        if period is None:
            why = "Periods are not known: this night has no Parquet table with them."
        return element("section", heading, _note(why), _note(advice))
    png = figure_bytes(
        _histograms([("dominant period of pulsating frames, s", period, _PERIOD_BINS, "frames")])
    )
    said = f"Median {np.median(period):.1f} s over {len(period):,} pulsating frames. At one frame every "
    said += f"{found.facts.cadence_s:.3g} s, what pulsates faster than twice that is not seen as such."
    return element("section", heading, picture(png, "Histogram of periods"), _note(said), _note(advice))


def _event_times(found):
    """Histograms, numbers and kinds from the tables of events."""
    patches, pulses = found.patches, found.pulses
    if not len(pulses):
        return [_note("Events were looked for; no pulsating patch was found.")]
    whole = pulses["is_whole"].to_numpy(bool)
    on, period = (pulses[name].to_numpy(np.float64) for name in ("on_s", "period_s"))
    on, period = on[whole & np.isfinite(on)], period[np.isfinite(period)]
    panels = [
        ("period, onset to onset, s", period, _PERIOD_BINS, "pulses"),
        ("on-time, s", on, _ON_BINS, "pulses"),
    ]
    rows = []
    kinds = patches["kind"].astype(str).to_numpy()
    for kind in sorted(set(kinds)):
        its = patches[kinds == kind]
        numbers = [
            _number(np.nanmedian(its[name]) if name in its and its[name].notna().any() else np.nan, form)
            for name, form in (("on_s", ".1f"), ("period_s", ".1f"), ("kind_confidence", ".2f"))
        ]
        rows.append((kind.replace("_", " "), f"{len(its):,}", *numbers))
    header = (
        "kind of patch",
        "patches",
        "median on-time, s",
        "median period, s",
        "median confidence in kind",
    )
    middle = [
        f"{name} {np.median(values):.1f} s"
        for name, values in (("period", period), ("on-time", on))
        if len(values)
    ]
    said = (
        f"{len(patches):,} patches with {len(pulses):,} pulses. Median {', '.join(middle)}." if middle else ""
    )
    return [
        picture(figure_bytes(_histograms(panels)), "Histograms of periods and on-times of pulses"),
        _note(said + " On-times are full widths at half maximum of pulses that no gap cuts."),
        table(header, rows, range(1, 5)),
    ]


def _histograms(panels):
    """Draw histograms side by side: (label, values, bins, what is counted)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2 * len(panels), 2.6), layout="constrained")
    for axis, (label, values, bins, what) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
    ):
        inside = values[values <= bins[-1]]
        axis.hist(inside, bins=bins, color=CLASS_COLORS["pulsating"], edgecolor="white", linewidth=0.5)
        if len(values):
            axis.axvline(np.median(values), color="0.25", linewidth=1, linestyle=(0, (4, 2)))
        if beyond := len(values) - len(inside):
            axis.set_title(f"{beyond:,} beyond {bins[-1]:g} s", loc="right", fontsize=8, color="0.35")
        axis.set(xlabel=label, ylabel=what, xlim=(bins[0], bins[-1]))
        axis.spines[["top", "right"]].set_visible(False)
    return figure


def quality(found):
    """How many frames each flag touched."""
    heading = element("h2", "Quality")
    if found.table is None:
        return None
    if "quality" not in found.table:
        return element(
            "section", heading, _note("Flags are not known: this night has no Parquet table with them.")
        )
    counts, n_touched = flag_counts(found.table["quality"])
    n = max(len(found.table), 1)
    if not counts:
        return element("section", heading, _note("No flag on any frame."))
    rows = [
        (element("code", flag), f"{count:,}", percent(count / n), FLAGS.get(flag, ""))
        for flag, count in counts.items()
    ]
    caption = f"{n_touched:,} of {len(found.table):,} frames carry a flag; one may carry several."
    return element("section", heading, table(("flag", "frames", "share", "meaning"), rows, (1, 2), caption))


def flag_counts(column):
    """Count frames by flag.

    Parameters
    ----------
    column : Series of str
        Names joined by `;`.

    Returns
    -------
    counts : dict of str to int
        The most frequent first.
    n_touched : int
        Frames with any flag.
    """
    counts, n_touched = {}, 0
    for text, n in column.astype(str).value_counts().items():
        flags = set(filter(None, (flag.strip() for flag in text.split(";"))))
        n_touched += int(n) if flags else 0
        for flag in flags:
            counts[flag] = counts.get(flag, 0) + int(n)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))), n_touched


def problems(found):
    """What was wrong with the inputs."""
    heading = element("h2", "Problems of the inputs")
    if not found.problems:
        return element("section", heading, _note("None."))
    rows = [
        (one.path, one.reason, f"{one.n_frames_kept:,}" if one.n_frames_kept else "")
        for one in found.problems[:MOST_PROBLEMS]
    ]
    more = len(found.problems) - len(rows)
    caption = f"And {more:,} more." if more else None
    return element("section", heading, table(("file", "what was found", "frames kept"), rows, (2,), caption))


def versions(found):
    """Which model and which versions the page rests on."""
    about = found.about
    taken = {
        "model name",
        "model",
        "trained on",
        "refined by",
        "original model",
        "version",
        "inputs",
        "created",
    }
    hashed = {"model", "original model", "inputs"}

    def said(key):
        return element("code", about[key]) if key in hashed and key in about else about.get(key)

    trained = about.get("trained on", "the file does not tell")
    rows = [("Labels", "none")]
    if found.table is not None:
        rows = [
            ("Model", about.get("model name", "the file does not name it")),
            ("Model's sha256", said("model") or "the file does not tell"),
            ("Trained on", element("span", trained, class_="caution" if is_simulated(about) else None)),
            ("Refined by", said("refined by")),
            ("Model before that", said("original model")),
            ("Labelled by pulsaurora", about.get("version", "the file does not tell")),
            ("Labelled", None if "created" not in about else f"{about['created']} UTC"),
            ("Inputs' fingerprint", said("inputs")),
            *((key, value) for key, value in list(about.items())[:40] if key not in taken),
        ]
    if found.patches is not None:
        events = found.patches.attrs
        made = [events.get("method"), f"pulsaurora {events['version']}" if "version" in events else None]
        rows.append(("Events", ", ".join(filter(None, made)) or "the tables do not tell"))
    now = dt.datetime.now(dt.UTC)
    rows.append(("This page", f"pulsaurora {__version__}, made {now:%Y-%m-%d %H:%M} UTC"))
    return element("section", element("h2", "Model and versions"), pairs(rows))


def _note(text):
    return element("p", text, class_="note")


def _number(value, form):
    return "–" if not np.isfinite(value) else format(value, form)
