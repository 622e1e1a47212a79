"""Frames: the images of one site and imager, with all that is known of each."""

from dataclasses import dataclass, field, replace

import numpy as np

from pulsaurora.problems import ContractError, Problem

# What frames of one site have in common.
SHARED = ("site", "imager", "latitude", "longitude")


@dataclass(slots=True)
class PackedImages:
    """Images of 256 x 256 pixels where they lie in a file's bytes, for whoever needs their pixels once.

    Attributes
    ----------
    data : bytes-like
        An inflated minute file.
    starts : ndarray of int64, shape (n_frames,)
        Where in it the first pixel of each is; pixels are big-endian.
    """

    data: object
    starts: np.ndarray

    def __len__(self):
        return len(self.starts)


@dataclass(slots=True)
class Frames:
    """Images in time order, one row of everything else for each.

    Attributes
    ----------
    images : ndarray of uint16, shape (n_frames, rows, columns), counts
        C-contiguous, native byte order, in file orientation: row 0 is the file's first. PackedImages where
        they were asked for; such frames cannot be cut or joined.
    times : ndarray of datetime64[us], shape (n_frames,)
        Start of exposure, UTC. Never NaT.
    metadata : list of dict of str to str
        Header keys and values of each frame. Empty dictionaries where they were not asked for.
    problems : list of Problem
        What could not be read, and from which file.
    site, imager : str or None
        Such as `gill` and `themis19`; None when unknown, or when frames of several are mixed.
    quality : list of tuple of str
        What touched each frame, such as `file_truncated` or `duplicate_dropped`. Empty when nothing did.
    latitude, longitude : float or None
        Of the site, degrees, east and north positive, if the files say.

    Raises
    ------
    ContractError
        If an array has another shape or type, or a list another length.
    """

    images: np.ndarray
    times: np.ndarray
    metadata: list = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    site: str | None = None
    imager: str | None = None
    quality: list = field(default_factory=list)
    latitude: float | None = None
    longitude: float | None = None

    def __post_init__(self):
        images, times = self.images, self.times
        if not isinstance(images, PackedImages):
            if not isinstance(images, np.ndarray) or images.dtype != np.uint16 or images.ndim != 3:
                raise ContractError(f"Frames.images is {_describe(images)}, expected uint16 of 3 dimensions")
            if not images.dtype.isnative or not images.flags.c_contiguous:
                raise ContractError("Frames.images must be C-contiguous and in native byte order")
        if not isinstance(times, np.ndarray) or times.dtype != np.dtype("datetime64[us]"):
            raise ContractError(f"Frames.times is {_describe(times)}, expected datetime64[us]")
        if times.shape != (len(images),):
            raise ContractError(f"Frames.times has shape {times.shape}, expected ({len(images)},)")
        if np.isnat(times).any():
            raise ContractError("Frames.times holds NaT: every frame needs a time")
        if not self.metadata:
            self.metadata = [{} for _ in range(len(images))]
        if not self.quality:
            self.quality = [()] * len(images)
        for name in ("metadata", "quality"):
            n_entries = len(getattr(self, name))
            if n_entries != len(images):
                raise ContractError(f"Frames.{name} has {n_entries} entries for {len(images)} frames")

    def __len__(self):
        return len(self.images)

    def __getitem__(self, key):
        """The frames of a slice, without copying images; problems stay with all parts."""
        if not isinstance(key, slice):
            raise TypeError(f"Frames take a slice such as frames[10:20], not {type(key).__name__}")
        images = self.images[key]
        return replace(
            self,
            images=np.ascontiguousarray(images),
            times=self.times[key],
            metadata=self.metadata[key],
            quality=self.quality[key],
        )

    @classmethod
    def empty(cls, rows=256, columns=256, **known):
        """No frames, of a given geometry."""
        return cls(np.empty((0, rows, columns), np.uint16), np.empty(0, "datetime64[us]"), **known)

    @classmethod
    def concatenate(cls, parts):
        """One after the other, in the order given; site and imager stay only where all parts agree."""
        parts = list(parts)
        if not parts:
            return cls.empty()
        filled = [part for part in parts if len(part)] or parts[:1]
        shapes = {part.images.shape[1:] for part in filled}
        if len(shapes) > 1:
            raise ContractError(f"frames of different geometry cannot be joined: {sorted(shapes)}")
        return cls(
            images=np.concatenate([part.images for part in filled]),
            times=np.concatenate([part.times for part in filled]),
            metadata=[entry for part in filled for entry in part.metadata],
            problems=[problem for part in parts for problem in part.problems],
            quality=[flags for part in filled for flags in part.quality],
            **{name: common([getattr(part, name) for part in filled]) for name in SHARED},
        )


def common(values):
    """The one value that all known values (not None) are, else None."""
    known = {value for value in values if value is not None}
    return known.pop() if len(known) == 1 else None


def _describe(value):
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of {value.ndim} dimensions"
    return type(value).__name__
