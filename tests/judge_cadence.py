"""How much of the embedded model's skill is left where frames come every 12 s, as a PFRR filter's do.

    python tests/judge_cadence.py [N_NIGHTS]

Simulated THEMIS frames, three scenes of nine minutes a night, one of them pulsating; the same frames are
labelled at 3 s and with three of four left out. Says what cadence alone costs: not what one filter, another
imager and a real sky do.
"""

import sys

import numpy as np

from pulsaurora.classes import CLASSES
from pulsaurora.classification.evaluation import score_labels
from pulsaurora.classification.model import load_model
from pulsaurora.classification.refine import steady
from pulsaurora.pulsation.looks import look_features
from pulsaurora.pulsation.reduction import Reduced, SkyGrid, reduce_frames
from pulsaurora.simulation.night import SCENES, simulate_minutes

FIRST_SEED = 880_001  # far from those that the model was trained on
MINUTES = 9


def labelled(n_nights):
    """Yield the reduced frames, truth and position of each night."""
    rng = np.random.default_rng(5)
    pulsating = [name for name in SCENES if "puls" in name]
    others = [name for name in SCENES if "puls" not in name]
    for number in range(n_nights):
        names = [str(rng.choice(pulsating)), *(str(name) for name in rng.choice(others, 2))]
        script = [(names[i], MINUTES) for i in rng.permutation(len(names))]
        start = f"2014-02-{1 + number % 27:02d}T06:00"
        minutes = simulate_minutes(FIRST_SEED + number, start, len(names) * MINUTES, "gill", script)
        grid, reduced, labels = SkyGrid(), [], []
        for minute in minutes:
            reduced.append(reduce_frames(minute.images, minute.times, grid))
            labels.append(minute.labels)
        yield Reduced.concatenate(reduced), np.concatenate(labels), (minute.latitude, minute.longitude)


def main(arguments):
    model = load_model(None)
    said = {}
    for reduced, truth, position in labelled(int(arguments[0]) if arguments else 24):
        for cadence_s, step in ((3.0, 1), (12.0, 4)):
            frames = reduced[np.arange(0, len(reduced), step)]
            raw = model.predict(look_features(frames, None, *position, cadence_s=cadence_s))
            for kind, given in (("each by itself", raw), ("steadied", steady(raw, frames.times))):
                said.setdefault((cadence_s, kind), []).append((truth[::step], given.argmax(axis=1)))
    for (cadence_s, kind), nights in said.items():
        truth, labels = (np.concatenate(parts) for parts in zip(*nights, strict=True))
        scores = score_labels(truth, labels)
        print(f"{cadence_s:g} s, {kind}: {len(truth)} frames, accuracy {scores.accuracy:.2f}, "
              f"macro F1 {scores.macro_f1:.2f}")  # fmt: skip
        for name, precision, recall in zip(CLASSES, scores.precision, scores.recall, strict=True):
            print(f"    {name:13} precision {precision:.2f} recall {recall:.2f}")


if __name__ == "__main__":
    main(sys.argv[1:])
