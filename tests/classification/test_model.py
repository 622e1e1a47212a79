"""Models: what is predicted, and what is refused and in which words."""

import json
import os
import resource
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime
import pytest
import tinymodel
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from pulsaurora.classes import CLASSES
from pulsaurora.classification import model as model_module
from pulsaurora.classification.model import load_model
from pulsaurora.classification.onnxfile import why_refused
from pulsaurora.problems import ContractError
from pulsaurora.pulsation.table import FEATURE_NAMES


@pytest.fixture
def features_model(tmp_path):
    return tinymodel.save(tinymodel.features_proto(), tmp_path / "tiny.onnx")


def rows(n, seed=0):
    return np.random.default_rng(seed).normal(size=(n, len(FEATURE_NAMES))).astype(np.float32)


def test_a_features_model_predicts_what_its_arithmetic_says(features_model, monkeypatch):
    model = load_model(features_model)
    assert (model.kind, model.classes, model.feature_names) == ("features", CLASSES, tuple(FEATURE_NAMES))
    assert len(model.sha256) == 64 and model.card["trained_on"] == "nothing: made up for tests"
    expected = tinymodel.softmax(rows(50) @ tinymodel.weights())
    for rows_a_call in (4096, 7):
        monkeypatch.setattr(model_module, "ROWS_A_CALL", rows_a_call)
        found = model.predict(rows(50))
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=1e-6)
    assert model.predict(rows(0)).shape == (0, 4)


def test_threads_share_a_model(features_model):
    model = load_model(features_model)
    parts = [rows(40, seed) for seed in range(16)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(model.predict, parts))
    for part, probabilities in zip(parts, found, strict=True):
        np.testing.assert_array_equal(probabilities, model.predict(part))


def test_rows_without_a_number_are_nan_and_harm_no_other(features_model):
    told = rows(9)
    told[4] = np.nan
    found = load_model(features_model).predict(told)
    assert np.isnan(found[4]).all()
    expected = load_model(features_model).predict(rows(9))
    np.testing.assert_allclose(np.delete(found, 4, 0), np.delete(expected, 4, 0))


NAMES = list(FEATURE_NAMES)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"kind": None}, "pulsaurora.kind is None, expected 'features' or 'image'"),
        ({"kind": "pickle"}, "pulsaurora.kind is 'pickle'"),
        ({"classes": None}, "pulsaurora.classes must be a JSON list"),
        ({"classes": "[1, 2]"}, "pulsaurora.classes must be a JSON list"),
        ({"classes": "[" * 100_000}, "pulsaurora.classes must be a JSON list"),
        (
            {"classes": json.dumps(CLASSES[::-1])},
            r"its classes are \['pulsating', .*expected \['bad_viewing'",
        ),
        ({"feature_names": json.dumps([*NAMES[1:], NAMES[0]])}, "its features come in another order"),
        (
            {"feature_names": json.dumps(["gamma", *NAMES[1:]])},
            r"asks for \['gamma'\], which are not computed",
        ),
        ({"feature_names": json.dumps(NAMES[1:])}, rf"was not given \['{NAMES[0]}'\]"),
        ({"feature_version": "0"}, "features are of version '0'"),
        ({"window_s": "60"}, "its window is 60 s, expected 120 s"),
        ({"window_s": None}, "pulsaurora.window_s must be a number"),
    ],
)
def test_a_contract_that_does_not_match_is_refused_with_what_differs(tmp_path, changed, said):
    metadata = {key: value for key, value in (tinymodel.METADATA | changed).items() if value is not None}
    path = tinymodel.save(tinymodel.features_proto(metadata=metadata), tmp_path / "other.onnx")
    with pytest.raises(ContractError, match=said) as refused:
        load_model(path)
    assert "other.onnx" in str(refused.value)


def test_shapes_that_do_not_match_are_refused(tmp_path, features_model):
    wide = np.zeros((len(NAMES) + 1, 4), np.float32)
    for proto, said in (
        (tinymodel.features_proto(wide), "it takes .* expected one float32 input of shape"),
        (tinymodel.features_proto(shape=[1, len(NAMES)]), "n free"),
        (
            tinymodel.features_proto(
                outputs=[
                    helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4])
                    for name in ("probabilities", "scores")
                ]
            ),
            "has 2 outputs of float32",
        ),
        (tinymodel.image_proto(tinymodel.METADATA), "it takes"),
        (tinymodel.features_proto(metadata=tinymodel.IMAGE_METADATA), "it takes"),
    ):
        with pytest.raises(ContractError, match=said):
            load_model(tinymodel.save(proto, tmp_path / "other.onnx"))
    with pytest.raises(ContractError, match=rf"takes arrays of shape \('n', {len(NAMES)}\), got \(3, 5\)"):
        load_model(features_model).predict(np.zeros((3, 5)))


def test_scores_that_are_no_probabilities_are_refused(tmp_path):
    nodes = [helper.make_node("MatMul", ["features", "matrix"], ["probabilities"])]
    path = tinymodel.save(tinymodel.features_proto(nodes=nodes), tmp_path / "logits.onnx")
    with pytest.raises(ContractError, match="logits.onnx: what comes out are no probabilities"):
        load_model(path)
    three = tinymodel.features_proto(
        tinymodel.weights()[:, :3],
        outputs=[helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 3])],
    )
    path = tinymodel.save(three, tmp_path / "three.onnx")
    with pytest.raises(ContractError, match="three.onnx: has 0 outputs of float32"):
        load_model(path)


def test_files_that_are_no_models_are_refused_by_name(tmp_path, features_model, monkeypatch):
    whole = features_model.read_bytes()
    for name, content in (
        ("text.onnx", b"location: nowhere\n" * 20),
        ("empty.onnx", b""),
        ("cut.onnx", whole[: len(whole) // 2]),
        ("pickle.onnx", b"\x80\x04\x95location."),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ContractError, match=name):
            load_model(tmp_path / name)
    for path in (tmp_path, tmp_path / "none.onnx"):
        with pytest.raises(ContractError, match=path.name):
            load_model(path)
    monkeypatch.setattr(model_module, "MAX_BYTES", 100)
    with pytest.raises(ContractError, match="more than the 100 a model may have"):
        load_model(features_model)


def test_operators_from_elsewhere_are_refused(tmp_path):
    nodes = [helper.make_node("Anything", ["features"], ["probabilities"], domain="evil.example")]
    proto = tinymodel.features_proto(nodes=nodes)
    proto.opset_import.append(helper.make_opsetid("evil.example", 1))
    path = tmp_path / "custom.onnx"
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(ContractError, match="custom.onnx"):
        load_model(path)


def outside(name, place):
    """A tensor that lies in another file."""
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[len(NAMES), 4], data_location=1)
    tensor.external_data.add(key="location", value=str(place))
    return tensor


def test_models_that_name_other_files_are_refused(tmp_path, monkeypatch):
    secret = tmp_path / "secret.bin"
    secret.write_bytes(tinymodel.weights().tobytes())
    monkeypatch.chdir(tmp_path)  # where the runtime would look for a relative name
    softmax = helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1)
    constant = [
        helper.make_node("Constant", [], ["numbers"], value=outside("numbers", "secret.bin")),
        helper.make_node("MatMul", ["features", "numbers"], ["scores"]),
        softmax,
    ]
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 4])
    inner = helper.make_graph(constant[:2], "inner", [], [scores])
    branch = helper.make_node("If", ["yes"], ["scores"], then_branch=inner, else_branch=inner)
    yes = numpy_helper.from_array(np.array(True), "yes")
    protos = [
        tinymodel.features_proto(nodes=constant),
        tinymodel.features_proto(nodes=[branch, softmax], initializers=[yes]),
    ]
    for place in ("secret.bin", secret):
        proto = tinymodel.features_proto()
        proto.graph.initializer[0].CopyFrom(outside("matrix", place))
        protos.append(proto)
    for proto in protos:
        path = tmp_path / "nosy.onnx"
        path.write_bytes(proto.SerializeToString())
        with pytest.raises(ContractError, match="nosy.onnx: keeps numbers in other files"):
            load_model(path)


MULTIPLY = helper.make_node("MatMul", ["features", "matrix"], ["given"])
SOFTMAX = helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1)


def refused_soon(tmp_path, nodes, numbers, said):
    """A model that asks for much is refused in a moment and takes little."""
    path = tmp_path / "greedy.onnx"
    path.write_bytes(tinymodel.features_proto(nodes=nodes, initializers=numbers).SerializeToString())
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    with pytest.raises(ContractError, match=f"greedy.onnx.*{said}"):
        load_model(path)
    assert time.monotonic() - began < 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 600_000


def test_loops_and_growing_texts_are_refused(tmp_path):
    numbers = [
        numpy_helper.from_array(np.array(value), name) for value, name in ((True, "yes"), (2**62, "turns"))
    ]
    infos = [
        helper.make_tensor_value_info(name, kind, shape)
        for name, kind, shape in (
            ("turn", TensorProto.INT64, []), ("go", TensorProto.BOOL, []), ("x", TensorProto.FLOAT, ["n", 4]),
            ("on", TensorProto.BOOL, []), ("y", TensorProto.FLOAT, ["m", 4]),
        )
    ]  # fmt: skip
    turns = [helper.make_node("Identity", ["go"], ["on"])]
    turns += [helper.make_node("Concat", ["x", "x"], ["y"], axis=0)]
    body = helper.make_graph(turns, "body", infos[:3], infos[3:])
    loop = helper.make_node("Loop", ["turns", "yes", "given"], ["scores"], body=body)
    refused_soon(tmp_path, [MULTIPLY, loop, SOFTMAX], numbers, "the operator Loop, which may never end")
    branch = helper.make_graph([loop], "inner", [], [helper.make_tensor_value_info("scores", 1, ["n", 4])])
    hidden = helper.make_node("If", ["yes"], ["scores"], then_branch=branch, else_branch=branch)
    refused_soon(tmp_path, [MULTIPLY, hidden, SOFTMAX], numbers, "the operator Loop")
    text = helper.make_node("StringConcat", ["a", "a"], ["b"])
    refused_soon(tmp_path, [MULTIPLY, text, SOFTMAX], [], "the operator StringConcat")


@pytest.mark.parametrize("constant", [True, False], ids=["of numbers in the file", "of what is fed"])
def test_giant_arrays_take_no_memory(tmp_path, constant):
    ones = np.ones(50_000, np.float32)
    numbers = [numpy_helper.from_array(ones[:, None], "tall"), numpy_helper.from_array(ones[None], "wide")]
    first = [] if constant else [
        helper.make_node("ReduceMean", ["given"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["tall", "mean"], ["tall_now"]),
    ]  # fmt: skip
    giant = [
        helper.make_node("Mul", ["tall" if constant else "tall_now", "wide"], ["giant"]),
        helper.make_node("ReduceMean", ["giant"], ["one"], keepdims=0),
        helper.make_node("Add", ["given", "one"], ["scores"]),
    ]
    refused_soon(tmp_path, [MULTIPLY, *first, *giant, SOFTMAX], numbers, "Available memory .* is smaller")


def test_arrays_that_double_take_no_more_than_the_limit(tmp_path):
    doubled = [helper.make_node("Concat", [f"d{i}"] * 2, [f"d{i + 1}"], axis=0) for i in range(40)]
    nodes = [MULTIPLY, helper.make_node("Identity", ["given"], ["d0"]), *doubled]
    nodes += [helper.make_node("ReduceMean", ["d40"], ["one"], keepdims=0)]
    nodes += [helper.make_node("Add", ["given", "one"], ["scores"]), SOFTMAX]
    path = tinymodel.save(tinymodel.features_proto(nodes=nodes), tmp_path / "greedy.onnx")
    # The limit holds for a process, and what was taken up to it stays taken.
    program = (
        "import resource\n"
        "from pulsaurora.classification import model\n"
        "model.MAX_ARENA_BYTES = 256 << 20\n"
        "model.load_model()\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        f"try: model.load_model({str(path)!r})\n"
        "except model.ContractError as error: print(error)\n"
        "assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000\n"
    )
    child = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stderr
    assert "greedy.onnx: the model failed to run" in child.stdout and "is smaller" in child.stdout


def test_endless_work_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(model_module, "MAX_SECONDS", 1)
    square = numpy_helper.from_array(np.eye(900, dtype=np.float32), "square")
    names = ["square", *(f"s{i}" for i in range(1, 2001))]
    chain = [helper.make_node("MatMul", [names[i], "square"], [names[i + 1]]) for i in range(2000)]
    last = [helper.make_node("ReduceMin", ["s2000"], ["one"], keepdims=0)]
    last += [helper.make_node("Add", ["given", "one"], ["scores"])]
    refused_soon(tmp_path, [MULTIPLY, *chain, *last, SOFTMAX], [square], "given up after 1 s")


def test_the_runtimes_own_format_is_refused(tmp_path, features_model):
    """It may name other files and go in loops as well, out of sight of what looks for that in ONNX files."""
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.save_model_format", "ORT")
    options.optimized_model_filepath = str(tmp_path / "model.ort")
    onnxruntime.InferenceSession(features_model, options, providers=["CPUExecutionProvider"])
    path = (tmp_path / "model.ort").rename(tmp_path / "other.onnx")
    assert path.read_bytes()[4:8] == b"ORTM"
    with pytest.raises(ContractError, match="other.onnx: is no ONNX model"):
        load_model(path)


def test_a_model_that_only_speaks_of_locations_is_taken(tmp_path):
    proto = tinymodel.features_proto()
    proto.doc_string = "location"
    proto.graph.node[0].name = "Loop/location"
    assert why_refused(proto.SerializeToString()) is None
    load_model(tinymodel.save(proto, tmp_path / "tiny.onnx"))


@settings(max_examples=150)
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=8), st.booleans())
def test_mutated_models_are_refused_or_run(tmp_path_factory, changes, nosy):
    proto = tinymodel.features_proto()
    if nosy:
        proto.doc_string = "location"
    data = bytearray(proto.SerializeToString())
    for at, value in changes:
        data[at % len(data)] = value
    path = tmp_path_factory.mktemp("mutated") / "mutated.onnx"
    path.write_bytes(data)
    try:
        probabilities = load_model(path).predict(rows(3))
    except ContractError as error:
        assert "mutated.onnx" in str(error)
    else:
        assert probabilities.shape == (3, 4)


def test_an_image_model_sees_equalised_masked_small_images(tmp_path, monkeypatch):
    cv2 = pytest.importorskip("cv2", reason="OpenCV is the oracle for the image input")
    model = load_model(tinymodel.save(tinymodel.image_proto(), tmp_path / "image.onnx"))
    images = np.random.default_rng(0).normal(3600, 300, (5, 256, 256)).astype(np.uint16)
    visible = np.hypot(*np.mgrid[-128:128, -128:128]) < 110
    clahe = cv2.createCLAHE(3.0, (8, 8))
    expected = []
    for image in images:
        grey = cv2.convertScaleAbs(clahe.apply(image), alpha=255 / 65535)
        grey[~visible] = 0
        expected.append(cv2.resize(grey, (224, 224), interpolation=cv2.INTER_LINEAR))
    expected = np.stack(expected)

    from pulsaurora.classification.image_input import image_input

    prepared = image_input(images, visible)
    assert prepared.shape == (5, 224, 224, 3) and prepared.dtype == np.float32
    # OpenCV rounds its weights in ways that differ between processors, by one count at most.
    assert np.abs(prepared - expected[..., None]).max() <= 1
    assert np.mean(prepared != expected[..., None]) < 0.01
    colour = np.repeat(expected.mean(axis=(1, 2))[:, None], 3, axis=1)
    for images_a_call in (32, 2):
        monkeypatch.setattr(model_module, "IMAGES_A_CALL", images_a_call)
        found = model.predict_images(images, visible)
        np.testing.assert_allclose(found, tinymodel.softmax(colour @ tinymodel.weights(3) / 100), atol=1e-3)


def test_nothing_is_printed(tmp_path, features_model, capfd):
    load_model(features_model).predict(rows(2))
    data = bytearray(features_model.read_bytes())
    data[data.index(b"probabilities")] = 0xFF
    (tmp_path / "odd.onnx").write_bytes(data)
    with pytest.raises(ContractError):
        load_model(tmp_path / "odd.onnx")
    assert capfd.readouterr() == ("", "")
    assert sorted(os.listdir(tmp_path)) == ["odd.onnx", "tiny.onnx"]
