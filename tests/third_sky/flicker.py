"""How patches go on and off: each in its own irregular rhythm, or as shapes that are new in every flash."""

import numpy as np
from scipy import ndimage

from .emission import MIDDLE_S, PATCH_HEIGHTS, Emission, draw_tilt
from .shapes import draw_patches
from .textures import (
    EAST_KM,
    KM_PER_POINT,
    NORTH_KM,
    PERIOD_KM,
    WHOLE_TURN,
    power_noise,
    region,
    smoothstep,
)

_STEP_S = 0.05
_BEFORE_S = 40.0  # pulses begin so long before the clip
_EXPOSURE_S = 1


def draw_pulses(rng, n_patches, lasts_s, on_s=(2, 10), off_s=(4, 20)):
    """Irregular pulses of patches every 0.05 s, seen through the exposure; 1 is wholly on.

    Each patch keeps to its own usual on- and off-time within these ranges, with scatter.
    """
    n_steps = int((lasts_s + _BEFORE_S + 10) / _STEP_S)
    series = np.zeros((n_patches, n_steps), np.float32)
    for one in series:
        usual_on_s = np.exp(rng.uniform(np.log(on_s[0]), np.log(on_s[1])))
        usual_off_s = np.exp(rng.uniform(np.log(off_s[0]), np.log(off_s[1])))
        now_s = -rng.uniform(0, usual_on_s + usual_off_s)
        bright = rng.uniform(0.6, 1.0)
        while now_s < n_steps * _STEP_S:
            lit_s = np.clip(usual_on_s * rng.lognormal(0, 0.3), on_s[0] * 0.7, on_s[1] * 1.3)
            first, last = int(max(now_s, 0) / _STEP_S), int(max(now_s + lit_s, 0) / _STEP_S)
            if last > first and rng.random() < 0.95:
                one[first:last] = bright * rng.uniform(0.6, 1.0)
                if lit_s > 4 and rng.random() < 0.5:  # brighter at first
                    one[first:last] *= np.linspace(1.15, 0.7, len(one[first:last]))
            dark_s = np.clip(usual_off_s * rng.lognormal(0, 0.4), off_s[0] * 0.6, off_s[1] * 1.5)
            now_s += lit_s + dark_s
    times_s = np.arange(n_steps) * _STEP_S
    phase = rng.random((n_patches, 1))
    series *= 1 + 0.25 * np.sin(WHOLE_TURN * (3 * times_s[None] + phase))  # 3 Hz, which exposure washes out
    series = ndimage.gaussian_filter1d(series, 0.35 / _STEP_S, axis=1)
    return ndimage.uniform_filter1d(series, int(_EXPOSURE_S / _STEP_S), axis=1)


class Pulsing:
    """A texture of patches that each go on and off: a function of time.

    Parameters
    ----------
    lasts_s : float
        How long the clip is.
    style, size_km, share, soft_km, stretch
        As in draw_patches.
    amplitude : float, counts
    where : ndarray
        1 where patches may be, 0 elsewhere.
    on_s, off_s : tuple of float
        Ranges of the patches' usual times.
    stream : tuple of float, optional
        Speed (km/s) and heading (rad) of waves of light that run through the patches.
    pulsating_share : float
        Others of the patches are steady.
    """

    def __init__(
        self,
        rng,
        lasts_s,
        style,
        size_km,
        share,
        amplitude,
        *,
        where,
        on_s=(2, 10),
        off_s=(4, 20),
        stream=None,
        stretch=1.0,
        pulsating_share=1.0,
        soft_km=None,
    ):
        labels, light = draw_patches(rng, style, size_km, share, soft_km, stretch)
        n_patches = labels.max() + 1
        series = draw_pulses(rng, n_patches, lasts_s, on_s, off_s)
        bright = rng.lognormal(0, 0.35, n_patches).astype(np.float32)
        series *= (bright / bright.mean())[:, None]
        if pulsating_share < 1:
            steady = rng.random(n_patches) > pulsating_share
            series[steady] = (0.55 * bright[steady] / bright.mean())[:, None]
        blur_km = np.clip(0.05 * size_km if soft_km is None else soft_km * 0.7, 2, 8)
        self.blur = float(blur_km / KM_PER_POINT)
        self.light = light * np.float32(amplitude) * where
        if stream is None:  # no patch lights up all at once
            lag_s = 0.5 * power_noise(rng, 3, 3, 20) + 1.2
        else:
            speed, heading = stream
            passed_s = (np.cos(heading) * EAST_KM + np.sin(heading) * NORTH_KM) / speed
            lag_s = np.abs(np.mod(passed_s + 6 * power_noise(rng, 3, 2, 6), 30.0)) * 0.9
        lag = (np.clip(lag_s, 0, _BEFORE_S - 1) / _STEP_S).astype(np.int32)
        self.at_start = (labels * series.shape[1] - lag + int(_BEFORE_S / _STEP_S)).astype(np.int32)
        self.series = series.ravel()

    def __call__(self, time_s):
        lit = self.light * self.series[self.at_start + int(time_s / _STEP_S)]
        return ndimage.gaussian_filter(lit, self.blur, mode="wrap", truncate=2.5)


class Amorphous:
    """Shapes that become others from one flash to the next, every `step_s` or so: a function of time."""

    def __init__(self, rng, lasts_s, size_km, amplitude, where, step_s):
        self.turns_s = np.cumsum(np.r_[-8, rng.uniform(*step_s, int(lasts_s / step_s[0]) + 8)])
        self.k = PERIOD_KM / (2.2 * size_km)
        self.drawn = {}
        self.amplitude, self.where = np.float32(amplitude), where
        self.large = [power_noise(rng, 3, 1.5, 6) for _ in range(3)]
        self.rates = rng.uniform(0.25, 0.6, 3)
        self.phases = rng.uniform(0, WHOLE_TURN, 3)
        self.seeds = rng.integers(0, 2**31, len(self.turns_s))

    def _shape(self, turn):
        """Noise of one flash; the last few are kept."""
        if turn not in self.drawn:
            rng = np.random.default_rng(self.seeds[turn])
            noise = power_noise(rng, 3.2, self.k * 0.5, self.k * 3, 1.3, rng.uniform(-0.5, 0.5), side=256)
            self.drawn = {key: kept for key, kept in self.drawn.items() if key >= turn - 2}
            self.drawn[turn] = noise
        return self.drawn[turn]

    def __call__(self, time_s):
        light = 0
        for exposed_s in (time_s - 0.35, time_s + 0.35):
            turn = int(np.searchsorted(self.turns_s, exposed_s)) - 1
            part = (exposed_s - self.turns_s[turn]) / (self.turns_s[turn + 1] - self.turns_s[turn])
            part = part * part * (3 - 2 * part)
            noise = (1 - part) * self._shape(turn) + part * self._shape(turn + 1)
            noise = noise / np.sqrt(part * part + (1 - part) ** 2)
            light = light + smoothstep(noise, 0.5, 1.3)
        light = np.repeat(np.repeat(light * 0.5, 2, 0), 2, 1)
        swell = sum(
            noise * np.sin(rate * time_s + phase)
            for noise, rate, phase in zip(self.large, self.rates, self.phases, strict=True)
        )
        light = ndimage.uniform_filter(light, 3, mode="wrap") * (0.55 + 0.45 * smoothstep(swell, -1, 1))
        return light * self.amplitude * self.where


def light_of_patches(
    camera,
    rng,
    times_s,
    styles,
    size_km,
    share,
    amplitude,
    diffuse,
    *,
    speed=None,
    heading=None,
    where=None,
    contrast=0.4,
    also=None,
    **options,
):
    """Patches that pulsate in a diffuse glow and drift together: a function of time.

    Parameters
    ----------
    styles : str or list of str
        Shapes of the patches; of several, each gets its part of `share`.
    amplitude, diffuse : float, counts
        Of patches and of the glow they lie in, which varies by about `contrast`.
    speed, heading : float, km/s and rad
    where : ndarray, optional
        1 where patches may be; a region is drawn when not given.
    also : function of time, optional
        Light to add.
    """
    lasts_s = times_s[-1] + 5
    where = region(rng, rng.uniform(0.45, 0.9)) if where is None else where
    styles = [styles] if isinstance(styles, str) else styles
    patches = [
        Pulsing(
            rng,
            lasts_s,
            style,
            size_km * rng.uniform(0.8, 1.3),
            share / len(styles),
            amplitude,
            where=where,
            **options,
        )
        for style in styles
    ]
    uneven = 1 + contrast * 0.6 * power_noise(rng, 3.2, 2, 20)
    glow = ndimage.gaussian_filter(where, 18, mode="wrap") * diffuse * uneven
    glow = np.maximum(glow, 0).astype(np.float32)
    emission = Emission(camera, *PATCH_HEIGHTS, tilt=draw_tilt(rng))
    speed = rng.uniform(0, 0.4) if speed is None else speed
    heading = rng.choice([0, np.pi]) + rng.normal(0, 0.3) if heading is None else heading

    def at(time_s):
        texture = glow + sum(patch(time_s) for patch in patches)
        moved_km = speed * (time_s - MIDDLE_S)
        light = emission(texture, moved_km * np.cos(heading), moved_km * np.sin(heading))
        return light if also is None else light + also(time_s)

    return at
