"""Training on simulated skies: nothing leaks between sites, ONNX says what was fitted, seeds repeat."""

import warnings

import numpy as np
import pytest

from pulsaurora.classification import training
from pulsaurora.classification.candidates import fit_networks, fit_trees
from pulsaurora.classification.dataset import Dataset, split_by_site
from pulsaurora.classification.evaluation import calibration_error, score_labels
from pulsaurora.classification.model import load_model
from pulsaurora.classification.onnxmodel import onnx_probabilities, temper, to_onnx
from pulsaurora.problems import UsageError
from pulsaurora.pulsation.table import FEATURE_NAMES

pytest.importorskip("skl2onnx", reason="training needs the train extra")


@pytest.fixture(scope="module")
def dataset():
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 5, 2400).astype(np.int8)
    features = rng.normal(size=(2400, len(FEATURE_NAMES))).astype(np.float32)
    features[:, 5] += 1.5 * labels
    features[:, 9] -= 2.0 * (labels == 3)
    names = rng.choice(["after_rain", "before_rain"], 2400)  # each a scene of every class
    return Dataset(features, labels, names, np.arange(2400) // 100, rng.random(2400) < 0.9)


def test_no_site_is_in_two_parts(dataset):
    parts = split_by_site(dataset)
    assert sum(map(len, parts)) == len(dataset)
    sites = [set(part.sites) for part in parts]
    assert all(sites) and not (sites[0] & sites[1] or sites[0] & sites[2] or sites[1] & sites[2])


@pytest.mark.parametrize("kinds", [("trees",), ("networks",), ("networks", "trees")], ids="+".join)
def test_the_onnx_file_says_what_was_fitted(dataset, kinds):
    fit = {"trees": fit_trees, "networks": lambda d, seed: fit_networks(d, seed, 3, epochs=2, by_scene=True)}
    models = [fit[kind](dataset, seed=1) for kind in kinds]
    content = to_onnx(models, 1.7, {"kind": "features"})
    mean = np.mean([model.predict_proba(dataset.features) for model in models], axis=0)
    tempered = mean ** (1 / 1.7)
    tempered /= tempered.sum(axis=1, keepdims=True)
    expected = tempered[:, :4] + tempered[:, 4:] / 4
    found = onnx_probabilities(content, dataset.features)
    # Thresholds are rounded to float32, so a row in some thousands can fall on the other side of one.
    assert np.mean(np.abs(found - expected).max(axis=1) > 1e-4) < 2e-3
    again = to_onnx([fit[kind](dataset, seed=1) for kind in kinds], 1.7, {"kind": "features"})
    assert content == again


def test_networks_say_what_scikit_learn_says(dataset):
    from sklearn.neural_network import MLPClassifier

    networks = fit_networks(
        dataset, seed=2, n_networks=1, hidden=(8, 6), epochs=3, penalty=0.1, by_scene=True
    )
    rows = 3 * networks.squash(dataset.features)
    model = MLPClassifier((8, 6), alpha=0.1, batch_size=256, max_iter=3, random_state=2000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(rows, 2 * dataset.labels.astype(int) + (dataset.scenes == "before_rain"))
    scenes = model.predict_proba(rows)
    assert scenes.shape[1] == 10
    np.testing.assert_allclose(
        networks.predict_proba(dataset.features), scenes[:, ::2] + scenes[:, 1::2], atol=1e-4
    )


def test_networks_tell_labels_alone_unless_asked_for_scenes(dataset):
    # Scenes of labelled real frames are their nights.
    networks = fit_networks(dataset[dataset.labels < 4], n_networks=1, hidden=(8, 6), epochs=2)
    np.testing.assert_array_equal(networks.members, np.eye(4))


def test_sites_left_out_are_watched_for_longer_than_those_learned_from():
    from pulsaurora.classification.dataset import simulate_dataset

    sites = simulate_dataset(5, 2, seed=1, workers=2, minutes_to_learn=1).sites
    lengths = np.bincount(sites)
    assert lengths[[0, 3]].min() > 30 > 25 > lengths[[1, 2, 4]].max()


def test_what_is_unlike_any_sky_speaks_for_no_class():
    said = np.array([[0.1, 0.1, 0.1, 0.1, 0.6], [0.7, 0.1, 0.1, 0.1, 0.0]])
    np.testing.assert_allclose(temper(said, 1.0), [[0.25] * 4, [0.7, 0.1, 0.1, 0.1]], atol=1e-6)


def test_runaway_features_are_held(dataset):
    networks = fit_networks(dataset, n_networks=2, epochs=2)
    far = np.full((1, len(FEATURE_NAMES)), 1e12, np.float32)
    assert np.isfinite(networks.predict_proba(far)).all()


def test_temperature_undoes_what_made_probabilities_too_sure():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(20000, 4))
    honest = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = np.array([rng.choice(4, p=p) for p in honest])
    sure = temper(honest, 1 / 2.5)
    assert training.fit_temperature(labels, sure) == pytest.approx(2.5, rel=0.08)
    assert calibration_error(labels, sure) > 0.1
    assert calibration_error(labels, temper(sure, 2.5)) < 0.02


def test_training_writes_a_model_that_loads_with_a_card_that_says_what_it_is(tmp_path):
    out = tmp_path / "model.onnx"
    trained = training.train_simulated(out, n_sites=36, n_minutes=1, seed=1, workers=2)
    model = load_model(out)
    assert model.kind == "features" and tuple(model.feature_names) == FEATURE_NAMES
    assert out.read_bytes() == trained.onnx
    probabilities = model.predict(np.zeros((3, len(FEATURE_NAMES)), np.float32))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    card = out.with_suffix(".md").read_text()
    assert "simulated skies only: 36 sites" in card and "not been shown" in card


def test_too_few_sites_are_refused():
    with pytest.raises(UsageError, match="5 sites cannot be split"):
        training.train_simulated(n_sites=5)


def test_scores_worked_by_hand():
    truth = [0, 0, 1, 2, 3, 3, 3, -1]
    said = [0, 1, 1, 2, 3, 3, 2, 3]
    scores = score_labels(truth, said)
    assert scores.accuracy == pytest.approx(5 / 7)
    np.testing.assert_allclose(scores.precision, [1, 1 / 2, 1 / 2, 1])
    np.testing.assert_allclose(scores.recall, [1 / 2, 1, 1, 2 / 3])
    np.testing.assert_allclose(scores.f1, [2 / 3, 2 / 3, 2 / 3, 4 / 5])
    assert scores.macro_f1 == pytest.approx((2 / 3 * 3 + 4 / 5) / 4)
    assert score_labels([], []).accuracy == 0.0
    assert calibration_error([0, 1], [[0.75, 0.25], [0.75, 0.25]], n_bins=4) == pytest.approx(0.25)
