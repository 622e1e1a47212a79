"""A third sky, written independently of the training simulator and of the second sky.

Its camera, shapes, rhythms, curtains, clouds and faults follow other assumptions than
those of either, and it shares no code with them or with the package. It is an aid to
development, not an unseen judge: what it showed (warm pixels of the CCD pass for stars
under overcast; broken cloud, banks of cloud and moonlit veils are taken for aurora) was
used to widen the training simulator. None of its scenes is trained on.

    SCENES      scene -> label: 0 bad_viewing, 1 no_aurora, 2 other_aurora, 3 pulsating
    CONFUSERS   those scenes that move or flash and do not pulsate
    UNSURE      scenes unlike any sky: this sky has none
    make_clip   one clip of one scene

Names begin with the first letter of their label. The light is drawn with numpy and scipy:
textures of footprints on a plane (`textures`, `shapes`, `flicker`, `arcs`), seen as thin
layers (`emission`) among other light (`lights`), behind cloud (`clouds`), and put together
frame by frame (`film`, `camera`).
"""

import numpy as np

from . import aurora_scenes, clear_scenes, cloud_scenes, dome_scenes, pulsating_scenes  # noqa: F401  (REGISTRY)
from .camera import Camera
from .film import film
from .registry import REGISTRY

SCENES = {name: entry.label for name, entry in sorted(REGISTRY.items(), key=lambda item: item[1].label)}
CONFUSERS = (
    "b_broken_cumulus",
    "b_mackerel",
    "b_snowfall",
    "b_raindrops",
    "b_headlamps",
    "b_beacon_fog",
    "b_sunlit_clouds",
    "n_satellites_aircraft",
    "n_meteors",
    "n_few_clouds",
    "n_airglow_waves",
    "o_rayed_curls",
    "o_breakup_surge",
    "o_fast_folds",
    "o_corona",
    "o_slow_diffuse",
    "o_steady_patches",
)
UNSURE = ()

_CADENCE_S = 3.0
_JITTER_S = 0.012


def make_clip(scene, seed, n_frames=60):
    """Make one clip: a camera of its own and one scene in front of it.

    Parameters
    ----------
    scene : str
        A name in SCENES.
    seed : int
        Draws camera, scene, date and noise; the same arguments give the same clip.
    n_frames : int
        Frames at about 3 s.

    Returns
    -------
    dict
        images : uint16 (n_frames, 256, 256)
        times : datetime64[us] (n_frames,), UTC
        labels : int8 (n_frames,)
        sure : bool (n_frames,), False where people who watch would not agree on the label
        camera : the Camera, with its pedestal and faults

    Raises
    ------
    ValueError
        If there is no such scene.
    """
    if scene not in REGISTRY:
        raise ValueError(f"no scene {scene!r}; one of {', '.join(SCENES)}")
    entry = REGISTRY[scene]
    rng = np.random.default_rng([sum(map(ord, scene)) * 7919 + len(scene), seed])
    camera = Camera(rng)
    times_s = _CADENCE_S * np.arange(n_frames) + rng.normal(0, _JITTER_S, n_frames)
    times_s -= times_s.min()
    scenery = entry.build(camera, rng, times_s)
    images = film(scenery, camera, times_s, rng)
    minutes = int(rng.integers(0, 60 * 24 * 60))
    start = np.datetime64("2012-01-01T04:00:00", "us") + np.timedelta64(minutes * 60, "s")
    return {
        "images": images,
        "times": start + (times_s * 1e6).astype("timedelta64[us]"),
        "labels": np.full(n_frames, entry.label, np.int8),
        "sure": np.full(n_frames, scenery.sure, bool),
        "camera": camera,
    }
