"""A night of one imager, minute by minute, with what was truly there.

A night is a script of scenes that fade into one another. The same seed, start and arguments give the same
bytes.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from pulsaurora.imaging.ephemeris import site_position, sun_moon
from pulsaurora.problems import UsageError
from pulsaurora.simulation.drawn_camera import draw_camera
from pulsaurora.simulation.draws import chance, log_uniform
from pulsaurora.simulation.lighting import GivenHeavens, Heavens, Lighting, Stars
from pulsaurora.simulation.lights import surroundings
from pulsaurora.simulation.programme import (
    DARK_SUN,
    DUSK_SUN,
    draw_script,
    draw_start,
    plausible_script,
    suits,
)
from pulsaurora.simulation.scenes import NEEDS, SCENES, build_scene
from pulsaurora.simulation.sky import MARGIN_S, render
from pulsaurora.simulation.stream0 import write_stream0
from pulsaurora.simulation.truth import judge

CADENCE_S = 3.0
# Minutes that are judged together: each time half a minute before and after them is looked at as well.
JUDGED_AT_ONCE = 3
__all__ = [
    "simulate_nights",
    "SCENES",
    "SimulatedMinute",
    "draw_script",
    "draw_start",
    "plausible_script",
    "simulate_minutes",
    "write_stream0",
]


@dataclass
class SimulatedMinute:
    """One minute of one imager and its truth, one row a frame.

    Attributes
    ----------
    images : ndarray of uint16, shape (n, 256, 256)
    times : ndarray of datetime64[us], shape (n,)
        UTC.
    labels : ndarray of int8, shape (n,)
        Index into pulsaurora.classes.CLASSES: what a person would say.
    scenes : list of str
    pulsating_fraction : ndarray of float32, shape (n,)
        Share of the sky above 15 degrees that visibly pulsates.
    people : ndarray of float32, shape (n, 4)
        Share of people who would give each label (pulsaurora.simulation.truth).
    quantities : ndarray of float32, shape (n, n_quantities)
        What truth.QUANTITIES names.
    truth : dict of ndarray
        More of it: contrast, aurora_fraction, aurora_counts, cloud_fraction, margin, sure, sun_elevation_deg,
        moon_elevation_deg, moon_illumination, fading (share of the other scene in the frame),
        from_change_s (to the nearest change of scene; a day when there is none).
    """

    images: np.ndarray
    times: np.ndarray
    labels: np.ndarray
    scenes: list
    pulsating_fraction: np.ndarray
    site: str
    imager: str
    latitude: float
    longitude: float
    people: np.ndarray
    quantities: np.ndarray
    truth: dict = field(default_factory=dict)


@dataclass
class _Part:
    """One scene of a script: when it begins to fade in and has faded out (s since the start)."""

    scene: object
    begin: float
    end: float
    fade_in: float
    fade_out: float
    rows: list = field(default_factory=list)

    def weight(self, t):
        up = 1.0 if self.fade_in == 0 else (t - self.begin + self.fade_in / 2) / self.fade_in
        down = 1.0 if self.fade_out == 0 else (self.end + self.fade_out / 2 - t) / self.fade_out
        return float(np.clip(min(up, down), 0, 1))


def simulate_minutes(
    seed,
    start,
    n_minutes,
    site=None,
    script=None,
    skip=True,
    given=True,
    gaps=(),
    camera=None,
) -> Iterator:
    """Simulate an imager's frames, a minute at a time.

    Parameters
    ----------
    seed : int or sequence of int
        Draws everything: imager, lens, site, sky.
    start : str or datetime64
        UTC; rounded down to the minute.
    n_minutes : int
    site : str, optional
        Four lower-case letters; drawn when not given. A site whose position is known keeps it.
    script : list of (str, float), or 'varied', optional
        Scene names and how many minutes each lasts; the last one fills what is left. 'varied' draws
        scenes of all classes equally often, for training. Without a script, a plausible night is drawn.
    skip : bool
        Leave out about one frame an hour, as real imagers do.
    given : bool
        Where the time's own sun and moon do not suit a scripted scene, put them where they do.
    gaps : sequence of (float, float)
        Minutes since the start between which no frame is taken.
    camera : pulsaurora.simulation.camera.Camera, optional
        The imager; drawn when not given.

    Yields
    ------
    SimulatedMinute
        In time order; minutes without a frame are left out.

    Raises
    ------
    UsageError
        If a scene name is not one of SCENES.
    """
    start = np.datetime64(start, "m").astype("datetime64[us]")
    root = np.random.SeedSequence(seed)
    for_site, for_camera, for_sky, for_script, for_frames = (np.random.default_rng(s) for s in root.spawn(5))
    site, imager, latitude, longitude = _draw_site(for_site, site, start, n_minutes)
    camera = camera or draw_camera(for_camera)
    heavens = Heavens(start, n_minutes, latitude, longitude)
    lighting = Lighting(for_sky, camera.sky, heavens)
    stars = Stars(for_sky, camera, latitude, longitude)
    lamps = surroundings(for_sky)
    if script is None:
        script, given = plausible_script(for_script, start, n_minutes, heavens, longitude), False
    elif isinstance(script, str):
        if script != "varied":
            raise UsageError(f"script is {script!r}; it can be a list of (scene, minutes), 'varied' or None")
        script = draw_script(for_script, start, n_minutes, heavens)
    for name, _ in script:
        if name not in SCENES:
            raise UsageError(f"no scene is called {name!r}; there are: {', '.join(SCENES)}")
    parts = _plan(for_script, script, n_minutes, start, lighting, given)
    waiting = []
    for minute in range(n_minutes):
        rows = []
        for k in range(20):
            late = for_frames.uniform(0.04, 0.1) if k == 0 else for_frames.uniform(0.02, 0.06)
            skipped = chance(for_frames, 1 / 1200) and skip
            t = minute * 60 + k * CADENCE_S + late
            if skipped or any(60 * a <= t < 60 * b for a, b in gaps):
                continue
            time = start + np.timedelta64(round(t * 1e6), "us")
            rows.append(_frame(parts, camera, lighting, stars, lamps, t, time, for_frames))
        waiting.append(rows)
        # Minutes are judged when the half minute after them is known.
        if len(waiting) > JUDGED_AT_ONCE:
            *known, last = waiting
            yield from _minutes(parts, known, camera, site, imager, latitude, longitude)
            waiting = [last]
    yield from _minutes(parts, waiting, camera, site, imager, latitude, longitude)


def _frame(parts, camera, lighting, stars, lamps, t, time, rng):
    """Render one frame; leave what truth needs in the parts. Returns (image, time, part, row, fading, t)."""
    active = [(part, part.weight(t)) for part in parts]
    active = [(part, weight) for part, weight in active if weight > 0]
    total = sum(weight for _, weight in active)
    signal = None
    best, index = None, 0
    for part, weight in active:
        view = render(part.scene, camera, lighting, stars, t - part.begin, time, rng, lamps)
        light = view.image if len(active) == 1 else view.image * np.float32(weight / total)
        signal = light if signal is None else signal + light
        seen = view.pulsation, view.aurora, view.total, view.opacity, view.veil
        part.rows.append((*seen, view.dawn, view.sun_moon))
        if best is None or weight > best[1]:
            best, index = (part, weight), len(part.rows) - 1
    return camera.expose(signal, rng), time, best[0], index, 1 - best[1] / total, t


def _minutes(parts, minutes, camera, *place):
    """Judge minutes that follow one another, lists of rows; yield each that has a frame."""
    rows = [row for minute in minutes for row in minute]
    judged = {}
    for part in {id(row[2]): row[2] for row in rows}.values():
        judged[id(part)] = _judge(part, rows, camera)
    for minute in filter(None, minutes):
        yield _minute(parts, minute, judged, *place)


def _minute(parts, rows, judged, site, imager, latitude, longitude):
    names = (
        "label",
        "pulsating_fraction",
        "contrast",
        "aurora_fraction",
        "aurora_counts",
        "cloud_fraction",
        "margin",
        "sure",
        "people",
        "quantities",
    )
    columns = {name: [] for name in names}
    for _, _, part, index, *_ in rows:
        truth, first = judged[id(part)]
        for name in names:
            columns[name].append(getattr(truth, name)[index - first])
    columns = {name: np.array(values) for name, values in columns.items()}
    places = [part.rows[index][6] for _, _, part, index, *_ in rows]
    more = {name: columns[name] for name in names[2:-2]}
    more["sun_elevation_deg"] = np.array([p.sun_elevation for p in places])
    more["moon_elevation_deg"] = np.array([p.moon_elevation for p in places])
    more["moon_illumination"] = np.array([p.moon_lit for p in places])
    changes = np.array([part.begin for part in parts[1:]] or [-86400.0])
    seconds = np.array([row[5] for row in rows])
    more["from_change_s"] = np.minimum(np.abs(seconds[:, None] - changes).min(1), 86400).astype(np.float32)
    more["fading"] = np.array([row[4] for row in rows], np.float32)
    return SimulatedMinute(
        np.stack([row[0] for row in rows]),
        np.array([row[1] for row in rows], "datetime64[us]"),
        columns["label"].astype(np.int8),
        [row[2].scene.name for row in rows],
        columns["pulsating_fraction"].astype(np.float32),
        site,
        imager,
        latitude,
        longitude,
        columns["people"],
        columns["quantities"],
        more,
    )


def _judge(part, rows, camera):
    """Judge the frames of one part that matter to these rows; returns (Truth, index of its first row)."""
    mine = [row[3] for row in rows if row[2] is part]
    first, last = max(min(mine) - 12, 0), min(max(mine) + 13, len(part.rows))
    fields = [np.stack([part.rows[k][f] for k in range(first, last)]) for f in range(5)]
    for k in range(first - 1, -1, -1):  # free what no later minute looks at
        if part.rows[k][0] is None:
            break
        part.rows[k] = (None,) * 6 + part.rows[k][6:]
    # The noise law at the CCD is in counts; so is the light here.
    dawn = np.array([part.rows[k][5] for k in range(first, last)])
    return judge(*fields, camera.noise_slope, camera.read_variance, dawn, camera.smooth), first


def _plan(rng, script, n_minutes, start, lighting, given):
    """Turn a script into parts with fades of 10 to 60 s between them."""
    parts, begin, total = [], 0.0, 60.0 * n_minutes
    for k, (name, minutes) in enumerate(script):
        if begin >= total:
            break
        last = k == len(script) - 1
        end = total if last else min(begin + 60.0 * minutes, total)
        parts.append(_Part(name, begin, end, 0.0, 0.0))
        begin = end
    for a, b in zip(parts, parts[1:], strict=False):
        fade = min(log_uniform(rng, 10, 60), a.end - a.begin, b.end - b.begin)
        a.fade_out = b.fade_in = fade
    for part in parts:
        middle = start + np.timedelta64(int((part.begin + part.end) * 5e5), "us")
        light = _lit_for(rng, NEEDS[part.scene], lighting.heavens.at(middle), middle) if given else None
        clear, _ = lighting.at(middle, light)
        # Aurora does not know of the moon, but scenes are to be seen: their light grows by half as much.
        above = float(np.median(clear[lighting.camera.sample]))
        background = float(np.sqrt(above * np.median(lighting.night[lighting.camera.sample])))
        part.scene = build_scene(part.scene, rng, part.end - part.begin + MARGIN_S, background)
        part.scene.light = light
    return parts


def _lit_for(rng, needs, real, middle):
    """Return the heavens a scene needs about its middle where the real ones do not suit it, else None."""
    if suits(needs, real):
        return None
    sun, moon, lit = real.sun_elevation, real.moon_elevation, real.moon_lit
    if needs == "twilight":
        sun = rng.uniform(-11.0, -6)
    elif needs == "dusk":
        sun = rng.uniform(*DUSK_SUN)
    elif sun > DARK_SUN:
        sun = rng.uniform(-40, -16)
    if needs == "moon":
        moon, lit = rng.uniform(8, 50), rng.uniform(0.25, 1.0)
    elif needs == "moonless":
        moon = rng.uniform(-40, -3)
    then = dataclasses.replace(real, sun_elevation=sun, moon_elevation=moon, moon_lit=lit)
    # The sky turns by a quarter of a degree a minute, and they climb with the sine of the angle to its axis.
    return GivenHeavens(then, middle, rng.choice([-1, 1]) * rng.uniform(0.04, 0.15), rng.uniform(-0.14, 0.14))


def _draw_site(rng, site, start, n_minutes):
    """Return site, imager, latitude and longitude; a drawn site lies where it is night, if it can."""
    imager = f"themis{int(rng.integers(1, 26)):02d}"
    letters = "".join(rng.choice(list("abcdefghijklmnoprstuvwy"), 4))
    middle = start + np.timedelta64(int(n_minutes * 30), "s")
    hour = (middle - middle.astype("datetime64[D]")) / np.timedelta64(1, "h")
    best = None
    for _ in range(40):
        latitude = rng.uniform(54, 70) * (1 if best is None or rng.random() < 0.8 else -1)
        longitude = (-15 * hour + rng.normal(0, 40) + 180) % 360 - 180
        sun = float(sun_moon(np.array([middle]), latitude, longitude).sun_elevation_deg[0])
        if best is None or sun < best[0]:
            best = sun, latitude, longitude
        if sun < -17:
            break
    latitude, longitude = best[1:]
    known = site_position(site) if site else None
    if known is not None:
        latitude, longitude = known
    return site or letters, imager, float(latitude), float(longitude)


def simulate_nights(seed, n_nights, n_minutes=None, site=None):
    """Simulate plausible nights, each of another site and winter's night.

    Yields
    ------
    (name, start, n_minutes, minutes)
        The night's name, its first minute, its length and the iterator of its SimulatedMinute.
    """
    for k, child in enumerate(np.random.SeedSequence(seed).spawn(n_nights)):
        rng = np.random.default_rng(child)
        start = draw_start(rng)
        length = n_minutes or int(rng.integers(480, 721))
        own = int(child.generate_state(1, np.uint64)[0])
        yield f"night {k + 1}", start, length, simulate_minutes(own, start, length, site)
