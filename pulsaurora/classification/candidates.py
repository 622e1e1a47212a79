"""The kinds of model that are compared, each fitted to rows of features in one call.

Needs the ``train`` extra. All run on one thread, so that sums come in one order and the same seed gives the
same model.
"""

import os
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np


@dataclass
class Squash:
    """Features brought to a common scale and held within +-3 of it, so that none can run away.

    Attributes
    ----------
    median, scale : ndarray of shape (n_features,), float32
        The scale is a standard deviation taken from the 10th to the 90th percentile.
    """

    median: np.ndarray
    scale: np.ndarray

    @staticmethod
    def of(features):
        """Learn median and scale from rows of features."""
        low, median, high = np.percentile(features, [10, 50, 90], axis=0)
        scale = np.maximum((high - low) / 2.56, 0.1 * features.std(axis=0)) + 1e-6
        return Squash(median.astype(np.float32), scale.astype(np.float32))

    def __call__(self, features):
        return np.tanh((features - self.median) / (3 * self.scale))


@dataclass
class Networks:
    """Small networks, alike but for their starting weights, whose probabilities are averaged.

    Attributes
    ----------
    squash : Squash
    layers : list of list of (weights, offsets)
        Of each network, float32; ReLU between layers, softmax after the last.
    members : ndarray of shape (n_outputs, n_classes), float32
        1 where an output belongs to a class: what the networks tell apart is finer than the classes.
    """

    squash: Squash
    layers: list
    members: np.ndarray

    def predict_proba(self, features):
        """Return probabilities, float32 (n, n_classes)."""
        squashed = self.squash(np.asarray(features, np.float32))
        total = 0.0
        for network in self.layers:
            x = squashed
            for weights, offsets in network[:-1]:
                x = np.maximum(x @ weights + offsets, 0)
            x = x @ network[-1][0] + network[-1][1]
            x = np.exp(x - x.max(axis=1, keepdims=True))
            total = total + x / x.sum(axis=1, keepdims=True) @ self.members
        return total / len(self.layers)


def fit_networks(dataset, seed=0, n_networks=8, hidden=(96, 48), penalty=0.5, epochs=20, by_scene=False):
    """Fit small networks to a dataset (Rumelhart, Hinton and Williams 1986; averaged after Hansen and Salamon
    1990).

    Parameters
    ----------
    dataset : pulsaurora.classification.dataset.Dataset
    seed, n_networks : int
    hidden : tuple of int
        Units of the hidden layers.
    penalty : float
        On squared weights.
    epochs : int
    by_scene : bool
        Learn to tell the scenes of each class apart; what is said of a class is then the sum over its scenes.
        For datasets whose scenes are kinds of sky, not nights, which would be learned by heart.

    Returns
    -------
    Networks
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier
    from threadpoolctl import threadpool_limits

    squash = Squash.of(dataset.features)
    rows = 3 * squash(dataset.features)
    classes, label = np.unique(dataset.labels, return_inverse=True)
    scene = np.unique(dataset.scenes, return_inverse=True)[1] if by_scene else np.zeros_like(label)
    kinds, kind = np.unique(np.stack([label, scene]), axis=1, return_inverse=True)
    members = np.eye(len(classes), dtype=np.float32)[kinds[0]]
    layers = []
    for k in range(n_networks):
        model = MLPClassifier(
            hidden,
            alpha=penalty,
            batch_size=min(256, len(rows)),
            max_iter=epochs,
            random_state=1000 * seed + k,
        )
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a fixed number of epochs is meant
            model.fit(rows, kind.ravel())
        weights = [np.asarray(w, np.float32) for w in model.coefs_]
        weights[0] = 3 * weights[0]
        layers.append(list(zip(weights, (np.asarray(b, np.float32) for b in model.intercepts_), strict=True)))
    return Networks(squash, layers, members)


def fit_trees(dataset, seed=0, n_rounds=200, leaves=31, class_weight="balanced"):
    """Fit gradient-boosted trees (Friedman 2001), no early stopping.

    Weights cost time: scikit-learn 1.9 then looks for the bins of each feature one by one (9 s for 500 rows).
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    model = HistGradientBoostingClassifier(
        max_iter=n_rounds,
        learning_rate=0.08,
        max_leaf_nodes=leaves,
        min_samples_leaf=15,
        l2_regularization=5.0,
        max_features=0.3,
        class_weight=class_weight,
        early_stopping=False,
        random_state=seed,
    )
    with threadpool_limits(1):
        return model.fit(dataset.features, dataset.labels.astype(np.int64))


def fit_forest(dataset, seed=0, n_trees=300):
    """Fit a forest of extremely random trees (Geurts, Ernst and Wehenkel 2006), classes balanced."""
    from sklearn.ensemble import ExtraTreesClassifier

    model = ExtraTreesClassifier(
        n_trees, min_samples_leaf=3, max_features=0.25, class_weight="balanced", random_state=seed
    )
    return model.fit(dataset.features, dataset.labels.astype(np.int64))


KINDS = {"trees": fit_trees, "networks": fit_networks, "forest": fit_forest}


def fit_all(tasks, workers=None, progress=None):
    """Fit many models, each in a process of its own.

    Parameters
    ----------
    tasks : iterable of (kind, dataset, seed, options)
        One of KINDS, and further arguments of its function as a dictionary.
    workers : int, optional
        Processes; as many as cores when not given.
    progress : callable, optional
        Called with nothing after each.

    Yields
    ------
    model
        In the order of the tasks, as soon as it and those before it are fitted.
    """
    import sklearn.ensemble  # once here, where processes are forked, and not once in each
    import sklearn.neural_network  # noqa: F401

    with ProcessPoolExecutor(workers or os.cpu_count()) as pool:
        for model in pool.map(_fit, tasks):
            if progress:
                progress()
            yield model


def _fit(task):
    kind, dataset, seed, options = task
    return KINDS[kind](dataset, seed, **options)
