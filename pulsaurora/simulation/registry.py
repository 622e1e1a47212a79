"""The list of scenes: what builds each, its class, how often it is drawn, what sun and moon it needs."""

from pulsaurora.classes import CLASSES

SCENES = {}
WEIGHTS = {}
NEEDS = {}
BUILDERS = {}


def scene(label, weight=1.0, needs="any"):
    """Register the decorated function as the builder of the scene of its name.

    Parameters
    ----------
    label : int
        The class such a scene usually is.
    weight : float
        How often it is drawn among the scenes of its class.
    needs : str
        Where sun and moon must stand: 'any' dark time, 'moon', 'moonless', 'dusk' or 'twilight'.
    """

    def register(build):
        name = build.__name__
        BUILDERS[name], WEIGHTS[name], NEEDS[name], SCENES[name] = build, weight, needs, CLASSES[label]
        return build

    return register
