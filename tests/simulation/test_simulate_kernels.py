"""The kernels of the synthetic sky against plain loops."""

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import RegularGridInterpolator
from scipy.ndimage import gaussian_filter

from pulsaurora._core import _simulated_imager, _simulated_patches, _simulated_sky

N = 60


def rng_arrays(seed, *shapes):
    rng = np.random.default_rng(seed)
    return [rng.normal(0, 1, shape).astype(np.float32) for shape in shapes]


@pytest.mark.parametrize("seed", range(3))
def test_textures_are_sampled_between_their_cells_and_repeat(seed):
    x, y, texture = rng_arrays(seed, N, N, (16, 16))
    mapping = np.array([3.0, -1.5, 20.25, 0.5, 2.0, -7.5], np.float32)
    out = np.ones(N, np.float32)
    _simulated_sky.add_texture(out, x * 10, y * 10, texture, mapping, 2.0)
    for k in range(N):
        u = 3.0 * x[k] * 10 - 1.5 * y[k] * 10 + 20.25
        v = 0.5 * x[k] * 10 + 2.0 * y[k] * 10 - 7.5
        assert out[k] == pytest.approx(1 + 2 * naive.sampled_texture(texture, u, v), abs=2e-4)


@pytest.mark.parametrize("seed", range(3))
def test_patches_shine_inside_their_outline_only(seed):
    x, y, potential = rng_arrays(seed, N, N, (32, 32))
    rng = np.random.default_rng(seed)
    ids = rng.integers(-1, 3, (32, 32)).astype(np.int16)
    series = rng.uniform(0, 100, (3, 8)).astype(np.float32)
    threshold = np.array([0.0, 0.2, -0.3], np.float32)
    mapping = np.array([1, 0, 0, 0, 1, 0], np.float32)
    out = np.zeros(N, np.float32)
    x, y = x * 10, y * 10
    none = np.zeros((32, 32), np.float32)
    _simulated_sky.add_patches(
        out, x, y, np.zeros(N, np.float32), potential, ids, none, mapping, series, 5.0, threshold, 0.4, 0.0
    )
    expected = [
        naive.patch_light(potential, ids, series, a, b, 5, threshold, 0.4) for a, b in zip(x, y, strict=True)
    ]
    np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-3)


def test_an_evolving_landscape_is_that_of_its_mix():
    x, y, potential, second, cap = rng_arrays(7, N, N, (32, 32), (32, 32), (32, 32))
    ids = np.random.default_rng(7).integers(-1, 3, (32, 32)).astype(np.int16)
    series = np.random.default_rng(8).uniform(0, 100, (3, 8)).astype(np.float32)
    mapping, x, y = np.array([1, 0, 0, 0, 1, 0], np.float32), x * 10, y * 10
    rest = np.zeros((1, 1), np.float32), mapping, series, 5.0, np.zeros(3, np.float32), 0.4, 0.0
    ours, flat = np.zeros(N, np.float32), np.zeros(N, np.float32)
    _simulated_sky.add_patches(ours, x, y, flat, potential, ids, *rest, second, cap, 0.6, 0.8)
    mixed = naive.mixed_landscape(potential, second, cap, 0.6, 0.8)
    expected = [
        naive.patch_light(mixed, ids, series, a, b, 5, np.zeros(3), 0.4) for a, b in zip(x, y, strict=True)
    ]
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("closed", [False, True])
def test_cloud_is_a_smooth_step_of_two_textures(closed):
    x, y, first, second = rng_arrays(4, N, N, (16, 16), (16, 16))
    blur, shade = np.abs(rng_arrays(5, N)[0]), np.abs(rng_arrays(6, N)[0])
    mapping, x, y = np.array([1, 0, 0, 0, 1, 0], np.float32), x * 10, y * 10
    opacity, bright = np.zeros((2, N), np.float32)
    threshold = -np.inf if closed else 0.2
    gains, limits, relief, core = (0.75, 0.65), (0.1, 0.9), (1.5, 0.4), 1.7
    _simulated_sky.fill_cloud(
        opacity,
        bright,
        x,
        y,
        blur,
        shade,
        first,
        second,
        mapping,
        mapping,
        *gains,
        threshold,
        0.8,
        *limits,
        *relief,
        core,
    )
    for k in range(N):
        rest = gains, threshold, 0.8, limits, *relief, core
        expected = naive.cloud(first, second, x[k], y[k], blur[k], *rest)
        assert opacity[k] == pytest.approx(expected[0], abs=1e-4)
        assert bright[k] == pytest.approx(shade[k] * expected[1], abs=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_blobs_rise_above_each_other(seed):
    rng, side, n = np.random.default_rng(seed), 32, 4
    potential, ids = np.full((side, side), -1, np.float32), np.full((side, side), -1, np.int16)
    centre = rng.integers(0, side, (n, 2), np.int32)
    angle, size = rng.uniform(0, 3, n), rng.uniform(2, 5, (2, n))
    shape = np.stack([*rng.random((2, n)), np.cos(angle), np.sin(angle), *size, rng.normal(0, 0.05, n)], 1)
    shape, lobes = shape.astype(np.float32), rng.normal(0, 0.1, (n, 4, 2)).astype(np.float32)
    _simulated_patches.add_blobs(potential, ids, centre, shape, lobes)
    height, owner = np.full((side, side), -1.0), np.full((side, side), -1)
    for k in range(n):
        reach = int(min(max(shape[k, 4:6]) * 1.65 + 2, side // 2 - 1))
        for r in range(-reach, reach + 1):
            for c in range(-reach, reach + 1):
                here = (centre[k, 0] + r) % side, (centre[k, 1] + c) % side
                own = naive.blob_height(r + shape[k, 0], c + shape[k, 1], *shape[k, 2:], lobes[k])
                if own > height[here]:
                    height[here], owner[here] = own, k if own > -0.3 else owner[here]
    np.testing.assert_allclose(potential, height, atol=1e-4)
    assert (ids == owner).mean() > 0.99  # but where two are as high


def test_lines_go_from_knot_to_knot():
    rng = np.random.default_rng(0)
    knots, levels = np.cumsum(rng.exponential(1, (7, 40)), 1) - 2, rng.normal(size=(7, 40))
    late, out = rng.uniform(-1, 3, 7), np.empty((7, 200), np.float32)
    _simulated_patches.fill_lines(out, knots, levels, late, 0.25)
    t = np.arange(200) * 0.25
    expected = [np.interp(t + a, k, v) for a, k, v in zip(late, knots, levels, strict=True)]
    np.testing.assert_allclose(out, expected, atol=1e-5)


def test_an_exposure_is_the_mean_of_its_samples():
    rng, at = np.random.default_rng(1), np.arange(60)
    series = rng.normal(0.3, 1, (2, 60)).astype(np.float32)
    late, out = rng.exponential(8, 5).astype(np.float32), np.empty((5, 60), np.float32)
    late[0] = 0
    _simulated_patches.fill_exposed(out, series, late, 4)
    for k in range(5):
        seen = sum(np.interp(at + q - late[k], at, series[k % 2]) for q in range(4)) / 4
        np.testing.assert_allclose(out[k], np.maximum(seen, 0), atol=1e-5)


def test_a_straight_arc_is_gaussian_across():
    y = np.linspace(-300, 300, N).astype(np.float32)
    x = np.zeros(N, np.float32)
    out = np.zeros(N, np.float32)
    one, field = np.ones(1, np.float32), np.zeros((2, 2), np.float32)
    _simulated_sky.add_arcs(
        out,
        x,
        y,
        one,
        one,
        0.0,
        0.0,
        field,
        field,
        np.zeros(6, np.float32),
        0.0,
        1.0,
        0.0,
        20 * one,
        60 * one,
        15 * one,
        np.zeros((1, 8), np.float32),
        np.full((1, 8), 500, np.float32),
        -10.0,
        0.3,
    )
    expected = [naive.arc_light(0, b, 20, 60, 15, 500) for b in y]
    np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-3)


def test_rays_converge_where_the_field_line_points():
    """A thin field line through (0, 0) is a point seen from the magnetic zenith, a line elsewhere."""
    x, y = (
        a.ravel().astype(np.float32) for a in np.meshgrid(np.arange(-80, 81, 2.0), np.arange(-80, 81, 2.0))
    )
    stretch = np.linspace(1, 2, 6).astype(np.float32)
    light = np.zeros((1, 1024), np.float32)
    light[0, 512] = 1.0  # the foot lies at s = 0

    def spread(foot_north):
        out = np.zeros(x.size, np.float32)
        field, one = np.zeros((2, 2), np.float32), np.ones(1, np.float32)
        _simulated_sky.add_arcs(
            out,
            x,
            y,
            stretch,
            np.full(6, 1 / 6, np.float32),
            0.0,
            25.0,
            field,
            field,
            np.zeros(6, np.float32),
            0.0,
            1.0,
            0.0,
            foot_north * one,
            4 * one,
            4 * one,
            np.zeros((1, 1024), np.float32),
            light,
            -1536.0,
            1 / 3,
        )
        return np.sqrt((out * (y - (out * y).sum() / out.sum()) ** 2).sum() / out.sum())

    assert spread(-25.0) < 5 < spread(20.0)


@given(st.floats(1, 60000), st.floats(0.5, 3), st.floats(50, 1000))
def test_noise_follows_its_law(light, slope, read):
    rng = np.random.default_rng(1)
    signal = np.full((256, 256), light, np.float32)
    flat, zero = np.ones((256, 256), np.float32), np.zeros(256, np.float32)
    counts = np.empty((256, 256), np.uint16)
    normal = rng.standard_normal((256, 256), dtype=np.float32)
    part = signal / 4
    _simulated_imager.fill_counts(counts, part, 3.0, part, flat, normal, zero, 2500.0, slope, read)
    expected = slope * light + read + 1 / 12
    assert counts.var() == pytest.approx(expected, rel=0.03)
    assert counts.mean() == pytest.approx(2500 + light, abs=4 * np.sqrt(expected) / 256)


def test_what_is_too_bright_saturates():
    counts = np.empty((256, 256), np.uint16)
    signal = np.full((256, 256), 1e6, np.float32)
    flat, zero = np.ones((256, 256), np.float32), np.zeros(256, np.float32)
    nothing = np.zeros_like(flat)
    _simulated_imager.fill_counts(counts, signal, 1.0, nothing, flat, nothing, zero, 2500.0, 1.68, 380.0)
    assert (counts == 65535).all()


def test_a_point_keeps_its_light():
    image = np.zeros((64, 64), np.float32)
    place = np.array([30.3], np.float32), np.array([20.8], np.float32)
    _simulated_imager.add_points(image, *place, np.array([1000], np.float32), 1.0)
    assert image.sum() == pytest.approx(1000, rel=0.01)
    rows, cols = np.mgrid[:64, :64]
    assert (image * rows).sum() / image.sum() == pytest.approx(30.3, abs=0.01)
    assert (image * cols).sum() / image.sum() == pytest.approx(20.8, abs=0.01)


def test_points_at_and_beyond_the_border_stay_inside():
    image = np.zeros((32, 32), np.float32)
    place = np.array([-3, 31.6, 1e6, -1e6, 5], np.float32)
    _simulated_imager.add_points(image, place, place[::-1].copy(), np.full(5, 100, np.float32), 20.0)
    assert np.isfinite(image).all()


@given(st.integers(9, 40), st.integers(9, 40), st.floats(0.3, 6), st.integers(0, 999))
def test_points_are_gaussians_wherever_they_stand(n_rows, n_cols, sigma, seed):
    rng = np.random.default_rng(seed)
    row, col = rng.uniform(-3, n_rows + 3, 5), rng.uniform(-3, n_cols + 3, 5)
    flux = rng.uniform(10, 1000, 5)
    image = np.ones((n_rows, n_cols), np.float32)
    _simulated_imager.add_points(image, *(v.astype(np.float32) for v in (row, col, flux)), sigma)
    rows, cols = np.mgrid[:n_rows, :n_cols]
    expected, reach = np.ones((n_rows, n_cols)), int(3 * sigma + 1.5)
    for r, c, light in zip(row, col, flux, strict=True):
        square = (rows - r) ** 2 + (cols - c) ** 2
        near = (abs(rows - np.floor(r + 0.5)) <= reach) & (abs(cols - np.floor(c + 0.5)) <= reach)
        expected += near * light / (2 * np.pi * sigma**2) * np.exp(-square / (2 * sigma**2))
    np.testing.assert_allclose(image, expected, rtol=2e-4)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_between_the_values_of_a_grid_an_image_is_linear(n_rows, n_cols, seed):
    grid = np.random.default_rng(seed).standard_normal((n_rows, n_cols)).astype(np.float32)
    out = np.full((2 * n_rows, 2 * n_cols), np.nan, np.float32)
    _simulated_imager.fill_between(grid, out)
    dark = np.pad(grid.astype(float), ((0, 1), (0, 1)))
    whole = RegularGridInterpolator((2 * np.arange(n_rows + 1), 2 * np.arange(n_cols + 1)), dark)
    expected = whole(np.stack(np.mgrid[: 2 * n_rows, : 2 * n_cols], axis=-1))
    np.testing.assert_allclose(out, expected, atol=1e-6)


@pytest.mark.parametrize("sigma", [0.2, 0.8, 2.5, 5.0])
@pytest.mark.parametrize("shape", [(9, 14), (40, 33), (3, 2)])
def test_blurring_is_a_gaussian_sum_over_a_dark_surrounding(sigma, shape):
    image = np.abs(rng_arrays(2, shape)[0])
    out, scratch = np.empty_like(image), np.empty_like(image)
    _simulated_imager.blur(image, scratch, out, sigma)
    np.testing.assert_allclose(out, naive.blurred(image, sigma), atol=2e-6)
    if min(shape) > 8 and sigma < 1:
        inside = gaussian_filter(image, sigma, mode="constant", truncate=3)
        np.testing.assert_allclose(out, inside, atol=2e-6)


def test_blurring_keeps_the_light_of_a_point():
    image = np.zeros((64, 64), np.float32)
    image[30, 31] = 1000
    out = np.empty_like(image)
    _simulated_imager.blur(image, np.empty_like(image), out, 1.7)
    assert out.sum() == pytest.approx(1000, rel=1e-5)
    assert out.argmax() == 30 * 64 + 31
    assert out[30, 28] == out[30, 34] > 0
    assert out[27, 31] == pytest.approx(out[30, 28])
