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
    truth, predicted = np.asarray(truth, dtype=int), np.asarray(predicted, dtype=int)
    known = truth >= 0
    n = len(CLASSES)
    confusion = np.bincount(truth[known] * n + predicted[known], minlength=n * n).reshape(n, n)
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
