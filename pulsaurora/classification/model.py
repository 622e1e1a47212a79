"""A trained model: an ONNX file, run by onnxruntime, and the contract that its metadata states.

Metadata of the file (`metadata_props`), all text:

=========================== =========================================================================
`pulsaurora.kind`           `features` (a row of named features in), `image` (a prepared image in) or
                            `context` (what surrounds a minute in; for `refine`, not for `classify`)
`pulsaurora.classes`        JSON list of the classes, in the order of the probabilities out
`pulsaurora.feature_names`  JSON list of the features, in the order of the columns in (`features` only)
`pulsaurora.feature_version` version of their definition (`features` only)
`pulsaurora.window_s`       length of the window they are computed in, seconds (`features` only)
`pulsaurora.trained_on`     what the model learned from
`pulsaurora.scores`         JSON object: how it scored, and on what
=========================== =========================================================================

A model is numbers, never code: no pickle, no operators from elsewhere, no files besides the one; and neither
memory nor time without end, whatever a few bytes of it ask for.
"""

import contextlib
import functools
import hashlib
import json
import threading
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pulsaurora.classes import CLASSES
from pulsaurora.problems import ContractError

MAX_BYTES = 1 << 30
# All models together: room for 32 images in any usual network; the embedded model takes some tens of MB.
MAX_ARENA_BYTES = 4 << 30
MAX_SECONDS = 300  # a call: 4096 rows, or 32 images, which take the slowest usual network some 30 s
IMAGE_SHAPE = (224, 224, 3)
ROWS_A_CALL = 4096
IMAGES_A_CALL = 32
_PREFIX = "pulsaurora."
_EMBEDDED = Path(__file__).parent.parent / "models" / "features.onnx"


@dataclass(frozen=True, eq=False)
class Model:
    """A loaded model.

    Attributes
    ----------
    path : Path
    sha256 : str
        Of the file, 64 hexadecimal digits.
    kind : str
        `features` or `image`.
    classes : tuple of str
    feature_names : tuple of str
        Empty for an `image` model.
    feature_version : str
    window_s : float or None
    card : dict of str to str
        All `pulsaurora.` metadata without that prefix: `trained_on`, `scores`, ...
    """

    path: Path
    sha256: str
    kind: str
    classes: tuple
    feature_names: tuple
    feature_version: str
    window_s: float | None
    card: dict
    _session: object = field(repr=False)
    _input: str = field(repr=False)
    _output: str = field(repr=False)

    @property
    def learned_from(self):
        """What the model was trained on, on one line of 300 characters at most, whoever wrote it."""
        return " ".join(self.card.get("trained_on", "not told").split())[:300]

    def predict(self, inputs):
        """Return the probability of each class for each row.

        Safe to call from several threads at once.

        Parameters
        ----------
        inputs : ndarray of float32, shape (n, n_features) or (n, 224, 224, 3)
            Rows of features in the order of `feature_names`, or images as `image_input` makes them.

        Returns
        -------
        ndarray of float32, shape (n, 4)
            In the order of CLASSES. NaN where the model gave no number.

        Raises
        ------
        ContractError
            If the array has another shape, or what comes out are no probabilities.
        """
        expected = IMAGE_SHAPE if self.kind == "image" else (len(self.feature_names),)
        inputs = np.ascontiguousarray(inputs, np.float32)
        if inputs.shape[1:] != expected:
            raise ContractError(
                f"{self.path.name}: takes arrays of shape {('n', *expected)}, got {inputs.shape}"
            )
        if self.kind == "image":
            return self._in_steps(inputs, IMAGES_A_CALL)
        # All frames of a look have the same row, which need be judged only once.
        new = np.ones(len(inputs), bool)
        new[1:] = (inputs[1:] != inputs[:-1]).any(axis=1)
        return self._in_steps(inputs[new], ROWS_A_CALL)[np.cumsum(new) - 1]

    def _in_steps(self, inputs, step):
        probabilities = np.empty((len(inputs), len(CLASSES)), np.float32)
        for start in range(0, len(inputs), step):
            part = inputs[start : start + step]
            probabilities[start : start + step] = self._run(part)
        return probabilities

    def predict_images(self, images, visible):
        """Return the probabilities for frames as they come from the camera; for `image` models.

        Parameters
        ----------
        images : ndarray of uint16, shape (n, 256, 256)
        visible : ndarray of bool, shape (256, 256)
            Pixels that are looked at (elevation of 15 degrees and more).

        Returns
        -------
        ndarray of float32, shape (n, 4)
        """
        from pulsaurora.classification.image_input import image_input

        probabilities = np.empty((len(images), len(CLASSES)), np.float32)
        for start in range(0, len(images), IMAGES_A_CALL):
            batch = slice(start, start + IMAGES_A_CALL)
            probabilities[batch] = self.predict(image_input(images[batch], visible))
        return probabilities

    def _run(self, part):
        from onnxruntime import RunOptions

        options = RunOptions()
        # The model that comes with pulsaurora is known to end, and a thread to watch it costs 0.25 ms a call.
        watched = contextlib.nullcontext() if self.path == _EMBEDDED else _given_up_late(options)
        try:
            with watched:
                (out,) = self._session.run([self._output], {self._input: part}, options)
        except Exception as error:  # onnxruntime's own exceptions share no base of their own
            late = f" (given up after {MAX_SECONDS} s)" if options.terminate else ""
            raise ContractError(f"{self.path.name}: the model failed to run{late}: {_brief(error)}") from None
        if out.shape != (len(part), len(CLASSES)):
            expected = (len(part), len(CLASSES))
            raise ContractError(f"{self.path.name}: gave shape {out.shape}, expected {expected}")
        sums = out.sum(axis=1)
        if (np.abs(sums - 1) > 1e-3).any() or (out < -1e-6).any():
            raise ContractError(
                f"{self.path.name}: what comes out are no probabilities (a row sums to "
                f"{sums[np.nanargmax(np.abs(sums - 1))]:.4g}); the model must end in a softmax"
            )
        return out


@contextlib.contextmanager
def _given_up_late(options):
    """Have a run with these options end after MAX_SECONDS."""
    watch = threading.Timer(MAX_SECONDS, setattr, (options, "terminate", True))
    watch.daemon = True
    watch.start()
    try:
        yield
    finally:
        watch.cancel()


def load_model(path=None, threads=1, kinds=("features", "image")):
    """Load a model and check that it is one that can be run here.

    Parameters
    ----------
    path : path-like, optional
        An ONNX file; the model that comes with pulsaurora when not given.
    threads : int
        Threads of one `predict` call.
    kinds : tuple of str
        Of these kinds; others are refused.

    Returns
    -------
    Model

    Raises
    ------
    ContractError
        If the file is no model, or its contract differs from what this version computes; the message names
        the file and what differs.
    """
    if path is None:
        return _embedded(threads)
    return _load(Path(path), threads, kinds)


_embedded_models = {}
_embedded_lock = threading.Lock()


def _embedded(threads):
    # Many short calls with arrays share one session.
    with _embedded_lock:
        if threads not in _embedded_models:
            _embedded_models[threads] = _load(_EMBEDDED, threads, ("features", "image"))
        return _embedded_models[threads]


def _load(path, threads, kinds):
    data = _read(path)
    session, metadata = _session(path, data, threads)
    card = {key[len(_PREFIX) :]: value for key, value in metadata.items() if key.startswith(_PREFIX)}
    kind = card.get("kind")
    if kind not in kinds:
        raise ContractError(
            f"{path.name}: metadata {_PREFIX}kind is {kind!r}, expected {' or '.join(map(repr, kinds))}; "
            "models made elsewhere must be given this metadata first (see the README)"
        )
    model = Model(
        path=path,
        sha256=hashlib.sha256(data).hexdigest(),
        kind=kind,
        classes=_names(path, card, "classes"),
        feature_names=_names(path, card, "feature_names") if kind != "image" else (),
        feature_version=card.get("feature_version", ""),
        window_s=_window(path, card) if kind == "features" else None,
        card=card,
        _session=session,
        _input=session.get_inputs()[0].name if session.get_inputs() else "",
        _output=_probabilities(path, session),
    )
    if differences := _differences(model):
        raise ContractError(f"{path.name}: cannot be used by this version: " + "; ".join(differences))
    # One row shows what the shapes do not tell: that probabilities come out, of all classes.
    shape = IMAGE_SHAPE if kind == "image" else (len(model.feature_names),)
    model.predict(np.ones((1, *shape), np.float32))
    return model


def _read(path):
    from pulsaurora.classification.onnxfile import why_refused

    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise ContractError(f"{path}: {size:,} bytes is more than the {MAX_BYTES:,} a model may have")
        data = path.read_bytes()
        if reason := why_refused(data):
            raise ContractError(f"{path}: {reason}")
    except OSError as error:
        raise ContractError(f"{path}: {error.strerror or error}") from None
    except ContractError:
        raise
    except ValueError as error:
        raise ContractError(f"{path}: is no ONNX model: {error}") from None
    return data


def _session(path, data, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what goes wrong is raised; nothing is to be printed besides
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # The runtime has a format of its own besides, which `why_refused` does not know.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    options.add_session_config_entry("session.use_env_allocators", "1")
    # Packing weights once for each node that uses them is work without end where thousands use the same.
    options.add_session_config_entry("session.disable_prepacking", "1")
    _limit_memory()
    try:
        session = onnxruntime.InferenceSession(
            data,
            options,
            providers=["CPUExecutionProvider"],
            # What is computed while a model is loaded cannot be given up.
            disabled_optimizers=["ConstantFolding"],
            enable_fallback=0,
        )
        # Text in the file is decoded only when it is asked for, so what is no text comes out here.
        return session, dict(session.get_modelmeta().custom_metadata_map)
    except Exception as error:  # onnxruntime's own exceptions share no base of their own
        raise ContractError(f"{path}: is no ONNX model that can be run here: {_brief(error)}") from None


@functools.cache
def _limit_memory():
    """Give all sessions of this process one allocator, which refuses to grow beyond a limit."""
    import onnxruntime

    arena, kind = onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, onnxruntime.OrtMemType.DEFAULT
    place = onnxruntime.OrtMemoryInfo("Cpu", arena, 0, kind)
    # One that another library has registered in this process before is used, with its limits.
    with contextlib.suppress(Exception):
        onnxruntime.create_and_register_allocator(
            place, onnxruntime.OrtArenaCfg({"max_mem": MAX_ARENA_BYTES})
        )


def _brief(error):
    return " ".join(str(error).split())[:300]


def _names(path, card, key):
    try:
        names = json.loads(card[key])
        if not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
            raise ValueError
    except (KeyError, ValueError, RecursionError):
        raise ContractError(f"{path.name}: metadata {_PREFIX}{key} must be a JSON list of names") from None
    return tuple(names)


def _window(path, card):
    try:
        return float(card["window_s"])
    except (KeyError, ValueError):
        raise ContractError(f"{path.name}: metadata {_PREFIX}window_s must be a number of seconds") from None


def _probabilities(path, session):
    """Return the name of the one output that can hold the probabilities."""
    names = [
        output.name
        for output in session.get_outputs()
        if output.type == "tensor(float)"
        and len(output.shape) == 2
        and (not isinstance(output.shape[1], int) or output.shape[1] == len(CLASSES))
    ]
    if len(names) != 1:
        raise ContractError(
            f"{path.name}: has {len(names)} outputs of float32 (n, {len(CLASSES)}), expected one: "
            + str([(output.name, output.type, output.shape) for output in session.get_outputs()])
        )
    return names[0]


def _differences(model):
    """Say in what a model differs from what this version feeds it and expects of it."""
    found = []
    if model.classes != CLASSES:
        found.append(f"its classes are {list(model.classes)}, expected {list(CLASSES)}")
    if model.kind == "features":
        from pulsaurora.pulsation.reduction import WINDOW_S
        from pulsaurora.pulsation.table import FEATURE_NAMES, FEATURE_VERSION

        if model.feature_names != tuple(FEATURE_NAMES):
            missing = [name for name in model.feature_names if name not in FEATURE_NAMES]
            unused = [name for name in FEATURE_NAMES if name not in model.feature_names]
            said = [f"it asks for {missing}, which are not computed"] if missing else []
            said += [f"it was not given {unused}"] if unused else []
            found.append(" and ".join(said) or "its features come in another order")
        if model.feature_version != str(FEATURE_VERSION):
            found.append(
                f"its features are of version {model.feature_version!r}, these are {str(FEATURE_VERSION)!r}"
            )
        if model.window_s != WINDOW_S:
            found.append(f"its window is {model.window_s:g} s, expected {WINDOW_S:g} s")
    expected = ("n", *(IMAGE_SHAPE if model.kind == "image" else (len(model.feature_names),)))
    inputs = [(entry.type, tuple(entry.shape)) for entry in model._session.get_inputs()]
    if len(inputs) != 1 or inputs[0][0] != "tensor(float)" or not _fits(inputs[0][1], expected):
        found.append(f"it takes {inputs}, expected one float32 input of shape {expected}, n free")
    return found


def _fits(shape, expected):
    """Tell whether arrays of the expected shape, any number of rows, may be fed (names are free sizes)."""
    return (
        len(shape) == len(expected)
        and not isinstance(shape[0], int)
        and all(not isinstance(a, int) or a == b for a, b in zip(shape[1:], expected[1:], strict=True))
    )
