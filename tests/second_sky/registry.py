"""What a scene is, and the list of them.

Each builder appends layers to a World. `light` says which sky it needs:
"dark" (no moon), "moon" or "twilight".
"""

from collections.abc import Callable
from dataclasses import dataclass

from .lights import Stars

BAD_VIEWING, NO_AURORA, OTHER_AURORA, PULSATING = range(4)


@dataclass(frozen=True)
class Scene:
    label: int
    light: str
    build: Callable


REGISTRY: dict[str, Scene] = {}


def scene(label, light="dark"):
    """Enter a builder into the list under its own name."""

    def register(build):
        REGISTRY[build.__name__] = Scene(label, light, build)
        return build

    return register


def add_stars(w, **options):
    w.points.append(Stars(w, w.rng.lognormal(9.6, 0.4), **options))
