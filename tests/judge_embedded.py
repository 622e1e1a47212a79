"""What the embedded model does beyond the sites left out of its training, as a section of its card.

    python tests/judge_embedded.py [--card FILE] [--seeds K ...] [--sites N] [--trained-in TEXT]

Sites of seeds of their own, the second and the third sky, nights as nights go, the real frames beside the
checkout where they are there, and the processor time of a row. Takes two cores some ten minutes; each figure
by itself comes from the command beside it. The same arguments give the same figures, but for times.
"""

import argparse
import datetime
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import judge_nights
import judge_second_sky
import judge_sky
import judge_third_sky
import numpy as np

from pulsaurora.archive.tables import read_classifications
from pulsaurora.classes import BAD_VIEWING, CLASSES, PULSATING
from pulsaurora.classification.batch import classify_nights
from pulsaurora.classification.dataset import Dataset, simulate_site
from pulsaurora.classification.evaluation import score_labels
from pulsaurora.classification.model import load_model
from pulsaurora.classification.modelcard import put_in_card
from pulsaurora.classification.training import MINUTES_A_SITE, judge

HEADING = "## Beyond the sites left out"
STREAM0 = Path(__file__).resolve().parents[2] / "shared" / "data" / "stream0"
DATE = datetime.date(2014, 3, 10)
# Of seeds that no model was trained or chosen by.
SEEDS, N_SITES = (20261201, 20261202), 1392
SECOND_CLIPS, THIRD_CLIPS = 12, 4
# Frames that share a row where frames come every 3 s: a look begins with every minute.
FRAMES_A_ROW = 20


@dataclass
class Figure:
    """A line of the section: what was measured on what, and the command that measures it."""

    what: str
    figure: str
    command: str


def main():
    arguments = _arguments()
    model = load_model(None)
    figures = [
        *(one for seed in arguments.seeds for one in fresh_sites(model, seed, arguments.sites)),
        *sky("second sky", judge_second_sky, SECOND_CLIPS),
        *sky("third sky", judge_third_sky, THIRD_CLIPS),
        *nights(model),
        *real_frames(),
        *speed(model),
    ]
    if arguments.trained_in:
        figures.append(Figure("training from nothing", arguments.trained_in, "`make model`"))
    section = markdown(figures)
    sys.stdout.write(section)
    if arguments.card:
        put_in_card(arguments.card, section, model.sha256)


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--card", type=Path, help="put the section into this card of the model")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS, help="of the simulated sites")
    parser.add_argument("--sites", type=int, default=N_SITES, help="how many of each seed")
    parser.add_argument("--trained-in", help="how long training took, in words for the card")
    return parser.parse_args()


def markdown(figures):
    """Return the section."""
    rows = [f"| {one.what} | {one.figure} | {one.command} |" for one in figures]
    text = (
        "None of this was trained on. The third sky showed what the training simulator lacked, and wrong "
        "clips of the second were looked at for the same: neither is wholly unseen. P is precision, R recall."
    )
    return "\n".join([HEADING, "", text, "", "| on | figure | command |", "|---|---|---|", *rows, ""])


def fresh_sites(model, seed, n_sites):
    """Sites simulated as those left out are, of another seed."""
    with ProcessPoolExecutor(2) as pool:
        numbered = range(n_sites), [seed] * n_sites, [MINUTES_A_SITE] * n_sites
        dataset = Dataset.concatenate(list(pool.map(simulate_site, *numbered, chunksize=4)))
    judged = judge(model.predict(dataset.features), dataset)
    command = f"`python tests/judge_embedded.py --seeds {seed} --sites {n_sites}`"
    what = f"{n_sites:,} sites of seed {seed}"
    return [
        Figure(what, of_scores(judged.scores()), command),
        Figure(f"{what}, frames of which people are sure", of_scores(judged.scores(sure=True)), command),
    ]


def sky(name, judging, n_clips):
    """Clips of a synthetic sky that was written apart from the simulator."""
    results = judge_sky.judge(judging.SKY, None, n_clips, tell_position=judging is judge_second_sky)
    found = judge_sky.summarise(judging.SKY, results)
    told = {
        f"{name}, {n_clips} clips a scene": of_scores(found["scores"]),
        f"{name}, calibration": f"expected calibration error {found['calibration_error']:.3f}",
        f"{name}, confusers alone": f"{100 * found['confusers_pulsating']:.1f} of 100 called pulsating",
    }
    if found["unsure"]:
        each = ", ".join(f"{scene} {top:.2f}" for scene, top in found["unsure"].items())
        told[f"{name}, pictures unlike any sky"] = (
            f"mean top probability {found['unsure_top_probability']:.2f} ({each})"
        )
    command = f"`python tests/{judging.__name__}.py --clips {n_clips}`"
    return [Figure(what, figure, command) for what, figure in told.items()]


def nights(model):
    """Simulated nights as nights go."""
    said = judge_nights.judge(model, judge_nights.N_NIGHTS)
    truth, probabilities = (np.concatenate(part) for part in zip(*said["steadied"], strict=True))
    scores = score_labels(truth, probabilities.argmax(axis=1))
    what = f"{judge_nights.N_NIGHTS} simulated nights, steadied"
    return [Figure(what, of_scores(scores), "`python tests/judge_nights.py`")]


def real_frames():
    """The real frames at hand, all of them overcast; nothing where there are none."""
    if not STREAM0.is_dir():
        return []
    with tempfile.TemporaryDirectory() as folder:
        done = classify_nights(STREAM0, folder, DATE, DATE)
        tables = [read_classifications(night.path) for night in done.nights]
    labels = np.concatenate([table["label"].cat.codes.to_numpy() for table in tables])
    found = f"{np.count_nonzero(labels == BAD_VIEWING)} of {len(labels)} `{CLASSES[BAD_VIEWING]}`"
    command = f"`pulsaurora classify {DATE} {DATE} --stream0 DIR --out OUT`"
    return [Figure("real overcast frames, moonlit", found, command)]


def speed(model):
    """Processor time of one thread for a row, and for a frame where a look's frames share one."""
    rows = np.random.default_rng(0).normal(size=(400, len(model.feature_names))).astype(np.float32)
    took = {}
    for name, some in (("row", rows), ("frame", np.repeat(rows, FRAMES_A_ROW, axis=0))):
        times = []
        for _ in range(20):
            began = time.process_time()
            model.predict(some)
            times.append((time.process_time() - began) / len(some))
        took[name] = 1e6 * min(times)
    figure = f"{took['frame']:.1f} us a frame, {FRAMES_A_ROW} to a row; {took['row']:.0f} us a row"
    what, command = "processor time of `predict`, one thread", "`python tests/judge_embedded.py`"
    return [Figure(what, figure, command)]


def of_scores(scores):
    """Return macro F1, and precision and recall of pulsating aurora, as text."""
    return (
        f"macro F1 {scores.macro_f1:.3f}; pulsating P {scores.precision[PULSATING]:.3f}, "
        f"R {scores.recall[PULSATING]:.3f}"
    )


if __name__ == "__main__":
    main()
