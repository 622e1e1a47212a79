"""What a scene is, and the list of them.

A builder takes a camera, the random stream and the frames' times (s) and returns a Scenery.
"""

from collections.abc import Callable
from dataclasses import dataclass

BAD_VIEWING, NO_AURORA, OTHER_AURORA, PULSATING = range(4)


@dataclass(frozen=True)
class Scene:
    label: int
    build: Callable


REGISTRY: dict[str, Scene] = {}


def scene(label):
    """Enter a builder into the list under its own name."""

    def register(build):
        REGISTRY[build.__name__] = Scene(label, build)
        return build

    return register
