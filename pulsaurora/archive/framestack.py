"""One dataset of frames, read by number of frame, whichever way an HDF5 file stores it."""

import deflate
import h5py
import numpy as np

from pulsaurora.archive.hdf5 import telling
from pulsaurora.archive.hdf5chunks import check_chunks
from pulsaurora.archive.layout import plain_text
from pulsaurora.problems import UnreadableFileError

_BLOCK_BYTES = 16 * 2**20
# Where the frames' axis is the last of a dataset without chunks, any block touches the whole file.
_STRIDED_BLOCK_BYTES = 64 * 2**20


class FrameStack:
    """The frames of one dataset, read by number of frame, whichever way they are stored."""

    def __init__(self, path, dataset, axis):
        self._path, self._dataset, self._axis = path, dataset, axis
        self.shape = dataset.shape[1:] if axis == 0 else dataset.shape[:2]
        self.dtype = dataset.dtype.newbyteorder("=")
        self._frame_bytes = self.shape[0] * self.shape[1] * self.dtype.itemsize
        frame = (1, *self.shape) if axis == 0 else (*self.shape, 1)
        self._filters = _filters(dataset)
        # Chunks of a frame each are inflated here, outside of HDF5's one lock for all threads.
        known = ((), ("deflate",), ("shuffle", "deflate"))
        self._is_direct = dataset.chunks == frame and self._filters in known
        chunk_frames = dataset.chunks[axis] if dataset.chunks else 1
        strided = axis == 2 and not dataset.chunks
        wanted = (_STRIDED_BLOCK_BYTES if strided else _BLOCK_BYTES) // self._frame_bytes
        self.frames_at_once = max(wanted // chunk_frames, 1) * chunk_frames

    def read(self, rows, buffers):
        """Return frames by number: ndarray of shape (n, rows, columns)."""
        out = np.empty((len(rows), *self.shape), self.dtype)
        with telling(self._path, "has frames that cannot be read"):
            if self._is_direct:
                for i, row in enumerate(rows.tolist()):
                    self._read_chunk(row, out[i], buffers)
                return out
            runs = np.split(np.arange(len(rows)), np.flatnonzero(np.diff(rows) != 1) + 1)
            for run in runs if len(rows) else ():
                first, stop = int(rows[run[0]]), int(rows[run[-1]]) + 1
                check_chunks(self._dataset, self._axis, first, stop)
                if self._axis == 0:
                    out[run[0] : run[-1] + 1] = self._dataset[first:stop]
                else:
                    out[run[0] : run[-1] + 1] = np.moveaxis(self._dataset[:, :, first:stop], 2, 0)
        return out

    def _read_chunk(self, row, out, buffers):
        room = getattr(buffers, "room", None)
        if room is None or len(room) < 2 * self._frame_bytes:
            room = buffers.room = bytearray(2 * self._frame_bytes)
        at = (row, 0, 0) if self._axis == 0 else (0, 0, row)
        try:
            mask, data = self._dataset.id.read_direct_chunk(at, out=room)
        except MemoryError:  # as h5py says that there is no such chunk
            raise UnreadableFileError(f"{plain_text(self._path)}: frame {row} is missing in it") from None
        if mask:
            raise UnreadableFileError(f"{plain_text(self._path)}: frame {row} is stored without its filters")
        if "deflate" in self._filters:
            try:
                data = deflate.zlib_decompress(data, self._frame_bytes)
            except deflate.DeflateError:
                data = b""
        if len(data) != self._frame_bytes:
            raise UnreadableFileError(f"{plain_text(self._path)}: frame {row} is damaged in it")
        stored = np.frombuffer(data, np.uint8)
        if "shuffle" in self._filters and self.dtype.itemsize > 1:
            planes = stored.reshape(self.dtype.itemsize, *self.shape)
            stored = np.empty((*self.shape, self.dtype.itemsize), np.uint8)
            for i, plane in enumerate(planes):
                stored[..., i] = plane
        out[...] = stored.reshape(-1).view(self._dataset.dtype).reshape(self.shape)


def _filters(dataset):
    names = {h5py.h5z.FILTER_DEFLATE: "deflate", h5py.h5z.FILTER_SHUFFLE: "shuffle"}
    plist = dataset.id.get_create_plist()
    return tuple(names.get(plist.get_filter(i)[0], "other") for i in range(plist.get_nfilters()))
