"""The kinds of model that are compared, each fitted to rows of features in one call.

Needs the ``train`` extra. All run on one thread, so that sums come in one order and the same seed gives the
same model.
"""

import os
from concurrent.futures import ProcessPoolExecutor
from itertools import chain, islice

import numpy as np

from pulsaurora.classification.networks import N_NETWORKS, Networks, fit_networks


def fit_trees(dataset, seed=0, n_rounds=200, leaves=31, rate=0.08):
    """Fit gradient-boosted trees (Friedman 2001), no early stopping.

    No weights: with them scikit-learn 1.9 looks for the bins of each feature one by one (9 s for 500 rows).
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    model = HistGradientBoostingClassifier(
        max_iter=n_rounds,
        learning_rate=rate,
        max_leaf_nodes=leaves,
        min_samples_leaf=15,
        l2_regularization=5.0,
        max_features=0.3,
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
    """Fit many models, each in a process of its own, networks in several.

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
    import sklearn.ensemble  # noqa: F401  (once here, where processes are forked, and not once in each)

    workers = workers or os.cpu_count()
    shared = [_parts(task, workers) for task in tasks]
    with ProcessPoolExecutor(workers) as pool:
        fitted = pool.map(_fit, chain.from_iterable(shared))
        for parts in shared:
            models = list(islice(fitted, len(parts)))
            if progress:
                progress()
            yield Networks.joined(models) if len(models) > 1 else models[0]


def _fit(task):
    kind, dataset, seed, options = task
    return KINDS[kind](dataset, seed, **options)


def _parts(task, workers):
    """Share the networks of a task, which take the longest, out over processes; each is fitted by itself.

    In twice as many parts as there are processes, so that none waits long for the last one.
    """
    kind, dataset, seed, options = task
    if kind != "networks":
        return [task]
    n = options.get("n_networks", N_NETWORKS)
    shares = np.array_split(range(n), min(n, 2 * workers))
    return [
        (kind, dataset, seed, {**options, "first": int(share[0]), "n_networks": len(share)})
        for share in shares
    ]
