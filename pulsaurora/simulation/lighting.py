"""What lights a sky at a place and time: airglow, sun, moon, stars, towns.

Sources: sun and moon from imaging.ephemeris; moonlight after Krisciunas and Schaefer (1991, PASP 103, 1033);
twilight after the surface brightness that Patat et al. (2006, A&A 455, 385) measured; the airglow's rise
towards the horizon after van Rhijn (as in Leinert et al. 1998, A&AS 127, 1). Counts are those of a camera
of sensitivity 1 that sees a dark clear zenith (22 mag per square arcsecond) at about 500 counts; a pixel of
0.75 degrees then collects as much from a star of magnitude 4.65.
"""

import math
from dataclasses import dataclass

import numpy as np

from pulsaurora.imaging.ephemeris import sun_moon
from pulsaurora.simulation.draws import chance, log_uniform

DARK_SKY = 500.0
_STARS_STAND = np.timedelta64(20_000_000, "us")  # they turn by a tenth of a pixel in it
_STAR_MAGNITUDE = 4.65
# Twilight over the dark sky at zenith against the sun's elevation, from the V surface brightness.
TWILIGHT_DEG = np.array([-90, -18, -16, -14, -12, -10, -8, -6, -4, 0, 90])
TWILIGHT_LOG = np.array([-4, -2.0, -0.9, -0.05, 0.75, 1.55, 2.5, 3.4, 4.2, 5.3, 6.5])


def _days(time):
    return (np.datetime64(time, "us") - np.datetime64("2000-01-01T12:00:00", "us")) / np.timedelta64(1, "D")


@dataclass(frozen=True)
class SunMoon:
    """Where sun and moon stand (degrees) and how much of the moon is lit (0 to 1)."""

    sun_elevation: float
    sun_azimuth: float
    moon_elevation: float
    moon_azimuth: float
    moon_lit: float


@dataclass(frozen=True)
class GivenHeavens:
    """Sun and moon that stand where a scene needs them at one time, and move on from there as they do.

    Attributes
    ----------
    then : SunMoon
    time : datetime64
    sun_rate, moon_rate : float, degrees a minute
        How fast they climb. Their azimuths go round once a day.
    """

    then: SunMoon
    time: np.datetime64
    sun_rate: float = 0.0
    moon_rate: float = 0.0

    def at(self, time):
        """Return SunMoon at a UTC time."""
        minutes = float((np.datetime64(time, "us") - self.time) / np.timedelta64(1, "m"))
        then = self.then
        return SunMoon(
            then.sun_elevation + self.sun_rate * minutes,
            (then.sun_azimuth + 0.25 * minutes) % 360,
            then.moon_elevation + self.moon_rate * minutes,
            (then.moon_azimuth + 0.25 * minutes) % 360,
            then.moon_lit,
        )


class Heavens:
    """Sun and moon over one site from `start` on, from the ephemeris every minute, interpolated between.

    Azimuth comes from how the sine of elevation changes with the place: towards the north it changes by
    cos(elevation) cos(azimuth) a radian, towards the east by cos(elevation) sin(azimuth).
    """

    def __init__(self, start, n_minutes, latitude, longitude):
        self.start = np.datetime64(start, "us")
        self.latitude, self.longitude = latitude, longitude
        times = self.start + np.arange(-3, n_minutes + 4).astype("timedelta64[m]")
        step = 0.05
        here, north, south, east, west = (
            sun_moon(times, latitude + dy, (longitude + dx + 540) % 360 - 180)
            for dy, dx in ((0, 0), (step, 0), (-step, 0), (0, step), (0, -step))
        )
        self.lit = here.moon_illumination
        self._sun, self._moon = (
            self._vectors(
                *(np.sin(np.radians(getattr(at, name))) for at in (here, north, south, east, west)),
                np.radians(2 * step),
                np.cos(np.radians(latitude)),
            )
            for name in ("sun_elevation_deg", "moon_elevation_deg")
        )

    @staticmethod
    def _vectors(here, north, south, east, west, across, cosine):
        return np.stack([(east - west) / across / cosine, (north - south) / across, here], 1)

    def at(self, time):
        """Return SunMoon at a UTC time."""
        place = float((np.datetime64(time, "us") - self.start) / np.timedelta64(1, "m") + 3)
        low = min(max(math.floor(place), 0), len(self.lit) - 2)
        part = place - low
        angles = []
        for track in (self._sun, self._moon):
            east, north, up = (track[low] + part * (track[low + 1] - track[low])).tolist()
            angles += [
                math.degrees(math.asin(min(max(up, -1), 1))),
                math.degrees(math.atan2(east, north)) % 360,
            ]
        lit = float(self.lit[low] + part * (self.lit[low + 1] - self.lit[low]))
        return SunMoon(*angles, min(max(lit, 0.0), 1.0))


class Lighting:
    """The light of one site's sky, drawn once; ``at(time)`` gives its fields for the camera's pixels."""

    def __init__(self, rng, camera, heavens):
        self.camera, self.heavens = camera, heavens
        self.airglow = DARK_SKY * log_uniform(rng, 0.6, 1.6)
        self.extinction = rng.uniform(0.12, 0.3)
        self.glare = log_uniform(rng, 0.05, 3)
        # Aerosol scatters forward; how much there is differs more between nights than the air itself.
        self.aerosol = log_uniform(rng, 0.1, 1.5)
        self.ghosts = MoonGhosts(rng, camera)
        town = 0.0 if chance(rng, 0.35) else log_uniform(rng, 0.05, 5)
        self.town = town
        toward = np.cos(np.radians(camera.azimuth - rng.uniform(0, 360)))
        low = np.exp(-camera.elevation / rng.uniform(8, 30))
        self.town_clear = (self.airglow * 0.5 * town * low * (0.4 + 0.6 * np.clip(toward, 0, 1))).astype(
            np.float32
        )
        even = 0.35 + 0.65 * low * (1 + toward)
        self.town_cloud = (self.airglow * 1.6 * town * even).astype(np.float32)
        # Only the airglow's part of a dark sky rises towards the horizon; star- and scattered light do not.
        layer = rng.uniform(0.3, 1.0)
        van_rhijn = (1 - layer + layer * np.minimum(camera.path, 4)) * camera.transmission
        self.night = (self.airglow * van_rhijn).astype(np.float32)
        # The Milky Way: a great circle of unresolved stars that turns with the sky.
        self.galaxy = rng.uniform(0, 2 * np.pi), np.arccos(rng.uniform(-1, 1)), rng.uniform(0, 2 * np.pi)
        # In its plane starlight reaches 500 S10 where the whole dark sky has some 220 (Leinert et al. 1998).
        self.galaxy_light = 0.0 if chance(rng, 0.2) else self.airglow * log_uniform(rng, 0.03, 1.0)
        self.galaxy_width = np.radians(rng.uniform(6, 14))
        self.haze = log_uniform(rng, 1, 40)  # how wide the moon's glow is in cloud, degrees
        self.dull = log_uniform(rng, 0.15, 1.0)  # cloud by night without lights, over the airglow
        self.deck, self.hazy = log_uniform(rng, 15, 200), log_uniform(rng, 0.2, 4)
        # Twilight is blue, which one lens and CCD sees better than another; it rises towards the horizon.
        self.twilight, self.low_twilight = log_uniform(rng, 0.2, 1.6), rng.uniform(0, 1.2)
        self._key, self._between = {}, (None, None)

    def dawn(self, sun_elevation):
        """Return twilight's light at the zenith over the dark sky's, for the sun's elevation in degrees."""
        return self.twilight * 10 ** float(np.interp(sun_elevation, TWILIGHT_DEG, TWILIGHT_LOG))

    def at(self, time, heavens=None, cloud=True):
        """Return (clear, cloud): counts from a clear sky and from thick white cloud, float32 (n_pixels,).

        Fields are computed each 20 s and interpolated between. Sun and moon are the site's own unless other
        heavens are given. The second is None where no cloud is asked for.
        """
        heavens = heavens or self.heavens
        step = np.timedelta64(20_000_000, "us")
        moment = np.datetime64(time, "us")
        slot = int((moment - np.datetime64(0, "us")) // step)
        part = np.float32((moment - np.datetime64(0, "us")) / step - slot)
        for needed in (slot, slot + 1):
            if (heavens, needed) not in self._key:
                moments = np.datetime64(0, "us") + needed * step
                self._key[heavens, needed] = self._fields(heavens.at(moments), _days(moments))
        for old in [key for key in self._key if key[1] not in (slot, slot + 1)]:  # of all heavens: scenes end
            del self._key[old]
        if self._between[0] != (heavens, slot):
            before, after = self._key[heavens, slot], self._key[heavens, slot + 1]
            self._between = (heavens, slot), [(b, a - b) for b, a in zip(before, after, strict=True)]
        clear, cloudy = self._between[1]
        return self._part_of(clear, part), self._part_of(cloudy, part) if cloud else None

    @staticmethod
    def _part_of(field, part):
        before, change = field
        now = change * part
        now += before
        return now

    def _fields(self, where, days):
        camera = self.camera
        clear = self.night + self.town_clear + self._milky_way(days)
        cloud = self.town_cloud + np.float32(self.airglow * self.dull)
        dawn = self.dawn(where.sun_elevation)
        if dawn > 0.01:
            toward = camera.cosine(0.0, where.sun_azimuth)
            tilt = np.clip(0.07 * (where.sun_elevation + 18), 0, 1.0)
            shape = np.exp(tilt * 1.8 * (toward - 0.2) * np.cos(np.radians(camera.elevation))).astype(
                np.float32
            )
            low = 1 - camera.direction[2]
            shape *= (1 + self.low_twilight * low**2).astype(np.float32)
            glow = np.float32(self.airglow * dawn)
            clear = clear + glow * shape
            cloud = cloud + glow * (0.5 + 0.5 * shape)
        if where.moon_elevation > -1 and where.moon_lit > 0.01:
            scattered, veiled, disc = self._moon(where)
            clear = clear + scattered + disc
            cloud = cloud + veiled
        return clear.astype(np.float32), cloud.astype(np.float32)

    def _milky_way(self, days):
        """Return the light of the Milky Way's band, which turns once in a sidereal day."""
        if self.galaxy_light == 0:
            return 0.0
        # The pole of its plane, and its brightest point, in a frame that turns about the celestial pole.
        turn = 2 * np.pi * (days * 1.00273790935 % 1.0) + np.radians(self.heavens.longitude)
        lat = np.radians(self.heavens.latitude)
        ra, polar, phase = self.galaxy
        hour = turn - ra
        pole = np.array(
            [
                -np.sin(polar) * np.sin(hour),
                np.cos(polar) * np.cos(lat) - np.sin(polar) * np.cos(hour) * np.sin(lat),
                np.cos(polar) * np.sin(lat) + np.sin(polar) * np.cos(hour) * np.cos(lat),
            ],
            np.float32,
        )
        d = self.camera.direction
        off = pole[0] * d[0] + pole[1] * d[1] + pole[2] * d[2]
        band = np.exp(-((off / np.float32(np.sin(self.galaxy_width))) ** 2))
        uneven = 0.7 + 0.3 * np.sin(2 * np.radians(self.camera.azimuth) + np.float32(phase + turn))
        return np.float32(self.galaxy_light) * band * uneven * self.camera.transmission

    def moon_power(self, where):
        """Return the moonlight that reaches the ground over that of a full moon at the zenith."""
        phase = np.degrees(np.arccos(np.clip(2 * where.moon_lit - 1, -1, 1)))
        bright = 10 ** (-0.4 * (0.026 * phase + 4e-9 * phase**4))
        rise = np.clip((where.moon_elevation + 1) / 2, 0, 1)
        mass = 1 / max(np.sin(np.radians(max(where.moon_elevation, 1.0))), 0.03)
        return bright * rise * 10 ** (-0.4 * self.extinction * min(mass, 20))

    def _moon(self, where):
        """Return the moon's light scattered by clear air, its glow in thick cloud, and disc and glare."""
        camera = self.camera
        power = self.moon_power(where)
        cosine = camera.cosine(where.moon_elevation, where.moon_azimuth)
        apart = np.degrees(np.arccos(cosine))
        # Krisciunas and Schaefer's scattering function; 1 at 90 degrees. Within 10 degrees of the moon the
        # aureole is steep.
        wide = 10 ** (6.15 - np.minimum(apart, 80) / 40)
        aerosol = np.where(apart < 10, 6.2e7 / np.maximum(apart, 1) ** 2, wide)
        scatter = (10**5.36 * (1.06 + cosine**2) + self.aerosol * aerosol) / 10**5.51
        column = 1 - 10 ** (-0.4 * self.extinction * np.minimum(camera.airmass, 20))
        # A full moon at the zenith: 850 nanolambert at 90 degrees through a column of 0.146, where the dark
        # sky has 54; a cloud deck it lights (0.27 lux, 0.4 of it let through) is 200 dark skies bright, one
        # that lets a thirtieth through 15, which is darker than the clear sky about the moon.
        scattered = 138 * self.airglow * power * scatter * column
        slant = 0.4 + 0.6 * np.sin(np.radians(max(where.moon_elevation, 0)))
        glow = 1 + self.hazy * np.exp(-((apart / (4 * self.haze + 15)) ** 1.2))
        veiled = self.deck * self.airglow * power * slant * glow
        size = 1.1 + 1.5 * np.sqrt(power)
        disc = (
            4e5
            * power
            * self.glare
            * (np.exp(-((apart / size) ** 2)) + 8e-3 / (1 + (apart / (2 * size)) ** 2.2))
        )
        return scattered, veiled, disc

    def moon_ghosts(self, where):
        """Return the light of the moon's images in the lens, counts, float32 (n_pixels,), or None."""
        if where.moon_elevation < 1 or where.moon_lit < 0.05:
            return None
        # A hundred times the sky far from a moon at the zenith: what falls on a pixel of the moon's edge.
        return self.ghosts.at(where, 1500 * self.airglow * self.moon_power(where))

    def moon_through(self, where):
        """Return the moon's own blurred disc seen through thin cloud, counts, float32 (n_pixels,)."""
        camera = self.camera
        power = self.moon_power(where)
        apart = np.degrees(np.arccos(camera.cosine(where.moon_elevation, where.moon_azimuth)))
        core = np.exp(-((apart / (1.2 + 0.1 * self.haze)) ** 2)) + 0.15 / (
            1 + (apart / (1 + 0.5 * self.haze)) ** 2
        )
        return (1.2e5 * power * core).astype(np.float32)


class MoonGhosts:
    """Faint images of the moon that the surfaces of a lens throw across its middle, sharp or out of focus."""

    def __init__(self, rng, camera):
        n = int(rng.choice([0, 1, 2, 3], p=[0.4, 0.25, 0.2, 0.15]))
        self.place = rng.uniform(-1.1, -0.2, n)  # along the line from the middle of the lens to the moon
        self.radius = log_uniform(rng, 1.5, 14, n)  # pixels
        self.share = log_uniform(rng, 2e-4, 4e-3, n)  # of the moon's light
        self.edge = rng.uniform(0.5, 2.0, n)
        self.camera, self._now = camera, (None, None)

    def at(self, where, light):
        """Return the ghosts' light where the moon's own is `light` counts; None where there is no ghost."""
        if not len(self.place):
            return None
        key = round(where.moon_elevation, 1), round(where.moon_azimuth, 1)
        if self._now[0] != key:
            camera = self.camera
            row, column = camera.project(*key)
            shape = np.zeros(camera.index.size, np.float32)
            rows = (camera.rows - camera.centre[0]).astype(np.float32)
            columns = (camera.cols - camera.centre[1]).astype(np.float32)
            ghosts = zip(self.place, self.radius, self.share, self.edge, strict=True)
            for place, radius, share, edge in ghosts:
                down = rows - np.float32(place * (row - camera.centre[0]))
                right = columns - np.float32(place * (column - camera.centre[1]))
                out = (np.sqrt(down * down + right * right) - np.float32(radius)) / np.float32(edge)
                shape += np.float32(share) / (1 + np.exp(np.minimum(out, 30)))
            self._now = key, shape
        return np.float32(light) * self._now[1]


class Stars:
    """A drawn starry sky that turns with the earth; bright ones are planets, which do not twinkle.

    Magnitudes follow the counts of the naked-eye sky, N(<m) ~ 10**(0.51 m), some 4,800 to magnitude 6
    (Allen's Astrophysical Quantities), denser towards a galactic plane.
    """

    def __init__(self, rng, camera, latitude, longitude, faintest=5.9):
        n = int(4300 * rng.uniform(0.6, 1.3))
        z = rng.uniform(-1, 1, n)
        plane = chance(rng, 0.7)
        if plane:
            z = np.where(rng.random(n) < 0.4, z * np.abs(z), z)
        self.ra, self.dec = rng.uniform(0, 2 * np.pi, n), np.arcsin(z)
        magnitude = np.maximum(faintest + np.log10(np.maximum(rng.random(n), 1e-6)) / 0.51, -1.5)
        n_planets = int(rng.integers(0, 4))
        magnitude[:n_planets] = rng.uniform(-3, 1, n_planets)
        self.dec[:n_planets] = np.radians(rng.uniform(-24, 24, n_planets))
        self.steady = np.zeros(n, bool)
        self.steady[:n_planets] = True
        # Aberrations, a lens out of focus, dew and dirt spread a part of a star's light too wide to be seen,
        # and more airglow than starlight may pass the filter: a clear sky may show few stars.
        in_focus = log_uniform(rng, 0.1, 1.0)
        self.flux = in_focus * DARK_SKY * 10 ** (-0.4 * (magnitude - _STAR_MAGNITUDE))
        self.twinkle = log_uniform(rng, 0.02, 0.5)
        self.camera, self.longitude = camera, longitude
        # Towards the right ascensions 0 and 6 h and the celestial pole; and where the pole stands.
        away = np.cos(self.dec)
        self._place = np.stack([away * np.cos(self.ra), away * np.sin(self.ra), np.sin(self.dec)])
        self._pole = np.sin(np.radians(latitude)), np.cos(np.radians(latitude))
        self._slot = None

    def at(self, time, rng):
        """Return (row, col, flux, pixel): float32 places and light, and each one's pixel of `camera.sky`."""
        slot = int((np.datetime64(time, "us") - np.datetime64(0, "us")) // _STARS_STAND)
        if slot != self._slot:
            self._slot = slot
            up, elevation, azimuth = self._risen(_days(np.datetime64(0, "us") + slot * _STARS_STAND))
            row, col = self.camera.project(elevation, azimuth)
            inside = (row > 0) & (row < 255) & (col > 0) & (col < 255)
            up, row, col = up[inside], row[inside], col[inside]
            pixel, sky_pixel = (view.pixel_at(row, col) for view in (self.camera, self.camera.sky))
            good = (pixel >= 0) & (sky_pixel >= 0)
            up, pixel = up[good], pixel[good]
            mass = self.camera.airmass[pixel]
            light = self.flux[up] * self.camera.transmission[pixel] * self.camera.through[pixel]
            spread = np.where(self.steady[up], 0.0, np.minimum(self.twinkle * mass**0.9, 0.8))
            self._now = row[good], col[good], light, spread, sky_pixel[good]
        row, col, light, spread, pixel = self._now
        flux = light * np.exp(spread * rng.standard_normal(light.size) - 0.5 * spread**2)
        return row, col, flux.astype(np.float32), pixel

    def _risen(self, days):
        """Return which stars stand above 1 degree, and their elevation and azimuth (degrees)."""
        sidereal = np.radians((280.46061837 + 360.98564736629 * days + self.longitude) % 360)
        c, s = np.cos(sidereal), np.sin(sidereal)
        x, y, z = self._place
        south, west = c * x + s * y, s * x - c * y
        sine, cosine = self._pole
        height = sine * z + cosine * south
        up = np.flatnonzero(height > np.sin(np.radians(1)))
        north = cosine * z[up] - sine * south[up]
        elevation = np.degrees(np.arcsin(np.minimum(height[up], 1)))
        return up, elevation, np.degrees(np.arctan2(-west[up], north)) % 360
