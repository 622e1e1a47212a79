"""A second, independent sky, for judging only.

The embedded model is trained on pulsaurora's own simulation; how it does there
says little about skies made by anyone else. This package makes such skies from
other assumptions (lens, detector, shapes, temporal processes, arcs, weather)
and shares no code with the package. Nothing is ever trained on it or fitted to it; that clear
skies were called overcast here showed what the training's lenses and lights lacked.

    SCENES      scene -> label: 0 bad_viewing, 1 no_aurora, 2 other_aurora, 3 pulsating
    CONFUSERS   those scenes that move or flash and do not pulsate
    UNSURE      scenes unlike any sky; their label is -1
    make_clip   one clip of one scene

A clip is drawn again (another attempt of the same seed) until it holds what its
label says, measured on its noise-free light: see `_holds`.
"""

import zlib

import numpy as np

from . import aurora_scenes, bad_scenes, clear_scenes, pulsating_scenes  # noqa: F401  (they fill REGISTRY)
from .almanac import draw_start
from .oddities import BUILDERS
from .optics import SIDE
from .registry import NO_AURORA, OTHER_AURORA, PULSATING, REGISTRY
from .world import World, film

SCENES = {name: entry.label for name, entry in sorted(REGISTRY.items(), key=lambda item: item[1].label)}
CONFUSERS = (
    "fast_cloud_moonlit",
    "fast_cloud_city",
    "streaming_cells",
    "flashes_on_cloud",
    "snowfall",
    "flashing_lights",
    "passing_cars",
    "aircraft",
    "satellites_and_meteors",
    "twinkling_stars",
    "fast_arcs",
    "breakup",
)
UNSURE = (*BUILDERS, "inverted_image")

_ATTEMPTS = 40


def _stream(scene, seed, attempt=0):
    return np.random.default_rng([int(seed), zlib.crc32(scene.encode()), attempt])


def _holds(label, truth):
    """Whether a clip shows what its label says, in every minute of it, to anyone who watches."""
    hidden, aurora = np.array(truth.hidden), np.array(truth.aurora)
    if label == PULSATING:
        return min(truth.covered) >= 0.06 and hidden.max() < 0.6
    if label == OTHER_AURORA:
        return aurora.min() >= 0.03 and hidden.mean() < 0.5
    if label == NO_AURORA:
        return hidden.max() < 0.1
    return not hidden.any() or hidden.min() > 0.5  # a frosted dome hides nothing; it smears


def start_for(scene, seed, latitude=58.0, longitude=-100.0):
    """A time at which sun and moon stand as this scene wants them, drawn from the seed."""
    light = REGISTRY[scene].light if scene in REGISTRY else "dark"
    return draw_start(_stream(scene, seed, _ATTEMPTS), light, latitude, longitude)


def make_clip(scene, seed, n_frames=60, start="2015-01-20T08:00:00", latitude=58.0, longitude=-100.0):
    """Make one clip: a camera of its own and one scene in front of it.

    Parameters
    ----------
    scene : str
        A name in SCENES or UNSURE.
    seed : int
        Draws camera, scene and noise; the same arguments give the same clip.
    n_frames : int
        Frames at 3 s.
    start : str or datetime64
        UTC time of the first frame. Where the scene needs a moon or twilight that
        is not there then, one is made up; `start_for` draws times that agree.
    latitude, longitude : float
        Degrees, east positive.

    Returns
    -------
    dict
        images : uint16 (n_frames, 256, 256)
        times : datetime64[us] (n_frames,)
        labels : int8 (n_frames,), -1 for UNSURE
        latitude, longitude : as given
        depth : float32 (256, 256), the pulsating light's peak-to-peak part of the
            local mean, 0 where nothing pulsates
        camera : the Camera, with its pedestal, gain and noise

    Raises
    ------
    ValueError
        If there is no such scene.
    """
    if scene == "inverted_image":
        return _inverted(seed, n_frames, start, latitude, longitude)
    if scene in BUILDERS:
        world = World(_stream(scene, seed), start, n_frames, latitude, longitude, "dark")
        show = BUILDERS[scene](world)
        images = np.stack(
            [world.camera.expose(show(i).astype(np.float32), world.rng) for i in range(n_frames)]
        )
        return _clip(world, images, -1, np.zeros((SIDE, SIDE), np.float32))
    if scene not in REGISTRY:
        raise ValueError(f"no scene {scene!r}; one of {', '.join((*SCENES, *UNSURE))}")
    entry = REGISTRY[scene]
    label = entry.label
    for attempt in range(_ATTEMPTS):
        world = World(_stream(scene, seed, attempt), start, n_frames, latitude, longitude, entry.light)
        entry.build(world)
        images, truth = film(world, lambda truth: _holds(label, truth))
        if images is not None:
            return _clip(world, images, label, truth.pulsing)
    raise RuntimeError(f"{scene} with seed {seed}: no clip in {_ATTEMPTS} attempts shows what its label says")


def _clip(world, images, label, depth):
    return {
        "images": images,
        "times": world.times,
        "labels": np.full(len(images), label, np.int8),
        "latitude": world.latitude,
        "longitude": world.longitude,
        "depth": depth,
        "camera": world.camera,
    }


def _inverted(seed, *where):
    """An arc's or patches' clip with dark and bright changed over."""
    names = ("folding_arc", "ellipse_patches", "broken_cloud_moonlit", "clear_moonlit")
    clip = make_clip(names[seed % len(names)], seed, *where)
    images = clip["images"].astype(np.int64)
    low, high = np.percentile(images[0], [2, 99])
    clip["images"] = np.clip(low + high - images, 0, 65535).astype(np.uint16)
    clip["labels"] = np.full(len(images), -1, np.int8)
    clip["depth"] = np.zeros((SIDE, SIDE), np.float32)
    return clip
