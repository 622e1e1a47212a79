"""Pulsating aurora added to real frames, to learn how faint and how small it may be and still be found.

The light added is what the synthetic sky would give at the CCD, with the photon noise it would bring; the
frames keep their own background, noise, lens and defects.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np

from pulsaurora._core import _simulated_imager
from pulsaurora.problems import ContractError
from pulsaurora.simulation.drawn_camera import draw_camera
from pulsaurora.simulation.draws import Mapping
from pulsaurora.simulation.patches import SIZE, PatchLayer, draw_canvas, pulsating_layer
from pulsaurora.simulation.pulses import EXPOSURE_S, square_wave
from pulsaurora.simulation.truth import judge

_NOISE = 1.68, 380.0  # of the real frames at hand


def find_lens(images):
    """Find the sky's disc in frames: (row, column) of its centre and its radius, pixels.

    The disc is what is brighter than halfway (in logarithm) between the frame's corners and its middle.
    """
    mean = np.asarray(images[:: max(len(images) // 20, 1)], np.float32).mean(0)
    corners = np.median(np.concatenate([mean[:12, :12].ravel(), mean[-12:, -12:].ravel()]))
    middle = np.median(mean[108:148, 108:148])
    if not middle > corners + 20:
        raise ContractError("no sky is seen in these frames: their middle is as dark as their corners")
    lit = mean - corners > np.sqrt(max(middle - corners, 1.0) * 20)
    rows, cols = np.nonzero(lit)
    centre = (np.median(rows[(cols > 108) & (cols < 148)]), np.median(cols[(rows > 108) & (rows < 148)]))
    return tuple(float(c) for c in centre), float(np.clip(np.sqrt(lit.sum() / np.pi), 90, 128))


@dataclass(frozen=True)
class PulsingDisc:
    """A round patch of known place, size, brightness and times.

    Attributes
    ----------
    row, col, radius : float, pixels
        The brightness falls from full to none within a pixel on either side of the radius.
    amplitude : float, counts
        What it adds at the CCD while it is lit.
    starts_s, ends_s : ndarray of shape (n_pulses,)
        When it is lit, seconds from the first frame's time.
    """

    row: float
    col: float
    radius: float
    amplitude: float
    starts_s: np.ndarray
    ends_s: np.ndarray

    def profile(self, shape=(256, 256)):
        """Return what share of the amplitude each pixel gets, float32."""
        far = np.hypot(np.arange(shape[0])[:, None] - self.row, np.arange(shape[1])[None, :] - self.col)
        return np.clip((self.radius + 1 - far) / 2, 0, 1).astype(np.float32)

    def lit(self, second):
        """Return what share of the exposure that begins at a second it is lit."""
        shared = np.minimum(second + EXPOSURE_S, self.ends_s) - np.maximum(second, self.starts_s)
        return float(np.clip(shared, 0, None).sum() / EXPOSURE_S)


def inject_discs(images, times, discs, seed=0):
    """Add round patches of known pulses to frames.

    Parameters
    ----------
    images : ndarray of uint16, shape (n, rows, cols), counts
    times : ndarray of datetime64, shape (n,)
    discs : list of PulsingDisc
    seed : int
        Of the photon noise that the light brings.

    Returns
    -------
    ndarray of uint16, shape (n, rows, cols)
    """
    rng = np.random.default_rng(seed)
    images = np.asarray(images)
    profiles = [disc.profile(images.shape[1:]) * np.float32(disc.amplitude) for disc in discs]
    seconds = (times - times[0]) / np.timedelta64(1, "s")
    out = np.empty_like(images, order="C")
    for k, second in enumerate(seconds.tolist()):
        added = np.zeros(images.shape[1:], np.float32)
        for disc, profile in zip(discs, profiles, strict=True):
            if (share := disc.lit(second)) > 0:
                added += np.float32(share) * profile
        out[k] = add_light(images[k], added, rng)
    return out


def add_light(image, added, rng):
    """Return a frame with light added and the photon noise that the light brings.

    Parameters
    ----------
    image : ndarray of uint16, shape (rows, cols), counts
    added : ndarray of float32, same shape, counts
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of uint16, same shape
        Hot pixels, at 65535, stay as they are.
    """
    noisy = np.empty(image.shape, np.uint16)
    flat, none = np.ones(image.shape, np.float32), np.zeros(image.shape, np.float32)
    normal = rng.standard_normal(image.shape, dtype=np.float32)
    # Above an offset of 30,000 so that noise may also take away.
    _simulated_imager.fill_counts(
        noisy, added, 1.0, none, flat, normal * (added > 0), none[:, 0].copy(), 30000.0, _NOISE[0], 0.0
    )
    shifted = image.astype(np.int64) + noisy.astype(np.int64) - 30000
    return np.where(image == 65535, 65535, np.clip(shifted, 0, 65535)).astype(np.uint16)


def inject_pulsation(
    images,
    times,
    amplitude,
    cover=0.2,
    period_s=None,
    kind="patchy_pulsating",
    size_km=None,
    seed=0,
    lens=None,
    blur_px=None,
):
    """Add pulsating patches to frames.

    Parameters
    ----------
    images : ndarray of uint16, shape (n, 256, 256)
    times : ndarray of datetime64, shape (n,)
    amplitude : float, counts
        What a typical pulse adds at the zenith.
    cover : float, 0 to 1
        Share of the emission layer that patches cover.
    period_s : float, optional
        A plain square wave of this period, all patches at their own phase; drawn and irregular if not given.
    kind, size_km
        As in pulsaurora.simulation.patches.pulsating_layer.
    seed : int
    lens : ((float, float), float), optional
        Centre and radius of the sky's disc, pixels; found in the frames when not given.
    blur_px : float, optional
        Standard deviation of the lens' blur of what is added; as drawn for any lens when not given. Without
        it patches end from one pixel to the next, as nothing seen through a lens does.

    Returns
    -------
    images : ndarray of uint16, shape (n, 256, 256)
    visible_fraction : ndarray of float32, shape (n,)
        Share of the sky above 15 degrees that visibly pulsates, as a person would see it.

    Raises
    ------
    ContractError
        If the images are not (n, 256, 256), or no sky is found in them.
    """
    images = np.asarray(images)
    if images.ndim != 3 or images.shape[1:] != (256, 256) or len(images) != len(times):
        raise ContractError(
            f"images: found shape {images.shape} with {len(times)} times, expected (n, 256, 256) with n times"
        )
    rng = np.random.default_rng(seed)
    centre, radius = lens or find_lens(images)
    camera = draw_camera(rng, centre, radius, plain=True)
    seconds = (times - times[0]) / np.timedelta64(1, "s")
    duration = float(seconds[-1]) + 60
    if period_s is None:
        layer = pulsating_layer(rng, duration, amplitude, kind, size_km, cover, region=None)
    else:
        # The one kind that covers just what is asked.
        canvas = draw_canvas(rng, size_km or 60.0, cover, "noise")
        wave = square_wave(canvas.n, duration + 180, period_s)
        start = rng.integers(0, max(int(period_s * 4), 1), canvas.n)
        wave = np.stack([np.roll(row, s) for row, s in zip(wave, start, strict=True)]) * np.float32(amplitude)
        layer = PatchLayer(
            canvas, Mapping(rng, 1 / canvas.cell_km, SIZE), wave, 0.3 * float(canvas.potential.std())
        )
    if blur_px is not None:
        camera = dataclasses.replace(camera, psf=max(blur_px, 0.2))
    out = np.empty_like(images, order="C")
    pedestal = float(np.median(images[:, :8, :8]))
    pulsation, total = [], []
    for k, second in enumerate(seconds):
        light = np.zeros(camera.index.size, np.float32)
        layer.add(camera, float(second), light)
        light *= np.minimum(camera.path, 5.0) * camera.transmission
        added = camera.blurred(camera.slanted(light))
        light = added.ravel()[camera.index]
        out[k] = add_light(images[k], added, rng)
        pulsation.append(light[camera.sample])
        total.append(out[k].ravel()[camera.index[camera.sample]] - np.float32(pedestal))
    nothing = np.zeros((len(out), camera.sample.size), np.float32)
    seen = np.stack(pulsation), nothing, np.stack(total), nothing, nothing
    truth = judge(*seen, *_NOISE, np.zeros(len(out)))
    return out, truth.pulsating_fraction
