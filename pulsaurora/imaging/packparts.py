"""What goes into a day file: parts of a day, compressed, and what is known of the frames in them."""

from dataclasses import dataclass

import numpy as np

from pulsaurora import __version__
from pulsaurora.archive.daywriter import compress_frame
from pulsaurora.imaging.timeorder import order_in_time
from pulsaurora.problems import Problem


@dataclass(slots=True)
class Part:
    """Some frames of a day, compressed.

    Attributes
    ----------
    name : str
        The file.
    times : ndarray of datetime64[us], shape (n,)
    quality : list of tuple of str
    problems : list of Problem
    shape : (int, int)
        Rows and columns.
    images, raw : list of bytes
        Chunks of `compress_frame`; raw is empty unless asked for.
    minute : int
        Of the UT day, that the file is named after.
    imager : str
    position : (float, float) or None
        Latitude and longitude, if the file tells.
    """

    name: str
    times: np.ndarray
    quality: list
    problems: list
    shape: tuple
    images: list
    raw: list
    minute: int
    imager: str
    position: tuple | None = None


def packed(frames, to_8bit, raw16, **known):
    """Equalize and compress the frames of one part.

    Parameters
    ----------
    frames : Frames
    to_8bit : callable
        Makes uint8 images of frames.images.
    raw16 : bool
    **known
        `name`, `minute` and `imager` of the Part.

    Returns
    -------
    Part
    """
    position = (frames.latitude, frames.longitude)
    return Part(
        times=frames.times,
        quality=frames.quality,
        problems=frames.problems,
        shape=frames.images.shape[1:],
        images=[compress_frame(image) for image in to_8bit(frames.images)] if len(frames) else [],
        raw=[compress_frame(image) for image in frames.images] if raw16 else [],
        position=None if None in position else position,
        **known,
    )


class Found:
    """What is known of the frames written so far: all but their pixels."""

    def __init__(self, day):
        self._day = day
        self.shape = None
        self.times = np.empty(0, "datetime64[us]")
        self._names, self._problems, self._times = [], list(day.problems), []
        self._quality, self._minutes, self._imagers, self._files = [], [], [], []
        self._known_imagers = {}

    def takes(self, part):
        """Note what is known of a part; tell whether it has frames to write."""
        imager = self._known_imagers.setdefault(
            part.imager, {"name": part.imager, "latitude": None, "longitude": None, "position_since": None}
        )
        if part.position is not None and imager["position_since"] is None:
            imager |= dict(zip(("latitude", "longitude"), part.position, strict=True))
            imager["position_since"] = part.minute
        self._problems += [(problem, part.imager) for problem in part.problems]
        if not part.images:
            return False
        if self.shape not in (None, part.shape):
            reason = f"frames of {part.shape} pixels among frames of {self.shape}, left out"
            self._problems.append((Problem(part.name, reason), part.imager))
            return False
        self.shape = part.shape
        n = len(part.times)
        self._times.append(part.times)
        self._quality += part.quality
        self._minutes += [part.minute] * n
        self._imagers += [list(self._known_imagers).index(part.imager)] * n
        self._files += [len(self._names)] * n
        self._names.append(part.name)
        return True

    def order(self):
        """Return the order that puts the frames in time, one frame a time and imager; None if they are."""
        times = self.times = np.concatenate(self._times)
        files, imagers = np.array(self._files), np.array(self._imagers)
        kept = []
        for number, name in enumerate(self._known_imagers):
            own = np.flatnonzero(imagers == number)
            quality = [self._quality[index] for index in own.tolist()]
            order, problems = order_in_time(times[own], quality, files[own], self._names)
            self._problems += [(problem, name) for problem in problems]
            for index, flags in zip(own.tolist(), quality, strict=True):
                self._quality[index] = flags
            kept.append(own if order is None else own[order])
        kept = np.concatenate(kept)
        kept = kept[np.lexsort((imagers[kept], times[kept]))]
        if len(kept) == len(times) and (np.diff(kept) == 1).all():
            return None
        return kept

    def sorted_problems(self):
        """Each problem once, by path."""
        return [problem for problem, _ in self._sorted()]

    def _sorted(self):
        pairs = dict.fromkeys(pair if isinstance(pair, tuple) else (pair, None) for pair in self._problems)
        return sorted(pairs, key=lambda pair: (pair[0].path, pair[0].reason))

    def finish(self, writer, order=None):
        """Write all that is known of the frames."""
        order = np.arange(len(self.times)) if order is None else order
        self.times = self.times[order]
        qualities = list(dict.fromkeys([(), *self._quality]))
        numbers = {flags: number for number, flags in enumerate(qualities)}
        imagers = list(self._known_imagers.values())
        about = {
            "version": __version__,
            "night": self._day.name,
            "imagers": imagers,
            "qualities": qualities,
            "problems": [
                (problem.path, problem.reason, problem.n_frames_kept, imager)
                for problem, imager in self._sorted()
            ],
        }
        day = self._day
        attributes = dict(day.image_attributes)
        for imager in imagers:
            if imager["position_since"] is not None:
                attributes["station_latitude"] = imager["latitude"]
                attributes["station_longitude"] = imager["longitude"]
                break
        writer.finish(
            self.times,
            {"version": __version__, "inputs": day.inputs, "settings": day.settings},
            attributes,
            day.skymap,
            {
                "minute": np.array(self._minutes, np.int16)[order],
                "imager": np.array(self._imagers, np.int8)[order],
                "quality": np.array([numbers[flags] for flags in self._quality], np.int32)[order],
            },
            about,
            "Counts as the imager gave them: raw_images[i] is what image i was made from.",
        )
