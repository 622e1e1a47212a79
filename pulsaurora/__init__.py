"""Find pulsating aurora in all-sky-imager archives.

The calls other programs use are here; each is imported on first use, so that
``import pulsaurora`` stays quick.
"""

import importlib

__version__ = "0.1.0"

_WHERE = {
    "CLASSES": "pulsaurora.classes",
    "Frames": "pulsaurora.imaging.frames",
    "read_frames": "pulsaurora.imaging.themis",
    "clahe": "pulsaurora.imaging.contrast",
    "features": "pulsaurora.pulsation.features",
    "find_events": "pulsaurora.pulsation.events",
    "classify_frames": "pulsaurora.classification.night",
    "read_classifications": "pulsaurora.archive.tables",
    "read_labels": "pulsaurora.archive.labels",
    "read_dayfile": "pulsaurora.archive.dayfile",
    "read_skymap": "pulsaurora.imaging.skymap",
    "sun_moon": "pulsaurora.imaging.ephemeris",
}

__all__ = ["__version__", *_WHERE]


def __getattr__(name):
    if name in _WHERE:
        value = getattr(importlib.import_module(_WHERE[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
