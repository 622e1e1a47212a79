"""Pictures unlike any sky: whole, of the CCD's kind, different from one another, and repeatable."""

import numpy as np
import pytest

from pulsaurora.simulation import oddities
from pulsaurora.simulation.night import simulate_minutes


@pytest.fixture(scope="module")
def sky():
    return next(simulate_minutes(3, "2015-01-20T08:00", 1, script=[("arc_quiet", 1)])).images


@pytest.mark.parametrize("kind", oddities._KINDS, ids=lambda kind: kind.__name__.strip("_"))
def test_each_kind_gives_whole_frames_that_repeat(kind, sky):
    first, again, other = (kind(np.random.default_rng(seed), sky) for seed in (1, 1, 2))
    assert first.shape == sky.shape and first.dtype == np.uint16
    assert (first == again).all()
    assert (first != other).any()
    assert first[0].std() > 50


def test_pieces_hold_all_of_the_sky_and_leave_it_alone(sky):
    before = sky.copy()
    pieces = oddities._in_pieces(np.random.default_rng(1), sky)
    assert (np.sort(pieces, axis=None) == np.sort(sky, axis=None)).all()
    assert (pieces != sky).any() and (sky == before).all()


def test_kinds_are_drawn():
    still = np.full((2, 256, 256), 3000, np.uint16)
    drawn = {oddities.odd_images(np.random.default_rng(seed), still).tobytes() for seed in range(8)}
    assert len(drawn) > 4
