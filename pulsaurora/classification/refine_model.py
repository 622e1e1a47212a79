"""A trained refinement as a file: the ONNX model and its card."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pulsaurora import __version__
from pulsaurora.archive.files import whole_file
from pulsaurora.classes import CLASSES
from pulsaurora.classification.context import CONTEXT_VERSION


@dataclass(frozen=True)
class Fitted:
    """A multinomial logistic regression on the columns of `context_rows`.

    Attributes
    ----------
    low, high : ndarray of shape (n_columns,)
        Least and most that was seen; values beyond are taken for these.
    mean, scale : ndarray of shape (n_columns,)
        Taken off and divided by; what is missing is taken for the mean.
    weights : ndarray of shape (4, n_columns)
    bias : ndarray of shape (4,)
    """

    low: np.ndarray
    high: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    bias: np.ndarray


def to_onnx(fitted, metadata):
    """Return a fitted regression as an ONNX model: missing to mean, clipped, scaled, weighed, softmax.

    Input `context` float32 (n, n_columns), output `probabilities` float32 (n, 4).
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    numbers = {
        name: getattr(fitted, name).astype(np.float32) for name in ("low", "high", "mean", "scale", "bias")
    }
    numbers["weights"] = np.ascontiguousarray(fitted.weights.T.astype(np.float32))
    graph = helper.make_graph(
        [
            helper.make_node("IsNaN", ["context"], ["missing"]),
            helper.make_node("Where", ["missing", "mean", "context"], ["given"]),
            helper.make_node("Max", ["given", "low"], ["above"]),
            helper.make_node("Min", ["above", "high"], ["whole"]),
            helper.make_node("Sub", ["whole", "mean"], ["centred"]),
            helper.make_node("Div", ["centred", "scale"], ["standard"]),
            helper.make_node("MatMul", ["standard", "weights"], ["weighed"]),
            helper.make_node("Add", ["weighed", "bias"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        ],
        "pulsaurora",
        [helper.make_tensor_value_info("context", TensorProto.FLOAT, [None, len(fitted.mean)])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, len(CLASSES)])],
        [numpy_helper.from_array(value, name) for name, value in numbers.items()],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    proto.producer_name, proto.producer_version = "pulsaurora", __version__
    for key, value in metadata.items():
        proto.metadata_props.add(key=f"pulsaurora.{key}", value=value)
    onnx.checker.check_model(proto)
    return proto.SerializeToString(deterministic=True)


def card_of(content, trained_on, choice, choices, nights, judged, harder):
    """Return the card of a trained refinement, in Markdown.

    Parameters
    ----------
    content : bytes
        The ONNX model.
    trained_on : str
    choice, choices
        Made with all nights, and without each group.
    nights, judged : list of JudgedNight
        Before, and as refined without their dates.
    harder : dict of str to list of JudgedNight
        As refined with more left out than their dates.

    Returns
    -------
    str
    """
    from pulsaurora.classification.assessment import assess

    found = [assess(nights), assess(judged), *(assess(others) for others in harder.values())]
    after = found[1]
    header = ["before", "dates left out", *(f"{name} left out" for name in harder)]
    names = ("accuracy", "macro_f1", "precision_pulsating", "recall_pulsating", "f1_pulsating")
    rows = [[name.replace("_", " "), *(each.frames[name] for each in found)] for name in names]
    rows.append(["calibration error", *(each.reliability.expected_calibration_error for each in found)])
    rows.append(["hours of pulsating a night, error", *(each.nights["hours_error"] for each in found)])
    scores = "\n".join(
        "| " + " | ".join(map(str, row)) + " |" for row in [["", *header], ["---"] * len(rows[0]), *rows]
    )
    made = "\n".join(
        f"| {key} | {getattr(choice, key):g} | {', '.join(f'{getattr(c, key):.3g}' for c in choices)} |"
        for key in ("change_s", "shared_s", "temper")
    )
    matrix = "\n".join(
        f"| {name} | " + " | ".join(str(int(n)) for n in row) + " |"
        for name, row in zip(CLASSES, after.confusion, strict=True)
    )
    return f"""# Card of a refinement model

**Learned from {trained_on}.**

It takes a night of per-frame labels and gives better ones: a multinomial logistic regression on what
surrounds each minute (mean class probabilities within 5, 20 and 80 minutes and over the local night, magnetic
local time and latitude, sun, moonlight, the site; averaged over several strengths of penalty), then a hidden
Markov chain over minutes, then a power that makes confidence as high as labels are right.

- sha256 `{hashlib.sha256(content).hexdigest()}`
- pulsaurora {__version__}, context version {CONTEXT_VERSION}
- made by `python -m pulsaurora.cli.train_refinement`

## On nights it has not seen

Each night is refined by a model that has not seen its date (its month; its date nor its site), with every
choice made without it; the columns alone were picked with all dates in view. Intervals are 95 in 100, from
resampling whole nights.

{scores}

Dates left out. Frames, people's labels down:

| | {" | ".join(CLASSES)} |
|---|---:|---:|---:|---:|
{matrix}

## Choices

| | all dates | without each date |
|---|---|---|
{made}

## Where it should not be trusted

It corrects the habits of the labels it was learned from; another network has others, and needs a refinement
of its own. The columns of months and of sites left out show how much of the gain is left where they were not
seen.
"""


def write_model(path, content, card):
    """Write the model and its card (`.md`) beside it."""
    path = Path(path)
    for target, data in ((path, content), (path.with_suffix(".md"), card.encode())):
        with whole_file(target) as passing:
            passing.write_bytes(data)
