"""Writes a day file, frame after frame, in little memory.

Frames come compressed, a chunk each, and are written as they are: HDF5 lets one thread at a time compress,
which would take longer than reading and equalizing them.
"""

import json

import deflate
import h5py
import numpy as np
from isal import isal_zlib

from pulsaurora.archive.dayfile import OURS, SKYMAP

# Of real THEMIS frames, ISA-L at level 1 leaves 8-bit ones at 0.888 of their size in 0.18 ms and raw ones,
# shuffled, at 0.675 in 0.23 ms. libdeflate: level 1 0.886 in 0.46 ms and 0.624 in 0.69 ms, level 2 0.859 in
# 0.67 ms and 0.622 in 0.96 ms, level 6 0.857 in 0.74 ms and 0.614 in 1.6 ms. zlib takes 1.6 and 1.9 ms.
LEVEL = 1

_SKYMAP_ABOUT = {
    "altitudes_km": "Emission altitudes of the latitude and longitude grids, km.",
    "latitude": "Geodetic latitude of the pixels' corners for each altitude, degrees north.",
    "longitude": "Geodetic longitude of the pixels' corners for each altitude, degrees east.",
    "elevation": "Elevation of each pixel above the horizon, degrees; NaN below it.",
    "azimuth": "Azimuth of each pixel from north through east, degrees; NaN below the horizon.",
}


def compress_frame(image):
    """Return a frame as the bytes of one chunk: shuffled if 16-bit, then deflated; releases the GIL.

    Parameters
    ----------
    image : ndarray of uint8 or uint16, shape (rows, columns)
    """
    if image.itemsize == 1:
        return isal_zlib.compress(np.ascontiguousarray(image), LEVEL)
    shuffled = np.empty((2, *image.shape), np.uint8)  # low bytes, then high ones
    np.bitwise_and(image, 0xFF, out=shuffled[0], casting="unsafe")
    np.right_shift(image, 8, out=shuffled[1], casting="unsafe")
    return deflate.zlib_compress(shuffled, LEVEL)


class DayWriter:
    """An open day file that frames are added to.

    Parameters
    ----------
    path : path-like
        Made or replaced; see `pulsaurora.archive.files.whole_file` for doing so whole or not at all.
    frame_shape : (int, int)
        Rows and columns.
    frames_last : bool
        Whether `images` is (rows, columns, n), as for THEMIS, or (n, rows, columns), as for PFRR.
    raw16 : bool
        Whether raw frames are kept too.
    """

    def __init__(self, path, frame_shape, frames_last, raw16=False):
        self._frames_last = frames_last
        self.n_frames = 0
        self._file = h5py.File(path, "w")
        # Bytes of 8-bit frames have nothing to shuffle.
        self._images = self._create("images", frame_shape, "u1", frames_last, shuffle=False)
        self._raw = self._create("raw_images", frame_shape, "<u2", False, shuffle=True) if raw16 else None

    def _create(self, name, frame_shape, dtype, frames_last, shuffle):
        def of(n):
            return (*frame_shape, n) if frames_last else (n, *frame_shape)

        return self._file.create_dataset(
            name, of(0), dtype, maxshape=of(None), chunks=of(1), compression="gzip", compression_opts=LEVEL,
            shuffle=shuffle,
        )  # fmt: skip

    def append(self, images, raw=None):
        """Add frames.

        Parameters
        ----------
        images, raw : list of bytes
            From `compress_frame`; `raw` where raw frames are kept.
        """
        first, self.n_frames = self.n_frames, self.n_frames + len(images)
        self._images.resize(self.n_frames, axis=2 if self._frames_last else 0)
        for i, chunk in enumerate(images, first):
            self._images.id.write_direct_chunk((0, 0, i) if self._frames_last else (i, 0, 0), chunk)
        if self._raw is not None:
            self._raw.resize(self.n_frames, axis=0)
            for i, chunk in enumerate(raw, first):
                self._raw.id.write_direct_chunk((i, 0, 0), chunk)

    def chunks(self, number):
        """Return a frame written before, as `append` takes it: its image and its raw frame or None."""
        at = (0, 0, number) if self._frames_last else (number, 0, 0)
        _, image = self._images.id.read_direct_chunk(at)
        raw = None if self._raw is None else self._raw.id.read_direct_chunk((number, 0, 0))[1]
        return image, raw

    def finish(self, times, attributes, image_attributes, skymap, table, notes, raw_about=None):
        """Write everything but the frames and close the file.

        Parameters
        ----------
        times : ndarray of datetime64[us], shape (n_frames,)
            In the order of the frames, ascending.
        attributes, image_attributes : dict
            Of the file and of `images`.
        skymap : dict of ndarray
            Under the names of `pulsaurora.archive.dayfile.SKYMAP`; those known.
        table : dict of ndarray of shape (n_frames,)
            Columns for `DayFile.frame_table`.
        notes : dict
            For `DayFile.about`; JSON.
        raw_about : str, optional
            What the raw frames are.
        """
        self._images.attrs.update(image_attributes)
        if self._raw is not None and raw_about:
            self._raw.attrs["about"] = raw_about
        texts = np.char.add(np.datetime_as_string(times, unit="us"), "Z").astype("S27")
        dataset = self._file.create_dataset("iso_ut_time", data=texts)
        dataset.attrs["about"] = "Start of each exposure, UTC, ISO 8601."
        for name, values in skymap.items():
            dataset = self._file.create_dataset(SKYMAP[name], data=values, compression="gzip", shuffle=True)
            dataset.attrs["about"] = _SKYMAP_ABOUT[name]
        group = self._file.create_group(OURS)
        for name, values in table.items():
            group.create_dataset(f"frame_{name}", data=values)
        group.create_dataset("about", data=np.bytes_(json.dumps(notes).encode()))
        self._file.attrs.update(attributes)
        self.close()

    def close(self):
        self._file.close()
