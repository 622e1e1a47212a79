"""A night of one imager, minute by minute, with what was truly there.

A night is a script of scenes that fade into one another. The same seed, start and arguments give the same
bytes.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from pulsaurora.problems import UsageError
from pulsaurora.simulation.camera import draw_camera
from pulsaurora.simulation.draws import chance, choose, log_uniform
from pulsaurora.simulation.lighting import Lighting, Stars, sun_and_moon
from pulsaurora.simulation.lights import surroundings
from pulsaurora.simulation.scenes import NEEDS, SCENES, WEIGHTS, build_scene
from pulsaurora.simulation.sky import MARGIN_S, render
from pulsaurora.simulation.stream0 import write_stream0
from pulsaurora.simulation.truth import judge

CADENCE_S = 3.0
__all__ = ["SCENES", "SimulatedMinute", "draw_script", "draw_start", "plausible_script", "simulate_minutes",
           "write_stream0"]


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
    truth : dict of ndarray
        More of it: contrast, aurora_fraction, aurora_counts, cloud_fraction, margin, sun_elevation_deg,
        moon_elevation_deg, moon_illumination, fading.
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


def simulate_minutes(seed, start, n_minutes, site=None, script=None, skip=True, given=True) -> Iterator:
    """Simulate an imager's frames, a minute at a time.

    Parameters
    ----------
    seed : int
        Draws everything: imager, lens, site, sky.
    start : str or datetime64
        UTC; rounded down to the minute.
    n_minutes : int
    site : str, optional
        Four lower-case letters; drawn when not given. A site whose position is known keeps it.
    script : list of (str, float), optional
        Scene names and how many minutes each lasts; the last one fills what is left. Without one, a
        plausible night is drawn.
    skip : bool
        Leave out about one frame an hour, as real imagers do.
    given : bool
        Where the time's own sun and moon do not suit a scripted scene, put them where they do.

    Yields
    ------
    SimulatedMinute
        Complete minutes in time order.

    Raises
    ------
    UsageError
        If a scene name is not one of SCENES.
    """
    start = np.datetime64(start, "m").astype("datetime64[us]")
    root = np.random.SeedSequence(int(seed))
    for_site, for_camera, for_sky, for_script, for_frames = (np.random.default_rng(s) for s in root.spawn(5))
    site, imager, latitude, longitude = _draw_site(for_site, site, start, n_minutes)
    camera = draw_camera(for_camera)
    lighting = Lighting(for_sky, camera, latitude, longitude)
    stars = Stars(for_sky, camera, latitude, longitude)
    lamps = surroundings(for_sky)
    if script is None:
        script, given = plausible_script(for_script, start, n_minutes, latitude, longitude), False
    for name, _ in script:
        if name not in SCENES:
            raise UsageError(f"no scene is called {name!r}; there are: {', '.join(SCENES)}")
    parts = _plan(for_script, script, n_minutes, start, lighting, given)
    finished, waiting = [], []
    for minute in range(n_minutes):
        rows = []
        for k in range(20):
            late = for_frames.uniform(0.04, 0.1) if k == 0 else for_frames.uniform(0.02, 0.06)
            skipped = chance(for_frames, 1 / 1200) and skip
            if skipped:
                continue
            t = minute * 60 + k * CADENCE_S + late
            time = start + np.timedelta64(round(t * 1e6), "us")
            rows.append(_frame(parts, camera, lighting, stars, lamps, t, time, for_frames))
        waiting.append(rows)
        # A minute is judged when the half minute after it is known.
        if len(waiting) == 2:
            finished.append(waiting.pop(0))
            yield _minute(parts, finished[-1], camera, site, imager, latitude, longitude)
    for rows in waiting:
        yield _minute(parts, rows, camera, site, imager, latitude, longitude)


def _frame(parts, camera, lighting, stars, lamps, t, time, rng):
    """Render one frame; leave what truth needs in the parts. Returns (image, time, part, row, fading)."""
    active = [(part, part.weight(t)) for part in parts]
    active = [(part, weight) for part, weight in active if weight > 0]
    total = sum(weight for _, weight in active)
    signal = None
    best, index = None, 0
    for part, weight in active:
        view = render(part.scene, camera, lighting, stars, t - part.begin, time, rng, lamps)
        share = np.float32(weight / total)
        signal = view.image * share if signal is None else signal + view.image * share
        part.rows.append((view.pulsation, view.aurora, view.total, view.opacity, view.dawn, view.sun_moon))
        if best is None or weight > best[1]:
            best, index = (part, weight), len(part.rows) - 1
    return camera.expose(signal, rng), time, best[0], index, 1 - best[1] / total


def _minute(parts, rows, camera, site, imager, latitude, longitude):
    judged = {}
    for part in {id(row[2]): row[2] for row in rows}.values():
        judged[id(part)] = _judge(part, rows, camera)
    names = ("label", "pulsating_fraction", "contrast", "aurora_fraction", "aurora_counts", "cloud_fraction",
             "margin")
    columns = {name: [] for name in names}
    for _, _, part, index, _ in rows:
        truth, first = judged[id(part)]
        for name in names:
            columns[name].append(getattr(truth, name)[index - first])
    columns = {name: np.array(values) for name, values in columns.items()}
    places = [part.rows[index][5] for _, _, part, index, _ in rows]
    more = {name: columns[name] for name in names[2:]}
    more["sun_elevation_deg"] = np.array([p.sun_elevation for p in places])
    more["moon_elevation_deg"] = np.array([p.moon_elevation for p in places])
    more["moon_illumination"] = np.array([p.moon_lit for p in places])
    more["fading"] = np.array([row[4] for row in rows], np.float32)
    return SimulatedMinute(
        np.stack([row[0] for row in rows]), np.array([row[1] for row in rows], "datetime64[us]"),
        columns["label"].astype(np.int8), [row[2].scene.name for row in rows],
        columns["pulsating_fraction"].astype(np.float32), site, imager, latitude, longitude, more)


def _judge(part, rows, camera):
    """Judge the frames of one part that matter to these rows; returns (Truth, index of its first row)."""
    mine = [row[3] for row in rows if row[2] is part]
    first, last = max(min(mine) - 12, 0), min(max(mine) + 13, len(part.rows))
    fields = [np.stack([part.rows[k][f] for k in range(first, last)]) for f in range(4)]
    for k in range(first - 1, -1, -1):  # free what no later minute looks at
        if part.rows[k][0] is None:
            break
        part.rows[k] = (None,) * 5 + part.rows[k][5:]
    # The noise law at the CCD is in counts; so is the light here.
    dawn = np.array([part.rows[k][4] for k in range(first, last)])
    return judge(*fields, camera.noise_slope, camera.read_variance, dawn), first


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
        light = _lit_for(rng, NEEDS[part.scene], sun_and_moon(middle, lighting.latitude, lighting.longitude)) \
            if given else None
        clear, _ = lighting.at(middle, light)
        background = float(np.median(clear[lighting.camera.sample]))
        part.scene = build_scene(part.scene, rng, part.end - part.begin + MARGIN_S, background)
        part.scene.light = light
    return parts


def _lit_for(rng, needs, real):
    """Return the sun and moon a scene needs where the real ones do not suit it, else None."""
    sun, moon, lit = real.sun_elevation, real.moon_elevation, real.moon_lit
    if needs == "twilight":
        suits = -9.5 < sun < 5
        sun = sun if suits else rng.uniform(-9.0, -3)
    elif needs == "dusk":
        suits = -16.5 < sun < -12.2
        sun = sun if suits else rng.uniform(-16, -12.5)
    else:
        suits = sun < -13
        sun = sun if suits else rng.uniform(-40, -16)
        if needs == "moon" and not (moon > 6 and lit > 0.2):
            suits, moon, lit = False, rng.uniform(8, 50), rng.uniform(0.25, 1.0)
        if needs == "moonless" and moon > -2 and lit > 0.02:
            suits, moon = False, rng.uniform(-40, -3)
    if suits:
        return None
    return dataclasses.replace(real, sun_elevation=sun, moon_elevation=moon, moon_lit=lit)


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
        sun = sun_and_moon(middle, latitude, longitude).sun_elevation
        if best is None or sun < best[0]:
            best = sun, latitude, longitude
        if sun < -17:
            break
    latitude, longitude = best[1:]
    known = _known_position(site) if site else None
    if known is not None:
        latitude, longitude = known
    return site or letters, imager, float(latitude), float(longitude)


def _known_position(site):
    try:
        from pulsaurora.imaging.ephemeris import site_position
    except ImportError:
        return None
    return site_position(site)


def draw_script(rng, n_minutes, only=None):
    """Draw a script for training: scenes of every kind, each 2 to 10 minutes, classes equally often."""
    script, total = [], 0.0
    names = [name for name in SCENES if only is None or name in only]
    classes = sorted({SCENES[name] for name in names})
    while total < n_minutes:
        label = classes[int(rng.integers(len(classes)))]
        name = choose(rng, {n: WEIGHTS[n] for n in names if SCENES[n] == label})
        minutes = log_uniform(rng, 2, 10)
        script.append((name, minutes))
        total += minutes
    return script


def draw_start(rng):
    """Draw a minute of a winter's night between 2005 and 2025."""
    day = np.datetime64("2005-01-01", "D") + int(rng.integers(0, 365 * 20))
    while 4 < int(str(day)[5:7]) < 9:
        day = day + 60
    return (day.astype("datetime64[m]") + int(rng.integers(0, 1440))).astype("datetime64[us]")


def plausible_script(rng, start, n_minutes, latitude, longitude):
    """Draw a night as nights go: arcs in the evening, breakup near midnight, pulsation after it, weather.

    The order of a substorm night follows Akasofu (1964) and, for pulsation equatorward after magnetic
    midnight, Jones et al. (2011, J. Geophys. Res. 116, A03214). Magnetic midnight is taken at 23:30 to
    01:00 of local solar time.
    """
    midnight = rng.uniform(-0.5, 1.0)
    weather = choose(rng, {"fair": 0.55, "mixed": 0.35, "poor": 0.1})
    script, total = [], 0.0
    while total < n_minutes:
        now = start + np.timedelta64(int(total * 60), "s")
        where = sun_and_moon(now, latitude, longitude)
        hour = (now - now.astype("datetime64[D]")) / np.timedelta64(1, "h")
        local = (hour + longitude / 15 + 12) % 24 - 12 - midnight
        minutes = log_uniform(rng, 4, 25)
        if where.sun_elevation > -10.5:
            name, minutes = "twilight", min(minutes, 6)
        elif chance(rng, {"fair": 0.12, "mixed": 0.35, "poor": 0.75}[weather]):
            name = choose(rng, {"overcast": 1, "cloudy": 1, "cloud_over_aurora": 0.5, "snow_on_dome": 0.1})
        elif where.sun_elevation > -14:
            name = "clear_dusk"
        elif local < -3.5:
            name = choose(rng, {"clear_dark": 3, "diffuse": 1, "arc_quiet": 1.5, "clear_few_clouds": 0.7})
        elif local < -0.5:
            name = choose(rng, {"arc_quiet": 3, "arcs_active": 1.5, "diffuse": 1, "clear_dark": 1.5,
                                "aurora_thin_cloud": 0.5, "breakup": 0.6})
        elif local < 0.7:
            name = choose(rng, {"breakup": 2, "arcs_active": 2, "corona": 0.5, "streamers": 1, "diffuse": 1,
                                "pulsating_with_arc": 0.7, "torches": 0.5})
            minutes = min(minutes, 12)
        elif local < 5.5:
            name = choose(rng, {"pulsating_patchy": 2.5, "pulsating_amorphous": 2, "pulsating_parts": 0.7,
                                "pulsating_faint": 0.5, "pulsating_with_arc": 0.7, "pulsating_thin_cloud": 0.5,
                                "diffuse": 1, "patches_steady": 0.8, "torches": 0.4, "clear_dark": 0.8})
        else:
            name = choose(rng, {"clear_dark": 2, "diffuse": 1, "pulsating_faint": 0.7, "patches_steady": 0.5})
        script.append((name, minutes))
        total += minutes
    return script
