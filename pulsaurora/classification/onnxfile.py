"""What an ONNX file would make us read besides itself, or do without end.

A model may keep its numbers in other files, which it names; the runtime would read whatever lies there. A
model from a stranger must not choose files on this machine, so such models are refused before they are
loaded. So are those that go in loops, whose numbers of turns a few bytes tell, and those that put texts
together, whose memory the runtime does not count. The runtime has no switch for that and the `onnx` package
is not needed for anything else here, so the protocol-buffer messages are walked directly: only their nesting
matters.

The numbers below are the fields of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
"""

# message: {field: message inside}
_INSIDE = {
    "Model": {7: "Graph", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Function": {7: "Node", 11: "Attribute"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "SparseTensor", 23: "SparseTensor"},
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
    "Tensor": {},
}
_TENSOR_EXTERNAL_DATA, _TENSOR_DATA_LOCATION = 13, 14
_NODE_OPERATOR = 4
_ENDLESS = {b"Loop", b"Scan", b"StringConcat", b"StringSplit", b"RegexFullMatch", b"SequenceMap"}
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def why_refused(data):
    """Say what about an ONNX model is refused before it is loaded; None if nothing is.

    Parameters
    ----------
    data : bytes
        The whole ONNX file.

    Returns
    -------
    str or None
        In words that follow the file's name.

    Raises
    ------
    ValueError
        If the bytes are not a protocol-buffer message.
    """
    # Most models have neither the key under which a tensor outside names its file nor such an operator.
    if b"location" not in data and not any(name in data for name in _ENDLESS):
        return None
    view = memoryview(data)
    waiting = [("Model", 0, len(data))]
    while waiting:
        message, start, end = waiting.pop()
        for field, kind, begin, stop in _fields(view, start, end):
            if message == "Tensor" and (
                field == _TENSOR_EXTERNAL_DATA or (field == _TENSOR_DATA_LOCATION and view[begin])
            ):
                return "keeps numbers in other files; save the model as a single file"
            if message == "Node" and field == _NODE_OPERATOR and bytes(view[begin:stop]) in _ENDLESS:
                return f"uses the operator {bytes(view[begin:stop]).decode()}, which may never end: refused"
            if kind == _BYTES and field in _INSIDE[message]:
                waiting.append((_INSIDE[message][field], begin, stop))
    return None


def _fields(view, position, end):
    """Yield (field number, wire type, start and end of its bytes) of one message."""
    while position < end:
        tag, position = _varint(view, position, end)
        kind, begin = tag & 7, position
        if kind == _VARINT:
            _, position = _varint(view, position, end)
        elif kind == _BYTES:
            length, begin = _varint(view, position, end)
            position = begin + length
        elif kind in (_FIXED64, _FIXED32):
            position += 8 if kind == _FIXED64 else 4
        else:
            raise ValueError("not a protocol-buffer message")
        if position > end:
            raise ValueError("a field reaches past the end of its message")
        yield tag >> 3, kind, begin, position


def _varint(view, position, end):
    value = 0
    for shift in range(0, 70, 7):
        if position >= end:
            break
        byte = view[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError("a number is cut or too long")
