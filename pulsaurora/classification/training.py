"""Train a features model, write it as ONNX, and say on its card what it is worth.

Needs the ``train`` extra (scikit-learn, skl2onnx, onnx). Simulated skies are drawn site by site;
whole sites are left out to calibrate and to test, so that no score comes from a sky the model saw.
"""

import hashlib
import json
import os
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from pulsaurora import __version__
from pulsaurora.classes import CLASSES
from pulsaurora.classification.evaluation import calibration_error, score_labels
from pulsaurora.classification.refine import steady
from pulsaurora.problems import UsageError
from pulsaurora.pulsation.reduction import (
    CADENCE_S,
    WINDOW_S,
    Reduced,
    SkyGrid,
    reduce_frames,
    window_features,
)
from pulsaurora.pulsation.table import FEATURE_NAMES, FEATURE_VERSION, SUN_MOON

# Many short visits with one scene each: what a model lacks is other cameras and skies, not other minutes
# (macro F1 on sites left out was 0.72 with 60 sites of 20 minutes, 0.77 with 260 of 6, 0.85 with 600 of 4).
N_SITES = 1500
MINUTES_A_SITE = 4
# Of every twelve sites, two test the model and one calibrates it.
TEST_SITES, CALIBRATION_SITES, OF_SITES = (0, 6), (3,), 12
# The share of sites trained on as if their position were not known: with less, trees learn by heart which
# sky came with which moon (macro F1 on sites left out fell from 0.853 to 0.844 with 0.1).
UNKNOWN_SITES = 0.5
# Neighbouring frames hardly differ: every fourth scores better on sites left out than all do (0.844 against
# 0.827).
EVERY = 4
# Features look at the sky above 15 degrees; cells that reach below are left out, so less need not be drawn.
LOWEST_DEG = 12.0


@dataclass
class Dataset:
    """Features and truth of frames, with the site each came from.

    Attributes
    ----------
    features : ndarray of shape (n, n_features), float32
    labels : ndarray of shape (n,), int8
    scenes : ndarray of shape (n,), str
    sites : ndarray of shape (n,), int
        Number of the simulated site (or of the night).
    """

    features: np.ndarray
    labels: np.ndarray
    scenes: np.ndarray
    sites: np.ndarray

    def __getitem__(self, which):
        return Dataset(self.features[which], self.labels[which], self.scenes[which], self.sites[which])

    def __len__(self):
        return len(self.labels)


@dataclass
class TrainedModel:
    """An ONNX features model and how it scored."""

    onnx: bytes
    scores: dict
    card: str
    name: str = field(default="features")

    def write(self, path):
        """Write the model and its card (``.md``) beside it, whole or not at all."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        for target, content in ((path, self.onnx), (path.with_suffix(".md"), self.card.encode())):
            temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
            temporary.write_bytes(content)
            os.replace(temporary, target)


def simulate_site(number, seed, n_minutes):
    """Features and truth of one simulated site, every frame's sky drawn from (seed, number).

    Returns
    -------
    Dataset
    """
    from pulsaurora.simulation.night import SCENES, simulate_minutes
    from pulsaurora.simulation.programme import draw_start
    from pulsaurora.simulation.registry import WEIGHTS

    rng = np.random.default_rng([seed, number])
    label = CLASSES[rng.integers(len(CLASSES))]
    names = [name for name in SCENES if SCENES[name] == label]
    weights = np.array([WEIGHTS[name] for name in names])
    scene = str(rng.choice(names, p=weights / weights.sum()))
    grid = SkyGrid()
    parts, labels, scenes, lights = [], [], [], []
    minutes = simulate_minutes(
        [seed, number], draw_start(rng), n_minutes, script=[(scene, n_minutes)], lowest_deg=LOWEST_DEG
    )
    for minute in minutes:
        parts.append(reduce_frames(minute.images, minute.times, grid))
        labels.append(minute.labels)
        scenes.append(np.asarray(minute.scenes, dtype=str))
        # The simulator may move sun and moon to suit a scene, so theirs are its own, not the almanac's.
        lights.append(
            np.stack([minute.truth[f.name.replace("elevation", "elevation_deg")] for f in SUN_MOON], axis=1)
        )
    rows = window_features(Reduced.concatenate(parts))
    if rng.random() > UNKNOWN_SITES:
        rows[:, -len(SUN_MOON) :] = np.concatenate(lights)
    return Dataset(rows, np.concatenate(labels), np.concatenate(scenes), np.full(len(rows), number))


def simulate_dataset(n_sites=N_SITES, n_minutes=MINUTES_A_SITE, seed=0, workers=None, progress=None):
    """Simulate many sites in processes; the result depends on the seed alone.

    Returns
    -------
    Dataset
        Sites in order.
    """
    progress = progress or (lambda done, total: None)
    parts = []
    with ProcessPoolExecutor(workers or os.cpu_count()) as pool:
        jobs = [pool.submit(simulate_site, number, seed, n_minutes) for number in range(n_sites)]
        for job in jobs:
            parts.append(job.result())
            progress(len(parts), n_sites)
    return Dataset(
        *(
            np.concatenate([getattr(p, name) for p in parts])
            for name in ("features", "labels", "scenes", "sites")
        )
    )


def split_by_site(dataset):
    """Training, calibration and test parts with no site in two of them."""
    turn = dataset.sites % OF_SITES
    test, calibration = np.isin(turn, TEST_SITES), np.isin(turn, CALIBRATION_SITES)
    return dataset[~test & ~calibration], dataset[calibration], dataset[test]


def fit_trees(dataset, seed=0):
    """Gradient-boosted trees on one dataset, classes balanced, no early stopping."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    model = HistGradientBoostingClassifier(
        max_iter=150,
        learning_rate=0.08,
        max_leaf_nodes=15,
        min_samples_leaf=15,
        l2_regularization=5.0,
        max_features=0.3,
        class_weight="balanced",
        early_stopping=False,
        random_state=seed,
    )
    # One thread: sums in one order, so that the same seed gives the same trees on any machine.
    with threadpool_limits(1):
        return model.fit(dataset.features, dataset.labels.astype(np.int64))


def fit_temperature(labels, probabilities):
    """Temperature that makes probabilities most likely on frames not trained on (Guo et al. 2017)."""
    logs = np.log(np.clip(probabilities, 1e-7, None))
    best, lowest = 1.0, np.inf
    for temperature in np.geomspace(0.3, 6.0, 121):
        z = logs / temperature
        z -= z.max(axis=1, keepdims=True)
        loss = np.mean(np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(z)), labels])
        if loss < lowest:
            best, lowest = float(temperature), loss
    return best


def steady_sites(probabilities, sites):
    """Probabilities steadied over time, each site by itself, its frames at the usual cadence."""
    steadied = np.empty_like(probabilities)
    for site in np.unique(sites):
        mine = np.flatnonzero(sites == site)
        times = np.datetime64(0, "us") + (np.arange(len(mine)) * CADENCE_S * 1e6).astype("timedelta64[us]")
        steadied[mine] = steady(probabilities[mine], times)
    return steadied


def apply_temperature(probabilities, temperature):
    """Probabilities raised to 1 / temperature and made to sum to one."""
    z = np.clip(probabilities, 1e-7, None) ** (1.0 / temperature)
    return z / z.sum(axis=1, keepdims=True)


def to_onnx(model, temperature, metadata):
    """The fitted model, tempered, as ONNX bytes with its contract in the metadata.

    Input ``features`` float32 (n, n_features), output ``probabilities`` float32 (n, 4).
    """
    import onnx
    from onnx import TensorProto, helper
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType

    with warnings.catch_warnings():
        # skl2onnx 1.20 hands protobuf booleans where it wants integers: 6 warns, 7 refuses.
        warnings.simplefilter("ignore")
        proto = convert_sklearn(
            model,
            initial_types=[("features", FloatTensorType([None, len(FEATURE_NAMES)]))],
            options={id(model): {"zipmap": False}},
            target_opset={"": 18, "ai.onnx.ml": 3},
        )
    graph = proto.graph
    for node in graph.node:
        for i, name in enumerate(node.output):
            if name == "probabilities":
                node.output[i] = "untempered"
    graph.initializer.extend(
        [
            helper.make_tensor("least", TensorProto.FLOAT, [], [1e-7]),
            helper.make_tensor("cold", TensorProto.FLOAT, [], [1.0 / temperature]),
        ]
    )
    graph.node.extend(
        [
            helper.make_node("Max", ["untempered", "least"], ["floored"]),
            helper.make_node("Log", ["floored"], ["logs"]),
            helper.make_node("Mul", ["logs", "cold"], ["tempered"]),
            helper.make_node("Softmax", ["tempered"], ["probabilities"], axis=1),
        ]
    )
    del graph.output[:]
    graph.output.append(
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, len(CLASSES)])
    )
    proto.graph.name = "pulsaurora"
    proto.producer_name, proto.producer_version = "pulsaurora", __version__
    for key, value in metadata.items():
        proto.metadata_props.add(key=f"pulsaurora.{key}", value=value)
    onnx.checker.check_model(proto)
    return proto.SerializeToString(deterministic=True)


def onnx_probabilities(content, features):
    """Run ONNX bytes on features."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return session.run(["probabilities"], {"features": np.ascontiguousarray(features, dtype=np.float32)})[0]


def train_simulated(
    out=None, *, n_sites=N_SITES, n_minutes=MINUTES_A_SITE, seed=0, workers=None, progress=None
):
    """Train the embedded kind of model on simulated skies.

    Parameters
    ----------
    out : path, optional
        Where to write the ONNX file; its card goes beside it.
    n_sites, n_minutes : int
        Simulated sites, and minutes of sky at each.
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
    if n_sites < OF_SITES:
        raise UsageError(f"{n_sites} sites cannot be split; {OF_SITES} or more can")
    dataset = simulate_dataset(n_sites, n_minutes, seed, workers, progress)
    train, calibration, test = split_by_site(dataset)
    missing = [name for label, name in enumerate(CLASSES) if label not in train.labels]
    if missing:
        raise UsageError(f"no frame to train on is {' or '.join(missing)}; simulate more sites or minutes")
    model = fit_trees(train[::EVERY], seed)
    temperature = fit_temperature(calibration.labels, model.predict_proba(calibration.features))
    expected = apply_temperature(model.predict_proba(test.features), temperature)
    scores = score_labels(test.labels, expected.argmax(axis=1))
    steadied = steady_sites(expected, test.sites)
    steadied_scores = score_labels(test.labels, steadied.argmax(axis=1))
    figures = {
        "macro_f1": round(scores.macro_f1, 4),
        "accuracy": round(scores.accuracy, 4),
        "pulsating_precision": round(float(scores.precision[3]), 4),
        "pulsating_recall": round(float(scores.recall[3]), 4),
        "calibration_error": round(calibration_error(test.labels, expected), 4),
        "temperature": round(temperature, 4),
        "steadied_macro_f1": round(steadied_scores.macro_f1, 4),
        "steadied_pulsating_precision": round(float(steadied_scores.precision[3]), 4),
        "steadied_pulsating_recall": round(float(steadied_scores.recall[3]), 4),
        "steadied_calibration_error": round(calibration_error(test.labels, steadied), 4),
    }
    trained_on = (
        f"simulated skies only: {n_sites} sites of {n_minutes} minutes, seed {seed}, {len(train)} frames "
        f"to train, {len(calibration)} to calibrate, {len(test)} to test, no site in two of them; "
        "no real labelled frame"
    )
    metadata = {
        "kind": "features",
        "classes": json.dumps(CLASSES),
        "feature_names": json.dumps(FEATURE_NAMES),
        "feature_version": str(FEATURE_VERSION),
        "window_s": str(WINDOW_S),
        "trained_on": trained_on,
        "scores": json.dumps(figures),
    }
    content = to_onnx(model, temperature, metadata)
    difference = np.abs(onnx_probabilities(content, test.features) - expected).max(axis=1)
    figures["onnx_disagrees"] = float(np.mean(difference > 1e-3))
    trained = TrainedModel(
        content, figures, _card(content, trained_on, scores, steadied_scores, figures, test, steadied)
    )
    if out is not None:
        trained.write(out)
    return trained


def _card(content, trained_on, scores, steadied_scores, figures, test, probabilities):
    predicted = probabilities.argmax(axis=1)
    table = pd.DataFrame(
        {
            "scene": test.scenes,
            "true": test.labels,
            "right": predicted == test.labels,
            "pulsating": predicted == 3,
        }
    )
    by_scene = table.groupby("scene").agg(
        true=("true", lambda t: CLASSES[int(t.mode()[0])]),
        frames=("right", "size"),
        right=("right", "mean"),
        pulsating=("pulsating", "mean"),
    )
    rows = "\n".join(
        f"| {s} | {r.true} | {r.frames} | {r.right:.3f} | {r.pulsating:.3f} |" for s, r in by_scene.iterrows()
    )
    return f"""# Card of the embedded features model

**Trained on {trained_on}.**
How it does on real skies has not been shown, beyond the real overcast frames that the tests use.

- sha256 `{hashlib.sha256(content).hexdigest()}`
- pulsaurora {__version__}, feature version {FEATURE_VERSION}, window {WINDOW_S:.0f} s
- gradient-boosted trees (scikit-learn), tempered on sites left out (temperature {figures["temperature"]})
- expected calibration error on test sites {figures["calibration_error"]}
- rows on which ONNX and scikit-learn differ by more than 0.001: {figures["onnx_disagrees"]:.5f} of all

Made again by `make model`; the same seed gives the same file.

## Scores on simulated sites left out, as `classify` gives labels: steadied over time

{steadied_scores.markdown()}
Expected calibration error {figures["steadied_calibration_error"]}.

## The same, each frame by itself

{scores.markdown()}

## By scene, steadied

| scene | truth | frames | right | called pulsating |
|---|---|---:|---:|---:|
{rows}
"""
