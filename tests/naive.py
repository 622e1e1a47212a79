"""Oracles: the plainest code that gives the right answer, sharing nothing with the kernels.

Slow on purpose, and short enough to check by eye.
"""

import datetime
import itertools
import math
import zlib

import numpy as np


def pgm_frames(data):
    """Frames of an undamaged or cut PGM minute file: list of (header lines, pixels 256 x 256)."""
    frames = []
    at = 0
    while True:
        lines = []
        while not lines or lines[-1] != b"65535":
            end = data.find(b"\n", at)
            if end < 0:
                return frames
            lines.append(bytes(data[at:end]))
            at = end + 1
        if at + 131072 > len(data):
            return frames
        frames.append((lines, np.frombuffer(data, ">u2", 65536, at).reshape(256, 256).astype("=u2")))
        at += 131072


def header_values(lines):
    """Keys and values of a frame's header lines; the last of a repeated key counts."""
    values = {}
    for line in lines:
        if line.startswith(b'#"'):
            key, value = line[2:].decode("ascii").split('"')
            values[key] = value.strip()
    return values


def image_time(text):
    """`2014-03-10 06:00:00.063119 UTC` as datetime64[us]."""
    moment = datetime.datetime.strptime(text.removesuffix(" UTC"), "%Y-%m-%d %H:%M:%S.%f")
    return np.datetime64(moment, "us")


def inflated_as_far_as_it_goes(data):
    """A gzip stream, one byte at a time, until zlib refuses: what came out before."""
    stream = zlib.decompressobj(31)
    out = []
    for i in range(len(data)):
        try:
            out.append(stream.decompress(data[i : i + 1]))
        except zlib.error:
            break
    return b"".join(out)


def _chain_weights(evidence, gaps_s, rate, prior):
    """Every sequence of classes with its weight: prior, changes and evidence multiplied up."""
    n, k = evidence.shape
    for path in itertools.product(range(k), repeat=n):
        weight = prior[path[0]] * evidence[0][path[0]]
        for t in range(1, n):
            keep = math.exp(-rate * gaps_s[t - 1])
            step = (1 - keep) * prior[path[t]] + (keep if path[t] == path[t - 1] else 0.0)
            weight *= step * evidence[t][path[t]]
        yield path, weight


def steady_posterior(evidence, gaps_s, rate, prior):
    """Probability of each class at each frame: the share of all sequences that pass through it."""
    shares = np.zeros(evidence.shape)
    for path, weight in _chain_weights(evidence, gaps_s, rate, prior):
        for t, state in enumerate(path):
            shares[t, state] += weight
    return shares / shares.sum(axis=1, keepdims=True)


def steady_path(evidence, gaps_s, rate, prior):
    """Weight of every sequence of classes, as a dictionary."""
    return dict(_chain_weights(evidence, gaps_s, rate, prior))


def clahe(image, clip_limit, tiles, scale):
    """CLAHE of one uint16 image over 65,536 bins, then 8 bits (16 bits where scale is None)."""
    f32 = np.float32
    rows, columns = image.shape
    across, down = tiles
    padded = image
    if rows % down or columns % across:
        padded = np.pad(image, ((0, down - rows % down), (0, across - columns % across)), "reflect")
    height, width = padded.shape[0] // down, padded.shape[1] // across
    tables = {}
    for ty, tx in itertools.product(range(down), range(across)):
        tile = padded[ty * height : (ty + 1) * height, tx * width : (tx + 1) * width]
        bins = np.bincount(tile.ravel(), minlength=65536)
        if clip_limit > 0:
            kept = np.minimum(bins, max(int(clip_limit * tile.size / 65536), 1))
            clipped = tile.size - kept.sum()
            bins = kept + clipped // 65536
            left = clipped % 65536
            if left:
                step = max(65536 // left, 1)
                bins[: left * step : step] += 1
        tables[ty, tx] = bins.cumsum().astype(f32) * (f32(65535) / f32(tile.size))
    out = np.zeros(image.shape, np.uint16 if scale is None else np.uint8)
    for y, x in itertools.product(range(rows), range(columns)):
        at_y = f32(y) * (f32(1) / f32(height)) - f32(0.5)
        at_x = f32(x) * (f32(1) / f32(width)) - f32(0.5)
        y1, x1 = math.floor(at_y), math.floor(at_x)
        low, right = at_y - f32(y1), at_x - f32(x1)
        t, b = max(y1, 0), min(y1 + 1, down - 1)
        l, r = max(x1, 0), min(x1 + 1, across - 1)  # noqa: E741
        corners = (tables[corner][image[y, x]] for corner in ((t, l), (t, r), (b, l), (b, r)))
        tl, tr, bl, br = (f32(round_half_even(value)) for value in corners)
        upper = (tl * (f32(1) - right) + tr * right) * (f32(1) - low)
        lower = (bl * (f32(1) - right) + br * right) * low
        value = round_half_even(upper + lower)
        out[y, x] = value if scale is None else min(round_half_even(f32(value) * f32(scale)), 255)
    return out


def round_half_even(value):
    return round(float(value))


def columns(seconds, values, codes, n_columns, width_s, cadence_s):
    """Mean and commonest code of each column's frames; the column before's between frames not a gap apart."""
    means, commonest = [], []
    column = [int(s / width_s) for s in seconds]
    for i in range(n_columns):
        mine = [k for k in range(len(seconds)) if column[k] == i]
        if mine:
            finite = [values[k] for k in mine if values[k] == values[k]]
            means.append(sum(finite) / len(finite) if finite else math.nan)
            tally = [sum(codes[k] == code for k in mine) for code in range(4)]
            commonest.append(tally.index(max(tally)) if max(tally) else -1)
            continue
        last = max(k for k in range(len(seconds)) if column[k] < i)
        together = seconds[last + 1] - seconds[last] < 1.5 * cadence_s
        means.append(means[column[last]] if together else math.nan)
        commonest.append(commonest[column[last]] if together else -1)
    return means, commonest


def class_scores(truth, predicted, number):
    """Precision, recall and F1 of one class, counted one by one; NaN where there is nothing to divide by."""
    right = said = there = 0
    for true, guess in zip(truth, predicted, strict=True):
        if true < 0:
            continue
        right += true == guess == number
        said += guess == number
        there += true == number
    precision = right / said if said else np.nan
    recall = right / there if there else np.nan
    if not there:
        return precision, recall, np.nan
    return precision, recall, 2 * right / (2 * right + (said - right) + (there - right))


def calibration_error(right, confidence, n_bins):
    """Expected calibration error: over bins, |part right - mean confidence| times the part of frames."""
    if not len(right):
        return np.nan
    bins = {}
    for is_right, sure in zip(right, confidence, strict=True):
        number = min(int(sure * n_bins), n_bins - 1)
        bins.setdefault(number, []).append((bool(is_right), float(sure)))
    error = 0.0
    for rows in bins.values():
        accuracy = sum(is_right for is_right, _ in rows) / len(rows)
        mean = sum(sure for _, sure in rows) / len(rows)
        error += abs(accuracy - mean) * len(rows) / len(right)
    return error


def sampled_texture(texture, u, v):
    """Value of a periodic texture at row u, column v, interpolated between its four neighbours."""
    size = len(texture)
    i, j = math.floor(u), math.floor(v)
    a, b = u - i, v - j
    corner = [[float(texture[(i + di) % size][(j + dj) % size]) for dj in (0, 1)] for di in (0, 1)]
    top = corner[0][0] * (1 - b) + corner[0][1] * b
    low = corner[1][0] * (1 - b) + corner[1][1] * b
    return top * (1 - a) + low * a


def patch_light(potential, ids, series, u, v, sample, threshold, softness):
    """Light of the patch at row u, column v of its canvas, at a whole sample of its series."""
    size = len(ids)
    patch = ids[math.floor(u + 0.5) % size][math.floor(v + 0.5) % size]
    if patch < 0:
        return 0.0
    step = (sampled_texture(potential, u, v) - threshold[patch]) / softness
    step = min(max(step, 0.0), 1.0)
    return step * step * (3 - 2 * step) * float(series[patch][sample])


def mixed_landscape(first, second, cap, cosine, sine):
    """The lower of a mix of two landscapes and a cap, cell by cell."""
    size = range(len(first))
    return np.array(
        [[min(cosine * first[i][j] + sine * second[i][j], cap[i][j]) for j in size] for i in size]
    )


def cloud(first, second, u, v, blur, gains, threshold, softness, limits, level, relief, core):
    """Opacity and brightness of cloud where both textures are seen at (u, v)."""
    one, two = sampled_texture(first, u, v), sampled_texture(second, u, v)
    value = (gains[0] * one + gains[1] * two) / (1 + blur)
    step = min(max(0.5 + (value - threshold) / (softness + blur), 0.0), 1.0)
    opacity = limits[0] + (limits[1] - limits[0]) * step * step * (3 - 2 * step)
    dense = 0.0 if math.isinf(threshold) else max(value - threshold - 0.5 * (softness + blur), 0.0)
    return opacity, max(level * (1 + relief * two), 0.05) * math.exp(-core * dense)


def blob_height(down, right, cosine, sine, long, wide, bend, lobes):
    """Height of a rounded, lobed patch so far below and right of its middle."""
    along, across = right * cosine + down * sine, down * cosine - right * sine
    across -= bend * along * along
    radius, angle = math.hypot(along / long, across / wide), math.atan2(across / wide, along / long)
    lobe = 1 + sum(a * math.cos(m * angle) + b * math.sin(m * angle) for m, (a, b) in enumerate(lobes, 3))
    return 1 - (radius * lobe) ** 2


def arc_light(x, y, centre, north, south, light):
    """Light of one straight, even east-west arc: Gaussian flanks, nothing beyond 3.2 widths."""
    width = north if y > centre else south
    distance = (y - centre) / width
    return light * math.exp(-distance * distance) if abs(distance) < 3.2 else 0.0


def mean_log_probability(seconds, probabilities, index, half_minutes, night_gap_minutes, floor):
    """Log of floor plus the mean probabilities of all frames of minutes within reach of one minute.

    Only of its own local night: minutes from which no gap is longer than night_gap_minutes.
    """
    minutes = [int(second // 60) for second in seconds]
    here = minutes[index]
    occupied = sorted(set(minutes))
    night = {here}
    for step in (1, -1):
        last = here
        for other in occupied[::step]:
            if (other - last) * step <= 0:
                continue
            if abs(other - last) > night_gap_minutes:
                break
            night.add(other)
            last = other
    total, n = np.zeros(probabilities.shape[1]), 0
    for minute, row in zip(minutes, probabilities, strict=True):
        if minute in night and (half_minutes is None or abs(minute - here) <= half_minutes):
            total, n = total + row, n + 1
    return np.log(total / n + floor)


def magnetic_hours(site, sun, pole):
    """Hours from magnetic noon to a site, from three (latitude, longitude) in degrees, by vectors."""

    def vector(latitude, longitude):
        latitude, longitude = math.radians(latitude), math.radians(longitude)
        return np.array(
            [
                math.cos(latitude) * math.cos(longitude),
                math.cos(latitude) * math.sin(longitude),
                math.sin(latitude),
            ]
        )

    axis = vector(*pole)
    flat = [point - axis * (point @ axis) for point in (vector(*site), vector(*sun))]
    return math.degrees(math.atan2(np.cross(flat[1], flat[0]) @ axis, flat[0] @ flat[1])) / 15


def blurred(image, sigma):
    """An image under a Gaussian cut at 3 sigma (15 pixels at most), dark beyond its border."""
    reach = min(max(int(3 * sigma + 0.5), 1), 15)
    weight = {k: np.exp(-(k**2) / (2 * sigma**2)) for k in range(-reach, reach + 1)}
    whole = sum(weight.values())
    out = np.zeros(image.shape)
    for r in range(image.shape[0]):
        for c in range(image.shape[1]):
            for a in range(max(r - reach, 0), min(r + reach + 1, image.shape[0])):
                for b in range(max(c - reach, 0), min(c + reach + 1, image.shape[1])):
                    out[r, c] += weight[a - r] * weight[b - c] / whole**2 * image[a, b]
    return out
