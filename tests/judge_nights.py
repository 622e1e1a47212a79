"""How the embedded model does on simulated nights as nights go: each frame by itself, and steadied.

    python tests/judge_nights.py [N_NIGHTS]

Three hours each of six sites in winter: arcs in the evening, breakup, pulsation after it, weather; scenes
last 4 to 25 minutes and fade into one another. Nobody was trained on these nights, but the scenes are those
of the simulator that taught the model. `SHARED_S` and `CHANGE_S` of `steady` were chosen on nights of even
number.
"""

import itertools
import sys
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from pulsaurora.classes import CLASSES
from pulsaurora.classification.dataset import GRAIN
from pulsaurora.classification.evaluation import calibration_error, score_labels
from pulsaurora.classification.model import load_model
from pulsaurora.classification.refine import steady
from pulsaurora.pulsation.looks import look_features
from pulsaurora.pulsation.reduction import Reduced, SkyGrid, reduce_frames
from pulsaurora.simulation.drawn_camera import draw_camera
from pulsaurora.simulation.night import simulate_minutes

SEED = 77
SITES, MONTHS = ("gill", "fsmi", "atha", "inuv", "whit", "snkq"), (1, 2, 3, 10, 11, 12)
MINUTES = 180
N_NIGHTS = 40


def night(number):
    """Return the times, features and truth of the frames of one night."""
    rng = np.random.default_rng([SEED, number])
    which = number % len(SITES)
    day, hour = int(rng.integers(1, 28)), int(rng.integers(4, 10))
    start = f"{2007 + number % 11}-{MONTHS[which]:02d}-{day:02d}T{hour:02d}:00"
    camera = draw_camera(rng, grain=GRAIN)
    grid = SkyGrid(camera.elevation_map())
    reduced, labels = [], []
    for minute in simulate_minutes([SEED, number], start, MINUTES, SITES[which], camera=camera):
        reduced.append(reduce_frames(minute.images, minute.times, grid))
        labels.append(minute.labels)
    reduced = Reduced.concatenate(reduced)
    features = look_features(reduced, None, minute.latitude, minute.longitude)
    return reduced.times, features, np.concatenate(labels)


def describe(name, nights, hours):
    """Return the figures of some (truth, probabilities) as text."""
    truth, probabilities = (np.concatenate(parts) for parts in zip(*nights, strict=True))
    scores = score_labels(truth, probabilities.argmax(axis=1))
    changes = sum(np.count_nonzero(np.diff(given.argmax(axis=1))) for _, given in nights)
    real = sum(np.count_nonzero(np.diff(labels)) for labels, _ in nights)
    lines = [
        f"{name}: {len(truth)} frames, accuracy {scores.accuracy:.3f}, macro F1 {scores.macro_f1:.3f}, "
        f"calibration error {calibration_error(truth, probabilities):.3f}, "
        f"{changes / hours:.1f} changes an hour ({real / hours:.1f} in truth)"
    ]
    for label, precision, recall in zip(CLASSES, scores.precision, scores.recall, strict=True):
        lines.append(f"    {label:13} precision {precision:.3f} recall {recall:.3f}")
    return "\n".join(lines)


def judge(model, n_nights):
    """Return the (truth, probabilities) of each night: of frames by themselves, and steadied."""
    said = {"each by itself": [], "steadied": []}
    with ProcessPoolExecutor(2) as pool:
        for times, features, labels in pool.map(night, range(n_nights)):
            raw = model.predict(features)
            said["each by itself"].append((labels, raw))
            said["steadied"].append((labels, steady(raw, times)))
    return said


def main(arguments):
    n_nights = int(arguments[0]) if arguments else N_NIGHTS
    said = judge(load_model(None), n_nights)
    for (name, nights), part in itertools.product(said.items(), ("all", "of odd number")):
        some = nights if part == "all" else nights[1::2]
        print(describe(f"nights, {part}, {name}", some, len(some) * MINUTES / 60))


if __name__ == "__main__":
    main(sys.argv[1:])
