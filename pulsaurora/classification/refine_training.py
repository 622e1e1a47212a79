"""Learn a refinement from human labels, and say what it is worth on dates it has not seen.

`python -m pulsaurora.cli.train_refinement` does it. Needs the ``train`` extra. The model is a multinomial
logistic regression on what surrounds each minute (`pulsaurora.classification.context`), then a hidden Markov
chain. Whole dates are left out, because sites share the aurora of a date. How strongly the regression is held
back is not chosen but averaged over, since fourteen dates cannot tell; how long classes last is chosen by
leaving out dates among those trained on. So the figures come from dates that took no part in anything but the
choice of columns.

Trees, gradient boosting, transitions between labels, run lengths, other sites of the date, products of
columns and a second round on the first one's output were tried, and were worse on dates or on months left
out; the sky of forty nights does not support more.
"""

import itertools
import json
from dataclasses import dataclass

import numpy as np

from pulsaurora.archive.tables import read_about
from pulsaurora.classes import CLASSES, PULSATING
from pulsaurora.classification.context import (
    CONTEXT_VERSION,
    SITE_PREFIX,
    by_minute,
    context_rows,
    feature_names,
    soft_probabilities,
)
from pulsaurora.classification.evaluation import confusion_matrix, figures_of
from pulsaurora.classification.refine import settle, spread, steady
from pulsaurora.classification.refine_model import Fitted, card_of, to_onnx
from pulsaurora.classification.truth import JudgedNight
from pulsaurora.problems import UsageError

# Neighbouring minutes tell the same: one in twelve is learned from.
STRIDE = 12
# Averaged over: scikit-learn's C, and how little a site's own column is held back.
PENALTIES = (0.005, 0.01, 0.02)
SITE_WEIGHTS = (0.5, 1.0, 2.0)
# Chosen from.
CHANGES_S = (3600.0, 7200.0, 18000.0)
SHARED_S = (120.0, 300.0, 600.0)
LEAST_DATES = 4


@dataclass(frozen=True)
class Choice:
    """What is not fitted but chosen; see `Refinement`."""

    change_s: float
    shared_s: float
    temper: float


@dataclass
class Learner:
    """Nights as rows of minutes, and all that is done with them.

    Attributes
    ----------
    nights : list of JudgedNight
    sites : tuple of str
    minutes : list of Minutes
    rows : list of ndarray, shape (n_minutes, n_columns)
    truth : list of ndarray of int, shape (n_minutes,)
        Class of most labelled frames of a minute; -1 where there is none.
    dates : list of datetime.date
        All of them, each once, in order.
    """

    nights: list
    sites: tuple
    minutes: list
    rows: list
    truth: list
    dates: list

    @classmethod
    def of(cls, nights, evidence, by_site=True):
        sites = tuple(sorted({night.site for night in nights})) if by_site else ()
        minutes = [by_minute(night.times, frame_probabilities(night, evidence)) for night in nights]
        rows = [
            context_rows(own, night.site, sites).astype(np.float64)
            for own, night in zip(minutes, nights, strict=True)
        ]
        truth = []
        for own, night in zip(minutes, nights, strict=True):
            counts = np.zeros((len(own.times), len(CLASSES)))
            known = night.truth >= 0
            np.add.at(counts, (own.index[known], night.truth[known]), 1)
            truth.append(np.where(counts.any(axis=1), counts.argmax(axis=1), -1))
        return cls(nights, sites, minutes, rows, truth, sorted({night.date for night in nights}))

    def fit(self, which):
        """Fit on these nights (numbers).

        Returns
        -------
        Fitted
        """
        from sklearn.linear_model import LogisticRegression

        rows = np.concatenate([self.rows[i][::STRIDE] for i in which])
        truth = np.concatenate([self.truth[i][::STRIDE] for i in which])
        rows, truth = rows[truth >= 0], truth[truth >= 0]
        n_known = np.maximum((~np.isnan(rows)).sum(axis=0), 1)
        # What lies outside of what was seen is taken for its edge: straight lines know no better.
        low = np.where(np.isnan(rows), np.inf, rows).min(axis=0)
        high = np.where(np.isnan(rows), -np.inf, rows).max(axis=0)
        mean = np.nansum(rows, axis=0) / n_known
        scale = np.sqrt(np.nansum((rows - mean) ** 2, axis=0) / n_known)
        own = np.array([name.startswith(SITE_PREFIX) for name in feature_names(self.sites)])
        mean[own], scale[own | (scale < 1e-6)] = 0.0, 1.0
        unseen = low > high
        low[own | unseen], high[own | unseen] = 0.0, 1.0
        standard = np.nan_to_num((rows - mean) / scale)
        weights = np.zeros((len(CLASSES), rows.shape[1]))
        bias = np.zeros(len(CLASSES))
        n_fits = len(PENALTIES) * len(SITE_WEIGHTS)
        for penalty, site_weight in itertools.product(PENALTIES, SITE_WEIGHTS):
            stretch = np.where(own, site_weight, 1.0)
            model = LogisticRegression(C=penalty, max_iter=1000).fit(standard * stretch, truth)
            coefficients, intercept = model.coef_, model.intercept_
            if len(model.classes_) == 2:  # scikit-learn gives those of the second class alone
                coefficients, intercept = (
                    np.vstack([-coefficients, coefficients]) / 2,
                    np.r_[-intercept, intercept] / 2,
                )
            weights[model.classes_] += coefficients * stretch / n_fits
            bias[model.classes_] += intercept / n_fits
        missing = np.setdiff1d(np.arange(len(CLASSES)), truth)
        bias[missing] = -20.0  # a class that was never there is never said
        return Fitted(low, high, mean, scale, weights, bias)

    def predict(self, fitted, i):
        """Return probabilities of the minutes of one night, as the ONNX model gives them."""
        rows = np.clip(self.rows[i], fitted.low, fitted.high)
        logits = np.nan_to_num((rows - fitted.mean) / fitted.scale) @ fitted.weights.T + fitted.bias
        logits -= logits.max(axis=1, keepdims=True)
        probabilities = np.exp(logits)
        return probabilities / probabilities.sum(axis=1, keepdims=True)

    def choose(self, which):
        """Make every choice for these nights by leaving out one of their dates after another."""
        said = {}
        dates = {self.nights[i].date for i in which}
        for date in sorted(dates):
            fitted = self.fit([i for i in which if self.nights[i].date != date])
            said |= {i: self.predict(fitted, i) for i in which if self.nights[i].date == date}
        best = None
        for change_s, shared_s in itertools.product(CHANGES_S, SHARED_S):
            steadied = {i: steady(p, self.minutes[i].times, change_s, shared_s) for i, p in said.items()}
            score = self._score(steadied)
            if best is None or score > best[0]:
                best = score, change_s, shared_s, steadied
        _, change_s, shared_s, steadied = best
        return Choice(change_s, shared_s, self._temper(steadied))

    def judge(self, groups, alike=None, progress=None):
        """Refine each night by a model that has seen none of its group.

        Parameters
        ----------
        groups : list
            The group of each night, such as its date.
        alike : list, optional
            A second property; nights that share it are not learned from either.

        Returns
        -------
        list of JudgedNight, list of Choice
        """
        judged, choices = [None] * len(self.nights), []
        alike = alike or [None] * len(self.nights)
        parts = sorted(set(zip(groups, alike, strict=True)), key=str)
        known = {}
        for number, (group, kind) in enumerate(parts):
            others = [i for i in range(len(self.nights)) if groups[i] != group]
            if group not in known:
                known[group] = self.choose(others)
                choices.append(known[group])
            fitted = self.fit([i for i in others if kind is None or alike[i] != kind])
            for i in range(len(self.nights)):
                if (groups[i], alike[i]) == (group, kind):
                    judged[i] = _refined(self.nights[i], self.refine(fitted, known[group], i))
            if progress:
                progress(number + 1, len(parts))
        return judged, choices

    def refine(self, fitted, choice, i):
        """Return probabilities of the frames of one night."""
        logs = settle(self.predict(fitted, i), self.minutes[i].times, choice)
        return spread(logs, self.minutes[i], self.nights[i].times)

    def _loss(self, found):
        total = n = 0.0
        for i, probabilities in found.items():
            known, frames = self.truth[i] >= 0, self.minutes[i].n_frames
            right = probabilities[np.arange(len(probabilities)), np.maximum(self.truth[i], 0)]
            total -= (frames * np.log(np.maximum(right, 1e-4)))[known].sum()
            n += frames[known].sum()
        return total / n

    def _score(self, found):
        """Mean of accuracy and pulsating F1, minutes counted by their frames."""
        confusion = np.zeros((len(CLASSES), len(CLASSES)))
        for i, probabilities in found.items():
            known = self.truth[i] >= 0
            said = probabilities.argmax(axis=1)
            np.add.at(confusion, (self.truth[i][known], said[known]), self.minutes[i].n_frames[known])
        figures = figures_of(confusion)
        return figures["accuracy"] + np.nan_to_num(figures[f"f1_{CLASSES[PULSATING]}"])

    def _temper(self, steadied):
        """Find the power of the probabilities that makes the truth most likely."""
        best, lowest = 1.0, np.inf
        for temper in np.geomspace(0.1, 2.0, 61):
            powered = {i: np.maximum(p.astype(np.float64), 1e-6) ** temper for i, p in steadied.items()}
            loss = self._loss({i: p / p.sum(axis=1, keepdims=True) for i, p in powered.items()})
            if loss < lowest:
                best, lowest = float(temper), loss
        return best


def frame_probabilities(night, evidence):
    """Return what a night's frames say by themselves, as the model is to learn it."""
    if evidence == "class_confidence":
        return soft_probabilities(night.predicted, night.confidence)
    if night.probabilities is None:
        raise UsageError(f"{night.paths[0]}: no Parquet table with probabilities beside it")
    return night.probabilities


def train_refinement(nights, evidence="class_confidence", about="", harder=True, progress=None, by_site=True):
    """Learn a refinement, and judge it on dates left out of everything.

    Parameters
    ----------
    nights : list of JudgedNight
    evidence : str
        `class_confidence` or `probabilities`: what later files will have.
    about : str
        What the labels and files are, for the card.
    harder : bool
        Judge also with whole months left out, and with sites left out beside dates.
    progress : callable, optional
        Called with (dates done, dates in all).
    by_site : bool
        Whether sites have habits of their own to be learned; simulated ones have none.

    Returns
    -------
    content : bytes
        The ONNX model.
    card : str
        Markdown.
    judged : list of JudgedNight
        The nights as refined by models that know nothing of their dates.

    Raises
    ------
    UsageError
        If there are too few dates to leave some out twice, or the files are of several models.
    """
    made_for = _model_of(nights)
    learner = Learner.of(nights, evidence, by_site)
    if len(learner.dates) < LEAST_DATES:
        raise UsageError(f"labels of {len(learner.dates)} dates; at least {LEAST_DATES} are needed")
    dates = [night.date for night in nights]
    judged, choices = learner.judge(dates, progress=progress)
    further = {}
    months = [(date.year, date.month) for date in dates]
    if harder and len(set(months)) > 2:
        further["months"], _ = learner.judge(months)
    if harder and by_site and len(learner.sites) > 1:
        further["dates and sites"], _ = learner.judge(dates, [night.site for night in nights])
    everything = list(range(len(nights)))
    choice, fitted = learner.choose(everything), learner.fit(everything)
    before, after = figures_of_nights(nights), figures_of_nights(judged)
    n_frames = sum(int((night.truth >= 0).sum()) for night in nights)
    trained_on = (
        f"{about or 'human labels'}: {n_frames} frames of {len(nights)} nights, {len(learner.dates)} dates "
        f"and {len({night.site for night in nights})} sites"
    )
    metadata = {
        "kind": "context",
        "classes": json.dumps(CLASSES),
        "feature_names": json.dumps(feature_names(learner.sites)),
        "feature_version": CONTEXT_VERSION,
        "evidence": evidence,
        "change_s": repr(choice.change_s),
        "shared_s": repr(choice.shared_s),
        "temper": repr(round(choice.temper, 4)),
        "trained_on": trained_on,
        "scores": json.dumps({"dates_left_out": after, "before": before}),
    }
    if made_for:
        metadata["made_for"] = made_for
    content = to_onnx(fitted, metadata)
    return content, card_of(content, trained_on, choice, choices, nights, judged, further), judged


def _model_of(nights):
    """Return the sha256 of the model that made all of these files; empty if they name none."""
    models = {read_about(path).get("model", "") for night in nights for path in night.paths} or {""}
    if len(models) > 1:
        raise UsageError(f"classification files of {len(models)} models; a refinement is learned from one")
    return models.pop()


def _refined(night, probabilities):
    predicted = probabilities.argmax(axis=1).astype(np.int8)
    return JudgedNight(
        night.site,
        night.date,
        night.paths,
        night.times,
        predicted,
        probabilities.max(axis=1),
        night.truth,
        night.intervals,
        probabilities,
    )


def figures_of_nights(nights):
    """Return accuracy, macro F1 and what is told of pulsating, of all frames of some nights."""
    figures = figures_of(sum(confusion_matrix(night.truth, night.predicted) for night in nights))
    wanted = ("accuracy", "macro_f1", "precision_pulsating", "recall_pulsating", "f1_pulsating")
    return {name: round(float(figures[name]), 4) for name in wanted}
