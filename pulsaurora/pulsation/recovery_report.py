"""The figures of recovery.py for one set of frames, put together, summed up and written."""

import csv
import datetime as dt
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np

from pulsaurora.archive.files import whole_file
from pulsaurora.archive.layout import find_nights
from pulsaurora.imaging.themis import read_minute
from pulsaurora.problems import UsageError
from pulsaurora.pulsation.events import LEAST_CONFIDENCE
from pulsaurora.pulsation.recovery import PERIODS_S, SNRS, Sky, Trial, count_false, resample, try_discs
from pulsaurora.simulation.night import SCENES, simulate_minutes

MOST_FRAMES = 400  # twenty minutes: more are not needed to add patches to
RESAMPLED_MINUTES = 300
SIMULATED_MINUTES = 6
PERIOD_EDGES_S = (PERIODS_S[0], 9.0, 12.0, 18.0, 26.0, PERIODS_S[1])
AIM_SNR = 3.0


@dataclass
class Recovery:
    """What came of it.

    Attributes
    ----------
    frames : str
        What patches were added to.
    trials : list of Trial
    n_elsewhere : int
        Patches reported where none had been added, in frames where others had.
    trial_minutes : float
        Of frames that patches were looked for in.
    false : list of (str, int, int, float)
        Where nothing was added: in what, patches reported, patches before those of low confidence are left
        out, minutes.
    problems : list of Problem
    """

    frames: str
    trials: list = field(default_factory=list)
    n_elsewhere: int = 0
    trial_minutes: float = 0.0
    false: list = field(default_factory=list)
    problems: list = field(default_factory=list)

    def column(self, name, chosen=None):
        """Return one number of every trial, or of those that a mask chooses."""
        values = np.array([getattr(trial, name) for trial in self.trials], float)
        return values if chosen is None else values[chosen]

    def at(self, snr):
        """Return a mask of the trials of one brightness."""
        return np.isclose(self.column("snr"), snr)

    def summary(self):
        """Return a few lines: the aims and what came of them."""
        chosen = self.at(AIM_SNR)
        found = self.column("is_found", chosen)
        low, high = wilson(found.sum(), len(found))
        lines = [
            f"At {AIM_SNR:g} sigma a superpixel {100 * found.mean():.1f} of 100 patches are found "
            f"({int(found.sum())} of {len(found)}, 95 % interval {100 * low:.1f} to {100 * high:.1f})."
        ]
        for name, words in (("on_s", "on-time"), ("off_s", "off-time"), ("period_s", "period")):
            error = self.errors(name, chosen)
            lines.append(
                f"Median error of the {words}: {median_of(np.abs(error)):.2f} s, "
                f"bias {median_of(error):+.2f} s."
            )
        n, _, minutes = self.false[0][1:]
        lines.append(f"False patches in {self.false[0][0]}: {n} in {minutes:.1f} minutes.")
        return lines

    def errors(self, name, chosen):
        """Return what was measured less what was added, for the patches found."""
        error = self.column(f"found_{name}", chosen) - self.column(name, chosen)
        return error[np.isfinite(error)]


def median_of(values):
    """Return the median, NaN of nothing."""
    return float(np.median(values)) if len(values) else np.nan


def wilson(n_hits, n):
    """Return the 95 % interval of a share (Wilson 1927)."""
    if not n:
        return 0.0, 1.0
    z2, share = 1.96**2, n_hits / n
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(share * (1 - share) / n * z2 + z2**2 / (4 * n**2)) / (1 + z2 / n)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def measure_recovery(stream0=None, n_trials=25, seed=0, advance=None, snrs=SNRS, simulated=SIMULATED_MINUTES):
    """Add patches and look for them, and count what is found where none was added.

    Parameters
    ----------
    stream0 : path-like, optional
        Root of an archive; the first MOST_FRAMES frames of its first night are used. Simulated overcast
        moonlit frames when not given.
    n_trials : int
        For each brightness.
    seed : int
    advance : callable, optional
        Called with the share of the work done since the last call.
    snrs : sequence of float
    simulated : int
        Minutes of each simulated scene without pulsation that false patches are counted in; 0 for none.

    Returns
    -------
    Recovery

    Raises
    ------
    UsageError
        If the archive holds no frames.
    """
    images, times, what, problems = _real(stream0) if stream0 else _simulated(seed)
    sky = Sky(images, times)
    result = Recovery(what, problems=problems)
    # Behind the cloud of `cloud_over_aurora` there may be pulsation, so what is found there is not false.
    named = [s for s, label in SCENES.items() if label != "pulsating" and s != "cloud_over_aurora"]
    scenes = named if simulated else []
    n_steps = n_trials * len(snrs) + 4 * len(scenes)
    for snr in snrs:
        for trial in range(n_trials):
            found, n_elsewhere = try_discs(sky, snr, [seed, int(100 * snr), trial])
            result.trials += found
            result.n_elsewhere += n_elsewhere
            result.trial_minutes += sky.duration_s / 60
            if advance:
                advance(1 / n_steps)
    result.false.append((what, *_counts(sky, sky.reduced)))
    longer = resample(sky, RESAMPLED_MINUTES, seed)
    result.false.append((f"the same, resampled to {RESAMPLED_MINUTES} minutes", *_counts(sky, longer)))
    del longer, images
    for number, scene in enumerate(scenes):
        start = np.datetime64("2012-12-01T02:00") + np.timedelta64(37 * number, "h")
        minutes = list(simulate_minutes([seed, 9, number], start, simulated, script=[(scene, simulated)]))
        one = Sky(np.concatenate([m.images for m in minutes]), np.concatenate([m.times for m in minutes]))
        result.false.append((f"simulated: {scene}", *_counts(one, one.reduced)))
        if advance:
            advance(4 / n_steps)
    return result


def _counts(sky, reduced):
    n, minutes = count_false(sky, reduced, LEAST_CONFIDENCE)
    return n, count_false(sky, reduced, 0.0)[0], minutes


def _real(stream0):
    nights, problems = find_nights(stream0, dt.date(2000, 1, 1), dt.date.today())
    for night in nights:
        images, times, n = [], [], 0
        for minute in night.minutes:
            frames = read_minute(minute.alternatives, metadata=False)
            problems = problems + frames.problems
            images.append(frames.images)
            times.append(frames.times)
            n += len(frames.times)
            if n >= MOST_FRAMES:
                break
        if n > 20:
            times, order = np.unique(np.concatenate(times), return_index=True)
            what = f"{len(times)} real frames of {night.site} on {night.date}"
            return np.concatenate(images)[order], times, what, problems
    raise UsageError(f"{stream0}: holds no frames to add patches to; is it the root of a stream0 tree?")


def _simulated(seed):
    parts = list(simulate_minutes([seed, 8], "2014-03-10T06:00", 6, script=[("overcast_moon", 6)]))
    images, times = np.concatenate([m.images for m in parts]), np.concatenate([m.times for m in parts])
    return images, times, f"{len(times)} simulated frames, overcast and moonlit", []


def write_recovery(result, out):
    """Write `recovery.md` and `recovery.csv` into a folder; return their paths."""
    paths = [Path(out) / "recovery.md", Path(out) / "recovery.csv"]
    with whole_file(paths[0]) as passing:
        passing.write_text("\n".join(_markdown(result)) + "\n", encoding="utf-8")
    names = [each.name for each in fields(Trial)]
    with whole_file(paths[1]) as passing, open(passing, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        for trial in result.trials:
            values = [getattr(trial, name) for name in names]
            writer.writerow([f"{v:.4g}" if isinstance(v, float) else int(v) for v in values])
    return paths


def _markdown(result):
    lines = [
        "# How well pulsating patches are found",
        "",
        f"Patches added to {result.frames}; made by `pulsaurora recovery`. The brightness of a patch is in",
        "units of the noise of one superpixel (8 x 8 pixels) in one frame. Patches are round, 24 to 56",
        f"pixels across, periods of {PERIODS_S[0]:g} to {PERIODS_S[1]:g} s, a third to two thirds of it on",
        "each on-time and off-time varied by a fifth. Errors are those of a patch's median, in seconds.",
        "",
        *result.summary(),
        "",
        "| sigma | added | found | of 100 | 95 % interval | on-time error | off-time error | period error | "
        "period within a fifth | patches reported a patch found |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for snr in sorted({trial.snr for trial in result.trials}):
        chosen = result.at(snr)
        found = result.column("is_found", chosen) > 0
        low, high = wilson(found.sum(), len(found))
        errors = [f"{median_of(np.abs(result.errors(n, chosen))):.2f}" for n in ("on_s", "off_s", "period_s")]
        ratio = result.column("found_period_s", chosen) / result.column("period_s", chosen)
        known = ratio[np.isfinite(ratio)]
        right = f"{100 * np.mean(np.abs(known - 1) < 0.2):.0f} %" if len(known) else ""
        pieces = result.column("n_pieces", chosen)[found]
        lines.append(
            f"| {snr:g} | {len(found)} | {found.sum()} | {100 * found.mean():.1f} | {100 * low:.1f} to "
            f"{100 * high:.1f} | {' | '.join(errors)} | {right} | {pieces.mean() if len(pieces) else 0:.2f} |"
        )
    lines += [
        "",
        f"By period, at {AIM_SNR:g} sigma and at 2:",
        "",
        "| period | found at 3 | found at 2 |",
        "|---|---|---|",
    ]
    period = result.column("period_s")
    for low, high in zip(PERIOD_EDGES_S[:-1], PERIOD_EDGES_S[1:], strict=True):
        shares = []
        for snr in (AIM_SNR, 2.0):
            found = result.column("is_found", result.at(snr) & (period >= low) & (period < high))
            shares.append(f"{int(found.sum())} of {len(found)}")
        lines.append(f"| {low:g} to {high:g} s | {' | '.join(shares)} |")
    lines += [
        "",
        f"Where others had been added: {result.n_elsewhere} patches reported elsewhere in "
        f"{result.trial_minutes:.0f} minutes.",
        "",
        "Where nothing was added (unfiltered: before patches below a confidence of "
        f"{LEAST_CONFIDENCE:g} are left out):",
        "",
        "| frames | minutes | false patches | in ten minutes | unfiltered |",
        "|---|---|---|---|---|",
    ]
    for what, n, n_unfiltered, minutes in result.false:
        lines.append(f"| {what} | {minutes:.1f} | {n} | {10 * n / minutes:.2f} | {n_unfiltered} |")
    return lines
