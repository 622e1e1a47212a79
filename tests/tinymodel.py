"""Small ONNX models made up for tests; their arithmetic can be done again in numpy."""

import json

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from pulsaurora.classes import CLASSES
from pulsaurora.pulsation.reduction import WINDOW_S
from pulsaurora.pulsation.table import FEATURE_NAMES, FEATURE_VERSION

METADATA = {
    "kind": "features",
    "classes": json.dumps(CLASSES),
    "feature_names": json.dumps(FEATURE_NAMES),
    "feature_version": str(FEATURE_VERSION),
    "window_s": str(WINDOW_S),
    "trained_on": "nothing: made up for tests",
    "scores": "{}",
}
IMAGE_METADATA = {"kind": "image", "classes": METADATA["classes"], "trained_on": METADATA["trained_on"]}


N_FEATURES = len(FEATURE_NAMES)


def weights(n_inputs=N_FEATURES, seed=0):
    """Matrix (n_inputs, 4) of a linear model."""
    return np.random.default_rng(seed).normal(0, 0.3, (n_inputs, len(CLASSES))).astype(np.float32)


def softmax(scores):
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def features_proto(matrix=None, metadata=METADATA, shape=None, nodes=None, initializers=(), outputs=None):
    """probabilities = softmax(features @ matrix), unless other nodes are given."""
    matrix = weights() if matrix is None else matrix
    nodes = nodes or [
        helper.make_node("MatMul", ["features", "matrix"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
    ]
    outputs = outputs or [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 4])]
    given = helper.make_tensor_value_info("features", TensorProto.FLOAT, shape or ["n", matrix.shape[0]])
    numbers = [numpy_helper.from_array(matrix, "matrix"), *initializers]
    return model_proto(helper.make_graph(nodes, "tiny", [given], outputs, numbers), metadata)


def image_proto(metadata=IMAGE_METADATA, seed=0):
    """probabilities = softmax(mean colour / 100 @ matrix)."""
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["colour"], axes=[1, 2], keepdims=0),
        helper.make_node("MatMul", ["colour", "matrix"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
    ]
    given = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 224, 224, 3])
    out = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 4])
    numbers = [numpy_helper.from_array(weights(3, seed) / 100, "matrix")]
    return model_proto(helper.make_graph(nodes, "tiny", [given], [out], numbers), metadata)


def model_proto(graph, metadata, **known):
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8, **known)
    helper.set_model_props(proto, {f"pulsaurora.{key}": value for key, value in metadata.items()})
    return proto


def save(proto, path):
    onnx.checker.check_model(proto)
    path.write_bytes(proto.SerializeToString(deterministic=True))
    return path
