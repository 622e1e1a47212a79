"""Training on simulated skies: nothing leaks between sites, ONNX says what was fitted, seeds repeat."""

import dataclasses
import multiprocessing
import time
import warnings

import numpy as np
import pytest
import scipy.special
import threadpoolctl

from pulsaurora.classification import candidates, training
from pulsaurora.classification import dataset as dataset_module
from pulsaurora.classification.candidates import fit_all, fit_trees
from pulsaurora.classification.dataset import (
    EFFORT,
    PARTS,
    SHORTEST_PART,
    Dataset,
    even_rows,
    scene_shares,
    simulate_site,
    split_by_site,
)
from pulsaurora.classification.evaluation import calibration_error, score_labels
from pulsaurora.classification.model import load_model
from pulsaurora.classification.networks import Lessons, fit_networks, gradients, learn
from pulsaurora.classification.onnxmodel import onnx_probabilities, temper, to_onnx
from pulsaurora.classification.trainedmodel import pooled_probabilities
from pulsaurora.problems import UsageError
from pulsaurora.pulsation.looks import look_row
from pulsaurora.pulsation.reduction import reduce_frames
from pulsaurora.pulsation.table import FEATURE_NAMES, N_HIDDEN

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


@pytest.mark.parametrize(
    ("kinds", "shares"),
    [
        (("trees",), None),
        (("networks",), None),
        (("networks", "trees"), None),
        (("networks", "trees"), (2, 1)),
    ],
)
def test_the_onnx_file_says_what_was_fitted(dataset, kinds, shares):
    fit = {
        "trees": lambda d, seed: fit_trees(d, seed, 40),
        "networks": lambda d, seed: fit_networks(d, seed, 3, epochs=2, by_scene=True),
    }
    models = [fit[kind](dataset, seed=1) for kind in kinds]
    content = to_onnx(models, 1.7, {"kind": "features"}, shares)
    counted = shares or [1] * len(models)
    product = np.prod(
        [np.clip(m.predict_proba(dataset.features), 1e-7, None).astype(float) ** n
         for n, m in zip(counted, models, strict=True)],
        axis=0,
    )  # fmt: skip
    together = product ** (1 / sum(counted))
    together /= together.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(
        pooled_probabilities(models, dataset.features, shares), together, rtol=1e-5, atol=1e-7
    )
    tempered = together ** (1 / 1.7)
    tempered /= tempered.sum(axis=1, keepdims=True)
    expected = tempered[:, :4] + tempered[:, 4:] / 4
    found = onnx_probabilities(content, dataset.features)
    # Thresholds are rounded to float32, so a row in some thousands can fall on the other side of one.
    assert np.mean(np.abs(found - expected).max(axis=1) > 1e-4) < 2e-3
    again = to_onnx([fit[kind](dataset, seed=1) for kind in kinds], 1.7, {"kind": "features"}, shares)
    assert content == again


def lessons(rng, n=40, n_quantities=3):
    kinds = rng.dirichlet(np.ones(4), n).astype(np.float32)
    quantities = rng.normal(size=(n, n_quantities)).astype(np.float32)
    return Lessons(rng.normal(size=(n, 6)).astype(np.float32), kinds, quantities, np.ones(n, np.float32))


def test_networks_learn_along_the_slope_of_their_loss():
    rng = np.random.default_rng(4)
    taught = lessons(rng)
    network = [
        (rng.normal(size=shape).astype(np.float32), rng.normal(size=shape[1]).astype(np.float32))
        for shape in ((6, 5), (5, 8), (8, 7))
    ]

    def loss(network):
        x = taught.rows.astype(float)
        for weights, offsets in network[:-1]:
            x = np.clip(x @ weights + offsets, 0, None)
        x = x @ network[-1][0] + network[-1][1]
        said = x[:, :4] - np.log(np.exp(x[:, :4]).sum(axis=1))[:, None]
        missed = ((x[:, 4:] - taught.quantities) ** 2).sum(axis=1)
        squares = sum((weights.astype(float) ** 2).sum() for weights, _ in network)
        return np.mean(0.7 / 2 * missed - (taught.kinds * said).sum(axis=1)) + 0.3 / 2 * squares / len(x)

    found = gradients(network, taught, penalty=0.3, heed=0.7)
    for k in range(3):
        for part in (0, 1):
            for place in (((0, 0), (3, 4)), ((0,), (4,)))[part]:
                sides = []
                for step in (1e-4, -1e-4):
                    moved = [[w.astype(float), b.astype(float)] for w, b in network]
                    moved[k][part][place] += step
                    sides.append(loss(moved))
                slope = (sides[0] - sides[1]) / 2e-4
                assert found[k][part][place] == pytest.approx(slope, abs=2e-3), (k, part, place)


def test_networks_step_as_those_of_scikit_learn():
    from sklearn.neural_network._stochastic_optimizers import AdamOptimizer

    rng = np.random.default_rng(5)
    taught = lessons(rng, n=8)
    start = learn(taught, (5,), 7, penalty=0.1, epochs=0)
    network = learn(taught, (5,), 7, penalty=0.1, epochs=2, batch=8, rate=0.01)
    expected = [value.copy() for layer in start for value in layer]
    adam = AdamOptimizer(expected, 0.01)
    for falling in (1.0, 0.5):  # a cosine's, in two steps
        pairs = list(zip(expected[::2], expected[1::2], strict=True))
        adam.learning_rate_init = 0.01 * falling
        adam.update_params(expected, [g for layer in gradients(pairs, taught, 0.1) for g in layer])
    for value, wanted in zip([v for layer in network for v in layer], expected, strict=True):
        np.testing.assert_allclose(value, wanted, atol=2e-6)


def test_networks_learn_as_well_as_those_of_scikit_learn(dataset):
    from sklearn.neural_network import MLPClassifier

    networks = fit_networks(dataset, n_networks=1, hidden=(64, 32), epochs=60, penalty=0.1, blur=0.0)
    rows = 3 * networks.squash(dataset.features)
    model = MLPClassifier((64, 32), alpha=0.1, batch_size=256, max_iter=60, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(rows, dataset.labels)

    def loss(probabilities):
        return -np.log(probabilities[np.arange(2400), dataset.labels]).mean()

    assert loss(networks.predict_proba(dataset.features)) < loss(model.predict_proba(rows)) + 0.05 < 0.15


def test_networks_say_of_a_class_what_they_say_of_its_scenes(dataset):
    networks = fit_networks(dataset, seed=2, n_networks=2, hidden=(8, 6), epochs=1, by_scene=True)
    assert networks.members.shape == (10, 5)  # before and after rain, each of every class
    np.testing.assert_array_equal(networks.members.sum(axis=0), np.full(5, 2))
    x = np.stack([networks.squash(dataset.features)] * 2)
    for k in range(3):
        weights = np.stack([network[k][0] for network in networks.layers])
        offsets = np.stack([network[k][1] for network in networks.layers])
        x = np.einsum("nri,nio->nro", x if k == 0 else x * (x > 0), weights) + offsets[:, None]
    scenes = scipy.special.softmax(x, axis=2).mean(axis=0)
    expected = scenes.reshape(-1, 2, 5).sum(axis=1)  # kinds are ordered by scene
    np.testing.assert_allclose(networks.predict_proba(dataset.features), expected, atol=1e-5)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_networks_shared_out_over_processes_are_those_of_one(dataset, workers):
    options = {"n_networks": 3, "hidden": (8, 6), "epochs": 1, "by_scene": True}
    alone = fit_networks(dataset, seed=3, **options)
    tasks = [("trees", dataset, 3, {"n_rounds": 2}), ("networks", dataset, 3, options)]
    done = []
    trees, shared = fit_all(tasks, workers, lambda: done.append(None))
    assert len(done) == 2 and len(shared.layers) == 3
    rows = dataset.features
    np.testing.assert_array_equal(shared.predict_proba(rows), alone.predict_proba(rows))
    np.testing.assert_array_equal(
        trees.predict_proba(rows), fit_trees(dataset, 3, n_rounds=2).predict_proba(rows)
    )


@pytest.mark.skipif(multiprocessing.get_start_method() != "fork", reason="a kind made up here is not met")
def test_where_one_cannot_be_fitted_those_not_begun_are_not(tmp_path, monkeypatch):
    def begin(dataset, seed, n):
        (tmp_path / f"{n}").touch()
        if n == 0:
            raise ValueError("as it happens")
        time.sleep(0.2)

    monkeypatch.setitem(candidates.KINDS, "made up", begin)
    with pytest.raises(ValueError, match="as it happens"):
        list(fit_all([("made up", None, 0, {"n": n}) for n in range(30)], workers=1))
    assert 1 <= len(list(tmp_path.iterdir())) < 30


def test_what_people_say_and_quantities_shape_what_is_learned(dataset):
    people = np.full((len(dataset), 5), 0.2, np.float32)
    unsure = dataclasses.replace(dataset, people=people)
    quantities = np.stack([dataset.labels, np.where(dataset.labels == 4, np.nan, 1)], axis=1)
    told = dataclasses.replace(dataset, quantities=quantities.astype(np.float32))
    first, torn, led = (fit_networks(d, 0, 1, (8, 6), epochs=100) for d in (dataset, unsure, told))
    tops = [n.predict_proba(dataset.features).max(axis=1).mean() for n in (first, torn)]
    assert tops[1] < tops[0] - 0.05
    assert led.layers[0][-1][0].shape == first.layers[0][-1][0].shape == (6, 5)
    assert np.isfinite(led.predict_proba(dataset.features)).all()
    assert not np.allclose(led.layers[0][0][0], first.layers[0][0][0])


def test_rows_are_taken_by_their_weight():
    assert even_rows(np.ones(12), 5).tolist() == [0, 5, 10]
    assert even_rows(np.ones(12), 5, 3).tolist() == [3, 8]
    assert even_rows(np.ones(4), 1).tolist() == [0, 1, 2, 3]
    weights = np.repeat([0.5, 2.0], 1000).astype(np.float32)
    rows = np.concatenate([even_rows(weights, 5, phase) for phase in range(5)])
    taken = np.bincount(rows, minlength=2000)
    assert taken[:1000].sum() == pytest.approx(500, abs=5)
    assert taken[1000:].sum() == pytest.approx(2000, abs=5)
    assert set(taken[1010:1990]) == {2} and set(taken[:1000]) == {0, 1}


def test_networks_tell_labels_alone_unless_asked_for_scenes(dataset):
    # Scenes of labelled real frames are their nights.
    networks = fit_networks(dataset[dataset.labels < 4], n_networks=1, hidden=(8, 6), epochs=2)
    np.testing.assert_array_equal(networks.members, np.eye(4))


def test_sites_left_out_are_watched_for_longer_than_those_learned_from():
    from pulsaurora.classification.dataset import simulate_dataset

    sites = simulate_dataset(5, 2, seed=1, workers=2, minutes_to_learn=1).sites
    lengths = np.bincount(sites)
    assert lengths[[0, 4]].min() > 30 > 25 > lengths[[1, 2, 3]].max()


def test_sites_that_teach_show_hard_scenes_more_often_and_weights_make_up_for_it():
    names, plain = scene_shares(False)
    _, taught = scene_shares(True)
    assert set(EFFORT) <= set(names)
    hard, easy = names.index("clear_few_clouds"), names.index("overcast")
    assert taught[hard] > 1.5 * plain[hard] and taught[easy] < 0.6 * plain[easy]
    sites = [simulate_site(number, 8, 1, odd_share=0.3, teach=True) for number in range(10)]
    odd = [site.scenes[0] == "unlike_any_sky" for site in sites]
    assert any(odd) and not all(odd)
    for site, is_odd in zip(sites, odd, strict=True):
        np.testing.assert_array_equal(site.weights, site.weights[0])
        if is_odd:
            assert site.weights[0] == pytest.approx(0.3 / 0.15) and np.isnan(site.quantities).all()
            assert (site.people[:, 4] == 1).all()
        else:
            k = names.index(site.scenes[0])
            assert site.weights[0] == pytest.approx(plain[k] / taught[k] * 0.7 / 0.85, rel=1e-5)
            assert np.isfinite(site.quantities).all() and site.people[:, 4].max() == 0
            assert (site.sure == (site.people.max(axis=1) > 0.99)).all()


def test_sites_that_teach_show_looks_at_parts_of_their_frames_and_at_every_fourth(monkeypatch):
    kept = []

    def keep(images, times, grid):
        kept.append(reduce_frames(images, times, grid))
        return kept[-1]

    monkeypatch.setattr(dataset_module, "reduce_frames", keep)
    site = simulate_site(3, 8, 2, teach=True)
    (reduced,) = kept
    assert len(site) == 2 + PARTS and 36 <= len(reduced) <= 40
    # Sun and moon are told apart from the rest.
    sky = slice(0, -3)
    np.testing.assert_array_equal(site.features[0, sky], look_row(reduced)[sky])
    np.testing.assert_array_equal(site.features[-1, sky], look_row(reduced[::4], cadence_s=12.0)[sky])
    brightness = FEATURE_NAMES.index("brightness")
    means = np.cumsum(np.r_[0.0, reduced.structure[:, N_HIDDEN + brightness]])
    n = len(reduced)
    for row in site.features[1:-1]:
        lengths = [
            stop - start
            for start in range(n)
            for stop in range(start + SHORTEST_PART, n + 1)
            if abs((means[stop] - means[start]) / (stop - start) - row[brightness]) < 2e-6
        ]
        assert lengths
    assert len(np.unique(site.features[:, brightness])) > 2
    # One that does not teach gives a row a frame.
    frames = simulate_site(3, 8, 2)
    assert 36 <= len(frames) <= 40 and len(np.unique(frames.features[:, brightness])) <= 2


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


def test_sites_are_simulated_in_one_thread_each_as_other_numbers_sum_otherwise(monkeypatch):
    threads = []

    def simulated(*args, **kwargs):
        threads.extend(
            pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"
        )
        raise UsageError("enough")

    monkeypatch.setattr(training, "simulate_dataset", simulated)
    with threadpoolctl.threadpool_limits(2), pytest.raises(UsageError, match="enough"):
        training.train_simulated(n_sites=32)
    assert threads and set(threads) == {1}


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
