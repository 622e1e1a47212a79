"""clahe against OpenCV, against the definition, and against its laws."""

from concurrent.futures import ThreadPoolExecutor

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import pulsaurora
from pulsaurora.imaging.contrast import clahe
from pulsaurora.problems import ContractError

TO_8_BITS = 255 / 65535


@pytest.fixture(scope="module")
def cv2():
    cv2 = pytest.importorskip("cv2", reason="OpenCV, the oracle for CLAHE, is not installed")
    cv2.setNumThreads(1)
    return cv2


def opencv(cv2, frame, clip_limit, tiles, scale=TO_8_BITS):
    equalized = cv2.createCLAHE(clip_limit, tiles).apply(frame)
    return equalized if scale is None else cv2.convertScaleAbs(equalized, alpha=scale)


def sky(rng, shape):
    """Frames like the archive's: pedestal, a bright disc, noise, hot pixels."""
    y, x = np.indices(shape)
    r = np.hypot((y / shape[0] - 0.5), (x / shape[1] - 0.5))
    mean = 3400 + 5000 * np.clip(1 - 4 * r**2, 0, 1) + 300 * np.sin(y / 9.0)
    counts = rng.normal(mean, np.sqrt(1.68 * (mean - 3300) + 380))
    counts[rng.random(shape) < 1e-4] = 65535
    return counts.clip(0, 65535).astype(np.uint16)


SHAPES = [(256, 256), (512, 512), (250, 256), (256, 250), (255, 257), (100, 300)]
TILES = [(8, 8), (4, 4), (4, 8), (3, 5), (1, 1)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("tiles", TILES, ids=str)
def test_no_byte_differs_from_opencv(cv2, shape, tiles):
    rng = np.random.default_rng(20140310)
    frames = [
        sky(rng, shape),
        rng.integers(0, 65536, shape, dtype=np.uint16),
        np.full(shape, 65535, np.uint16),
        np.full(shape, 3300, np.uint16),
        np.zeros(shape, np.uint16),
        (np.arange(shape[0] * shape[1]) % 65536).astype(np.uint16).reshape(shape),
    ]
    for clip_limit in (3.0, 300.0):
        for frame in frames:
            expected = opencv(cv2, frame, clip_limit, tiles, None)
            assert np.array_equal(clahe(frame, clip_limit, tiles, scale=None), expected)
            expected = cv2.convertScaleAbs(expected, alpha=TO_8_BITS)
            assert np.array_equal(clahe(frame, clip_limit, tiles), expected)


def test_no_byte_of_the_real_frames_differs_from_opencv(cv2, shared_data):
    paths = sorted((shared_data / "stream0/2014/03/10/gill_themis19/ut06").glob("*_full.pgm*"))
    images = pulsaurora.read_frames(paths).images
    assert len(images) == 120
    for clip_limit, tiles in ((3.0, (8, 8)), (300.0, (4, 4))):
        ours = clahe(images, clip_limit, tiles)
        assert ours.dtype == np.uint8
        assert ours.shape == images.shape
        for frame, equalized in zip(images[::3], ours[::3], strict=True):
            assert np.array_equal(equalized, opencv(cv2, frame, clip_limit, tiles))


@given(st.data())
def test_no_byte_of_small_and_odd_frames_differs_from_opencv(cv2, data):
    shape = data.draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
    tiles = data.draw(st.tuples(st.integers(1, 12), st.integers(1, 12)))
    clip_limit = data.draw(st.sampled_from([0.0, 0.5, 3.0, 300.0, 5000.0, 70000.0]))
    highest = data.draw(st.sampled_from([1, 200, 65535]))
    frame = data.draw(hnp.arrays(np.uint16, shape, elements=st.integers(65535 - highest, 65535)))
    scale = data.draw(st.sampled_from([None, TO_8_BITS, 255 / 65536, 1.0, 1e-9]))
    assert np.array_equal(
        clahe(frame, clip_limit, tiles, scale), opencv(cv2, frame, clip_limit, tiles, scale)
    )


@pytest.mark.parametrize("frame_size", [1024, 1030])
def test_tiles_of_more_pixels_than_there_are_counts_equal_opencv(cv2, frame_size):
    """Sums pass 16 bits, and every bin gets its share of the clipped pixels."""
    rng = np.random.default_rng(5)
    frames = [sky(rng, (frame_size, frame_size)), np.full((frame_size, frame_size), 9, np.uint16)]
    for tiles in ((4, 4), (2, 2), (1, 1)):
        for clip_limit in (0.0, 3.0, 300.0):
            for frame in frames:
                assert np.array_equal(clahe(frame, clip_limit, tiles), opencv(cv2, frame, clip_limit, tiles))


@pytest.mark.parametrize("tiles", [(2, 2), (3, 2)], ids=str)
@pytest.mark.parametrize("clip_limit", [0.0, 3.0, 4000.0])
def test_equals_the_definition(tiles, clip_limit):
    rng = np.random.default_rng(1)
    for frame in (sky(rng, (16, 18)), sky(rng, (15, 17)), rng.integers(0, 65536, (9, 13), dtype=np.uint16)):
        for scale in (None, TO_8_BITS):
            assert np.array_equal(
                clahe(frame, clip_limit, tiles, scale), naive.clahe(frame, clip_limit, tiles, scale)
            )


def test_by_hand_four_counts_in_one_tile():
    """No clipping, one tile: the share of pixels at or below each, times 65535, rounded to even."""
    frame = np.array([[10, 20], [20, 65535]], np.uint16)
    expected = np.array([[16384, 49151], [49151, 65535]])  # 0.25, 0.75, 0.75, 1 of 65535
    assert np.array_equal(clahe(frame, 0.0, (1, 1), None), expected)
    assert np.array_equal(clahe(frame, 0.0, (1, 1)), [[64, 191], [191, 255]])


@given(hnp.arrays(np.uint16, (12, 16), elements=st.integers(0, 65535)))
def test_one_tile_keeps_the_order_of_counts_and_ignores_where_they_lie(frame):
    equalized = clahe(frame, 3.0, (1, 1), None)
    order = np.argsort(frame, axis=None, kind="stable")
    assert (np.diff(equalized.ravel()[order].astype(int)) >= 0).all()
    same = np.diff(frame.ravel()[order]) == 0
    assert (np.diff(equalized.ravel()[order].astype(int))[same] == 0).all()
    assert np.array_equal(clahe(frame[::-1, ::-1], 3.0, (1, 1), None), equalized[::-1, ::-1])


def test_a_stack_is_its_frames_one_by_one():
    rng = np.random.default_rng(2)
    stack = np.stack(
        [sky(rng, (64, 64)), rng.integers(0, 65536, (64, 64), dtype=np.uint16), sky(rng, (64, 64))]
    )
    kept = stack.copy()
    together = clahe(stack)
    assert np.array_equal(stack, kept)
    assert np.array_equal(together, np.stack([clahe(frame) for frame in stack]))
    assert clahe(stack[:0]).shape == (0, 64, 64)


def test_any_memory_layout_and_byte_order_gives_the_same():
    frame = sky(np.random.default_rng(3), (64, 48))
    expected = clahe(frame)
    assert np.array_equal(clahe(np.asfortranarray(frame)), expected)
    assert np.array_equal(clahe(frame.astype(">u2")), expected)
    assert np.array_equal(clahe(np.repeat(frame, 2, axis=1)[:, ::2]), expected)
    last = np.moveaxis(np.stack([frame, frame]), 0, 2)
    assert np.array_equal(clahe(np.moveaxis(last, 2, 0)), np.stack([expected, expected]))
    readonly = frame.copy()
    readonly.flags.writeable = False
    assert np.array_equal(clahe(readonly), expected)


def test_threads_do_not_disturb_each_other():
    rng = np.random.default_rng(4)
    stacks = [np.stack([sky(rng, (128, 128)) for _ in range(4)]) for _ in range(8)]
    expected = [clahe(stack) for stack in stacks]
    with ThreadPoolExecutor(4) as pool:
        for ours, theirs in zip(pool.map(clahe, stacks), expected, strict=True):
            assert np.array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("images", "settings", "said"),
    [
        (np.zeros((8, 8), np.uint8), {}, "found uint8, expected uint16; .*astype"),
        (np.zeros((8, 8), np.float32), {}, "found float32"),
        (np.zeros((8, 8), np.int16), {}, "found int16"),
        (np.zeros(8, np.uint16), {}, r"shape \(8,\)"),
        (np.zeros((2, 2, 8, 8), np.uint16), {}, r"shape \(2, 2, 8, 8\)"),
        (np.zeros((3, 0, 8), np.uint16), {}, r"shape \(3, 0, 8\)"),
        (np.zeros((8, 8), np.uint16), {"tiles": (0, 8)}, r"found \(0, 8\)"),
        (np.zeros((8, 8), np.uint16), {"tiles": 8}, "two numbers"),
        (np.zeros((8, 8), np.uint16), {"tiles": (1, 5000)}, "1 to 4096"),
        (np.zeros((8, 8), np.uint16), {"clip_limit": np.nan}, "clip_limit"),
        (np.zeros((8, 8), np.uint16), {"scale": 0.0}, "scale"),
        (np.zeros((8, 8), np.uint16), {"scale": -1.0}, "scale"),
        (np.zeros((8, 8), np.uint16), {"scale": np.inf}, "scale"),
    ],
)
def test_what_cannot_be_equalized_is_refused(images, settings, said):
    with pytest.raises(ContractError, match=said):
        clahe(images, **settings)


def test_it_is_the_public_call():
    assert pulsaurora.clahe is clahe
