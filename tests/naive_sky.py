"""Oracles of the features: each number by its definition, slowly, sharing nothing with the kernels."""

from functools import cache

import numpy as np


def cell_means(frame, block, warm=()):
    """Mean of each block of pixels without its brightest, and that one less the mean; none of them warm."""
    n_rows, n_cols = frame.shape[0] // block, frame.shape[1] // block
    means, peaks = np.empty((n_rows, n_cols)), np.empty((n_rows, n_cols))
    for i in range(n_rows):
        for j in range(n_cols):
            pixels = sorted(
                int(frame[r, c])
                for r in range(i * block, (i + 1) * block)
                for c in range(j * block, (j + 1) * block)
                if (r, c) not in warm
            )
            means[i, j] = sum(pixels[:-1]) / (len(pixels) - 1)
            peaks[i, j] = pixels[-1] - means[i, j]
    return means, peaks


def structure_row(frame, elevation, block=4, warm=()):
    """The structure numbers of one frame by their definitions, as a dictionary."""
    level, peak = cell_means(frame, block, warm)
    size = len(level)
    corners = [level[a : a + 6, b : b + 6].mean() for a in (0, size - 6) for b in (0, size - 6)]
    pedestal = min(corners)
    inside = elevation.reshape(size, block, size, block).min(axis=(1, 3)) >= 15
    height = elevation.reshape(size, block, size, block).mean(axis=(1, 3))
    v = np.maximum(level - pedestal, 0)
    logs = np.log10(v + 100)

    def halved(grid, reducer):
        n = len(grid) // 2
        return reducer(reducer(grid.reshape(n, 2, n, 2), axis=3), axis=1)

    draws = np.random.default_rng(0).standard_normal((200_000, block * block))
    peak_scale = draws.max(axis=1).mean() * block**2 / (block**2 - 1)
    sampled = np.zeros_like(inside)
    for i in range(size):
        sampled[i, i % 4 :: 4] = True
    sampled &= inside
    sigma = np.sqrt(1.68 * v + 380)
    ratio = sorted((peak / (peak_scale * sigma))[sampled])[sampled.sum() // 2]
    sigma = ratio * sigma
    noise = ((np.log10(np.e) * sigma / (v + 100)) ** 2 / (block**2 - 1))[inside].mean()
    points = inside & (level <= 60000) & (peak > 4 * peak_scale * sigma) & (peak + level < 65000)
    stars = inside & (level <= 60000) & (peak > 3 * peak_scale * sigma) & (peak + level < 65000)
    for i, j in np.argwhere(stars):
        around = [peak[a, b] for a in (i - 1, i, i + 1) for b in (j - 1, j, j + 1) if (a, b) != (i, j)]
        beside = [level[a, b] for a in (i - 1, i, i + 1) for b in (j - 1, j, j + 1) if (a, b) != (i, j)]
        stars[i, j] = peak[i, j] > 2 * np.mean(around) and np.ptp(beside) < 0.7 * peak[i, j]
    coarse, coarse_inside = halved(logs, np.mean), halved(inside, np.min)
    values = np.sort(coarse[coarse_inside])
    n = len(values)
    deviation = coarse[coarse_inside] - logs[inside].mean()

    gx, gy = _gradient(coarse, coarse_inside)
    steep = np.sort(np.hypot(gx, gy)[~np.isnan(gx)])
    elongation_sky, elongation_local = _elongations(coarse, coarse_inside)

    def haar(grid, mask):
        whole = [
            np.var(grid[i : i + 2, j : j + 2], ddof=1)
            for i in range(0, len(grid), 2)
            for j in range(0, len(grid), 2)
            if mask[i : i + 2, j : j + 2].all()
        ]
        return np.mean(whole) if whole else 0.0

    quarter, quarter_inside = halved(coarse, np.mean), halved(coarse_inside, np.min)
    eighth, eighth_inside = halved(quarter, np.mean), halved(quarter_inside, np.min)
    rows, cols = np.nonzero(coarse_inside)
    plane = [np.sum((k - 15.5) * deviation) / np.sum((k - 15.5) ** 2) for k in (rows, cols)]
    low, high = inside & (height < 35), inside & (height > 55)
    return {
        "pedestal": pedestal,
        "noise_ratio": ratio,
        "brightness": logs[inside].mean(),
        "brightness_p10": values[n // 10],
        "brightness_p50": values[n // 2],
        "brightness_p90": values[9 * n // 10],
        "brightness_spread": np.sqrt(np.mean(deviation**2)),
        "brightness_skew": np.mean(deviation**3) / (np.mean(deviation**2) ** 1.5 + 1e-9),
        "saturated": np.mean(level[inside] > 60000),
        "gradient": steep.mean(),
        "gradient_p95": steep[95 * len(steep) // 100],
        "texture_4px": np.log10(max(haar(logs, inside) - noise, 0) + 1e-6),
        "texture_8px": np.log10(max(haar(coarse, coarse_inside) - noise / 4, 0) + 1e-6),
        "texture_16px": np.log10(haar(quarter, quarter_inside) + 1e-6),
        "texture_32px": np.log10(haar(eighth, eighth_inside) + 1e-6),
        "elongation_local": elongation_local,
        "elongation_sky": elongation_sky,
        "point_sources": np.log10(1 + points.sum()),
        "point_strength": np.log10(1 + (peak / sigma)[points].mean()) if points.any() else 0.0,
        "stars": np.log10(1 + stars.sum()),
        "star_cover": len({(i // 8, j // 8) for i, j in np.argwhere(stars)})
        / len({(i // 8, j // 8) for i, j in np.argwhere(inside)}),
        "glare": values[-1] - values[n // 2],
        "glare_area": np.mean(values > values[-1] - np.log10(2)),
        "horizon_ratio": logs[low].mean() - logs[high].mean() if low.any() and high.any() else 0.0,
        "asymmetry": 25 * np.hypot(*plane),
        **_relief_row(relief_of(coarse, coarse_inside), coarse_inside, stars),
    }


def _gradient(grid, inside):
    """Half the difference of the neighbours along columns and rows; NaN unless all four are inside."""
    gy, gx = np.full(grid.shape, np.nan), np.full(grid.shape, np.nan)
    for i in range(1, len(grid) - 1):
        for j in range(1, len(grid[0]) - 1):
            if all(inside[a, b] for a, b in ((i, j), (i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1))):
                gx[i, j] = (grid[i, j + 1] - grid[i, j - 1]) / 2
                gy[i, j] = (grid[i + 1, j] - grid[i - 1, j]) / 2
    return gx, gy


def _elongations(grid, inside):
    """Anisotropy of the structure tensor over the whole sky, and in boxes of 5 x 5 cells."""
    gx, gy = _gradient(grid, inside)
    xx, yy, xy = (np.nan_to_num(a) for a in (gx * gx, gy * gy, gx * gy))
    a, b, c = xx.sum(), yy.sum(), xy.sum()
    sky = np.sqrt((a - b) ** 2 + 4 * c * c) / (a + b + 1e-9)
    anisotropy = energy = 0.0
    for i, j in zip(*np.nonzero(inside), strict=True):
        box = np.s_[max(i - 2, 0) : i + 3, max(j - 2, 0) : j + 3]
        a, b, c = xx[box].sum(), yy[box].sum(), xy[box].sum()
        anisotropy += np.sqrt((a - b) ** 2 + 4 * c * c)
        energy += a + b
    return sky, anisotropy / (energy + 1e-9)


def relief_of(logs, inside):
    """Log brightness less its smooth background, by least squares on clipped values; 0 outside."""
    rows, cols = np.nonzero(inside)
    y, x = (rows - rows.mean()) / 12, (cols - cols.mean()) / 12
    functions = np.stack([np.ones(len(x)), x, y, x**2, x * y, y**2, (x**2 + y**2) ** 2], axis=1)
    values = logs[inside]

    def fitted(to):
        return functions @ np.linalg.lstsq(functions, to, rcond=None)[0]

    fit = fitted(values)
    limit = 1.2 * np.std(values - fit)
    for _ in range(2):
        fit = fitted(fit + np.clip(values - fit, -limit, limit))
    relief = np.zeros(inside.shape)
    relief[inside] = values - fit
    return relief


def _relief_row(relief, inside, stars):
    values = relief[inside]
    n = len(values)
    ordered = np.sort(values)
    sky, local = _elongations(relief, inside)
    regions = [r for r in _groups(set(map(tuple, np.argwhere(relief > 0.05)))) if len(r) > 1]
    largest = max(regions, key=len, default=())
    above, below = relief > 0.04, (relief < -0.04) & inside

    def through(cells):
        blocks = cells.repeat(2, 0).repeat(2, 1)
        every = inside.repeat(2, 0).repeat(2, 1)
        expected = (stars & every).sum() * blocks.sum() / every.sum()
        return np.log10(((stars & blocks).sum() + 2) / (expected + 2))

    return {
        "relief": np.log10(values.std() + 1e-4),
        "relief_skew": np.mean(values**3) / (values.std() ** 3 + 1e-9),
        "relief_p98": ordered[98 * n // 100],
        "relief_p2": ordered[2 * n // 100],
        "relief_bright": np.mean(values > 0.05),
        "relief_strong": np.mean(values > 0.15),
        "relief_dark": np.mean(values < -0.05),
        "relief_elongation_sky": sky,
        "relief_elongation_local": local,
        "relief_regions": np.log10(1 + len(regions)),
        "relief_largest": len(largest) / n,
        "relief_largest_elongation": _elongation(largest) if regions else 0.0,
        "stars_in_bright": through(above),
        "stars_in_dark": through(below),
    }


def modulation_row(
    times_s, levels, pedestals, ratios, mask, centre, half=60.0, cadence=3.0, block=4, sky=None
):
    """The modulation numbers of one window by their definitions, as a dictionary.

    levels is (n, rows, cols) counts; mask (rows, cols) 0 outside, 1 inside, 2 inside and low.
    """
    inside = mask > 0
    offset, n_mask = 100.0, int(inside.sum())
    near = np.abs(times_s - centre) <= half + cadence / 2
    t, x = times_s[near], levels[near]
    tau = t - centre
    nominal = 2 * half / cadence
    gaps = [t[0] - (centre - half), centre + half - t[-1], *np.diff(t)]
    row = {"window_filled": min(len(t) / (nominal + 1), 1.0), "window_gap": min(max(gaps), half)}
    if len(t) < 5:
        return row
    ratio2, pedestal = ratios[near].mean() ** 2, pedestals[near].mean()
    frequencies = np.arange(1, round(2 * half / 6) + 1)
    taper = 0.5 + 0.5 * np.cos(np.pi * tau / half)
    power_of_taper = np.sum(taper**2)
    waves = np.exp(-2j * np.pi * np.outer(frequencies, tau) / (2 * half))
    fast = 2 * half / frequencies <= 40
    n_fast = fast.sum()
    scale = 2 / (nominal * power_of_taper)
    cells = {}
    for i, j in zip(*np.nonzero(inside), strict=True):
        slope, level = np.polyfit(tau, x[:, i, j], 1)
        residual = x[:, i, j] - level - slope * tau
        spectrum = waves @ (taper * residual)
        power = np.abs(spectrum) ** 2
        v = max(level - pedestal, 0.0)
        noise = ratio2 * (1.68 * v + 380) / quiet_pixels(block) * power_of_taper
        amplitude = np.sqrt(max((power[fast].sum() - n_fast * noise) * scale, 0)) / (v + offset)
        slow = np.sqrt(max((power[~fast].sum() - (~fast).sum() * noise) * scale, 0)) / (v + offset)
        excess = power[fast].sum() / (n_fast * noise)
        cells[i, j] = {
            "v": v, "slope": slope, "residual": residual, "spectrum": spectrum, "power": power,
            "noise": noise, "amplitude": amplitude, "slow": slow, "excess": excess,
            "modulated": excess > 2 and amplitude > 0.01,
            "pulsating": excess > 2 and amplitude > 0.01 and amplitude > slow,
            "strong": excess > 4 and amplitude > 0.05 and amplitude > slow,
        }  # fmt: skip
    every = list(cells.values())
    some = [c for c in every if c["modulated"]]

    def ranked(key, percent):
        return sorted(key(c) for c in every)[percent * n_mask // 100]

    for name in ("modulated", "pulsating", "strong"):
        row[f"frac_{name}"] = sum(c[name] for c in every) / n_mask
    for percent in (50, 90, 98):
        row[f"excess_p{percent}"] = np.log10(0.1 + ranked(lambda c: c["excess"], percent))
        row[f"amplitude_p{percent}"] = np.log10(1e-3 + ranked(lambda c: c["amplitude"], percent))
    row["slow_amplitude_p90"] = np.log10(1e-3 + ranked(lambda c: c["slow"], 90))
    row["trend_p90"] = np.log10(1e-3 + ranked(lambda c: abs(c["slope"]) * 60 / (c["v"] + offset), 90))
    mean_level = np.mean([c["v"] for c in every])
    row["trend"] = np.mean([c["slope"] for c in every]) * 60 / (mean_level + offset)
    squares = sorted((c["amplitude"] ** 2 for c in every), reverse=True)
    row["concentration"] = sum(squares[:3]) / sum(squares) if sum(squares) > 0 else 0.0
    row["low_fraction"] = (
        sum(c["modulated"] and mask[k] == 2 for k, c in cells.items()) / len(some) if some else 0.0
    )
    together = np.sum([c["spectrum"] for c in every], axis=0)
    row["sky_amplitude"] = np.log10(
        1e-3 + np.sqrt(np.sum(np.abs(together[fast]) ** 2) * scale) / n_mask / (mean_level + offset)
    )
    row.update(_patches({k for k, c in cells.items() if c["pulsating"]}, n_mask))
    counts = np.maximum(levels - pedestals[:, None, None], 0)
    logs = np.where(inside, np.log10(counts + offset), 0)
    row.update(_flow_row(times_s, logs, inside, near, centre + half, cadence))
    row.update(beat_row(times_s, counts, ratios, inside, centre, min(30, half) + cadence / 2, block))
    row.update(reversal_row(times_s, counts, ratios, inside, centre, half + cadence / 2, block, sky))
    if not some:
        return row

    weights = np.array([1 / (c["v"] + offset) ** 2 for c in some])
    spectrum = sum(w * (c["power"] - c["noise"]) for w, c in zip(weights, some, strict=True))
    spectrum = np.maximum(spectrum, 0)
    period = 2 * half / frequencies
    for name, low, high in (("40_120", 40, 1e9), ("20_40", 20, 40), ("10_20", 10, 20), ("6_10", 0, 10)):
        row[f"band_{name}"] = spectrum[(period > low) & (period <= high)].sum() / spectrum.sum()
    padded = spectrum[fast] + 1e-3 * spectrum.sum() / n_fast
    row["flatness"] = np.exp(np.log(padded).mean()) / padded.mean()
    dominant = [np.log10(period[fast][np.argmax(c["power"][fast])]) for c in some]
    row["period_s"] = 10 ** np.mean(dominant)
    row["period_spread"] = np.std(dominant)
    row["period_prominence"] = np.mean(
        [np.log10(c["power"][fast].max() / c["power"][fast].mean()) for c in some]
    )

    def unit(k):
        return cells[k]["spectrum"][fast] / np.sqrt(cells[k]["power"][fast].sum())

    chosen = {k for k, c in cells.items() if c["modulated"]}
    for name, step in (("near", 1), ("far", 3)):
        along = [unit(k) @ unit((k[0], k[1] + step)).conj() for k in chosen if (k[0], k[1] + step) in chosen]
        down = [unit(k) @ unit((k[0] + step, k[1])).conj() for k in chosen if (k[0] + step, k[1]) in chosen]
        n_pairs = len(along) + len(down)
        row[f"coherence_{name}"] = (sum(along) + sum(down)).real / n_pairs if n_pairs else 0.0
        if step == 1:
            lags = [abs(np.imag(c)) for c in (*along, *down)]
            row["propagation"] = sum(lags) / n_pairs if n_pairs else 0.0
            row["motion"] = np.hypot(np.imag(sum(along)), np.imag(sum(down))) / n_pairs if n_pairs else 0.0
    row["coherence_sky"] = np.sum(np.abs(sum(unit(k) for k in chosen)) ** 2) / len(some) ** 2
    residuals = [c["residual"] for c in some]
    row["skewness"] = np.mean([np.mean(r**3) / np.mean(r**2) ** 1.5 for r in residuals])
    row["kurtosis"] = np.log10(np.mean([np.mean(r**4) / np.mean(r**2) ** 2 for r in residuals]))
    row["duty_cycle"] = np.mean([np.mean(r > 0) for r in residuals])
    row["crossings"] = np.mean([np.mean((r[1:] > 0) != (r[:-1] > 0)) for r in residuals])
    return row


def _flow_row(times_s, logs, inside, near, end, cadence):
    """Motion by brightness constancy: one for the whole sky, and one for each region of 5 x 5 cells."""
    terms = {}  # region -> gradient along columns and rows, and rate of change
    for g in range(len(times_s) - 2):
        dt = times_s[g + 2] - times_s[g]
        if not near[g] or times_s[g] + 2 * 0.99 * cadence > end or dt >= 3.5 * cadence:
            continue
        gx, gy = _gradient((logs[g] + logs[g + 2]) / 2, inside)
        for i, j in np.argwhere(~np.isnan(gx)):
            rate = (logs[g + 2][i, j] - logs[g][i, j]) / dt
            terms.setdefault((i // 5, j // 5), []).append((gx[i, j], gy[i, j], rate))
    regions = [np.array(term) for term in terms.values()]
    if not regions:
        return {}
    every = np.concatenate(regions)
    change = np.sum(every[:, 2] ** 2)

    def motion(term):
        found = np.linalg.lstsq(term[:, :2], -term[:, 2], rcond=None)[0]
        return found, np.sum((term[:, :2] @ found) ** 2)

    whole, explained = motion(every)
    local = [motion(term) for term in regions]
    return {
        "change": np.log10(1e-4 + np.sqrt(change / len(every))),
        "flow_explained": explained / change,
        "flow_speed": np.log10(1e-3 + np.hypot(*whole)),
        "flow_local_explained": sum(part for _, part in local) / change,
        "flow_local_speed": np.log10(
            1e-3
            + sum(np.hypot(*u) * np.sum(t[:, 2] ** 2) for (u, _), t in zip(local, regions, strict=True))
            / change
        ),
    }


def beat_row(times_s, counts, ratios, inside, centre, reach, block=4):
    """Cells that both rise and fall round a time, and where in the sky they are; counts above pedestal."""
    near = np.abs(times_s - centre) <= reach
    t, x = times_s[near], counts[near]
    mean = x.mean(axis=0)
    y = x / (mean + 100) - mean / (mean + 100)
    y = y - np.median(y[:, inside], axis=1)[:, None, None]
    beat = np.zeros(inside.shape)
    for i, j in np.argwhere(inside):
        series = y[:, i, j] - np.polyval(np.polyfit(t - centre, y[:, i, j], 1), t - centre)
        steps = [series[b] - series[a] for a in range(len(t)) for b in range(a + 1, len(t))]
        beat[i, j] = min(max(steps), -min(steps))
    noise = ratios[near].mean() * np.sqrt((1.68 * mean + 380) / quiet_pixels(block)) / (mean + 100)
    sure = inside & (beat > 6 * noise)
    beats = {limit: (sure & (beat > limit)).sum() / inside.sum() for limit in (0.04, 0.16)}
    logs = np.log10(x + 100)
    steep = np.mean([np.hypot(*_gradient(frame, inside)) for frame in logs], axis=0)
    edge = ~np.isnan(steep)
    size = np.log10(beat + 1e-3)
    relief = relief_of(np.log10(mean + 100), inside)
    return {
        "beat_04": beats[0.04],
        "beat_16": beats[0.16],
        "beat_on_edges": np.corrcoef(size[edge], np.log10(steep[edge] + 1e-3))[0, 1],
        "beat_on_bright": np.corrcoef(size[inside], relief[inside])[0, 1],
    }


def reversal_row(times_s, counts, ratios, inside, centre, reach, block=4, sky=None):
    """How often cells turn round in the slot's window; counts above pedestal, sky the frames' log light."""
    near = np.abs(times_s - middle_of_slot(centre)) <= reach
    x = np.log10(counts[near][:, inside] + 100)
    if sky is not None:
        x = x - sky[near, None]
    mean = counts[near][:, inside].mean(axis=0)
    noise = ratios[near].mean() * np.sqrt((1.68 * mean + 380) / quiet_pixels(block)) / (mean + 100)
    limit = np.maximum(0.04, 6 * noise) / np.log(10)
    # The longest run of legs that go up and down by turns, each by more than the limit.
    up, down = np.zeros(x.shape, int), np.zeros(x.shape, int)
    for i in range(len(x)):
        for j in range(i):
            up[i] = np.where(x[i] - x[j] > limit, np.maximum(up[i], down[j] + 1), up[i])
            down[i] = np.where(x[j] - x[i] > limit, np.maximum(down[i], up[j] + 1), down[i])
    turns = np.maximum(up, down).max(axis=0) - 1
    where = {tuple(k) for k, n in zip(np.argwhere(inside), turns, strict=True) if n >= 2}
    sizes = [len(group) for group in _groups(where)] or [0]
    row = {f"reversing_{n}": np.log10(0.003 + np.mean(turns >= n)) for n in (1, 2, 4, 7)}
    row["reversals_mean"] = np.log10(1 + turns[turns >= 2].mean()) if where else 0.0
    row["reversing_largest"] = np.log10(0.003 + max(sizes) / inside.sum())
    row["reversing_alone"] = sizes.count(1) / len(where) if where else 0.0
    return row


def warm_pixels(frames, every=2):
    """Where pixels stand out alone in the mean of every second frame of one minute: set of (row, column)."""
    used = frames[::every].astype(float)
    mean, n = used.mean(axis=0), len(used)
    side = max(len(mean) // 10, 1)
    ends = slice(side), slice(-side, None)
    corners = [mean[a, b].mean() for a in ends for b in ends]
    found = set()
    for r in range(2, mean.shape[0] - 2):
        for c in range(2, mean.shape[1] - 2):
            about = (mean[r - 2, c] + mean[r + 2, c] + mean[r, c - 2] + mean[r, c + 2]) / 4
            excess, light = mean[r, c] - about, max(about - min(corners), 0)
            beside = mean[r - 1, c] + mean[r + 1, c] + mean[r, c - 1] + mean[r, c + 1] - 4 * about
            noise = np.sqrt(1.25 * (1.68 * light + 380) / n)
            if excess > max(8 * noise, 0.05 * light) and beside < 0.35 * excess:
                found.add((r, c))
    return found


def middle_cells(level):
    """Cells: of four blocks, the mean of the middle two."""
    n = len(level) // 2
    return np.sort(level.reshape(n, 2, n, 2).transpose(0, 2, 1, 3).reshape(n, n, 4))[..., 1:3].mean(axis=-1)


@cache
def quiet_pixels(block):
    """How many pixels' plain mean is as noisy as a cell; the variance of the middle by drawing numbers."""
    middle = np.sort(np.random.default_rng(1).standard_normal((4_000_000, 4)))[:, 1:3].mean(axis=1)
    return round((block**2 - 1) / middle.var())


def spark_of(frames, k, pedestals, ratios, peak_scale, block, warm):
    """How far each block's peak stands above noise in frame k."""
    level, peak = cell_means(frames[k], block, warm[k])
    light = np.maximum(level - pedestals[k], 0)
    noise = ratios[k] * np.sqrt(1.68 * light + 380)
    spark = np.clip((peak - peak_scale * noise) / np.maximum(noise, 0.02 * light), -6.25, 6.25)
    return np.where(level + peak >= 65000, 0, spark)


def star_row(times_s, frames, elevation, pedestals, ratios, centre, reach=61.5, block=4):
    """The numbers about faint stars round the slot of one frame by their definitions, as a dictionary."""
    near = [k for k, t in enumerate(times_s) if abs(t - middle_of_slot(times_s[centre])) <= reach]
    size = frames.shape[1] // block
    inside = elevation.reshape(size, block, size, block).min(axis=(1, 3)) >= 15
    minutes = np.floor(np.asarray(times_s) / 60 + 1e-9)
    found = {minute: warm_pixels(frames[minutes == minute]) for minute in set(minutes[near]) | {
        minutes[k] for k in range(max(near[0] - 1, 0), min(near[-1] + 2, len(frames)))
    }}  # fmt: skip
    warm = [found.get(minute) for minute in minutes]
    draws = np.random.default_rng(0).standard_normal((200_000, block * block))
    peak_scale = draws.max(axis=1).mean() * block**2 / (block**2 - 1)
    sparks, levels = [], []
    for k in near:
        level, _ = cell_means(frames[k], block, warm[k])
        sparks.append(spark_of(frames, k, pedestals, ratios, peak_scale, block, warm))
        levels.append(np.maximum(middle_cells(level) - pedestals[k], 0))
    passing, lasting = [], []
    for n, k in enumerate(near):
        beside = [spark_of(frames, j, pedestals, ratios, peak_scale, block, warm)
                  for j in (k - 1, k + 1)
                  if 0 <= j < len(frames) and abs(times_s[j] - times_s[k]) <= 7.5]  # fmt: skip
        if beside:
            point = inside & (sparks[n] >= 5 - 1 / 32)
            passing.append((point & np.all([one < 2 - 1 / 32 for one in beside], axis=0)).sum())
            lasting.append((point & np.all([one >= 2.5 - 1 / 32 for one in beside], axis=0)).sum())
    spark = np.mean(sparks, axis=0)
    stars = np.zeros_like(inside)
    for i, j in np.argwhere(inside):
        beside = [
            spark[a, b]
            for a in (i - 1, i, i + 1)
            for b in (j - 1, j, j + 1)
            if (a, b) != (i, j) and 0 <= a < size and 0 <= b < size and inside[a, b]
        ]
        stars[i, j] = spark[i, j] > 0.6 and spark[i, j] > 2 * np.mean(beside) + 0.35
    cells_in = inside.reshape(size // 2, 2, size // 2, 2).min((1, 3))
    count = (stars & cells_in.repeat(2, 0).repeat(2, 1)).reshape(size // 2, 2, size // 2, 2).sum((1, 3))
    relief = relief_of(np.log10(np.mean(levels, axis=0) + 100), cells_in)
    total, cells = count.sum(), np.argwhere(cells_in)

    def about(grid, i, j, r):
        return grid[max(i - r, 0) : i + r + 1, max(j - r, 0) : j + r + 1].sum()

    density = np.array([about(count, i, j, 2) / max(about(cells_in, i, j, 2), 2.5) for i, j in cells])
    smooth = np.array([about(relief, i, j, 1) / 9 for i, j in cells])
    bright, dark = (relief > 0.04) & cells_in, (relief < -0.04) & cells_in
    void = density < 0.3 * max(np.sort(density)[len(density) // 2], 0.02)
    standing = np.array([relief[i, j] for i, j in cells])
    steady = np.argwhere(stars & cells_in.repeat(2, 0).repeat(2, 1) & (spark > 0.8))

    def within(where):
        return np.log10((count[where].sum() + 2) / (total * where.sum() / len(cells) + 2))

    return {
        "faint_stars": np.log10(1 + total),
        "faint_star_cover": np.mean(density > 0.25 * max(density.mean(), 0.02)),
        "faint_in_bright": within(bright),
        "faint_in_dark": within(dark),
        "faint_on_relief": total / (total + 10) * np.corrcoef(density, smooth)[0, 1],
        "faint_on_structure": total / (total + 10) * np.corrcoef(density, np.abs(smooth))[0, 1],
        "passing_points": np.log10(1 + np.mean(passing or [0])),
        "lasting_points": np.log10(1 + np.mean(lasting or [0])),
        "star_voids": void.mean(),
        "star_clumping": density.std() / (density.mean() + 0.01) * np.sqrt(min(25 * density.mean(), 4)),
        "star_void_relief": standing[void].mean() - standing[~void].mean() if len(set(void)) > 1 else 0,
        "steady_stars": np.log10(1 + len(steady)),
    } | starlight_row(
        np.array([[s[i, j] for i, j in steady] for s in sparks]),
        np.array([[level[i // 2, j // 2] for i, j in steady] for level in levels]),
        [ratios[k] for k in near],
    )  # fmt: skip


def middle_of_slot(time_s):
    """Frames of 20 s share some numbers."""
    return np.floor(time_s / 20) * 20 + 10


def starlight_row(sparks, light, ratios):
    """How stars come and go beside the sky about them; sparks and light (counts) are (n_frames, n_stars)."""
    n = sparks.shape[1] if sparks.ndim == 2 else 0
    if len(sparks) < 15 or n < 3:
        return {"light_by_stars": -4} | dict.fromkeys(
            ("dimming_p50", "dimming_p85", "vanishing", "dimming_on_light", "dimming_slope", "wavering_p50",
             "wavering_p85"), 0
        )  # fmt: skip
    noise = np.maximum(np.array(ratios)[:, None] * np.sqrt(1.68 * light + 380), 0.02 * light)

    def smooth(rows):
        return np.array([rows[k : k + 9].mean(axis=0) for k in range(len(rows) - 8)])

    def ranked(values, percent):
        return np.sort(values)[percent * n // 100]

    excess, sky = smooth(sparks * noise), smooth(np.log10(light + 100))
    dimming = 1 - np.maximum(excess.min(0), 0) / np.maximum(excess.max(0), 1)
    y, x = (excess - excess.mean(0)) / np.maximum(excess.mean(0), 1), sky - sky.mean(0)
    wavering = np.log10(0.01 + sparks.var(0) / (0.5 * np.mean(np.diff(sparks, axis=0) ** 2, axis=0) + 1e-3))
    return {
        "dimming_p50": ranked(dimming, 50),
        "dimming_p85": ranked(dimming, 85),
        "vanishing": np.mean(dimming > 0.7),
        "dimming_on_light": (x * y).sum() / np.sqrt((x**2).sum() * (y**2).sum() + 1e-9),
        "dimming_slope": np.clip((x * y).sum() / ((x**2).sum() + 5e-4 * x.size), -5, 5),
        "light_by_stars": np.log10(np.sqrt(np.mean(x**2)) + 1e-4),
        "wavering_p50": ranked(wavering, 50),
        "wavering_p85": ranked(wavering, 85),
    }


def _groups(chosen):
    """Connected sets of cells, by repeated merging."""
    groups = []
    for k in chosen:
        touching = [g for g in groups if any(abs(k[0] - a) + abs(k[1] - b) == 1 for a, b in g)]
        groups = [g for g in groups if g not in touching] + [{k}.union(*touching)]
    return groups


def _elongation(group):
    # Each cell is a unit square, hence the twelfth.
    moments = np.cov(np.array(sorted(group)).T, ddof=0) + np.eye(2) / 12
    small, large = np.linalg.eigvalsh(moments)
    return (large - small) / (large + small)


def _patches(chosen, n_mask):
    """Connected sets of two cells or more, and their numbers."""
    whole = [g for g in _groups(chosen) if len(g) > 1]
    elongations = [_elongation(g) for g in whole]
    sizes = [len(g) for g in whole]
    return {
        "n_patches": np.log10(1 + len(whole)),
        "patch_size": np.mean(sizes) / n_mask if sizes else 0.0,
        "patch_largest": max(sizes) / n_mask if sizes else 0.0,
        "patch_elongation": np.average(elongations, weights=sizes) if sizes else 0.0,
        "isolated": (len(chosen) - sum(sizes)) / len(chosen) if chosen else 0.0,
    }


def layout_row(seconds, cells, pedestals, inside, elevation):
    """How light and its variation are laid out over cells (n, rows, cols), some of them inside, by name."""
    n = len(cells)
    rows, cols = np.nonzero(inside)
    logs = np.log10(np.maximum(cells[:, rows, cols] - pedestals[:, None], 0) + 100)
    high = elevation[rows, cols]
    y, x = rows - rows.mean(), cols - cols.mean()
    away, angle = np.hypot(y, x), np.arctan2(x, y)
    mean = logs.mean(axis=0)
    quick = slow = varies = slope = np.zeros(len(mean))
    if n >= 3:
        minutes = seconds / 60
        slope, level = np.polyfit(minutes, logs, 1)
        varies = np.sqrt(((logs - level - np.outer(minutes, slope)) ** 2).mean(axis=0))
        quick = np.sqrt((np.diff(logs, axis=0) ** 2).mean(axis=0) / 2)
        length = max(n // 7, 1)
        parts = [logs[k * length : (k + 1) * length].mean(axis=0) for k in range(n // length)]
        slow = np.std(parts, axis=0)

    def ranked(values, percent):
        return np.sort(values)[int(np.floor((len(values) - 1) * percent / 100 + 0.5))]

    def shown(values):
        return np.log10(values + 3e-4)

    def correlation(one, two):
        return np.corrcoef(one, two)[0, 1] if one.std() > 1e-3 and two.std() > 1e-5 else 0.0

    grid = np.zeros(inside.shape)
    grid[rows, cols] = mean
    relief = relief_of(grid, inside)[rows, cols]
    light, structure = mean - ranked(mean, 50), np.abs(relief)
    varying, quickly = shown(varies), shown(quick)
    row = {f"mean_relief_p{p}": ranked(relief, p) for p in (5, 10, 25, 75, 90, 95)}
    for name, values in (("varying", varies), ("quick", quick), ("slow", slow), ("drift", np.abs(slope))):
        row |= {f"{name}_p{p}": shown(ranked(values, p)) for p in (10, 25, 50, 75, 90, 98)}
    limits = (-90, 20, 26, 34, 44, 56, 70, 91)
    rings = [(high >= a) & (high < b) for a, b in zip(limits, limits[1:], strict=False)]
    told = [k for k in range(7) if rings[k].sum() >= 3]
    for name, values in (
        ("light", light),
        ("varying", varying),
        ("quick", quickly),
        ("structure", structure),
    ):
        medians = np.interp(range(7), told, [ranked(values[rings[k]], 50) for k in told])
        row |= {f"{name}_ring_{k + 1}": median for k, median in enumerate(medians)}
    share = away / away.max()
    rounds = {"inner": share < 0.4, "middle": (share >= 0.4) & (share < 0.72), "outer": share >= 0.72}
    waving = {"light": light, "relief": relief, "varying": varying - ranked(varying, 50)}
    for name, values in waving.items():
        for where, some in rounds.items():
            for k in (1, 2, 3):
                row[f"{name}_{where}_{k}"] = abs(np.mean(values[some] * np.exp(1j * k * angle[some])))
    row |= {
        "light_on_elevation": correlation(light, high),
        "varying_on_elevation": correlation(varying, high),
        "structure_on_elevation": correlation(structure, high),
        "varying_on_relief": correlation(varying, relief),
        "varying_on_structure": correlation(varying, structure),
        "quick_on_relief": correlation(quickly, relief),
        "quick_on_varying": correlation(quickly, varying),
        "drift_on_relief": correlation(relief, slope),
        "slow_on_varying": correlation(shown(slow), varying),
    }
    for name, values in (("relief", relief), ("varying", varying - varying.mean())):
        field = np.full(inside.shape, np.nan)
        field[rows, cols] = values
        gx, gy = _gradient(field, inside)
        gx, gy = gx[rows, cols], gy[rows, cols]
        radial, round_it = (gy * y + gx * x) / (away + 1e-6), (gy * x - gx * y) / (away + 1e-6)
        for where, some in (("low", high < 35), ("high", high >= 35)):
            some = some & np.isfinite(radial)
            for along, steep in (("radial", radial), ("round", round_it)):
                square = np.mean(steep[some] ** 2) if some.sum() >= 5 else 0
                row[f"{name}_{along}_{where}"] = np.log10(square + 1e-7) / 2
        for lag in (1, 2, 3):
            alike = []
            for dy, dx in ((0, lag), (lag, 0), (lag, lag), (lag, -lag)):
                pairs = [
                    field[r, c] * field[r + dy, c + dx]
                    for r, c in zip(rows, cols, strict=True)
                    if r + dy < len(field) and 0 <= c + dx < len(field[0]) and inside[r + dy, c + dx]
                ]
                alike.append(np.mean(pairs) / (np.mean(values**2) + 1e-8) if pairs else 0)
            row[f"{name}_alike_{lag}"] = np.mean(alike)
            row[f"{name}_uneven_{lag}"] = max(alike) - min(alike)
    return row
