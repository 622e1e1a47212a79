"""Oracles of trends, neighbours' means, pulses and groups: each by its definition, slowly."""

import math

import numpy as np


def trend(times_s, values, k, half_window_s, fewest):
    """Value at frame k of the straight line through the frames near it."""
    near = [j for j in range(len(times_s)) if abs(times_s[j] - times_s[k]) <= half_window_s]
    if len(near) < fewest:
        return math.nan
    x = [times_s[j] - times_s[k] for j in near]
    return np.polyfit(x, [float(values[j]) for j in near], 1)[1]


def trimmed(values, fewest):
    """Mean of the known values without the smallest and the largest, and how many were known."""
    known = sorted(v for v in values if not math.isnan(v))
    if len(known) < fewest:
        return math.nan, len(known)
    return sum(known[1:-1]) / (len(known) - 2), len(known)


def stretches(times_s, values, longest_gap_s):
    """Runs of frames without NaN and without a gap, as lists of frame numbers."""
    runs, run = [], []
    for k in range(len(values)):
        if run and (math.isnan(values[k]) or times_s[k] - times_s[run[-1]] > longest_gap_s):
            runs.append(run)
            run = []
        if not math.isnan(values[k]):
            run.append(k)
    return [r for r in [*runs, run] if r]


def pulses(times_s, values, longest_gap_s, longest_step_s, reach_s, least_prominence):
    """Rows (peak, start, end, prominence, whole) of one series."""
    values, out = [float(v) for v in values], []
    for run in stretches(times_s, values, longest_gap_s):
        x, t = [values[k] for k in run], [times_s[k] for k in run]
        levels = [x[0]] + [b for a, b in zip(x, x[1:], strict=False) if b != a]
        tops = [k for k in range(1, len(levels) - 1) if levels[k - 1] < levels[k] > levels[k + 1]]
        firsts = [0] + [k for k in range(1, len(x)) if x[k] != x[k - 1]] + [len(x)]
        peaks = [(firsts[top] + firsts[top + 1] - 1) // 2 for top in tops]

        def valley(peak, step, bounds=(), x=x, t=t):
            side, k = [peak], peak
            while k not in bounds and 0 <= k + step < len(x) and x[k + step] <= x[peak]:
                k += step
                if abs(t[k] - t[peak]) > reach_s:
                    break
                side.append(k)
            return next(j for j in side if x[j] == min(x[i] for i in side))  # the nearest of equals

        def height(peak, sides, x=x):
            return x[peak] - max(x[j] for j in sides)

        peaks = [p for p in peaks if height(p, (valley(p, -1), valley(p, 1))) >= least_prominence]
        for peak in peaks:
            others = [p for p in peaks if p != peak]
            sides = [valley(peak, step, others) for step in (-1, 1)]
            base = max(x[j] for j in sides)
            whole = not any(x[j] == base and j in (0, len(x) - 1) for j in sides)
            level, crossings = x[peak] - (x[peak] - base) / 2, []
            for step, last in zip((-1, 1), sides, strict=True):
                k = peak
                while x[k] > level and k != last:
                    k += step
                if x[k] < level:
                    share = (level - x[k]) / (x[k - step] - x[k])
                    crossings.append(t[k] + share * (t[k - step] - t[k]))
                else:
                    crossings.append(t[k])
                whole &= abs(t[k] - t[k - step]) <= longest_step_s
            out.append((run[peak], *crossings, x[peak] - base, whole))
    return out


def groups(members, is_linked):
    """Sets of pulses, by repeated merging, of those linked directly or through others."""
    found = [{m} for m in members]
    for a in members:
        for b in members:
            if a < b and is_linked(a, b):
                one = next(g for g in found if a in g)
                two = next(g for g in found if b in g)
                if one is not two:
                    one |= two
                    found.remove(two)
    return found
