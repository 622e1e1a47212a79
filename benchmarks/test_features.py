"""Features, events and the model beside what one would take for them otherwise, one thread each.

    python -m pytest benchmarks/test_features.py -o addopts= -s

No package computes these features. What a fair peer does is a part of each: scipy the spectra of every cell
in every window, or the peaks of every series; onnxruntime the model, which is ours too, a frame at a time.
"""

import numpy as np
import pytest
from scipy import fft, signal
from threadpoolctl import threadpool_limits

from pulsaurora.classification.model import load_model
from pulsaurora.pulsation.looks import look_features
from pulsaurora.pulsation.pulses import PULSE_COLUMNS, REACH_S, measure_pulses
from pulsaurora.pulsation.reduction import CADENCE_S, FINE, WINDOW_S, SkyGrid, reduce_frames, window_features
from pulsaurora.pulsation.table import FEATURE_NAMES, WINDOW_NAMES

N_FRAMES = 400
LEAST_PROMINENCE = 20.0  # counts


@pytest.fixture(scope="module")
def grid():
    return SkyGrid()


@pytest.fixture(scope="module")
def reduced(frames, grid):
    """Frames at exactly the cadence, so that scipy's transform can be told what ours is."""
    times = frames.times[0] + np.arange(N_FRAMES) * np.timedelta64(int(1000 * CADENCE_S), "ms")
    return reduce_frames(frames.images[:N_FRAMES], times, grid)


def blocks_by_numpy(images):
    """Mean and peak of each block, as anyone would write it."""
    blocks = images.reshape(len(images), FINE, 4, FINE, 4)
    peaks = blocks.max(axis=(2, 4)).astype(np.float32)
    means = (blocks.sum(axis=(2, 4), dtype=np.uint32) - peaks) / 15
    return means, peaks - means


def test_reducing(beside, frames, grid, reduced):
    images, times = frames.images[:N_FRAMES], reduced.times
    means, _ = blocks_by_numpy(images)
    four = np.sort(means.reshape(N_FRAMES, 32, 2, 32, 2).transpose(0, 1, 3, 2, 4).reshape(N_FRAMES, 1024, 4))
    cells = four[..., 1:3].mean(axis=-1)
    # Some cells have blocks with warm pixels, which numpy does not look for.
    equal = np.isclose(reduced.cells[:, grid.place], cells[:, grid.coarse_place], rtol=1e-6)
    assert equal.all(axis=0).mean() > 0.9
    peer = {"numpy": lambda: blocks_by_numpy(images)}
    took = beside(lambda: reduce_frames(images, times, grid), peer, N_FRAMES)
    work = "a frame to cells, structure and sparks"
    beside.note(work, "numpy: blocks' means and peaks alone", took["ours"][0], took["numpy"][0])


@pytest.fixture(autouse=True)
def one_thread():
    """scipy's linear algebra takes all cores otherwise, and waits for them where others have them."""
    with threadpool_limits(1):
        yield


def spectra_by_scipy(cells):
    """Power of every cell in every whole window: line off, Hann taper, transform; as `welch` does."""
    n = int(WINDOW_S / CADENCE_S)
    windows = np.lib.stride_tricks.sliding_window_view(cells, n + 1, axis=0)
    taper = signal.windows.hann(n, sym=False).astype(np.float32)
    power = np.empty((*windows.shape[:2], n // 2 + 1), np.float32)
    for i, window in enumerate(windows):
        level = signal.detrend(window, type="linear")
        # The taper ends in a zero: the last sample counts for the line alone.
        power[i] = np.abs(fft.rfft(level[:, :-1] * taper)) ** 2
    return power


def test_window_features(beside, reduced, grid):
    cells = np.ascontiguousarray(reduced.cells[:, grid.place])
    half = int(WINDOW_S / CADENCE_S / 2)
    inner = slice(half, N_FRAMES - half)
    ours = window_features(reduced, inner)
    expected = amplitudes(reduced, spectra_by_scipy(cells), cells, half)
    column = WINDOW_NAMES.index("amplitude_p90")
    np.testing.assert_allclose(10 ** ours[:, column], 10**expected, rtol=0.01)
    peer = {"scipy": lambda: spectra_by_scipy(cells)}
    took = beside(lambda: window_features(reduced, inner), peer, len(ours), rounds=3)
    work = "features of a window, all of them"
    beside.note(work, "scipy: the cells' spectra alone", took["ours"][0], took["scipy"][0])


def test_look_features(beside, reduced, grid):
    """The rows that the model is given, of all frames; their windows are those of the test above."""
    cells = np.ascontiguousarray(reduced.cells[:, grid.place])
    rows = look_features(reduced)
    assert rows.shape == (N_FRAMES, len(FEATURE_NAMES)) and np.isfinite(rows).all()
    peer = {"scipy": lambda: spectra_by_scipy(cells)}
    took = beside(lambda: look_features(reduced), peer, N_FRAMES, rounds=3)
    work = "features of looks, all of them"
    beside.note(work, "scipy: the cells' spectra about each frame", took["ours"][0], took["scipy"][0])


def amplitudes(reduced, power, cells, half):
    """The feature amplitude_p90 from spectra, to see that both sides compute the same."""
    from pulsaurora.pulsation.photons import GAIN, OFFSET, READ_VARIANCE

    n = 2 * half
    taper = signal.windows.hann(n, sym=False)
    first_fast = 3  # 40 s and less
    n_fast = 20 - first_fast + 1
    found = []
    for i in range(len(power)):
        pedestal, ratio = reduced.structure[i : i + n + 1, :2].astype(float).mean(axis=0)
        level = np.maximum(cells[i : i + n + 1].astype(float).mean(axis=0) - pedestal, 0)
        noise = ratio**2 * (GAIN * level + READ_VARIANCE) / reduced.grid.n_pixels * (taper**2).sum()
        excess = power[i][:, first_fast:].astype(float).sum(axis=1) - n_fast * noise
        rms = np.sqrt(np.maximum(excess * 2 / (n * (taper**2).sum()), 0)) / (level + OFFSET)
        found.append(np.log10(1e-3 + np.sort(rms)[90 * len(rms) // 100]))
    return np.array(found)


def peaks_by_scipy(series, window):
    found = []
    for column in series.T:
        peaks, about = signal.find_peaks(column, prominence=LEAST_PROMINENCE, wlen=window)
        known = about["prominences"], about["left_bases"], about["right_bases"]
        signal.peak_widths(column, peaks, 0.5, known)
        found.append(peaks)
    return found


def test_pulses(beside, reduced, grid):
    series = np.ascontiguousarray(reduced.cells[:, grid.place])
    times_s, window = CADENCE_S * np.arange(N_FRAMES), 2 * int(REACH_S / CADENCE_S) + 1
    ours = measure_pulses(times_s, series, LEAST_PROMINENCE)
    columns = [PULSE_COLUMNS.index(name) for name in ("series", "peak")]
    theirs = [(s, p) for s, peaks in enumerate(peaks_by_scipy(series.astype(float), window)) for p in peaks]
    assert len(theirs) > 1000
    np.testing.assert_array_equal(ours[:, columns], theirs)
    doubles = series.astype(float)
    peer = {"scipy": lambda: peaks_by_scipy(doubles, window)}
    took = beside(lambda: measure_pulses(times_s, series, LEAST_PROMINENCE), peer, N_FRAMES)
    name = "scipy: find_peaks and peak_widths"
    beside.note("pulses of every cell", name, took["ours"][0], took["scipy"][0])


def test_model(beside, reduced):
    """Rows of which no two are alike in one call, beside a row a call; onnx's own is the oracle.

    A look's row serves its twenty frames: of a night's frames each takes a twentieth of this.
    """
    reference = pytest.importorskip("onnx.reference", reason="onnx, of the train extra, is not installed")
    model = load_model()
    rows = np.random.default_rng(0).normal(0, 1, (N_FRAMES, len(FEATURE_NAMES))).astype(np.float32)
    evaluator = reference.ReferenceEvaluator(str(model.path))
    (expected,) = evaluator.run([model._output], {evaluator.input_names[0]: rows})
    np.testing.assert_allclose(model.predict(rows), expected, atol=1e-4)

    def one_at_a_time():
        return np.concatenate([model._run(rows[i : i + 1]) for i in range(len(rows))])

    np.testing.assert_allclose(one_at_a_time(), expected, atol=1e-4)
    took = beside(lambda: model.predict(rows), {"single": one_at_a_time}, N_FRAMES)
    name = "onnxruntime, a row a call"
    beside.note("the model, 400 looks a call", name, took["ours"][0], took["single"][0])
