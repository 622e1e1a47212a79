"""What every training ends with: a temperature, an ONNX file that says what was fitted, and its card.

Needs the ``train`` extra.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pulsaurora.archive.files import whole_file
from pulsaurora.classes import CLASSES
from pulsaurora.classification.dataset import UNLIKE
from pulsaurora.classification.onnxmodel import onnx_probabilities, pool, temper, to_onnx
from pulsaurora.problems import ContractError
from pulsaurora.pulsation.reduction import WINDOW_S
from pulsaurora.pulsation.table import FEATURE_NAMES, FEATURE_VERSION

# Thresholds of trees are rounded to float32, so a row in some thousands can fall on the other side of one.
_DIFFERS, _MAY_DIFFER = 1e-3, 0.02


@dataclass
class TrainedModel:
    """An ONNX features model and how it scored."""

    onnx: bytes
    scores: dict
    card: str

    def write(self, path):
        """Write the model and its card (``.md``) beside it, each whole or not at all; the card first."""
        path = Path(path)
        with whole_file(path) as model, whole_file(path.with_suffix(".md")) as card:
            model.write_bytes(self.onnx)
            card.write_bytes(self.card.encode())


def fit_temperature(labels, probabilities):
    """Temperature that makes probabilities most likely on frames not trained on (Guo et al. 2017).

    Frames that are of no class do not count: neither those unlike any sky nor those without a label.
    """
    labels = np.asarray(labels)
    known = (labels >= 0) & (labels != UNLIKE)
    labels, probabilities = labels[known].astype(int), probabilities[known]
    best, lowest = 1.0, np.inf
    for temperature in np.geomspace(0.3, 6.0, 121):
        likely = temper(probabilities, temperature)[np.arange(len(labels)), labels]
        loss = -np.mean(np.log(np.maximum(likely, 1e-9)))
        if loss < lowest:
            best, lowest = float(temperature), loss
    return best


def pooled_probabilities(models, features, shares=None):
    """Return what fitted models say together of rows of features (`onnxmodel.pool`)."""
    return pool([model.predict_proba(features) for model in models], shares)


def export(models, temperature, trained_on, figures, features, expected, shares=None):
    """Return the ONNX file of fitted models, and on what share of rows it differs from them.

    Parameters
    ----------
    models : list
        As `to_onnx` takes them.
    temperature : float
    trained_on : str
    figures : dict
        Goes into the file as its scores.
    features : ndarray of shape (n, n_features)
        Rows on which file and models are compared.
    expected : ndarray of shape (n, 4)
        What the models say of them, tempered.
    shares : sequence of int, optional
        As `to_onnx` takes them.

    Returns
    -------
    content : bytes
    disagrees : float
        Share of rows with a probability that differs by more than 0.001.

    Raises
    ------
    ContractError
        If the file does not say what was fitted.
    """
    metadata = {
        "kind": "features",
        "classes": json.dumps(CLASSES),
        "feature_names": json.dumps(FEATURE_NAMES),
        "feature_version": str(FEATURE_VERSION),
        "window_s": str(WINDOW_S),
        "trained_on": trained_on,
        "scores": json.dumps(figures),
    }
    content = to_onnx(models, temperature, metadata, shares)
    difference = np.abs(onnx_probabilities(content, features) - expected).max(axis=1)
    disagrees = float(np.mean(difference > _DIFFERS))
    if disagrees > _MAY_DIFFER:
        raise ContractError(
            f"the ONNX file and what was fitted differ on {disagrees:.1%} of {len(features)} rows; "
            "try another version of skl2onnx, or train networks alone"
        )
    return content, disagrees
