"""Aurora as a thin layer between some heights that follows field lines, from a texture of its footprints."""

import numpy as np

from .textures import KM_PER_POINT, Sampler

PATCH_HEIGHTS = (98, 106, 116), (0.3, 0.4, 0.3)  # km, and the part of the light from there
ARC_HEIGHTS = (
    (96, 102, 108, 115, 124, 135, 150, 170, 198),
    (0.12, 0.2, 0.22, 0.18, 0.12, 0.08, 0.05, 0.04, 0.02),
)
RAY_HEIGHTS = (
    (98, 105, 113, 122, 133, 146, 162, 182, 206, 235),
    (0.12, 0.16, 0.15, 0.13, 0.12, 0.1, 0.08, 0.06, 0.05, 0.03),
)
CORONA_HEIGHTS = (
    (100, 110, 120, 131, 143, 157, 173, 192, 214, 240, 270),
    (0.1, 0.13, 0.13, 0.12, 0.11, 0.1, 0.09, 0.08, 0.06, 0.05, 0.03),
)
RED_HEIGHTS = (190, 210, 230, 255, 285, 320), (0.15, 0.2, 0.22, 0.2, 0.14, 0.09)
MIDDLE_S = 90  # of a clip; then light that drifts is where its texture has it
_FIELD_LINE = 0.18  # km poleward for a km up
_FOOTPRINT_KM = 108  # the height whose footprint a texture is


class Emission:
    """Light of a texture, seen through the air: `tilt` turns it about the zenith (rad)."""

    def __init__(self, camera, heights_km, parts, tilt=0.0, coarse_above_km=125):
        self.layers = []
        self.extinction = camera.extinction
        cos, sin = np.cos(tilt), np.sin(tilt)
        if len(heights_km) > 5:  # tall: finer steps in height, or the layers would show
            steps = np.arange(len(heights_km))
            finer = np.linspace(0, len(heights_km) - 1, int(1.5 * len(heights_km)))
            parts, heights_km = np.interp(finer, steps, parts), np.interp(finer, steps, heights_km)
        parts = np.array(parts) / np.sum(parts)
        thick_km = np.gradient(np.array(heights_km, float))
        for height, part, thick in zip(heights_km, parts, thick_km, strict=True):
            distance, footprint, slope = camera.ground(height)
            footprint = np.maximum(
                footprint, 0.55 * thick / np.tan(np.maximum(camera.elevation, 0.05))
            )  # a layer's own depth, seen aslant
            east, north = distance * np.sin(camera.azimuth), distance * np.cos(camera.azimuth)
            north = north + (height - _FOOTPRINT_KM) * _FIELD_LINE
            east, north = cos * east + sin * north, -sin * east + cos * north
            least_level = 1.0 if height > coarse_above_km else 0.0
            sampler = Sampler(east, north, KM_PER_POINT, footprint, least_level)
            self.layers.append((sampler, (part / slope).astype(np.float32)))

    def __call__(self, texture, east_km=0.0, north_km=0.0):
        """Flat light of a texture that has moved so far."""
        pyramid = Sampler.pyramid(texture)
        light = 0
        for sampler, weight in self.layers:
            light = light + weight * sampler(pyramid, east_km, north_km)
        return light * self.extinction


def draw_tilt(rng):
    return rng.uniform(-0.35, 0.35)
