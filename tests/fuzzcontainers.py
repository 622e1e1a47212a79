"""Formats that hold files or are read by other libraries: workbooks, day files, models, tables."""

import h5py
import mutations
import numpy as np
import synthetic
import tinymodel
import workbooks
from onnx import TensorProto, helper, numpy_helper

from pulsaurora.archive import hdf5trial

SHEETS = {
    "themis": [
        [
            "Date",
            "camera",
            "start frame",
            "end frame",
            "start time",
            "end time",
            "classification",
            "confidence",
            "comment",
        ],
        [20200218, "gill", 10, 20, "02:50:00", "02:51:00", "pa", 3, "bright"],
        [20200218, "rank", 100, 140, "03:00:00", "03:10:00", "cs", 1, None],
    ],
    "list": [["date", "site"], ["2020-02-18", "gill, rank"]],
}


class Workbooks:
    """Workbooks of labels."""

    tokens = (
        b"<row>",
        b"</row>",
        b'<c r="A1" t="s"><v>0</v></c>',
        b'<c t="inlineStr"><is><t>x</t></is></c>',
        b"<f>",
        b"</f>",
        b'<?xml version="1.0" encoding="rot13"?>',
        b"<!DOCTYPE a>",
        b"<![CDATA[",
        b"&amp;",
        b"&#0;",
        b"&x;",
        b"</c>",
        b' r="A1048577"',
        b' t="d"',
        b"<si>",
        b"<rPh>",
        b"../../",
        b' TargetMode="External"',
        b"\xff\xfe",
        b"<t>",
        b' date1904="1"',
        b"<a>" * 70,
        b"9" * 400,
    )

    def __init__(self, folder):
        self.path = folder / "labels.xlsx"
        self.whole = workbooks.write_sheets(self.path, SHEETS).read_bytes()

    def write(self, rng):
        near = (b"<row", b"<c ", b"<v>", b"<sheet ", b"<si>", b"Target=", b"<?xml")
        self.path.write_bytes(mutations.mutated_zip(self.whole, rng, self.tokens, near))
        return self.path

    def read(self, path):
        from pulsaurora.archive.labels import read_labels

        problems = []
        read_labels(path, problems=problems)
        for problem in problems:
            str(problem)


class DayFiles:
    """Writes them; `untouched` are the frames that nothing was changed of, nor of what leads to them."""

    name = "all-images-2014-03-10-gill.h5"
    marks = (
        b"OHDR",
        b"TREE",
        b"HEAP",
        b"SNOD",
        b"FRHP",
        b"FADB",
        b"EAHD",
        b"EADB",
        b"BTHD",
        b"GCOL",
        b"\x89HDF",
        b"images",
        b"iso_ut_time",
        b"deflate",
        b"shuffle",
    )

    def __init__(self, folder):
        hdf5trial.SECONDS = 3  # many are such that a child must be given up
        self.path = folder / self.name
        rng = np.random.default_rng(0)
        self.images = rng.integers(40, 120, (7, 256, 256)).astype(np.uint8) // 8
        self.files = []
        for make in (self._ours, self._contiguous, self._texts, self._latest):
            make()
            self.files.append((self.path.read_bytes(), self._frame_bytes()))

    def _ours(self):
        from pulsaurora.archive.daywriter import DayWriter, compress_frame

        writer = DayWriter(self.path, (256, 256), True, True)
        raw = self.images.astype(np.uint16) * 64
        writer.append(
            [compress_frame(image) for image in self.images], [compress_frame(image) for image in raw]
        )
        table = {
            "minute": np.array([360] * 3 + [361] * 4, np.int16),
            "imager": np.zeros(7, np.int8),
            "quality": np.zeros(7, np.int32),
        }
        imager = {"name": "themis19", "latitude": 56.4, "longitude": -94.6, "position_since": 360}
        notes = {"version": "0", "imagers": [imager], "qualities": [[]], "problems": []}
        skymap = {"elevation": np.full((256, 256), 30, np.float32)}
        times = synthetic.frame_times(7)
        writer.finish(times, {"version": "0"}, {"station_latitude": 56.4}, skymap, table, notes)

    def _theirs(self, texts, libver, **storage):
        with h5py.File(self.path, "w", libver=libver) as file:
            stored = np.ascontiguousarray(np.moveaxis(self.images, 0, 2))
            file.create_dataset("images", data=stored, **storage).attrs["station_latitude"] = "56.4"
            values = [f"{time}Z" for time in synthetic.frame_times(7)]
            kind = h5py.string_dtype() if texts is None else texts
            file.create_dataset(
                "iso_ut_time", data=np.array(values, object if texts is None else texts), dtype=kind
            )

    def _contiguous(self):
        self._theirs("S27", None)

    def _texts(self):
        self._theirs(None, None, chunks=(64, 256, 7), compression="gzip", fletcher32=True)

    def _latest(self):
        self._theirs("S27", "latest", chunks=(256, 256, 1), compression="gzip", shuffle=True)

    def _frame_bytes(self):
        """Where in the file each frame lies, if it lies in one piece: {number: (start, stop)}."""
        with h5py.File(self.path) as file:
            data = file["images"]
            if data.chunks != (256, 256, 1):
                return {}
            chunks = [data.id.get_chunk_info(i) for i in range(data.id.get_num_chunks())]
        return {c.chunk_offset[2]: (c.byte_offset, c.byte_offset + c.size) for c in chunks}

    def write(self, rng):
        whole, places = self.files[rng.integers(len(self.files))]
        self.untouched = set()
        if rng.random() < 0.7:
            data = mutations.mutated(whole, rng, self.marks, self.marks, most=4, keep_length=True)
        else:
            data = mutations.mutated(whole, rng, self.marks, self.marks)
        if places and len(data) == len(whole):
            spoiled = np.flatnonzero(np.frombuffer(data, np.uint8) != np.frombuffer(whole, np.uint8))
            hit = {n for n, (start, stop) in places.items() if ((spoiled >= start) & (spoiled < stop)).any()}
            inside = sum(((spoiled >= start) & (spoiled < stop)).sum() for start, stop in places.values())
            if inside == len(spoiled):  # nothing but frames was spoiled
                self.untouched = set(places) - hit
        self.path.write_bytes(data)
        return self.path


class Models:
    """ONNX models, their bytes and their graphs."""

    operators = (
        "Loop",
        "If",
        "Scan",
        "Expand",
        "ConstantOfShape",
        "Tile",
        "Reshape",
        "Gather",
        "Conv",
        "Pad",
        "Range",
        "Resize",
        "OneHot",
        "Concat",
        "Split",
        "Slice",
        "Transpose",
        "TopK",
        "NonZero",
        "Where",
        "Einsum",
        "Gemm",
        "LSTM",
        "RandomNormal",
        "Cast",
        "Softmax",
        "Squeeze",
        "Unsqueeze",
        "Shape",
        "Identity",
        "TreeEnsembleClassifier",
        "MaxPool",
        "ScatterND",
        "CumSum",
        "EyeLike",
        "StringNormalizer",
    )

    def __init__(self, folder):
        from pathlib import Path

        import pulsaurora

        self.path = folder / "model.onnx"
        embedded = Path(pulsaurora.__file__).parent / "models/features.onnx"
        self.files = [
            tinymodel.features_proto().SerializeToString(),
            tinymodel.image_proto().SerializeToString(),
        ]
        if embedded.exists():
            self.files.append(embedded.read_bytes())

    def write(self, rng):
        data = self.files[rng.integers(len(self.files))]
        if rng.random() < 0.6:
            data = self._changed(helper.ModelProto.FromString(data), rng)
        if rng.random() < 0.5:
            near = (b"MatMul", b"Softmax", b"matrix", b"features", b"pulsaurora.", b"ai.onnx.ml", b"Tree")
            data = mutations.mutated(data, rng, (b"location", b"\x08\x01", b"\xff\xff\xff\xff\x0f"), near)
        self.path.write_bytes(data)
        return self.path

    def _changed(self, proto, rng):
        """A graph that is no longer the one it was, though its bytes are well formed."""
        graph = proto.graph
        for _ in range(int(rng.integers(1, 4))):
            kind = int(rng.integers(9))
            node = graph.node[rng.integers(len(graph.node))]
            if kind == 0:
                node.op_type = self.operators[rng.integers(len(self.operators))]
            elif kind == 1 and graph.initializer:
                tensor = graph.initializer[rng.integers(len(graph.initializer))]
                tensor.dims[:] = [
                    int(n) for n in rng.choice([-1, 0, 1, 3, 2**31, 2**40, 2**62], len(tensor.dims))
                ]
            elif kind == 2 and graph.initializer:
                tensor = graph.initializer[rng.integers(len(graph.initializer))]
                tensor.raw_data = mutations.mutated(tensor.raw_data or b"xxxx", rng)
            elif kind == 3:
                value = [
                    int(n)
                    for n in rng.choice([-1, 0, 1, 4, 10**6, 2**31 - 1, 2**62], int(rng.integers(1, 4)))
                ]
                name = str(
                    rng.choice(
                        ["axis", "axes", "shape", "kernel_shape", "strides", "pads", "perm", "repeats"]
                    )
                )
                node.attribute.append(helper.make_attribute(name, value[0] if name == "axis" else value))
            elif kind == 4 and node.attribute:
                attribute = node.attribute[rng.integers(len(node.attribute))]
                attribute.ints.extend(int(n) for n in rng.choice([-1, 0, 2**40], 2))
                attribute.i = int(rng.choice([-(2**63), -1, 0, 7, 2**62]))
                if attribute.floats:
                    attribute.floats[rng.integers(len(attribute.floats))] = float("nan")
                if len(attribute.ints) > 3:
                    attribute.ints[rng.integers(len(attribute.ints))] = int(rng.choice([-5, 10**9, 2**62]))
            elif kind == 5:
                shape = [int(n) for n in rng.choice([1, 4, 30000, 2**20, 2**40], 2)]
                graph.initializer.append(numpy_helper.from_array(np.array(shape, np.int64), "shape"))
                made = helper.make_node("ConstantOfShape", ["shape"], ["giant"])
                graph.node.insert(0, made)
                node.input.append("giant")
            elif kind == 6:
                names = [name for one in graph.node for name in (*one.input, *one.output)]
                node.input[rng.integers(len(node.input))] = names[rng.integers(len(names))]
            elif kind == 7:
                proto.opset_import[0].version = int(rng.choice([0, 1, 7, 13, 21, 99, 2**40]))
            else:
                given = graph.input[0].type.tensor_type
                given.elem_type = int(rng.choice([0, TensorProto.STRING, TensorProto.INT64, 99]))
        return proto.SerializeToString()

    def read(self, path):
        from pulsaurora.classification.model import load_model

        model = load_model(path)
        if model.kind == "features":
            model.predict(np.ones((3, len(model.feature_names)), np.float32))


class Tables:
    """The Parquet tables beside classification files."""

    def __init__(self, folder):
        from pulsaurora.archive import parquettables

        self.path = folder / "20140310_gill_themis19_classifications.parquet"
        n = 300
        table = {
            "time": synthetic.frame_times(n),
            "label": np.arange(n) % 4,
            "confidence": np.linspace(0, 1, n),
            "quality": np.array(["", "gap_before"] * (n // 2)),
            "brightness": np.linspace(0, 9, n).astype(np.float32),
        }
        parquettables.write_parquet(self.path, table, {"version": "0", "model": "x", "inputs": "y"})
        self.whole = self.path.read_bytes()
        self.footer = int.from_bytes(self.whole[-8:-4], "little") + 8

    def write(self, rng):
        if rng.random() < 0.5:  # the footer, its length put right
            footer = mutations.mutated(
                self.whole[-self.footer : -8], rng, near=(b"time", b"label", b"ARROW:schema")
            )
            data = self.whole[: -self.footer] + footer + len(footer).to_bytes(4, "little") + b"PAR1"
        else:
            data = mutations.mutated(
                self.whole, rng, near=(b"PAR1", b"\x15", b"pulsaurora"), keep_length=True
            )
        self.path.write_bytes(data)
        return self.path

    def read(self, path):
        from pulsaurora.archive import parquettables, tables

        tables.read_problems(path)
        parquettables.read_parquet_columns(path, ("time", "brightness"))
        tables.read_classifications(path, [])
