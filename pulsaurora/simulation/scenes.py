"""The scenes a night is made of, each under the name of what a person would see.

SCENES maps a name to the class it usually is. What a frame is called in truth is judged from what can be
seen in it (truth.py), so a scene drawn faint can fall to the class of its background.
"""

import pulsaurora.simulation.auroral_scenes
import pulsaurora.simulation.weather_scenes  # noqa: F401  (they register themselves)
from pulsaurora.simulation.aurora import Diffuse
from pulsaurora.simulation.draws import chance, log_uniform
from pulsaurora.simulation.lights import passing
from pulsaurora.simulation.precipitation import Flakes, Specks
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
    if scene.dome is None and chance(rng, 0.07):
        scene.flakes = Flakes(rng, few=True) if chance(rng, 0.6) else Specks(rng, few=True)
    return scene


def markdown():
    """Return docs/simulation.md: what is simulated, from the same table that draws it."""
    lines = [
        "# The synthetic sky",
        "",
        "`pulsaurora simulate` writes nights of it as stream0 files, with the truth of every frame beside",
        "them; `pulsaurora.simulation.night.simulate_minutes` gives them to Python. Nothing real is in it:",
        "lens, horizon, CCD, site, weather and aurora are drawn from a seed, and the same seed gives the",
        "same bytes. Each module of `pulsaurora/simulation/` names the papers it follows.",
        "",
        "The truth of a frame is what a person who watches the film would say, judged from the noise-free",
        "light (`truth.py`): aurora too faint, too small or too well hidden to be seen does not count. The",
        "class below is what a scene usually is. `needs` is where sun and moon stand for it.",
        "",
        "This page is made by `python -m pulsaurora.simulation > docs/simulation.md`.",
        "",
        "| scene | class | what it shows | needs |",
        "|---|---|---|---|",
    ]
    for name, label in SCENES.items():
        about = BUILDERS[name].__doc__.strip().splitlines()[0]
        lines.append(f"| `{name}` | {label} | {about} | {NEEDS[name]} |")
    return "\n".join(lines) + "\n"
