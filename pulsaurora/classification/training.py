"""Train the embedded kind of model on simulated skies, write it as ONNX, and say what it is worth.

Needs the ``train`` extra (scikit-learn, skl2onnx, onnx). Whole sites are left out to calibrate and to test,
so that no score comes from a sky the model saw.
"""

from dataclasses import dataclass

import numpy as np

from pulsaurora.classes import CLASSES
from pulsaurora.classification.candidates import KINDS, fit_all
from pulsaurora.classification.dataset import (
    OF_SITES,
    UNLIKE,
    even_rows,
    simulate_dataset,
    site_times,
    split_by_site,
)
from pulsaurora.classification.evaluation import calibration_error, score_labels
from pulsaurora.classification.modelcard import write_card
from pulsaurora.classification.onnxmodel import pool, temper
from pulsaurora.classification.refine import steady
from pulsaurora.classification.trainedmodel import (
    TrainedModel,
    export,
    fit_temperature,
    pooled_probabilities,
)
from pulsaurora.problems import UsageError

# Many short visits with one scene each: what a model lacks is other cameras and skies, not other minutes
# (macro F1 on sites left out was 0.79 with 220 sites, 0.82 with 440, 0.86 with 870). Twice as many still
# take a tenth off the log loss: with 8,704 macro F1 was 0.917 instead of 0.931 on 1,392 sites of another
# seed. These take two cores seventeen to twenty minutes, the slowest that were met about twice that.
N_SITES = 14848
MINUTES_A_SITE = 3
# Two minutes at a site teach as much as three (macro F1 on sites left out 0.896 and 0.897), one less (0.878).
MINUTES_TO_LEARN = 2
# Trees learn from every second look, by weight; networks from all (log loss on sites held out 0.249; 0.253
# with every second).
EVERY = 2
# What is compared.
CANDIDATES = tuple(KINDS)
# The names of scenes teach networks more than labels alone (log loss on sites left out 0.340 against 0.365),
# and what people say and the sky holds still more (0.287 against 0.301). Small trees do as well as large ones
# here (0.296 and 0.298 with 15 and 31 leaves) in half the time; twice as many, slower ones, do better (0.299
# instead of 0.318 on 1,536 sites of another seed).
OPTIONS = {
    "networks": {
        "by_scene": True,
        "penalty": 0.2,
        "hidden": (160, 80, 64),
        "n_networks": 12,
        "blur": 0.25,
        "every": 1,
    },
    "trees": {"leaves": 15, "n_rounds": 300, "rate": 0.08},
    # Only to compare with; 300 take as long as half the networks.
    "forest": {"n_trees": 50},
}
# What the model is made of, and how much each counts: log loss on sites held out was 0.235 with networks
# counting twice, 0.237 with both alike; 0.238 where probabilities were averaged, not their logarithms.
CHOSEN = {"networks": 2, "trees": 1}
MIXTURE = " + ".join(name if share == 1 else f"{share} x {name}" for name, share in CHOSEN.items())


@dataclass
class Judgement:
    """How a model does on sites left out.

    Attributes
    ----------
    frame, steadied : ndarray of float32, shape (n, 4)
        Probabilities of each frame by itself, and steadied over time as `classify` gives them.
    dataset : Dataset
    """

    frame: np.ndarray
    steadied: np.ndarray
    dataset: object

    def scores(self, steadied=True, sure=False):
        """Score the frames that are of a class; only those of which people would be sure, if asked."""
        said = (self.steadied if steadied else self.frame).argmax(axis=1)
        which = self.dataset.labels != UNLIKE
        if sure:
            which &= self.dataset.sure
        return score_labels(self.dataset.labels[which], said[which])

    def calibration(self, steadied=True):
        """Return the expected calibration error over frames that are of a class."""
        which = self.dataset.labels != UNLIKE
        said = self.steadied if steadied else self.frame
        return calibration_error(self.dataset.labels[which], said[which])

    def top(self, unlike):
        """Return the mean top probability of skies, or of what is unlike any."""
        which = (self.dataset.labels == UNLIKE) == unlike
        return float(self.steadied[which].max(axis=1).mean()) if which.any() else float("nan")


def steady_sites(probabilities, sites):
    """Probabilities steadied over time, each site by itself, its frames at the usual cadence."""
    steadied = np.empty_like(probabilities, dtype=np.float32)
    for site in np.unique(sites):
        mine = np.flatnonzero(sites == site)
        steadied[mine] = steady(probabilities[mine], site_times(len(mine)))
    return steadied


def judge(probabilities, dataset):
    """Judge the probabilities (n, 4) of a dataset's frames."""
    return Judgement(probabilities, steady_sites(probabilities, dataset.sites), dataset)


def compare(models, dataset):
    """Compare models and those chosen together, each tempered, on sites that none was fitted to.

    Returns
    -------
    list of (name, temperature, Judgement)
    """
    said = {name: model.predict_proba(dataset.features) for name, model in models.items()}
    shares = list(CHOSEN.values())
    said[MIXTURE] = pool([said[name] for name in CHOSEN], shares)
    rows = []
    for name, probabilities in said.items():
        temperature = fit_temperature(dataset.labels, probabilities)
        rows.append((name, temperature, judge(temper(probabilities, temperature), dataset)))
    return rows


def train_simulated(
    out=None,
    *,
    n_sites=N_SITES,
    n_minutes=MINUTES_A_SITE,
    minutes_to_learn=None,
    seed=0,
    workers=None,
    progress=None,
):
    """Train the embedded kind of model on simulated skies.

    Parameters
    ----------
    out : path, optional
        Where to write the ONNX file; its card goes beside it.
    n_sites, n_minutes : int
        Simulated sites, and minutes of sky at each of those that calibrate or test.
    minutes_to_learn : int, optional
        Minutes of sky at each of the others; when not given the lesser of MINUTES_TO_LEARN and n_minutes.
    seed : int
        The same seed gives the same bytes.
    workers : int, optional
        Processes that simulate; all cores by default.
    progress : callable, optional
        Called with (sites done, sites in all).

    Returns
    -------
    TrainedModel

    Raises
    ------
    UsageError
        If there are too few sites to leave some out, or a class has no frame.
    """
    from threadpoolctl import threadpool_limits

    if n_sites < OF_SITES:
        raise UsageError(f"{n_sites} sites cannot be split; {OF_SITES} or more can")
    minutes_to_learn = minutes_to_learn or min(MINUTES_TO_LEARN, n_minutes)
    # A BLAS with another number of threads sums in another order: other machines would make other models.
    with threadpool_limits(1):
        dataset = simulate_dataset(
            n_sites, n_minutes, seed, workers, progress, minutes_to_learn=minutes_to_learn, teach=True
        )
    train, calibration, test = split_by_site(dataset)
    missing = [name for label, name in enumerate(CLASSES) if label not in train.labels]
    if missing:
        raise UsageError(f"no frame to train on is {' or '.join(missing)}; simulate more sites or minutes")
    few = train[even_rows(train.weights, EVERY)]
    options = [OPTIONS.get(name, {}) for name in CANDIDATES]
    # What takes its own choice of frames each time is given all of them.
    tasks = [
        (name, train if "every" in chosen else few, seed, chosen)
        for name, chosen in zip(CANDIDATES, options, strict=True)
    ]
    models = dict(zip(CANDIDATES, fit_all(tasks, workers), strict=True))
    compared = compare(models, calibration)
    temperature = compared[-1][1]
    chosen, shares = [models[name] for name in CHOSEN], list(CHOSEN.values())
    expected = temper(pooled_probabilities(chosen, test.features, shares), temperature)
    judged = judge(expected, test)
    trained_on = (
        f"simulated skies only: {n_sites} sites, of {minutes_to_learn} minutes to learn from and {n_minutes} "
        f"where left out, seed {seed}, {len(train)} looks to train, a fifth of them as if a frame came in "
        f"12 s, {len(calibration)} frames to calibrate, {len(test)} to test, no site in two of them; "
        "no real labelled frame"
    )
    figures = _figures(judged, temperature)
    content, disagrees = export(chosen, temperature, trained_on, figures, test.features, expected, shares)
    figures["onnx_disagrees"] = disagrees
    card = write_card(content, trained_on, MIXTURE, figures, judged, compared)
    trained = TrainedModel(content, figures, card)
    if out is not None:
        trained.write(out)
    return trained


def _figures(judged, temperature):
    """Return the figures that the model carries, as plain numbers."""
    frame, steadied, sure = judged.scores(False), judged.scores(), judged.scores(sure=True)
    return {
        "macro_f1": round(frame.macro_f1, 4),
        "accuracy": round(frame.accuracy, 4),
        "pulsating_precision": round(float(frame.precision[3]), 4),
        "pulsating_recall": round(float(frame.recall[3]), 4),
        "calibration_error": round(judged.calibration(False), 4),
        "temperature": round(temperature, 4),
        "steadied_macro_f1": round(steadied.macro_f1, 4),
        "steadied_pulsating_precision": round(float(steadied.precision[3]), 4),
        "steadied_pulsating_recall": round(float(steadied.recall[3]), 4),
        "steadied_calibration_error": round(judged.calibration(), 4),
        "sure_macro_f1": round(sure.macro_f1, 4),
        "unlike_top_probability": round(judged.top(unlike=True), 4),
    }
