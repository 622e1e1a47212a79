"""The Frames record: what it accepts, slices and joins."""

import numpy as np
import pytest

from pulsaurora.imaging.frames import Frames
from pulsaurora.problems import ContractError, Problem


def frames(n=4, start="2014-03-10T06:00:00", **known):
    images = np.arange(n * 6, dtype=np.uint16).reshape(n, 2, 3)
    times = np.datetime64(start, "us") + np.arange(n) * np.timedelta64(3, "s")
    return Frames(images, times, [{"n": str(i)} for i in range(n)], quality=[("x",)] * n, **known)


def test_slices_keep_the_rows_together():
    whole = frames(site="gill", problems=[Problem("a", "b")])
    part = whole[1:3]
    assert len(part) == 2 and part.site == "gill" and part.problems == whole.problems
    assert np.shares_memory(part.images, whole.images)
    assert [entry["n"] for entry in part.metadata] == ["1", "2"]
    backwards = whole[::-1]
    assert backwards.images.flags.c_contiguous
    assert backwards.images[0, 0, 0] == whole.images[3, 0, 0]
    with pytest.raises(TypeError, match="slice"):
        whole[1]


def test_joining():
    first, second = frames(site="gill", imager="themis19"), frames(2, site="gill", imager="themis20")
    joined = Frames.concatenate([first, Frames.empty(problems=[Problem("p", "r")]), second])
    assert len(joined) == 6 and joined.site == "gill" and joined.imager is None
    assert joined.problems == [Problem("p", "r")]
    assert np.array_equal(joined.images[4:], second.images)
    assert len(Frames.concatenate([])) == 0
    assert Frames.concatenate([Frames.empty(site="gill")]).site == "gill"


def test_geometries_do_not_mix():
    with pytest.raises(ContractError, match="different geometry"):
        Frames.concatenate([frames(), Frames(np.zeros((1, 3, 3), np.uint16), frames(1).times)])


def test_metadata_and_quality_may_be_left_out():
    plain = Frames(frames().images, frames().times)
    assert plain.metadata == [{}, {}, {}, {}] and plain.quality == [()] * 4
    plain.metadata[0]["a"] = "b"
    assert plain.metadata[1] == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": np.zeros((4, 2, 3), np.int16)}, "int16 of 3 dimensions, expected uint16"),
        ({"images": np.zeros((4, 6), np.uint16)}, "of 2 dimensions"),
        ({"images": [1, 2]}, "is list, expected uint16"),
        ({"images": np.zeros((3, 2, 4), np.uint16).T}, "C-contiguous"),
        ({"images": np.zeros((4, 2, 3), np.dtype(np.uint16).newbyteorder())}, "native byte order|uint16"),
        ({"times": np.zeros(4, "datetime64[s]")}, r"expected datetime64\[us\]"),
        ({"times": np.zeros(3, "datetime64[us]")}, r"shape \(3,\), expected \(4,\)"),
        ({"times": np.array(["NaT"] * 4, "datetime64[us]")}, "NaT"),
        ({"metadata": [{}]}, "1 entries for 4 frames"),
        ({"quality": [()] * 5}, "5 entries for 4 frames"),
    ],
)
def test_what_is_refused(change, message):
    fields = {"images": frames().images, "times": frames().times} | change
    with pytest.raises(ContractError, match=message):
        Frames(**fields)
