from dataclasses import replace

import numpy as np
import pytest

from pulsaurora.simulation.aurora import S_START, STEP_KM, Corona, Diffuse
from pulsaurora.simulation.clouds import Cloud, Dome
from pulsaurora.simulation.drawn_camera import draw_camera
from pulsaurora.simulation.draws import Mapping, texture
from pulsaurora.simulation.lighting import (
    DARK_SKY,
    GivenHeavens,
    Heavens,
    Lighting,
    MoonGhosts,
    SunMoon,
)
from pulsaurora.simulation.lights import Flashing, FloodLight, GroundLight, Headlights
from pulsaurora.simulation.patches import SIZE, PatchLayer, draw_canvas
from pulsaurora.simulation.precipitation import Flakes, Specks
from pulsaurora.simulation.pulses import pulse_series, square_wave
from pulsaurora.simulation.sky import Scene, render
from pulsaurora.simulation.truth import judge

NIGHT = np.datetime64("2015-01-20T08:00", "us")


@pytest.fixture(scope="module")
def camera():
    return draw_camera(np.random.default_rng(4))


@pytest.fixture(scope="module")
def lighting(camera):
    return Lighting(np.random.default_rng(5), camera, Heavens(NIGHT, 60, 60.0, -110.0))


def test_altocumulus_is_finer_than_stratocumulus_and_not_finer_than_pixels(camera):
    """An element and the gap beside it are some 5 to 30 degrees wide overhead, those of lower decks more."""
    image, high = np.zeros((256, 256)), camera.elevation_map() > 50
    rows, cols = np.flatnonzero(high.sum(axis=1) > 60), np.flatnonzero(high.sum(axis=0) > 60)

    def across(kind, seed):
        image.ravel()[camera.index] = Cloud(np.random.default_rng(seed), kind, 0.5, 1.0).at(camera, 0.0)[0]
        lines = [image[k, high[k]] for k in rows] + [image[high[:, k], k] for k in cols]
        edges = sum(np.count_nonzero(np.diff(line > 0.5)) for line in lines)
        return 2 * sum(map(len, lines)) / max(edges, 1) * 90 / camera.radius

    fine, coarse = ([across(kind, seed) for seed in range(30)] for kind in ("altocumulus", "stratocumulus"))
    assert np.percentile(fine, 10) > 5 and np.percentile(fine, 90) < 30
    assert np.median(coarse) > 1.5 * np.median(fine)


def test_projection_leads_back_to_the_pixel(camera):
    row, col = camera.project(camera.elevation, camera.azimuth)
    assert np.abs(row - camera.rows).max() < 0.05
    assert np.abs(col - camera.cols).max() < 0.05


def test_the_zenith_sees_what_is_overhead(camera):
    top = camera.elevation.argmax()
    assert np.hypot(camera.east_km[top], camera.north_km[top]) < 3
    ten = np.abs(camera.elevation - 10).argmin()
    # 110 km up at 10 degrees of elevation over a round earth
    assert np.hypot(camera.east_km[ten], camera.north_km[ten]) == pytest.approx(480, abs=25)


def test_two_exposures_differ_by_the_noise_law(camera):
    camera = replace(camera, warm=np.zeros((256, 256), np.float32))
    rng = np.random.default_rng(0)
    signal = np.zeros((256, 256), np.float32)
    signal[:, 128:] = 5000
    first, second = (camera.expose(signal, rng).astype(float) for _ in range(2))
    measured = [np.var((first - second)[:, half]) / 2 for half in (slice(5, 120), slice(135, 250))]
    expected = [camera.read_variance, camera.read_variance + 5000 * camera.noise_slope]
    good = camera.row_noise**2 + np.array(expected) + (5000 * np.array([0, 1]) * camera.exposure_jitter) ** 2
    defects = sum(len(d[0]) for d in camera.defects)
    assert measured[1] == pytest.approx(good[1], rel=0.05)
    if not defects:
        assert measured[0] == pytest.approx(good[0], rel=0.05)


@pytest.mark.parametrize("psf", [0.55, 1.0, 1.7])
def test_light_drawn_on_every_second_pixel_looks_the_same(camera, psf):
    fine = replace(camera, psf=psf)
    coarse = replace(fine, grain=2).sky
    assert coarse.index.size == pytest.approx(fine.index.size / 4, rel=0.02)
    rng = np.random.default_rng(2)
    canvas = draw_canvas(rng, 120, 0.5, "noise")
    layer = PatchLayer(canvas, Mapping(rng, 1 / canvas.cell_km, SIZE), square_wave(canvas.n, 90, 9e9), 0.6)
    images = []
    for one in (fine.sky, coarse):
        light = np.zeros(one.index.size, np.float32)
        layer.add(one, 5.0, light)
        images.append(one.pictured(1000 * one.slanted(light) * one.sheet + 300))
    inside = np.nan_to_num(camera.elevation_map()).reshape(64, 4, 64, 4).min(axis=(1, 3)) > 15
    one, other = (image.reshape(64, 4, 64, 4).mean(axis=(1, 3))[inside] for image in images)
    assert one.max() > 3 * one.min()
    # Pixels differ where patches end; blocks of them hardly do.
    assert np.abs(other / one - 1).mean() < 0.02
    assert np.corrcoef(one, other)[0, 1] > 0.998
    assert other.mean() == pytest.approx(one.mean(), rel=0.01)


def test_even_light_on_every_second_pixel_is_dimmed_as_the_lens_dims_it(camera):
    coarse = replace(camera, grain=2).sky
    even = [one.pictured(np.full(one.index.size, 500, np.float32)) for one in (camera, coarse)]
    inside = camera.elevation > 5
    one, other = (image.ravel()[camera.index[inside]] for image in even)
    np.testing.assert_allclose(other, one, rtol=0.01)


def test_a_place_is_found_on_the_pixel_that_is_nearest(camera):
    for one in (camera, replace(camera, grain=2).sky):
        found = one.pixel_at(one.rows + 0.4, one.cols - 0.4)
        np.testing.assert_array_equal(found, np.arange(one.index.size))
        assert (one.pixel_at(np.array([0.0, 255.4]), np.array([0.0, 255.4])) == -1).all()


@pytest.mark.parametrize("period_s", [9.0, 15.0, 24.0])
def test_a_square_wave_patch_shows_its_period(camera, lighting, period_s):
    """Known truth: one patch over the whole sky, on for half of each period."""
    rng = np.random.default_rng(1)
    canvas = draw_canvas(rng, 100, 0.5, "noise")
    canvas.potential[:] = 1.0
    canvas.ids[:] = 0
    canvas.base = 0.0
    wave = square_wave(canvas.n, 300, period_s) * np.float32(1000)
    layer = PatchLayer(canvas, Mapping(rng, 1 / canvas.cell_km, SIZE), wave, 0.1, lead_s=0.0)
    scene = Scene("test", pulsating=[layer])
    at = np.argmax(camera.through[camera.sample])
    t = np.arange(0, 240, 3.0)
    moments = NIGHT + (t * 1e6).astype("timedelta64[us]")
    series = np.array(
        [
            render(scene, camera, lighting, None, s, time, rng).pulsation[at]
            for s, time in zip(t, moments, strict=True)
        ]
    )
    power = np.abs(np.fft.rfft(series - series.mean(), 4096))
    frequency = np.fft.rfftfreq(4096, 3.0)
    assert 1 / frequency[power.argmax()] == pytest.approx(period_s, rel=0.03)
    assert series.max() > 500 > 10 > series.min()


def test_pulses_last_several_seconds_and_are_not_negative():
    on = []
    for seed in range(40):
        series, period = pulse_series(np.random.default_rng(seed), 5, 300)
        assert series.shape[0] == 5
        assert np.isfinite(series).all()
        assert (series >= 0).all()
        assert 2 <= period <= 40
        lit = series[0] > 0.5 * (series[0].max() + series[0].min())
        on.append(lit.mean() * period)
    assert 1 < np.median(on) < 15


def test_drift_moves_patches_the_way_it_says():
    rng = np.random.default_rng(3)
    mapping = Mapping(rng, 0.5, 64, velocity=(0.4, -0.1))
    a, b = mapping.at(0.0), mapping.at(100.0)
    # What was at (10, 20) km is at (50, 10) km after 100 s.
    before = (a[0] * 10 + a[1] * 20 + a[2], a[3] * 10 + a[4] * 20 + a[5])
    after = (b[0] * 50 + b[1] * 10 + b[2], b[3] * 50 + b[4] * 10 + b[5])
    for p, q in zip(before, after, strict=True):
        assert (p - q + 32) % 64 == pytest.approx(32, abs=1e-3)


def test_textures_have_zero_mean_and_unit_variance_and_repeat():
    field = texture(np.random.default_rng(0), 20, 128)
    assert abs(field.mean()) < 1e-4
    assert field.std() == pytest.approx(1, abs=1e-3)
    step = np.abs(np.diff(field, axis=0)).mean()
    assert np.abs(field[0] - field[-1]).mean() < 2 * step


def stand(where):
    """Heavens in which sun and moon stand still."""
    return GivenHeavens(where, NIGHT)


def test_given_heavens_move_as_the_sky_turns(lighting):
    heavens = GivenHeavens(SunMoon(-11, 100, 20, 355, 0.5), NIGHT, sun_rate=0.1, moon_rate=-0.05)
    later = heavens.at(NIGHT + np.timedelta64(4, "m"))
    assert later == SunMoon(pytest.approx(-10.6), 101, pytest.approx(19.8), 356, 0.5)
    levels = [
        float(np.median(lighting.at(NIGHT + np.timedelta64(s, "s"), heavens)[0])) for s in range(0, 240, 30)
    ]
    assert levels == sorted(levels)
    assert 1.2 < levels[-1] / levels[0] < 1.8  # a third of a degree of twilight


def test_light_of_heavens_that_are_past_is_not_kept(lighting):
    for minute in range(6):  # as the scenes of a night follow one another
        time = NIGHT + np.timedelta64(minute, "m")
        lighting.at(time, GivenHeavens(SunMoon(-30, 100, -20, 355, 0.5 + 0.01 * minute), time))
    assert len(lighting._key) == 2


def test_a_full_moon_outshines_the_dark_sky_by_what_was_measured(camera, lighting):
    dark, _ = lighting.at(NIGHT, stand(SunMoon(-40, 0, -30, 0, 1.0)))
    moonlit, deck = lighting.at(NIGHT, stand(SunMoon(-40, 0, 60, 180, 1.0)))
    north = (np.abs(camera.elevation - 60) < 5) & (np.abs((camera.azimuth + 180) % 360 - 180) < 20)
    ratio = np.median(moonlit[north]) / np.median(dark[north])
    assert 6 < ratio < 40  # Krisciunas and Schaefer: some 3 magnitudes
    assert np.median(deck) > np.median(moonlit[north])


def test_the_moons_aureole_follows_what_was_measured_near_it(camera, lighting):
    moon = SunMoon(-40, 0, 50, 120, 0.8)
    clear, _ = lighting.at(NIGHT, stand(moon))
    dark, _ = lighting.at(NIGHT, stand(SunMoon(-40, 0, -30, 0, 0.8)))
    apart = np.degrees(np.arccos(camera.cosine(50, 120)))
    near, far = (np.median((clear - dark)[np.abs(apart - at) < 0.5]) for at in (7, 60))
    scattering = {at: 10**5.36 * (1.06 + np.cos(np.radians(at)) ** 2) for at in (7, 60)}
    scattering[7] += lighting.aerosol * 6.2e7 / 49  # Krisciunas and Schaefer (1991), their equation 19
    scattering[60] += lighting.aerosol * 10 ** (6.15 - 60 / 40)
    assert near / far > 0.7 * scattering[7] / scattering[60]


def test_ghosts_of_the_moon_lie_across_the_middle_of_the_lens_from_it(camera):
    found = 0
    for seed in range(20):
        ghosts = MoonGhosts(np.random.default_rng(seed), camera)
        light = ghosts.at(SunMoon(-40, 0, 40, 77, 0.8), 1e6)
        assert (light is None) == (len(ghosts.place) == 0)
        if light is None:
            continue
        found += 1
        row, col = (float(v) - c for v, c in zip(camera.project(40, 77), camera.centre, strict=True))
        down, right = camera.rows - camera.centre[0], camera.cols - camera.centre[1]
        along = (down * row + right * col) / np.hypot(row, col)
        assert along[light > 0.5 * light.max()].max() < 12  # none on the moon's own side, but for its width
        assert 2e-4 * 1e6 * 0.4 < light.max() < 4e-3 * 1e6 * 3
    assert 6 < found < 18


def test_no_ghost_is_seen_without_a_moon(lighting):
    assert lighting.moon_ghosts(SunMoon(-40, 0, -5, 77, 0.8)) is None
    assert lighting.moon_ghosts(SunMoon(-40, 0, 30, 77, 0.01)) is None


def test_twilight_darkens_as_the_sun_sinks(camera, lighting):
    levels = [
        float(np.median(lighting.at(NIGHT, stand(SunMoon(sun, 270, -30, 0, 0.5)))[0]))
        for sun in (-6, -9, -12, -15, -18, -30)
    ]
    assert levels == sorted(levels, reverse=True)
    assert levels[0] > 60000
    assert levels[-1] < 5 * DARK_SKY


def test_twilight_at_the_zenith_is_what_it_is_said_to_be(camera, lighting):
    def light(sun_elevation):
        return lighting.at(NIGHT, stand(SunMoon(sun_elevation, 0.0, -30, 180, 0.0)))[0]

    added = light(-9.0) - light(-40.0)
    zenith = camera.elevation.argmax()
    assert added[zenith] == pytest.approx(lighting.airglow * lighting.dawn(-9.0), rel=0.05)
    assert 1 < lighting.dawn(-9.0) / lighting.dawn(-10.0) < 5
    assert lighting.dawn(-20.0) < 0.02


def test_azimuth_agrees_with_astropy():
    coordinates = pytest.importorskip("astropy.coordinates")
    from astropy import units
    from astropy.time import Time

    heavens = Heavens("2014-03-10T06:00", 30, 56.38, -94.64)
    seen = heavens.at(np.datetime64("2014-03-10T06:10:30"))
    time = Time("2014-03-10T06:10:30")
    place = coordinates.EarthLocation(lat=56.38 * units.deg, lon=-94.64 * units.deg)
    frame = coordinates.AltAz(obstime=time, location=place)
    for body in ("sun", "moon"):
        there = coordinates.get_body(body, time, place).transform_to(frame)
        assert getattr(seen, f"{body}_azimuth") == pytest.approx(there.az.deg, abs=0.3)
        assert getattr(seen, f"{body}_elevation") == pytest.approx(there.alt.deg, abs=0.1)


def test_diffuse_light_does_not_pulsate(camera):
    layer = Diffuse(np.random.default_rng(2), 1000, torches=False)
    frames = []
    for t in (0.0, 3.0):
        out = np.zeros(camera.index.size, np.float32)
        layer.add(camera, t, out)
        frames.append(out)
    assert frames[0].max() > 300
    assert np.abs(frames[1] - frames[0]).mean() < 0.05 * frames[0].mean()


def test_the_rim_of_a_band_lies_along_its_border(camera):
    def drawn(rim):
        band = Diffuse(np.random.default_rng(6), 1000, structure=0.0, torches=True, wide=False, rim=rim)
        t = 40 * STEP_KM / band.border_speed  # forty knots on: lines between them stay as they are
        out = np.zeros(camera.index.size, np.float32)
        band.add(camera, t, out)
        return band, t, out

    (_, _, without), (band, t, with_rim) = drawn(0.0), drawn(2.0)
    rim = with_rim - without
    along = camera.east_km * np.cos(band.tilt) + camera.north_km * np.sin(band.tilt)
    across = camera.north_km * np.cos(band.tilt) - camera.east_km * np.sin(band.tilt) - band.centre(t)
    knots, whole = S_START + STEP_KM * (np.arange(len(band.border)) + 40), STEP_KM * len(band.border)
    off = across - band.flat - np.interp(along, knots, band.border, period=whole)
    level = band.level(t) * np.interp(along, knots, band.rim, period=whole)
    expected = level * np.exp(-((off / np.where(off > 0, 1.5 * band.rim_km, band.rim_km)) ** 2))
    assert expected.max() > 1000
    np.testing.assert_allclose(rim, expected, atol=0.005 * expected.max())


@pytest.mark.parametrize("seed", [2, 3, 6])
def test_the_rays_of_a_corona_meet_at_the_magnetic_zenith(camera, seed):
    corona = Corona(np.random.default_rng(seed), 1000)
    corona.reach_deg, corona.hole_deg = 60, 0.1
    light = np.zeros(camera.index.size, np.float32)
    corona.add(camera, 7.0, light)
    image = np.zeros(256 * 256)
    image[camera.index] = light
    beside = np.cross(corona.zenith, [1.0, 0.0, 0.0])
    beside /= np.linalg.norm(beside)
    away, turn = np.meshgrid(
        np.radians(np.arange(12, 42, 3)), np.radians(np.arange(0, 360, 5)), indexing="ij"
    )
    ray = (
        np.multiply.outer(corona.zenith, np.cos(away))
        + np.multiply.outer(beside, np.sin(away) * np.cos(turn))
        + np.multiply.outer(np.cross(corona.zenith, beside), np.sin(away) * np.sin(turn))
    )
    row, col = camera.project(
        np.degrees(np.arcsin(ray[2])).ravel(), np.degrees(np.arctan2(ray[0], ray[1])).ravel()
    )
    seen = np.log(
        image.reshape(256, 256)[np.rint(row).astype(int), np.rint(col).astype(int)].reshape(away.shape)
    )
    seen -= seen.mean(axis=1, keepdims=True)
    along = np.corrcoef(seen[:-1].ravel(), seen[1:].ravel())[0, 1]
    across = np.corrcoef(seen.ravel(), np.roll(seen, 6, axis=1).ravel())[0, 1]
    assert along > 0.6
    assert along > across + 0.3


class TestJudgement:
    """Each row of what a person would say, worked by hand on a sky of 100 blocks over 41 frames."""

    def ask(
        self, pulsation=0.0, aurora=0.0, rest=1000.0, opacity=0.0, dawn=0.0, share=1.0, whole=False, veil=0.0
    ):
        on = (np.arange(41) // 3 % 2)[:, None].astype(float)
        blocks = (np.arange(100) < 100 * share)[None, :]
        p = (pulsation * on * blocks).astype(np.float32)
        a = np.full((41, 100), aurora, np.float32)
        total = (p + a) * np.float32(1 - opacity) + np.float32(rest)
        hidden, veil = (np.full((41, 100), value, np.float32) for value in (opacity, veil))
        truth = judge(p, a, total, hidden, veil, 1.68, 380.0, np.full(41, dawn))
        return truth if whole else truth.label[20]

    def test_nothing_is_no_aurora(self):
        assert self.ask() == 1

    def test_steady_light_is_other_aurora(self):
        assert self.ask(aurora=1800) == 2

    def test_faint_even_light_is_not_told_from_airglow(self):
        assert self.ask(aurora=1200) == 1

    def test_even_light_with_dark_patches_in_it_is_aurora(self):
        light = np.full((41, 100), 1200, np.float32)
        light[:, :5] = 600
        none, clear = np.zeros_like(light), np.zeros(41)
        assert judge(none, light, light + 1000, none, none, 1.68, 380.0, clear).label[20] == 2
        light[:, 2:] = 1200  # too few of them
        assert judge(none, light, light + 1000, none, none, 1.68, 380.0, clear).label[20] == 1

    def test_gaps_in_cloud_before_an_even_glow_are_no_structure_of_it(self):
        none, clear = np.zeros((41, 100), np.float32), np.zeros(41)
        glow, cloud = none + 1200, none.copy()
        cloud[:, ::3] = 0.9
        total = 1000 + glow * (1 - cloud)
        assert judge(none, glow, total, cloud, none, 1.68, 380.0, clear).label[20] == 1
        glow[:, 1:50:3] = 2000  # two kinds of gap
        total = 1000 + glow * (1 - cloud)
        assert judge(none, glow, total, cloud, none, 1.68, 380.0, clear).label[20] == 2

    def test_beating_light_is_pulsating(self):
        assert self.ask(pulsation=200) == 3

    def test_beating_light_too_faint_to_see_is_not(self):
        assert self.ask(pulsation=10, aurora=0) == 1
        assert self.ask(pulsation=10, aurora=1800) == 2

    def test_one_hundredth_of_the_sky_is_not_enough_and_two_are(self):
        assert self.ask(pulsation=500, share=0.01) == 1
        assert self.ask(pulsation=500, share=0.02) == 3

    def test_light_that_only_grows_or_fades_does_not_pulsate(self):
        passing = np.linspace(0, 500, 41, dtype=np.float32)[:, None] * np.ones((1, 100), np.float32)
        still, clear = np.zeros_like(passing), np.zeros(41)
        for light in (passing, passing[::-1].copy()):
            assert judge(light, still, light + 1000, still, still, 1.68, 380.0, clear).label[20] != 3
        there_and_gone = np.concatenate([passing[::4], passing[::-4]])
        truth = judge(
            there_and_gone,
            np.zeros_like(there_and_gone),
            there_and_gone + 1000,
            np.zeros_like(there_and_gone),
            np.zeros_like(there_and_gone),
            1.68,
            380.0,
            np.zeros(len(there_and_gone)),
        )
        assert truth.label[10] == 3

    def test_frames_are_sure_only_well_away_from_the_limits(self):
        assert self.ask(pulsation=200, whole=True).sure[20]
        assert self.ask(whole=True).sure[20]
        near = self.ask(pulsation=500, share=0.02, whole=True)
        assert near.label[20] == 3
        assert not near.sure[20]

    def test_overcast_is_bad_viewing(self):
        assert self.ask(opacity=1.0) == 0

    def test_thin_cloud_is_bad_viewing_only_where_it_is_plainly_seen(self):
        assert self.ask(opacity=0.3, veil=0.1) == 1
        assert self.ask(opacity=0.3, veil=0.4) == 0
        assert self.ask(opacity=0.3, veil=-0.4) == 0
        assert self.ask(opacity=0.1, veil=0.4) == 1
        assert self.ask(opacity=0.3, veil=0.4, aurora=2600) == 2

    def test_cloud_that_comes_and_goes_before_steady_light_does_not_make_it_pulsate(self):
        passing = (0.6 * (np.arange(41) // 3 % 2))[:, None] * np.ones((1, 100))
        light = np.full((41, 100), 2000, np.float32)
        none = np.zeros_like(light)
        total = ((1000 + light) * (1 - passing)).astype(np.float32)
        truth = judge(light, none, total, passing.astype(np.float32), none, 1.68, 380.0, np.zeros(41))
        assert truth.label[20] == 2
        assert truth.pulsating_fraction[20] == 0

    def test_pulsation_behind_thin_cloud_is_still_pulsating(self):
        assert self.ask(pulsation=300, opacity=0.4) == 3

    def test_bright_twilight_is_bad_viewing(self):
        assert self.ask(dawn=40, rest=20000) == 0


def test_flakes_are_elsewhere_in_each_frame_and_brighter_where_the_lamp_stands(camera):
    for seed in range(40):
        rng = np.random.default_rng(seed)
        flakes = Flakes(rng)
        flakes.kinds = [(0.8, 2.0, 400, 3.0, 0.3)]  # small and sharp: shape is what is looked at here
        frames = np.zeros((20, 256, 256), np.float32)
        for k, frame in enumerate(frames):
            flakes.add(camera, 500.0, 3.0 * k, rng, frame)
        inside = np.zeros((256, 256), bool)
        inside.ravel()[camera.index] = camera.through > 0.5
        assert not frames[:, ~camera_sees(camera)].any()
        haze = np.median(frames, axis=0)
        spots = (frames - haze)[:, inside]
        apart = np.corrcoef(spots[0], spots[1])[0, 1]
        assert abs(apart) < 0.2
        if flakes.lit.max() / flakes.lit.min() > 3:
            bright = inside & (flakes.lit > np.median(flakes.lit))
            assert frames[:, bright].mean() > 1.2 * frames[:, inside & ~bright].mean()
            break
    else:
        pytest.fail("no draw in forty was lit from one side")


def camera_sees(camera):
    seen = np.zeros(256 * 256, bool)
    seen[camera.index] = True
    return seen.reshape(256, 256)


def test_a_few_flakes_leave_the_sky_to_be_seen(camera):
    rng = np.random.default_rng(3)
    flakes = Flakes(rng, few=True)
    frame = np.zeros((256, 256), np.float32)
    for k in range(10):
        flakes.add(camera, 500.0, 3.0 * k, rng, frame)
    assert flakes.haze == 0
    assert np.mean(frame > 25) < 0.2


def test_specks_stay_where_they_are_until_they_go(camera):
    def shown(specks, t, seed=0):
        image = np.zeros((256, 256), np.float32)
        specks.add(camera, 500.0, t, np.random.default_rng(seed), image)
        return image

    still = Specks(np.random.default_rng(3))
    still.slide[:], still.until[:] = 0, 1e9
    first = shown(still, 0.0)
    assert first.max() > 0 and first.min() >= 0
    assert not first[~camera_sees(camera)].any()
    np.testing.assert_array_equal(shown(still, 60.0), first)
    still.slide[0] = 0.5  # down the image, in px/s
    assert np.abs(shown(still, 60.0) - first).max() > 0.2 * first.max()
    gone = Specks(np.random.default_rng(3))
    gone.slide[:], gone.until[:] = 0, 30
    before, after = shown(gone, 0.0), shown(gone, 60.0)
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] < 0.5


@pytest.mark.parametrize("kind", ["regular", "turning", "irregular"])
def test_lamps_are_on_for_their_share_and_come_back_as_their_kind_does(kind):
    times, on, again = np.arange(0, 900, 0.5), [], []
    drawn = [Flashing(np.random.default_rng(seed), 6, 60) for seed in range(300)]
    lamps = [lamp for lamp in drawn if lamp.kind == kind]
    assert len(lamps) > 20
    for lamp in lamps:
        light = np.array([lamp.share(t) for t in times])
        assert light.min() >= 0 and light.max() <= 1
        on.append(light.mean() / lamp.duty)
        later = np.array([lamp.share(t + 3 * lamp.period) for t in times])
        again.append(np.corrcoef(light, later)[0, 1])
    # A beam is seen for a part of its share, and brightest in the middle of that.
    assert np.mean(on) == pytest.approx(0.6 * np.sqrt(np.pi) / 2 if kind == "turning" else 1, abs=0.06)
    assert np.median(again) < 0.3 if kind == "irregular" else min(again) > 0.9


def test_the_halo_of_mist_stands_about_the_moon(camera):
    """What is bright shines on in fine drops; a fog's veil without a halo is as bright all over."""
    image = np.zeros((256, 256), np.float32)
    image.ravel()[camera.index] = 300
    image[100:104, 100:104] = 30000
    rows, cols = np.mgrid[:256, :256]
    near = (np.abs(np.hypot(rows - 101.5, cols - 101.5) - 12) < 2) & (camera.spread(1) > 0)
    far = (np.hypot(rows - 101.5, cols - 101.5) > 60) & (camera.elevation_map() > 30)
    contrast = {True: [], False: []}
    for seed in range(40):
        dome = Dome(np.random.default_rng(seed), "mist", 0.9)
        seen = dome.apply(camera, image, 0.0, np.random.default_rng(0))
        contrast[bool(dome.halo)].append(np.median(seen[near]) / np.median(seen[far]))
    assert min(map(len, contrast.values())) > 8
    assert np.median(contrast[True]) > 1.3 * np.median(contrast[False])


@pytest.mark.parametrize("kind", ["lamp", "flood", "car"])
def test_a_dirty_dome_shows_lamps_unevenly_and_a_clean_one_evenly(camera, kind):
    def drawn(seed):
        rng = np.random.default_rng(seed)
        if kind == "lamp":
            light = GroundLight(rng, "steady", flux=1e5, elevation=-5)
            light.haze = light.halo = 0.0
            return light if light.whole else None
        if kind == "flood":
            return FloodLight(rng, beats=False)
        car = Headlights(rng, 30)
        car.flood = 0.2
        return car

    def grain(light):
        """How far a pixel lies from the mean of its neighbours, over the mean light, near the zenith."""
        image = np.zeros((256, 256), np.float32)
        for t in np.arange(0, 600, 5.0):
            light.add(camera, t, image, np.random.default_rng(0))
        if image[100:156, 100:156].min() <= 0:
            return None
        logarithm = np.log(image[100:156, 100:156])
        return float(np.abs(np.diff(logarithm, axis=0)).mean())

    lights = [light for light in map(drawn, range(60)) if light is not None]
    clean = [grain(light) for light in lights if light.dome is None]
    dirty = [grain(light) for light in lights if light.dome is not None]
    clean, dirty = ([one for one in some if one is not None] for some in (clean, dirty))
    assert len(clean) > 3 and len(dirty) > 3
    assert np.median(dirty) > 3 * np.median(clean)
    means = [light.dome.mean() for light in lights if light.dome is not None]
    assert np.median(means) == pytest.approx(1, abs=0.05)
