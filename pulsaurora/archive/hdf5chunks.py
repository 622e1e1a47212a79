"""Chunks of an HDF5 dataset that would inflate to more than they may hold.

HDF5 makes room for a chunk until all of it is inflated, whatever the dataset's shape says: two megabytes took
two gigabytes. So chunks that could do that are inflated here first, as far as they may go.
"""

import itertools
import zlib

import h5py

from pulsaurora.archive.layout import plain_text
from pulsaurora.problems import UnreadableFileError

# Stored chunks of this size cannot inflate beyond 256 MB: deflate gives at most 1032 bytes for one, lzf 88.
_HARMLESS = {h5py.h5z.FILTER_DEFLATE: 2**18, h5py.h5z.FILTER_LZF: 3 * 2**20}
_PIECE = 2**20


def check_chunks(dataset, axis=0, first=0, stop=None):
    """Refuse to read what would take far more memory than it claims.

    Parameters
    ----------
    dataset : h5py.Dataset
        As `find_dataset` gives it.
    axis, first, stop : int
        The part that is to be read, along one axis; all of it by default.

    Raises
    ------
    UnreadableFileError
        If a chunk in it inflates to more than a chunk holds.
    """
    plist = dataset.id.get_create_plist()
    filters = [plist.get_filter(i)[0] for i in range(plist.get_nfilters())]
    harmless = min((_HARMLESS[one] for one in filters if one in _HARMLESS), default=None)
    if harmless is None or not dataset.chunks or not dataset.size:
        return
    ranges = [range(0, n, k) for n, k in zip(dataset.shape, dataset.chunks, strict=True)]
    step = dataset.chunks[axis]
    ranges[axis] = range(first // step * step, dataset.shape[axis] if stop is None else stop, step)
    largest = dataset.dtype.itemsize
    for n in dataset.chunks:
        largest *= n
    for at in itertools.product(*ranges):
        size = dataset.id.get_chunk_info_by_coord(at).size
        if size > harmless and (h5py.h5z.FILTER_LZF in filters or not _fits(dataset, at, filters, largest)):
            raise UnreadableFileError(
                f"{plain_text(dataset.file.filename)}: {dataset.name[1:]!r} has a chunk of {size} bytes that "
                f"inflates to more than the {largest} of a chunk"
            )


def _fits(dataset, at, filters, largest):
    """Tell whether a deflated chunk inflates to no more than it may hold."""
    skipped, data = dataset.id.read_direct_chunk(at)
    if skipped & 1 << filters.index(h5py.h5z.FILTER_DEFLATE):
        return True
    inflater, n_inflated = zlib.decompressobj(), 0
    try:
        while not inflater.eof and n_inflated <= largest + 4:  # a checksum may lie inside
            piece = inflater.decompress(data, _PIECE)
            n_inflated += len(piece)
            data = inflater.unconsumed_tail
            if not piece and not data:
                break
    except zlib.error:
        return True  # HDF5 will not get further
    return n_inflated <= largest + 4
