"""Train a features model from human labels and the archive's files, and say what it is worth.

Needs the ``train`` extra. All sites of a date are left out together. Dates to test on are drawn first and
take no part in any choice; what kind of model, how strongly it is held back and its temperature come from
leaving out the other dates in turn. The figures are those of the very model that is written.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pulsaurora.classes import CLASSES, PULSATING
from pulsaurora.classification.candidates import fit_all
from pulsaurora.classification.dataset import Dataset
from pulsaurora.classification.date_split import refuse_too_few, split_dates
from pulsaurora.classification.evaluation import (
    confusion_matrix,
    estimate,
    figures_of,
    reliability,
    resample_counts,
)
from pulsaurora.classification.labelled_frames import gather
from pulsaurora.classification.modelcard import write_labelled_card
from pulsaurora.classification.networks import N_NETWORKS
from pulsaurora.classification.onnxmodel import pool, temper
from pulsaurora.classification.refine import steady
from pulsaurora.classification.trainedmodel import TrainedModel, export, fit_temperature, pooled_probabilities
from pulsaurora.problems import UsageError

PENALTIES = (0.1, 0.5, 2.0)
ROUNDS = (75, 150, 300)


@dataclass(frozen=True)
class Setting:
    """One kind of model with what is not fitted but chosen."""

    kind: str
    options: tuple

    def __str__(self):
        name, value = self.options[0]
        return f"{self.kind}, {name.removeprefix('n_')} {value:g}"


def settings_of(penalties=PENALTIES, rounds=ROUNDS, n_networks=N_NETWORKS):
    """Return what is chosen from, by kind: networks by penalty, trees by rounds.

    Returns
    -------
    list of list of Setting
    """
    networks = [Setting("networks", (("penalty", p), ("n_networks", n_networks))) for p in penalties]
    # The rows are balanced already.
    trees = [Setting("trees", (("n_rounds", n),)) for n in rounds]
    return [kind for kind in (networks, trees) if kind]


@dataclass
class Judged:
    """How tempered probabilities of nights that were left out agree with people.

    Attributes
    ----------
    nights : list of LabelledFrames
    frame, steadied : list of ndarray of float32, shape (n_frames, 4)
        Of each night, as frames by themselves, and steadied over true times as `classify` gives them.
    """

    nights: list
    frame: list
    steadied: list = field(init=False)

    def __post_init__(self):
        self.steadied = [
            steady(said, night.times) for said, night in zip(self.frame, self.nights, strict=True)
        ]

    def confusions(self, steadied=True):
        """Return the confusion matrix of each night."""
        said = self.steadied if steadied else self.frame
        return np.array(
            [confusion_matrix(n.truth, p.argmax(axis=1)) for n, p in zip(self.nights, said, strict=True)]
        )

    def figures(self, steadied=True):
        """Return every figure over all frames, by name."""
        return {k: float(v) for k, v in figures_of(self.confusions(steadied).sum(axis=0)).items()}

    def score(self):
        """Return what is chosen by: the mean of macro F1 and pulsating F1, steadied."""
        figures = self.figures()
        return (figures["macro_f1"] + figures[f"f1_{CLASSES[PULSATING]}"]) / 2

    def estimates(self, steadied=True):
        """Return every figure, and the calibration error, with the interval from resampling dates."""
        dates = sorted({night.date for night in self.nights})
        draws = resample_counts(len(dates))
        confusions = self.confusions(steadied)
        mine = [[i for i, night in enumerate(self.nights) if night.date == date] for date in dates]
        found = estimate(figures_of, np.array([confusions[which].sum(axis=0) for which in mine]), draws)
        said = self.steadied if steadied else self.frame
        rows = []
        for which in mine:
            joined = np.concatenate([said[i] for i in which])
            truth = np.concatenate([self.nights[i].truth for i in which])
            rows.append((truth, joined.argmax(axis=1), joined.max(axis=1)))
        return found | {"calibration_error": reliability(rows, draws).expected_calibration_error}


@dataclass
class Compared:
    """One way of making the model, as it did on training dates left out in turn."""

    settings: tuple
    temperature: float
    judged: Judged

    @property
    def name(self):
        return " + ".join(map(str, self.settings))


def training_rows(nights):
    """Return rows to fit to, each class as often as the others.

    The labelled frames of a look have one and the same row, which counts once for each label that they have.
    A class with more rows than the mean is thinned evenly, one with fewer is repeated evenly.

    Returns
    -------
    Dataset
        Its scenes name the nights.
    """
    features, labels, number = [], [], []
    for index, night in enumerate(nights):
        usable = (night.truth >= 0) & np.isfinite(night.features).all(axis=1)
        known = np.flatnonzero(usable)
        rows, truth = night.features[known], night.truth[known]
        another = np.ones(len(known), bool)
        another[1:] = (rows[1:] != rows[:-1]).any(axis=1) | (truth[1:] != truth[:-1])
        known = known[another]
        features.append(night.features[known])
        labels.append(night.truth[known])
        number.append(np.full(len(known), index))
    features, labels, number = map(np.concatenate, (features, labels, number))
    present = np.unique(labels)
    n_each = max(len(labels) // len(present), 1)
    which = []
    for label in present:
        mine = np.flatnonzero(labels == label)
        which.append(mine[np.arange(n_each) * len(mine) // n_each])
    which = np.sort(np.concatenate(which))
    names = np.array([f"{night.date} {night.site}" for night in nights])
    sure = np.ones(len(which), bool)
    return Dataset(features[which], labels[which], names[number[which]], number[which], sure)


def choose(nights, folds, settings, seed=0, workers=None, progress=None):
    """Compare ways of making a model by leaving out the folds of dates in turn.

    Parameters
    ----------
    nights : list of LabelledFrames
        Of the dates to train on; those to test on must not be among them.
    folds : list of list of datetime.date
    settings : list of list of Setting
        As `settings_of` returns them.
    seed : int
    workers : int, optional
    progress : callable, optional
        Called with nothing after each fit.

    Returns
    -------
    list of Compared
        Best first: every setting, and the best of each kind together.
    """
    inside = [[night for night in nights if night.date not in fold] for fold in folds]
    outside = [[night for night in nights if night.date in fold] for fold in folds]
    rows = [training_rows(some) for some in inside]
    flat = [setting for kind in settings for setting in kind]
    tasks = [(s.kind, part, seed, dict(s.options)) for s in flat for part in rows]
    models = fit_all(tasks, workers, progress)
    left_out = [night for some in outside for night in some]
    said = {}
    for setting in flat:
        said[setting] = []
        for some in outside:
            model = next(models)
            said[setting] += [model.predict_proba(night.features) for night in some]

    def compared(*chosen):
        together = [pool(each) for each in zip(*(said[s] for s in chosen), strict=True)]
        truth = np.concatenate([night.truth for night in left_out])
        temperature = fit_temperature(truth, np.concatenate(together))
        return Compared(chosen, temperature, Judged(left_out, [temper(p, temperature) for p in together]))

    found = [[compared(setting) for setting in kind] for kind in settings]
    best = [max(kind, key=lambda each: each.judged.score()) for kind in found]
    everything = [each for kind in found for each in kind]
    if len(best) > 1:
        everything.append(compared(*(each.settings[0] for each in best)))
    return sorted(everything, key=lambda each: -each.judged.score())


def train_labelled(
    table,
    workbooks,
    archive,
    cache,
    out=None,
    *,
    dayfiles=False,
    penalties=PENALTIES,
    rounds=ROUNDS,
    n_networks=N_NETWORKS,
    seed=0,
    workers=None,
    watch=None,
    progress=None,
):
    """Train a features model from human labels.

    Parameters
    ----------
    table : DataFrame
        Labels of THEMIS nights, as `read_workbooks` returns them.
    workbooks : list of path-like
        Where they come from, for the card.
    archive, cache, dayfiles, watch
        As for `gather`.
    out : path-like, optional
        Where to write the ONNX file; its card goes beside it.
    penalties, rounds, n_networks
        As for `settings_of`.
    seed : int
        The same seed, labels and files give the same bytes.
    workers : int, optional
        Threads that read, and processes that fit; as many as cores when not given.
    progress : callable, optional
        Called with (models fitted, models in all).

    Returns
    -------
    TrainedModel
    Labelled
        Nights, counts and problems.

    Raises
    ------
    UsageError
        If there are too few dates, or a class is on too few of them.
    """
    settings = settings_of(penalties, rounds, n_networks)
    if not settings:
        raise UsageError("nothing to choose from: name a penalty for networks, or rounds for trees")
    known = table[table["label"].notna()]
    # Told before hours of reading; what files there are can only make it less.
    dates, codes = known["date"].dt.date, known["label"].cat.codes
    refuse_too_few({date: set(codes[dates == date]) for date in sorted(set(dates))})
    labelled = gather(table, archive, cache, workers, dayfiles, watch)
    if not labelled.nights:
        raise UsageError(f"none of the labelled nights has frames under {archive}")
    trained = train_on_nights(labelled.nights, workbooks, settings, seed, workers, progress)
    if out is not None:
        trained.write(out)
    return trained, labelled


def train_on_nights(nights, workbooks, settings, seed=0, workers=None, progress=None):
    """Train a features model from labelled nights.

    Parameters
    ----------
    nights : list of LabelledFrames
    workbooks : list of path-like
    settings : list of list of Setting
    seed, workers, progress
        As for `train_labelled`.

    Returns
    -------
    TrainedModel

    Raises
    ------
    UsageError
        If there are too few dates, or a class is on too few of them.
    """
    classes = {}
    for night in nights:
        classes.setdefault(night.date, set()).update(np.unique(night.truth[night.truth >= 0]).tolist())
    test_dates, folds = split_dates(classes, seed)
    test = [night for night in nights if night.date in test_dates]
    training = [night for night in nights if night.date not in test_dates]
    n_fits, n_done = len(folds) * sum(map(len, settings)), 0

    def fitted():
        nonlocal n_done
        n_done += 1
        if progress:
            progress(n_done, n_fits)

    compared = choose(training, folds, settings, seed, workers, fitted)
    best = compared[0]
    rows = training_rows(training)
    models = list(fit_all([(s.kind, rows, seed, dict(s.options)) for s in best.settings], workers))
    said = [temper(pooled_probabilities(models, night.features), best.temperature) for night in test]
    judged = Judged(test, said)
    dates = sorted(classes)
    sites = sorted({night.site for night in nights})
    n_frames = sum(int((night.truth >= 0).sum()) for night in nights)
    names = ", ".join(sorted(Path(workbook).name for workbook in workbooks))
    trained_on = (
        f"human labels: {n_frames} frames of {len(nights)} nights, {len(dates)} dates from {dates[0]} to "
        f"{dates[-1]}, {len(sites)} sites; {len(test_dates)} of the dates, {len(test)} nights, only to test; "
        f"no simulated sky added; workbooks {names}"
    )
    figures = _figures(judged, best.temperature)
    every_row = np.concatenate([night.features for night in test])
    content, disagrees = export(
        models, best.temperature, trained_on, figures, every_row, np.concatenate(said)
    )
    figures["onnx_disagrees"] = disagrees
    parts = {"trained on": training, "tested on": test}
    card = write_labelled_card(content, trained_on, figures, parts, judged, compared, len(folds), workbooks)
    return TrainedModel(content, figures, card)


def _figures(judged, temperature):
    """Return the figures that the model carries, as plain numbers."""
    found = {}
    for prefix, steadied in (("", False), ("steadied_", True)):
        figures = judged.estimates(steadied)
        found |= {
            f"{prefix}{short}": round(figures[name].value, 4)
            for short, name in (
                ("macro_f1", "macro_f1"),
                ("accuracy", "accuracy"),
                ("pulsating_precision", "precision_pulsating"),
                ("pulsating_recall", "recall_pulsating"),
                ("pulsating_f1", "f1_pulsating"),
                ("calibration_error", "calibration_error"),
            )
        }
    found["temperature"] = round(temperature, 4)
    # A class that was never said has no precision, and JSON no number for that.
    return {name: None if np.isnan(value) else value for name, value in found.items()}
