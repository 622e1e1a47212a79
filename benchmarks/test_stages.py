"""What share each stage has of the CPU time of `classify`: one thread, timers round the kernels.

    python -m pytest benchmarks/test_stages.py -o addopts= -s
"""

import time
from collections import Counter

import pytest
from nights import DATE

from pulsaurora._core import _cells, _defects, _flow, _pgm, _stars, _structure
from pulsaurora.classification import batch, night
from pulsaurora.classification.model import Model
from pulsaurora.imaging import themis
from pulsaurora.pulsation import looks, reduction

ROUNDS = 4
# Stage -> what does it: what holds the function, and its name there.
STAGES = {
    "reading and inflating": [(themis, "read_inflated")],
    "finding frames, byte order": [(_pgm, "scan_frames"), (_pgm, "fill_pixels")],
    "warm pixels": [(_defects, "find_warm_pixels"), (_defects, "mend_blocks")],
    "reducing to cells": [(_cells, "fill_cells"), (_cells, "fill_packed_cells")],
    "structure": [(_structure, "fill_structure")],
    "modulation": [(reduction, "modulation_rows"), (_flow, "fill_light")],
    "layout": [(looks, "layout_row")],
    "stars": [(_stars, "fill_sparks"), (_stars, "fill_stars")],
    "sun and moon": [(reduction, "sun_moon")],
    "model": [(Model, "predict")],
    "steadying": [(night, "finish_night")],
    "writing": [(batch, "write_classifications")],
}


def timed(function, stage, spent):
    def call(*arguments, **known):
        began = time.thread_time()
        try:
            return function(*arguments, **known)
        finally:
            spent[stage] += time.thread_time() - began

    return call


@pytest.fixture
def spent(monkeypatch):
    """CPU seconds by stage, as they are spent."""
    found = Counter()
    for stage, functions in STAGES.items():
        for holder, name in functions:
            monkeypatch.setattr(holder, name, timed(getattr(holder, name), stage, found))
    return found


def test_shares_of_the_stages(alone, stream0, tmp_path, spent):
    rounds = []
    for number in range(ROUNDS + 1):
        spent.clear()
        began = time.process_time()
        result = batch.classify_nights(stream0, tmp_path / str(number), DATE, DATE, workers=1)
        rounds.append((time.process_time() - began, dict(spent), result.nights[0].n_frames))
    total, stages, n_frames = min(rounds[1:], key=lambda one: one[0])
    stages["the rest: Python, listing, joining, pages"] = total - sum(stages.values())
    for stage, seconds in stages.items():
        microseconds = 1e6 * seconds / n_frames
        alone.figure(f"CPU: {stage}", microseconds, "us a frame", share=seconds / total)
    alone.figure("CPU: classify, one thread, all of it", 1e6 * total / n_frames, "us a frame")
    assert set(stages) >= set(STAGES)
