"""The hot loops of the synthetic sky: what each sky pixel of an imager sees of textures, patches and arcs.

Called by pulsaurora.simulation with checked, contiguous float32. Sky pixels are a flat list (n_pixels,):
only those the lens sees are computed. Textures are square, periodic, with a power-of-two side, and are
sampled bilinearly at ``u = m00 * x + m01 * y + u0`` (row) and ``v = m10 * x + m11 * y + v0`` (column).
NaN is not expected anywhere. Oracles: tests/naive.py::sampled_texture, ::patch_light, ::arc_light.
Every loop runs without the GIL and adds to, or fills, what the caller allocated.
"""

from libc.math cimport expf, floorf, sqrtf, fabsf, lrintf

cdef extern from * nogil:
    """
    /* out[c] += weight * (left[c] + right[c]), which vectorises. */
    static void add_pair(const float *left, const float *right, float weight, float *restrict out, int n)
    {
        for (int c = 0; c < n; c++)
            out[c] += weight * (left[c] + right[c]);
    }
    """
    void add_pair(const float *left, const float *right, float weight, float *out, int n)


cdef inline float _sample(const float[:, ::1] texture, float u, float v) noexcept nogil:
    cdef int mask = <int>texture.shape[0] - 1
    cdef float fu = floorf(u), fv = floorf(v)
    cdef int i = (<int>fu) & mask, j = (<int>fv) & mask
    cdef int i1 = (i + 1) & mask, j1 = (j + 1) & mask
    cdef float a = u - fu, b = v - fv
    cdef float top = texture[i, j] + b * (texture[i, j1] - texture[i, j])
    cdef float low = texture[i1, j] + b * (texture[i1, j1] - texture[i1, j])
    return top + a * (low - top)


cdef inline float _smoothstep(float e) noexcept nogil:
    if e <= 0:
        return 0
    if e >= 1:
        return 1
    return e * e * (3 - 2 * e)


def add_texture(float[::1] out, const float[::1] x, const float[::1] y, const float[:, ::1] texture,
                const float[::1] mapping, float gain):
    """Add ``gain * texture`` seen at (x, y); mapping is (m00, m01, u0, m10, m11, v0)."""
    cdef Py_ssize_t i, n = out.shape[0]
    cdef float m00 = mapping[0], m01 = mapping[1], u0 = mapping[2]
    cdef float m10 = mapping[3], m11 = mapping[4], v0 = mapping[5]
    with nogil:
        for i in range(n):
            out[i] += gain * _sample(texture, m00 * x[i] + m01 * y[i] + u0, m10 * x[i] + m11 * y[i] + v0)


def fill_cover(float[::1] out, const float[::1] x, const float[::1] y, const float[::1] blur,
               const float[:, ::1] first, const float[:, ::1] second,
               const float[::1] first_mapping, const float[::1] second_mapping,
               float first_gain, float second_gain, float threshold, float softness):
    """Fill the cover, 0 to 1: a smooth step of two textures' sum about a threshold.

    `blur` (n_pixels,) widens the step where one pixel spans much of the texture (low elevation), and
    pulls the sum towards its mean of zero, as the eye along a slant path averages it.
    """
    cdef Py_ssize_t i, n = out.shape[0]
    cdef float a00 = first_mapping[0], a01 = first_mapping[1], a0 = first_mapping[2]
    cdef float a10 = first_mapping[3], a11 = first_mapping[4], a1 = first_mapping[5]
    cdef float b00 = second_mapping[0], b01 = second_mapping[1], b0 = second_mapping[2]
    cdef float b10 = second_mapping[3], b11 = second_mapping[4], b1 = second_mapping[5]
    cdef float value, wide
    with nogil:
        for i in range(n):
            value = first_gain * _sample(first, a00 * x[i] + a01 * y[i] + a0, a10 * x[i] + a11 * y[i] + a1)
            if second_gain != 0:
                value += second_gain * _sample(second, b00 * x[i] + b01 * y[i] + b0, b10 * x[i] + b11 * y[i] + b1)
            value /= 1 + blur[i]
            wide = softness + blur[i]
            out[i] = _smoothstep(0.5 + (value - threshold) / wide)


def add_patches(float[::1] out, const float[::1] x, const float[::1] y, const float[::1] footprint,
                const float[:, ::1] potential, const short[:, ::1] ids, const float[:, ::1] delay,
                const float[::1] mapping, const float[:, ::1] series, double position,
                const float[::1] threshold, float softness, float slope):
    """Add the light of patches: series[id] where the potential exceeds that patch's threshold.

    Parameters
    ----------
    out : float32 (n_pixels,)
        Added to.
    x, y, footprint : float32 (n_pixels,), km
        Where the pixel meets the emission layer, and how much of it one pixel spans there.
    potential : float32 (size, size)
        Height of the patch's own landscape; its outline is where it crosses the threshold.
    ids : int16 (size, size)
        Which patch a cell belongs to; negative is none.
    delay : float32 (size, size), samples of `series`
        How much later than the patch's first cell this cell follows it.
    series : float32 (n_patches, n_samples)
        Brightness over time.
    position : float
        The time asked for, in samples of `series`.
    threshold : float32 (n_patches,)
        Where each outline lies now: raising it shrinks the patch.
    softness, slope : float
        Width of the edge in units of potential, and its growth with the footprint.
    """
    cdef Py_ssize_t i, n = out.shape[0]
    cdef int k, size = <int>ids.shape[0], mask = size - 1, low, last = <int>series.shape[1] - 1
    cdef float m00 = mapping[0], m01 = mapping[1], u0 = mapping[2]
    cdef float m10 = mapping[3], m11 = mapping[4], v0 = mapping[5]
    cdef float u, v, p, e, level, lowest = threshold[0]
    cdef double when
    for k in range(1, <int>threshold.shape[0]):
        if threshold[k] < lowest:
            lowest = threshold[k]
    with nogil:
        for i in range(n):
            u = m00 * x[i] + m01 * y[i] + u0
            v = m10 * x[i] + m11 * y[i] + v0
            p = _sample(potential, u, v)
            if p <= lowest:
                continue
            k = ids[(<int>floorf(u + 0.5)) & mask, (<int>floorf(v + 0.5)) & mask]
            if k < 0:
                continue
            e = _smoothstep((p - threshold[k]) / (softness + slope * footprint[i]))
            if e == 0:
                continue
            when = position - delay[(<int>floorf(u)) & mask, (<int>floorf(v)) & mask]
            if when < 0:
                when = 0
            if when > last:
                when = last
            low = <int>when
            if low >= last:
                level = series[k, last]
            else:
                level = series[k, low] + <float>(when - low) * (series[k, low + 1] - series[k, low])
            out[i] += e * level


def add_band(float[::1] out, const float[::1] x, const float[::1] y, const float[::1] footprint,
             const float[:, ::1] texture,
             const float[::1] mapping, float cosine, float sine, float centre, float flat,
             float north, float south, const float[::1] border, float s_start, float per_step,
             float gain, float structure, float finest):
    """Add a band of diffuse light: flat within +-`flat` km of its centre, Gaussian flanks (km) outside.

    `border` (n,) displaces it along its length (km), `structure` is the depth of the texture upon it,
    which fades where a pixel's footprint exceeds its `finest` scale (km).
    """
    cdef Py_ssize_t i, n = out.shape[0]
    cdef int k, last = <int>border.shape[0] - 2
    cdef float m00 = mapping[0], m01 = mapping[1], u0 = mapping[2]
    cdef float m10 = mapping[3], m11 = mapping[4], v0 = mapping[5]
    cdef float s, d, q, value
    with nogil:
        for i in range(n):
            s = (x[i] * cosine + y[i] * sine - s_start) * per_step
            d = y[i] * cosine - x[i] * sine - centre
            k = <int>floorf(s)
            if k < 0:
                k = 0
                s = 0
            elif k > last:
                k = last
                s = k + 1
            d -= border[k] + (s - k) * (border[k + 1] - border[k])
            if d > flat:
                q = (d - flat) / north
            elif d < -flat:
                q = (d + flat) / south
            else:
                q = 0
            if q > 3.2 or q < -3.2:
                continue
            value = gain
            if q != 0:
                value *= expf(-q * q)
            if structure != 0:
                q = footprint[i] / finest
                s = 1 + structure / (1 + q * q) * _sample(texture, m00 * x[i] + m01 * y[i] + u0, m10 * x[i] + m11 * y[i] + v0)
                if s < 0:
                    s = 0
                value *= s
            out[i] += value


def add_arcs(float[::1] out, const float[::1] x, const float[::1] y,
             const float[::1] stretch, const float[::1] weight, float lean_east, float lean_north,
             const float[:, ::1] warp_east, const float[:, ::1] warp_north, const float[::1] mapping,
             float warp, float cosine, float sine, const float[::1] centre,
             const float[::1] north, const float[::1] south,
             const float[:, ::1] shape, const float[:, ::1] light, float s_start, float per_step):
    """Add curtains of light: several arcs, each seen at several heights along the field line.

    Parameters
    ----------
    stretch, weight : float32 (n_heights,)
        Height over the height of x and y, and the share of the light emitted there.
    lean_east, lean_north : float, km per unit of (stretch - 1)
        How far a field line's foot lies from the point below what is seen at that height: what makes rays
        converge on the magnetic zenith.
    warp_east, warp_north : float32 (size, size)
        A displacement field, `warp` km strong, that folds the arcs.
    centre, north, south : float32 (n_arcs,), km
        Each arc's distance from the origin and its Gaussian widths on both sides.
    shape, light : float32 (n_arcs, n_s)
        Displacement (km) and brightness along the arc; rays are structure of `light`.
    """
    cdef Py_ssize_t i, n = out.shape[0]
    cdef int h, a, k, n_h = <int>stretch.shape[0], n_a = <int>centre.shape[0], last = <int>shape.shape[1] - 2
    cdef float m00 = mapping[0], m01 = mapping[1], u0 = mapping[2]
    cdef float m10 = mapping[3], m11 = mapping[4], v0 = mapping[5]
    cdef float east, north_km, moved_e, moved_n, u, v, s, d, q, along, total
    cdef float nearest = 1e30, farthest = -1e30
    for a in range(n_a):  # beyond these no arc reaches
        for k in range(last + 2):
            d = centre[a] + shape[a, k]
            nearest = min(nearest, d - <float>3.2 * south[a])
            farthest = max(farthest, d + <float>3.2 * north[a])
    with nogil:
        for i in range(n):
            moved_e = 0
            moved_n = 0
            if warp != 0:
                u = m00 * x[i] + m01 * y[i] + u0
                v = m10 * x[i] + m11 * y[i] + v0
                moved_e = warp * _sample(warp_east, u, v)
                moved_n = warp * _sample(warp_north, u, v)
            total = 0
            for h in range(n_h):
                east = x[i] * stretch[h] + lean_east * (stretch[h] - 1) + moved_e
                north_km = y[i] * stretch[h] + lean_north * (stretch[h] - 1) + moved_n
                along = (east * cosine + north_km * sine - s_start) * per_step
                d = north_km * cosine - east * sine
                if d < nearest or d > farthest:
                    continue
                k = <int>floorf(along)
                if k < 0:
                    k = 0
                    along = 0
                elif k > last:
                    k = last
                    along = k + 1
                s = along - k
                for a in range(n_a):
                    q = d - centre[a] - (shape[a, k] + s * (shape[a, k + 1] - shape[a, k]))
                    q = q / north[a] if q > 0 else q / south[a]
                    if fabsf(q) < 3.2:
                        total += weight[h] * expf(-q * q) * (light[a, k] + s * (light[a, k + 1] - light[a, k]))
            out[i] += total


def add_points(float[:, ::1] image, const float[::1] row, const float[::1] col, const float[::1] flux,
               float sigma):
    """Add point sources as Gaussians of width `sigma` (pixels); `flux` is each one's whole light (counts)."""
    cdef Py_ssize_t p, n = row.shape[0]
    cdef int r, c, r0, c0, reach = <int>(3 * sigma + 1.5)
    cdef int n_rows = <int>image.shape[0], n_cols = <int>image.shape[1]
    cdef float scale = 1 / (2 * sigma * sigma), norm = 0.15915494 / (sigma * sigma), across, peak
    cdef float weights[64]
    if reach > 31:
        reach = 31
    with nogil:
        for p in range(n):
            if not flux[p] > 0:
                continue
            r0 = <int>floorf(row[p] + 0.5)
            c0 = <int>floorf(col[p] + 0.5)
            if r0 < -reach or c0 < -reach or r0 >= n_rows + reach or c0 >= n_cols + reach:
                continue
            for c in range(-reach, reach + 1):
                across = c0 + c - col[p]
                weights[c + reach] = expf(-across * across * scale)
            for r in range(-reach, reach + 1):
                if r0 + r < 0 or r0 + r >= n_rows:
                    continue
                across = r0 + r - row[p]
                peak = flux[p] * norm * expf(-across * across * scale)
                for c in range(-reach, reach + 1):
                    if 0 <= c0 + c < n_cols:
                        image[r0 + r, c0 + c] += peak * weights[c + reach]


def blur(const float[:, ::1] image, float[:, ::1] scratch, float[:, ::1] out, float sigma):
    """Fill `out` with the image blurred by a Gaussian of `sigma` pixels (0.2 to 5), cut at 3 sigma.

    `scratch` and `out` have the image's shape; beyond its border the image is dark.
    """
    cdef int r, c, k, n_rows = <int>image.shape[0], n_cols = <int>image.shape[1]
    cdef int reach = min(max(<int>(3 * sigma + 0.5), 1), 15)
    cdef float weights[16]
    cdef float total = 1
    weights[0] = 1
    for k in range(1, reach + 1):
        weights[k] = expf(-k * k / (2 * sigma * sigma))
        total += 2 * weights[k]
    with nogil:
        for k in range(reach + 1):
            weights[k] /= total
        for r in range(n_rows):
            for c in range(n_cols):
                scratch[r, c] = weights[0] * image[r, c]
            for k in range(1, reach + 1):
                if k < n_cols - k:
                    add_pair(&image[r, 0], &image[r, 2 * k], weights[k], &scratch[r, k], n_cols - 2 * k)
                for c in range(min(k, n_cols)):
                    if c + k < n_cols:
                        scratch[r, c] += weights[k] * image[r, c + k]
                        scratch[r, n_cols - 1 - c] += weights[k] * image[r, n_cols - 1 - c - k]
        for r in range(n_rows):
            for c in range(n_cols):
                out[r, c] = weights[0] * scratch[r, c]
            for k in range(1, reach + 1):
                if r >= k and r + k < n_rows:
                    add_pair(&scratch[r - k, 0], &scratch[r + k, 0], weights[k], &out[r, 0], n_cols)
                elif r >= k:
                    for c in range(n_cols):
                        out[r, c] += weights[k] * scratch[r - k, c]
                elif r + k < n_rows:
                    for c in range(n_cols):
                        out[r, c] += weights[k] * scratch[r + k, c]


def fill_counts(unsigned short[:, ::1] counts, const float[:, ::1] signal, const float[:, ::1] response,
                const float[:, ::1] normal, const float[::1] row_offset,
                float pedestal, float noise_slope, float read_variance):
    """Fill counts from the signal (counts above pedestal): noise of the measured law, rounding, saturation."""
    cdef int r, c
    cdef float light, value
    with nogil:
        for r in range(<int>counts.shape[0]):
            for c in range(<int>counts.shape[1]):
                light = signal[r, c] * response[r, c]
                if light < 0:
                    light = 0
                value = (pedestal + row_offset[r] + light
                         + sqrtf(noise_slope * light + read_variance) * normal[r, c])
                if value <= 0:
                    counts[r, c] = 0
                elif value >= 65535:
                    counts[r, c] = 65535
                else:
                    counts[r, c] = <unsigned short>lrintf(value)
