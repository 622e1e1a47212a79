"""Programmes: which scenes follow one another, for training and for nights as nights go."""

import numpy as np

from pulsaurora.classes import CLASSES
from pulsaurora.simulation.draws import chance, choose, log_uniform
from pulsaurora.simulation.scenes import NEEDS, SCENES, WEIGHTS

DARK_SUN = -13.0
DUSK_SUN = (-16.0, -10.5)


def suits(needs, where):
    """Tell whether sun and moon stand where a scene's name promises."""
    sun, moon, lit = where.sun_elevation, where.moon_elevation, where.moon_lit
    if needs == "twilight":
        return -10.8 < sun < 8
    if needs == "dusk":
        return DUSK_SUN[0] < sun < DUSK_SUN[1]
    if needs == "moon":
        return sun < DARK_SUN and moon > 6 and lit > 0.2
    if needs == "moonless":
        return sun < DARK_SUN and not (moon > -2 and lit > 0.02)
    return sun < DARK_SUN


def draw_script(rng, start, n_minutes, heavens, against=0.12):
    """Draw scenes for training: classes equally often, each scene 2 to 4 minutes.

    Scenes suit the sun and moon of their time, except for a share `against`, so that a model leans on what
    it sees and not on the almanac alone.

    Parameters
    ----------
    rng : numpy.random.Generator
    start : datetime64
    n_minutes : float
    heavens : pulsaurora.simulation.lighting.Heavens
    against : float, 0 to 1

    Returns
    -------
    list of (str, float)
    """
    script, total = [], 0.0
    while total < n_minutes:
        where = heavens.at(start + np.timedelta64(int(total * 60) + 60, "s"))
        freely = chance(rng, against)
        label = CLASSES[int(rng.integers(len(CLASSES)))]
        names = [n for n in SCENES if SCENES[n] == label and (freely or suits(NEEDS[n], where))]
        if not names:
            names = [n for n in SCENES if suits(NEEDS[n], where)] or ["twilight", "cloudy", "overcast"]
        name = choose(rng, {n: WEIGHTS[n] for n in names})
        minutes = log_uniform(rng, 2, 4)
        script.append((name, minutes))
        total += minutes
    return script


def draw_start(rng):
    """Draw a minute of the winters between 2005 and 2025: the moon is up and lit in two of five dark ones."""
    while True:
        day = np.datetime64("2005-01-01", "D") + int(rng.integers(0, 365 * 20))
        if not 4 < int(str(day)[5:7]) < 9:
            return (day.astype("datetime64[m]") + int(rng.integers(0, 1440))).astype("datetime64[us]")


def plausible_script(rng, start, n_minutes, heavens, longitude):
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
        where = heavens.at(now)
        hour = (now - now.astype("datetime64[D]")) / np.timedelta64(1, "h")
        local = (hour + longitude / 15 + 12) % 24 - 12 - midnight
        minutes = log_uniform(rng, 4, 25)
        if where.sun_elevation > -10.8:
            name, minutes = "twilight", min(minutes, 6)
        elif chance(rng, {"fair": 0.12, "mixed": 0.35, "poor": 0.75}[weather]):
            name = choose(rng, {"overcast": 1, "cloudy": 1, "cloud_over_aurora": 0.5, "snow_on_dome": 0.1})
        elif where.sun_elevation > -14:
            name = "clear_dusk"
        elif local < -3.5:
            name = choose(rng, {"clear_dark": 3, "diffuse": 1, "arc_quiet": 1.5, "clear_few_clouds": 0.7})
        elif local < -0.5:
            name = choose(
                rng,
                {
                    "arc_quiet": 3,
                    "arcs_active": 1.5,
                    "diffuse": 1,
                    "clear_dark": 1.5,
                    "aurora_thin_cloud": 0.5,
                    "breakup": 0.6,
                },
            )
        elif local < 0.7:
            name = choose(
                rng,
                {
                    "breakup": 2,
                    "arcs_active": 2,
                    "corona": 0.5,
                    "streamers": 1,
                    "diffuse": 1,
                    "pulsating_with_arc": 0.7,
                    "torches": 0.5,
                },
            )
            minutes = min(minutes, 12)
        elif local < 5.5:
            name = choose(
                rng,
                {
                    "pulsating_patchy": 2.5,
                    "pulsating_amorphous": 2,
                    "pulsating_parts": 0.7,
                    "pulsating_faint": 0.5,
                    "pulsating_with_arc": 0.7,
                    "pulsating_thin_cloud": 0.5,
                    "diffuse": 1,
                    "patches_steady": 0.8,
                    "torches": 0.4,
                    "clear_dark": 0.8,
                },
            )
        else:
            name = choose(rng, {"clear_dark": 2, "diffuse": 1, "pulsating_faint": 0.7, "patches_steady": 0.5})
        script.append((name, minutes))
        total += minutes
    return script
