"""Oracles: the plainest code that gives the right answer, sharing nothing with the kernels.

Slow on purpose, and short enough to check by eye.
"""

import datetime
import itertools
import math

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
