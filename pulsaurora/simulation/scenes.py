"""The scenes a night is made of, each under the name of what a person would see.

SCENES maps a name to the class it usually is. What a frame is called in truth is judged from what can be
seen in it (truth.py), so a scene drawn faint can fall to the class of its background.
"""

import pulsaurora.simulation.auroral_scenes
import pulsaurora.simulation.weather_scenes  # noqa: F401  (they register themselves)
from pulsaurora.simulation.aurora import Diffuse
from pulsaurora.simulation.draws import chance, log_uniform
from pulsaurora.simulation.lights import passing
from pulsaurora.simulation.registry import BUILDERS, NEEDS, SCENES, WEIGHTS
from pulsaurora.simulation.sky import Scene

__all__ = ["NEEDS", "SCENES", "WEIGHTS", "build_scene"]


def build_scene(name, rng, duration_s, background):
    """Draw a scene.

    Parameters
    ----------
    name : str
        One of SCENES.
    rng : numpy.random.Generator
    duration_s : float
    background : float, counts
        What a clear sky without aurora gives at this time, by which aurora is scaled.

    Returns
    -------
    Scene
    """
    scene = Scene(name, needs=NEEDS[name])
    BUILDERS[name](scene, rng, duration_s, background)
    scene.lights += passing(rng, duration_s)
    if chance(rng, 0.12):  # waves in the airglow: faint bands that drift (Taylor et al. 1997)
        ripples = Diffuse(
            rng, background * log_uniform(rng, 0.03, 0.2), structure=0.5, torches=False, wide=True
        )
        scene.airglow.append(ripples)
    return scene
