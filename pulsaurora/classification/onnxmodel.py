"""Fitted models as one ONNX file: several kinds pooled, tempered, what is unlike any sky shared out.

Needs the ``train`` extra. Input ``features`` float32 (n, n_features), output ``probabilities`` float32
(n, 4).
"""

import warnings

import numpy as np

from pulsaurora import __version__
from pulsaurora.classes import CLASSES
from pulsaurora.classification.networks import Networks
from pulsaurora.pulsation.table import FEATURE_NAMES

LEAST = 1e-7


def pool(said, shares=None):
    """Return what several models say together: the mean of their logarithms, as probabilities.

    Where kinds of model differ, the one that is surer weighs more than in a mean of probabilities (the
    logarithmic opinion pool: Genest and Zidek 1986, Stat. Sci. 1, 114).

    Parameters
    ----------
    said : list of ndarray of shape (n, n_classes)
        Probabilities; less than LEAST counts as that.
    shares : sequence of int, optional
        How much each counts; all alike when not given.
    """
    logs = np.average([np.log(np.maximum(one, LEAST)) for one in said], axis=0, weights=shares)
    together = np.exp(logs)
    return together / together.sum(axis=1, keepdims=True)


def temper(probabilities, temperature):
    """Return probabilities of the four classes: raised to 1 / temperature, the fifth's share spread evenly.

    Parameters
    ----------
    probabilities : ndarray of shape (n, 4) or (n, 5)
        The fifth column, if any, is that of what is unlike any sky: it says nothing for any class.
    temperature : float
    """
    z = np.clip(probabilities, LEAST, None) ** (1.0 / temperature)
    z = z / z.sum(axis=1, keepdims=True)
    return z @ _spread(z.shape[1])


def _spread(n):
    """Return the matrix (n, 4) that leaves the classes where they are and shares out the rest."""
    matrix = np.full((n, len(CLASSES)), 1 / len(CLASSES), np.float32)
    matrix[: len(CLASSES)] = np.eye(len(CLASSES))
    return matrix


def to_onnx(models, temperature, metadata, shares=None):
    """Return ONNX bytes of fitted models, pooled and tempered, with the contract in its metadata.

    Parameters
    ----------
    models : list
        Networks, or trees of scikit-learn; all of the same classes.
    temperature : float
    metadata : dict of str to str
    shares : sequence of int, optional
        As for `pool`.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, constants, outputs, ml = [], [], [], False

    def constant(name, value):
        constants.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
        return name

    for k, model in enumerate(models):
        if isinstance(model, Networks):
            outputs.append(_add_networks(model, f"m{k}_", nodes, constant))
            n_classes = model.members.shape[1]
        else:
            outputs.append(_add_trees(model, f"m{k}_", nodes, constants))
            n_classes, ml = len(model.classes_), True
    counted, least = [], constant("least", LEAST)
    for name, share in zip(outputs, shares or [1] * len(outputs), strict=True):
        nodes.append(helper.make_node("Max", [name, least], [f"{name}_floored"]))
        nodes.append(helper.make_node("Log", [f"{name}_floored"], [f"{name}_log"]))
        counted += [f"{name}_log"] * share
    nodes += [
        helper.make_node("Mean", counted, ["logs"]),
        helper.make_node("Mul", ["logs", constant("cold", 1.0 / temperature)], ["tempered"]),
        helper.make_node("Softmax", ["tempered"], ["all"], axis=1),
        helper.make_node("MatMul", ["all", constant("spread", _spread(n_classes))], ["probabilities"]),
    ]
    graph = helper.make_graph(
        nodes,
        "pulsaurora",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, len(FEATURE_NAMES)])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, len(CLASSES)])],
        constants,
    )
    domains = [helper.make_opsetid("", 18)] + ([helper.make_opsetid("ai.onnx.ml", 3)] if ml else [])
    proto = helper.make_model(graph, opset_imports=domains)
    proto.ir_version = min(proto.ir_version, 9)  # what onnxruntime 1.17 reads
    proto.producer_name, proto.producer_version = "pulsaurora", __version__
    for key, value in metadata.items():
        proto.metadata_props.add(key=f"pulsaurora.{key}", value=value)
    onnx.checker.check_model(proto)
    return proto.SerializeToString(deterministic=True)


def _add_networks(model, prefix, nodes, constant):
    """Add the nodes of networks to a graph; return the name of their mean probabilities.

    Their first layers are one product, which is faster than many narrow ones.
    """
    from onnx import helper

    median = constant(f"{prefix}median", model.squash.median)
    scale = constant(f"{prefix}scale", 1 / (3 * model.squash.scale))
    first = [network[0] for network in model.layers]
    weights = constant(f"{prefix}first_weights", np.hstack([weights for weights, _ in first]))
    offsets = constant(f"{prefix}first_offsets", np.hstack([offsets for _, offsets in first]))
    entering = [f"{prefix}n{k}" for k in range(len(first))]
    nodes += [
        helper.make_node("Sub", ["features", median], [f"{prefix}off"]),
        helper.make_node("Mul", [f"{prefix}off", scale], [f"{prefix}scaled"]),
        helper.make_node("Tanh", [f"{prefix}scaled"], [f"{prefix}squashed"]),
        helper.make_node("Gemm", [f"{prefix}squashed", weights, offsets], [f"{prefix}first"]),
        helper.make_node("Relu", [f"{prefix}first"], [f"{prefix}first_relu"]),
        helper.make_node("Split", [f"{prefix}first_relu"], entering, axis=1, num_outputs=len(entering)),
    ]
    said = []
    for k, (x, network) in enumerate(zip(entering, model.layers, strict=True)):
        for j, (weights, offsets) in enumerate(network[1:], 1):
            name = f"{prefix}n{k}_{j}"
            w, b = constant(f"{name}_weights", weights), constant(f"{name}_offsets", offsets)
            last = j == len(network) - 1
            nodes.append(helper.make_node("Gemm", [x, w, b], [name]))
            what, options = ("Softmax", {"axis": 1}) if last else ("Relu", {})
            x = f"{name}_{what.lower()}"
            nodes.append(helper.make_node(what, [name], [x], **options))
        said.append(x)
    members = constant(f"{prefix}members", model.members)
    nodes += [
        helper.make_node("Mean", said, [f"{prefix}kinds"]),
        helper.make_node("MatMul", [f"{prefix}kinds", members], [f"{prefix}classes"]),
    ]
    return f"{prefix}classes"


def _add_trees(model, prefix, nodes, constants):
    """Add what skl2onnx makes of trees to a graph; return the name of its probabilities."""
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

    def named(name):
        return name if name in ("features", "") else prefix + name

    for node in proto.graph.node:
        node.input[:] = [named(name) for name in node.input]
        node.output[:] = [named(name) for name in node.output]
        node.name = prefix + node.name
        nodes.append(node)
    for tensor in proto.graph.initializer:
        tensor.name = prefix + tensor.name
        constants.append(tensor)
    return prefix + "probabilities"


def onnx_probabilities(content, features):
    """Run ONNX bytes on features."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return session.run(["probabilities"], {"features": np.ascontiguousarray(features, dtype=np.float32)})[0]
