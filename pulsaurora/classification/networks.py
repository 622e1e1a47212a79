"""Small networks: what they learn, how, and what they say of rows of features.

A network tells apart the scenes of each class, and beside that estimates what the sky held (how much of it
cloud hides, how far the aurora stands out and so on). Only what it says of the classes is kept: the rest
shapes what its layers look for (Caruana 1997, Mach. Learn. 28, 41). Rows are blurred by noise each time they
are learned from (Bishop 1995, Neural Comput. 7, 108).
"""

from dataclasses import dataclass

import numpy as np

from pulsaurora.classification.dataset import even_rows

FIRST_MOMENT, SECOND_MOMENT = np.float32(0.9), np.float32(0.999)
# Of rows that people would not all call the same, this share of what is learned is what they would say and
# the rest the label.
PEOPLES_SHARE = 0.5
# How much an error of one standard deviation in a quantity weighs against log loss.
HEED = 1.0
# Networks averaged.
N_NETWORKS = 8


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
    """Networks alike but for their starting weights, whose probabilities are averaged.

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
        total = sum(softmax(_through(network, squashed)[-1]) for network in self.layers)
        return total @ self.members / len(self.layers)

    @staticmethod
    def joined(parts):
        """Return the networks of several fits to one dataset together, in the order given."""
        layers = [network for part in parts for network in part.layers]
        return Networks(parts[0].squash, layers, parts[0].members)


def softmax(x):
    """Return the softmax of each row."""
    x = np.exp(x - x.max(axis=1, keepdims=True))
    return x / x.sum(axis=1, keepdims=True)


def _through(network, x):
    """Return what enters each layer of a network, and what leaves the last."""
    passed = [x]
    for k, (weights, offsets) in enumerate(network):
        x = x @ weights + offsets
        if k < len(network) - 1:
            x = np.maximum(x, 0)
        passed.append(x)
    return passed


@dataclass
class Lessons:
    """What networks learn from, one row a frame, float32.

    Attributes
    ----------
    rows : ndarray of shape (n, n_features)
        Squashed features, of order 1.
    kinds : ndarray of shape (n, n_kinds)
        Probability of each kind; rows add up to 1.
    quantities : ndarray of shape (n, n_quantities)
        To be estimated beside the kinds, of order 1; there may be none.
    weights : ndarray of shape (n,)
        How often each row is met against the others.
    """

    rows: np.ndarray
    kinds: np.ndarray
    quantities: np.ndarray
    weights: np.ndarray

    def batch(self, which, blur, rng):
        """Return some of the rows, blurred by noise of this standard deviation."""
        rows = self.rows[which]
        if blur:
            rows = rows + np.float32(blur) * rng.standard_normal(rows.shape, dtype=np.float32)
        return Lessons(rows, self.kinds[which], self.quantities[which], self.weights[which])


def gradients(network, lessons, penalty=0.0, heed=HEED):
    """Return how the mean loss of rows changes with weights and offsets, as `network` has them.

    The loss is the cross-entropy of the kinds, half of `heed` times the squared errors of the quantities,
    and half of `penalty` times the squared weights (of no offset) over the number of rows.
    """
    n_kinds = lessons.kinds.shape[1]
    passed = _through(network, lessons.rows)
    found = passed[-1]
    error = np.empty_like(found)
    error[:, :n_kinds] = softmax(found[:, :n_kinds]) - lessons.kinds
    error[:, n_kinds:] = np.float32(heed) * (found[:, n_kinds:] - lessons.quantities)
    error /= np.float32(len(found))
    shrink = np.float32(penalty / len(found))
    changes = []
    for k in reversed(range(len(network))):
        weights = network[k][0]
        changes.append((passed[k].T @ error + shrink * weights, error.sum(axis=0)))
        if k:
            error = (error @ weights.T) * (passed[k] > 0)
    return changes[::-1]


def learn(lessons, hidden, seed, *, penalty, epochs, every=1, blur=0.0, batch=256, rate=2e-3, heed=HEED):
    """Fit one network by steps of Adam (Kingma and Ba 2015), their size falling to nothing as a cosine does.

    Parameters
    ----------
    lessons : Lessons
    hidden : sequence of int
        Units of the hidden layers.
    seed : int
    penalty, heed : float
        As for `gradients`.
    epochs : int
    every : int
        Each epoch sees one row in so many, by their weights, and others each time (`even_rows`).
    blur : float
        Standard deviation of the noise on features, which are of order 1.
    batch, rate : int, float
        Rows a step, and the size of the first steps.

    Returns
    -------
    list of (weights, offsets)
        Of each layer, float32; the last gives kinds, then quantities.
    """
    rng = np.random.default_rng(seed)
    sizes = [lessons.rows.shape[1], *hidden, lessons.kinds.shape[1] + lessons.quantities.shape[1]]
    network = []
    for n_in, n_out in zip(sizes, sizes[1:], strict=False):
        reach = np.sqrt(6 / (n_in + n_out))  # Glorot and Bengio (2010)
        network.append(
            (rng.uniform(-reach, reach, (n_in, n_out)).astype(np.float32), np.zeros(n_out, np.float32))
        )
    values = [value for layer in network for value in layer]
    first, second = [np.zeros_like(v) for v in values], [np.zeros_like(v) for v in values]
    chosen = [even_rows(lessons.weights, every, epoch % every) for epoch in range(epochs)]
    step, n_steps = 0, sum(max(len(rows) // batch, 1) for rows in chosen)
    for rows in chosen:
        order = rng.permutation(rows)
        for start in range(max(len(order) // batch, 1)):
            some = lessons.batch(order[start * batch : (start + 1) * batch], blur, rng)
            changes = [change for layer in gradients(network, some, penalty, heed) for change in layer]
            falling = 0.5 * (1 + np.cos(np.pi * step / n_steps))
            step += 1
            size = rate * falling * np.sqrt(1 - SECOND_MOMENT**step) / (1 - FIRST_MOMENT**step)
            for value, change, mean, square in zip(values, changes, first, second, strict=True):
                mean += (1 - FIRST_MOMENT) * (change - mean)
                square += (1 - SECOND_MOMENT) * (change * change - square)
                value -= np.float32(size) * mean / (np.sqrt(square) + np.float32(1e-8))
    return network


def fit_networks(
    dataset,
    seed=0,
    n_networks=N_NETWORKS,
    hidden=(96, 48),
    penalty=0.5,
    epochs=20,
    by_scene=False,
    blur=0.25,
    every=1,
    first=0,
):
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
    blur, every : float, int
        As for `learn`.
    first : int
        Which of a seed's networks is the first; each is the same whichever are fitted with it.

    Returns
    -------
    Networks
    """
    from threadpoolctl import threadpool_limits

    squash = Squash.of(dataset.features[even_rows(dataset.weights, every)])
    lessons, members = lessons_of(dataset, squash, by_scene)
    layers = []
    for k in range(first, first + n_networks):
        with threadpool_limits(1):
            network = learn(
                lessons, hidden, 1000 * seed + k, penalty=penalty, epochs=epochs, every=every, blur=blur
            )
        # The lessons' rows reach from -3 to 3; what is estimated beside the kinds has served its turn.
        n_kinds = len(members)
        network[0] = (3 * network[0][0], network[0][1])
        network[-1] = (network[-1][0][:, :n_kinds].copy(), network[-1][1][:n_kinds].copy())
        layers.append(network)
    return Networks(squash, layers, members)


def lessons_of(dataset, squash, by_scene):
    """Return the lessons of a dataset and which class each of their kinds belongs to (n_kinds, n_classes)."""
    classes, label = np.unique(dataset.labels, return_inverse=True)
    n_classes = len(classes)
    said = np.eye(n_classes, dtype=np.float32)[label]
    said = (1 - PEOPLES_SHARE) * said + PEOPLES_SHARE * dataset.people[:, classes]
    scene = np.unique(dataset.scenes, return_inverse=True)[1] if by_scene else np.zeros_like(label)
    kinds = np.zeros((len(label), scene.max() + 1, n_classes), np.float32)
    kinds[np.arange(len(label)), scene] = said
    kinds = kinds.reshape(len(label), -1)
    used = kinds.any(axis=0)
    members = np.tile(np.eye(n_classes, dtype=np.float32), (scene.max() + 1, 1))[used]
    quantities = dataset.quantities
    known = np.isfinite(quantities).all(axis=1)
    mean, spread = quantities[known].mean(axis=0), quantities[known].std(axis=0)
    # Where nothing is known of the sky the estimate is drawn to the mean.
    quantities = np.where(known[:, None], (quantities - mean) / np.maximum(spread, 1e-6), 0)
    rows = (3 * squash(dataset.features)).astype(np.float32)
    quantities = np.clip(quantities, -3, 3).astype(np.float32)
    return Lessons(rows, kinds[:, used], quantities, dataset.weights), members
