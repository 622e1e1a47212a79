"""HDF5 files that may be broken or made to harm: opened read-only, one checked dataset at a time.

An HDF5 file can point at other files (external links and storage, virtual datasets), claim sizes it does not
have, and ask for filters that are loaded from a folder of plug-ins. None of that is followed: a dataset is
given out only if its bytes lie in this file, in chunks of bounded size, behind filters that HDF5 itself or
h5py brings along.
"""

import contextlib
import os
import stat

import h5py
import numpy as np

from pulsaurora.archive.hdf5chunks import check_chunks
from pulsaurora.archive.hdf5trial import can_be_looked_into
from pulsaurora.archive.layout import plain_text
from pulsaurora.problems import UnreadableFileError

# All datasets of ours and of other programs that are ever looked for.
NAMES = (
    "images", "raw_images", "iso_ut_time",
    "skymap_alt", "skymap_glat", "skymap_glon", "skymap_elev", "skymap_azim",
    "pulsaurora/about", "pulsaurora/frame_minute", "pulsaurora/frame_imager", "pulsaurora/frame_quality",
)  # fmt: skip
LARGEST_CHUNK = 64 * 2**20
LARGEST_TABLE = 256 * 2**20
_MOST_DIMENSIONS = 3
# deflate, shuffle, fletcher32, and h5py's own lzf.
_FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32, h5py.h5z.FILTER_LZF}

# What h5py raises for files that are broken, according to where it finds out.
H5_ERRORS = (
    OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, OverflowError, MemoryError
)  # fmt: skip


@contextlib.contextmanager
def telling(path, what="is a broken HDF5 file"):
    """Turn whatever h5py raises into an UnreadableFileError that names the file."""
    try:
        yield
    except UnreadableFileError:
        raise
    except H5_ERRORS as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise UnreadableFileError(f"{plain_text(path)}: {what} ({said:.200})") from error


def open_hdf5(path):
    """Open an HDF5 file to read.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    h5py.File

    Raises
    ------
    UnreadableFileError
        If it is not there, is no regular file, or is not HDF5.
    """
    name = plain_text(path)
    try:
        # Looked at before it is opened: opening a pipe would wait for its other end.
        is_file = stat.S_ISREG(os.stat(path).st_mode)
    except (OSError, ValueError) as error:
        raise UnreadableFileError(f"{name}: {getattr(error, 'strerror', None) or error}") from None
    if not is_file:
        raise UnreadableFileError(f"{name}: is not a regular file, expected an HDF5 file")
    if not can_be_looked_into(path, NAMES):
        raise UnreadableFileError(
            f"{name}: is a broken HDF5 file (looking into it does not end, or takes all memory)"
        )
    with telling(path, "cannot be opened as HDF5"):
        # Servers mount archives where files cannot be locked.
        return h5py.File(path, "r", locking="best-effort")


def find_dataset(file, name):
    """Return a dataset whose data lie in the file, or None if there is none of that name.

    Parameters
    ----------
    file : h5py.File
    name : str
        Such as `images` or `pulsaurora/frame_minute`.

    Returns
    -------
    h5py.Dataset or None

    Raises
    ------
    UnreadableFileError
        If it is a link, its data lie elsewhere, or its size or storage cannot be what it claims.
    """
    path, node = file.filename, file
    with telling(path):
        for part in name.split("/"):
            link = node.get(part, getlink=True) if isinstance(node, h5py.Group) else None
            if link is None:
                return None
            if not isinstance(link, h5py.HardLink):
                kind = type(link).__name__
                raise UnreadableFileError(
                    f"{plain_text(path)}: {part!r} is a link ({kind}), expected data in the file"
                )
            node = node[part]
        if not isinstance(node, h5py.Dataset):
            raise UnreadableFileError(f"{plain_text(path)}: {name!r} is no dataset")
        reason = _why_not(node)
    if reason:
        raise UnreadableFileError(f"{plain_text(path)}: {name!r} {reason}")
    return node


def _why_not(dataset):
    """Say why a dataset cannot be trusted; None if it can."""
    plist = dataset.id.get_create_plist()
    if plist.get_external_count():
        return "keeps its data in other files: refused"
    if plist.get_layout() == h5py.h5d.VIRTUAL:
        return "is put together from other datasets: refused"
    filters = sorted(plist.get_filter(i)[0] for i in range(plist.get_nfilters()))
    if not set(filters) <= _FILTERS or len(filters) > len(set(filters)):
        known = "deflate, shuffle, fletcher32 and lzf can be read, each once"
        return f"is stored through the filters {filters}; {known}"
    if dataset.shape is None or len(dataset.shape) > _MOST_DIMENSIONS:
        return f"has shape {dataset.shape}, expected at most {_MOST_DIMENSIONS} dimensions"
    n_bytes = _product(dataset.shape) * dataset.dtype.itemsize
    if n_bytes == 0:
        return None
    if dataset.chunks:
        chunk_bytes = _product(dataset.chunks) * dataset.dtype.itemsize
        if chunk_bytes > LARGEST_CHUNK:
            return f"is stored in chunks of {chunk_bytes} bytes; {LARGEST_CHUNK} at most can be read"
        n_chunks = _product(-(-n // k) for n, k in zip(dataset.shape, dataset.chunks, strict=True))
        n_stored = dataset.id.get_num_chunks()
        # A file cut off while it was made may lack a few; one that lacks most claims what is not there.
        if n_stored < n_chunks / 2:
            return f"claims {n_chunks} chunks of data and holds {n_stored}"
    elif dataset.id.get_storage_size() < n_bytes:
        return f"claims {n_bytes} bytes of data and holds {dataset.id.get_storage_size()}"
    return None


def read_whole(file, name):
    """Return a small dataset as an array, or None if there is none of that name.

    Raises
    ------
    UnreadableFileError
        As `find_dataset`, or if it is larger than `LARGEST_TABLE` or holds anything but numbers and text
        of fixed length.
    """
    dataset = find_dataset(file, name)
    if dataset is None:
        return None
    with telling(file.filename):
        n_bytes = _product(dataset.shape) * dataset.dtype.itemsize
        if n_bytes > LARGEST_TABLE or dataset.dtype.kind not in "iufS":
            raise UnreadableFileError(
                f"{plain_text(file.filename)}: {name!r} holds {n_bytes} bytes of {dataset.dtype}, expected "
                "numbers or text of fixed length"
            )
        check_chunks(dataset)
        return np.asarray(dataset[()])


def text_attribute(node, name):
    """Return an attribute as text, or None if there is none or it is something else."""
    try:
        value = node.attrs.get(name)
    except H5_ERRORS:
        return None
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return value if isinstance(value, str) else None


def number_attribute(node, name, low, high):
    """Return an attribute as a float between two limits, or None."""
    try:
        value = float(node.attrs.get(name))
    except H5_ERRORS:
        return None
    return value if low <= value <= high else None


def _product(numbers):
    total = 1
    for number in numbers:
        total *= int(number)
    return total
