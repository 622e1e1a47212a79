"""How good labels are: confusion, precision, recall, F1, calibration."""

from dataclasses import dataclass

import numpy as np

from pulsaurora.classes import CLASSES


@dataclass(frozen=True)
class Scores:
    """Scores of predicted against true classes.

    Attributes
    ----------
    confusion : ndarray of shape (4, 4), int
        Rows true, columns predicted, in the order of pulsaurora.CLASSES.
    precision, recall, f1 : ndarray of shape (4,)
        0 where a class was never predicted or never there.
    accuracy, macro_f1 : float
        macro_f1 is the mean over the classes that occur in the truth.
    """

    confusion: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    accuracy: float
    macro_f1: float

    def markdown(self):
        """Confusion matrix and scores as a Markdown table."""
        lines = [
            "| true \\ said | " + " | ".join(CLASSES) + " | precision | recall | F1 |",
            "|---|" + "---:|" * (len(CLASSES) + 3),
        ]
        for i, name in enumerate(CLASSES):
            counts = " | ".join(str(int(n)) for n in self.confusion[i])
            lines.append(
                f"| {name} | {counts} | {self.precision[i]:.3f} | {self.recall[i]:.3f} | {self.f1[i]:.3f} |"
            )
        lines += ["", f"Accuracy {self.accuracy:.3f}, macro F1 {self.macro_f1:.3f}."]
        return "\n".join(lines)


def score_labels(truth, predicted):
    """Score predicted against true class numbers.

    Parameters
    ----------
    truth, predicted : array-like of shape (n,), int
        Class numbers 0 to 3; entries where truth is negative (not labelled) are left out.

    Returns
    -------
    Scores
    """
    return score_matrix(confusion_matrix(truth, predicted))


def score_matrix(confusion):
    """Return the Scores of a confusion matrix; rows true, columns predicted."""
    n = len(CLASSES)
    right, said, there = np.diag(confusion).astype(float), confusion.sum(axis=0), confusion.sum(axis=1)
    precision = np.divide(right, said, out=np.zeros(n), where=said > 0)
    recall = np.divide(right, there, out=np.zeros(n), where=there > 0)
    both = precision + recall
    f1 = np.divide(2 * precision * recall, both, out=np.zeros(n), where=both > 0)
    total = confusion.sum()
    return Scores(
        confusion,
        precision,
        recall,
        f1,
        float(right.sum() / total) if total else 0.0,
        float(f1[there > 0].mean()) if total else 0.0,
    )


def calibration_error(truth, probabilities, n_bins=15):
    """Expected calibration error of the top class (Guo et al. 2017, equation 5).

    Parameters
    ----------
    truth : array-like of shape (n,), int
    probabilities : array-like of shape (n, n_classes)
    n_bins : int
        Equal-width bins of confidence.

    Returns
    -------
    float
        Mean over frames of |accuracy - confidence| within bins; 0 for no frames.
    """
    truth, probabilities = np.asarray(truth), np.asarray(probabilities)
    if not len(truth):
        return 0.0
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    bins = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    n = np.bincount(bins, minlength=n_bins)
    difference = np.abs(np.bincount(bins, right, n_bins) - np.bincount(bins, confidence, n_bins))
    return float(difference[n > 0].sum() / len(truth))


@dataclass(frozen=True)
class Estimate:
    """A figure and the interval that resampling whole nights gives it.

    Attributes
    ----------
    value, low, high : float
        The figure from all nights; 2.5th and 97.5th percentile of resampled ones. NaN where it has none.
    """

    value: float
    low: float
    high: float

    def __str__(self):
        if np.isnan(self.value):
            return "none"
        if np.isnan(self.low):
            return f"{self.value:.3f}"
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True)
class Reliability:
    """How often labels of a certain confidence are right.

    Attributes
    ----------
    edges : ndarray of shape (n_bins + 1,)
    counts : ndarray of shape (n_bins,), int
    confidence : ndarray of shape (n_bins,)
        Mean in each bin; NaN in empty bins.
    accuracy : list of Estimate
    expected_calibration_error : Estimate
    """

    edges: np.ndarray
    counts: np.ndarray
    confidence: np.ndarray
    accuracy: list
    expected_calibration_error: Estimate


def confusion_matrix(truth, predicted):
    """Count frames by true class (rows) and predicted class (columns); negative truth is left out.

    Returns
    -------
    ndarray of int64, shape (4, 4)
    """
    truth, predicted = np.asarray(truth, dtype=int), np.asarray(predicted, dtype=int)
    known = truth >= 0
    n = len(CLASSES)
    return np.bincount(truth[known] * n + predicted[known], minlength=n * n).reshape(n, n)


def figures_of(confusion):
    """Return every figure of confusion matrices, by name.

    Parameters
    ----------
    confusion : ndarray of shape (..., 4, 4)

    Returns
    -------
    dict of str to ndarray of shape (...)
        `accuracy`, `macro_f1`, and for each class `precision_`, `recall_` and `f1_`. NaN where a class was
        never there (recall, F1) or never predicted (precision).
    """
    confusion = np.asarray(confusion, dtype=float)
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    said, there = confusion.sum(axis=-2), confusion.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision, recall = right / said, right / there
        f1 = np.where(there > 0, 2 * right / (said + there), np.nan)
        found = {
            "accuracy": right.sum(axis=-1) / confusion.sum(axis=(-2, -1)),
            "macro_f1": np.nansum(f1, axis=-1) / (there > 0).sum(axis=-1),
        }
    for i, name in enumerate(CLASSES):
        found |= {f"precision_{name}": precision[..., i], f"recall_{name}": recall[..., i]}
        found[f"f1_{name}"] = f1[..., i]
    return found


def resample_counts(n_nights, n_resamples=2000, seed=0):
    """Return how often each night is drawn when nights are drawn with replacement (Efron 1979).

    Frames of one night are not independent, so whole nights are drawn.

    Returns
    -------
    ndarray of shape (n_resamples, n_nights), int
    """
    rng = np.random.default_rng(seed)
    return rng.multinomial(n_nights, np.full(n_nights, 1 / n_nights), size=n_resamples)


def estimate(function, counts, draws):
    """Return figures of all nights with their intervals.

    Parameters
    ----------
    function : callable
        From counts of shape (..., *shape) to a dict of figures of shape (...).
    counts : ndarray of shape (n_nights, *shape)
        What is counted of each night, such as a confusion matrix.
    draws : ndarray of shape (n_resamples, n_nights)
        From `resample_counts`.

    Returns
    -------
    dict of str to Estimate
    """
    counts = np.asarray(counts, dtype=float)
    values = function(counts.sum(axis=0))
    again = function(np.tensordot(draws, counts, axes=1))
    return {name: _estimate(value, again[name]) for name, value in values.items()}


def reliability(nights, draws, n_bins=15):
    """Compare confidence with how often labels are right.

    Parameters
    ----------
    nights : list of (truth, predicted, confidence)
        One a night, arrays of shape (n_frames,); negative truth is left out.
    draws : ndarray of shape (n_resamples, n_nights)
    n_bins : int
        Bins of equal width.

    Returns
    -------
    Reliability
    """
    counts = np.zeros((len(nights), 3, n_bins))
    for night, (truth, predicted, confidence) in enumerate(nights):
        known = np.asarray(truth) >= 0
        sure = np.asarray(confidence, dtype=float)[known]
        bins = np.clip((sure * n_bins).astype(int), 0, n_bins - 1)
        right = (np.asarray(predicted) == truth)[known]
        for row, weights in enumerate((None, sure, right)):
            counts[night, row] = np.bincount(bins, weights, n_bins)

    def curve(total):
        n, sure, right = np.moveaxis(total, -2, 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            found = {"error": np.abs(right - sure).sum(axis=-1) / n.sum(axis=-1)}
            accuracy = right / n
        return found | {str(i): accuracy[..., i] for i in range(n_bins)}

    found = estimate(curve, counts, draws)
    n, sure, _ = counts.sum(axis=0)
    confidence = np.divide(sure, n, out=np.full(n_bins, np.nan), where=n > 0)
    accuracy = [found[str(i)] for i in range(n_bins)]
    return Reliability(np.linspace(0, 1, n_bins + 1), n.astype(int), confidence, accuracy, found["error"])


def _estimate(value, again):
    again = again[~np.isnan(again)]
    # One night cannot tell how far nights differ.
    low, high = np.percentile(again, [2.5, 97.5]) if len(again) and np.ptp(again) > 0 else (np.nan, np.nan)
    return Estimate(float(value), float(low), float(high))
