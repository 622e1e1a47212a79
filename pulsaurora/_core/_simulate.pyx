"""The hot loops of the synthetic sky: what each sky pixel of an imager sees of textures, patches and arcs.

Called by pulsaurora.simulation with checked, contiguous float32. Sky pixels are a flat list (n_pixels,):
only those the lens sees are computed. Textures are square, periodic, with a power-of-two side, and are
sampled bilinearly at ``u = m00 * x + m01 * y + u0`` (row) and ``v = m10 * x + m11 * y + v0`` (column).
NaN is not expected anywhere. Oracles: tests/naive.py::sampled_texture, ::patch_light, ::arc_light.
Every loop runs without the GIL and adds to, or fills, what the caller allocated. Constants are cast to float
since Cython writes 1 as 1.0 next to one, and the sum would be made in doubles.
"""

from libc.math cimport expf, sqrtf

cdef extern from * nogil:
    """
    #include <math.h>
    /* out[c] += weight * (left[c] + right[c]), which vectorises. */
    static void add_pair(const float *left, const float *right, float weight, float *restrict out, int n)
    {
        for (int c = 0; c < n; c++)
            out[c] += weight * (left[c] + right[c]);
    }
    /* out[c] += weight * shape[c]. */
    static void add_scaled(const float *shape, float weight, float *restrict out, int n)
    {
        for (int c = 0; c < n; c++)
            out[c] += weight * shape[c];
    }
    /* One row of counts; without a branch, which vectorises. */
    static void count_row(const float *signal, float factor, const float *warm, const float *response,
                          const float *normal, float offset, float noise_slope, float read_variance,
                          unsigned short *restrict counts, int n)
    {
        for (int c = 0; c < n; c++) {
            float light = (signal[c] * factor + warm[c]) * response[c];
            light = light < 0 ? 0 : light;
            float value = offset + light + sqrtf(noise_slope * light + read_variance) * normal[c];
            value = value < 0 ? 0 : value;
            value = value > 65535 ? 65535 : value;
            counts[c] = (unsigned short)(int)(value + 0.5f);
        }
    }
    """
    void add_pair(const float *left, const float *right, float weight, float *out, int n)
    void add_scaled(const float *shape, float weight, float *out, int n)
    void count_row(const float *signal, float factor, const float *warm, const float *response,
                   const float *normal, float offset, float noise_slope, float read_variance,
                   unsigned short *counts, int n)


cdef inline int _floor(float value) noexcept nogil:
    """Round down; what fits an int alone. floorf is a call on processors that compilers must reckon with."""
    cdef int whole = <int>value
    return whole - (value < whole)


cdef inline float _sample(const float[:, ::1] texture, float u, float v) noexcept nogil:
    cdef int mask = <int>texture.shape[0] - 1
    cdef int i = _floor(u), j = _floor(v)
    cdef float a = u - i, b = v - j
    i &= mask
    j &= mask
    cdef int i1 = (i + 1) & mask, j1 = (j + 1) & mask
    cdef float top = texture[i, j] + b * (texture[i, j1] - texture[i, j])
    cdef float low = texture[i1, j] + b * (texture[i1, j1] - texture[i1, j])
    return top + a * (low - top)


cdef inline float _smoothstep(float e) noexcept nogil:
    if e <= 0:
        return 0
    if e >= 1:
        return 1
    return e * e * (<float>3 - <float>2 * e)


def add_texture(float[::1] out, const float[::1] x, const float[::1] y, const float[:, ::1] texture,
                const float[::1] mapping, float gain):
    """Add ``gain * texture`` seen at (x, y); mapping is (m00, m01, u0, m10, m11, v0)."""
    cdef Py_ssize_t i, n = out.shape[0]
    cdef float m00 = mapping[0], m01 = mapping[1], u0 = mapping[2]
    cdef float m10 = mapping[3], m11 = mapping[4], v0 = mapping[5]
    with nogil:
        for i in range(n):
            out[i] += gain * _sample(texture, m00 * x[i] + m01 * y[i] + u0, m10 * x[i] + m11 * y[i] + v0)


def fill_cloud(float[::1] opacity, float[::1] brightness, const float[::1] x, const float[::1] y,
               const float[::1] blur, const float[::1] shade,
               const float[:, ::1] first, const float[:, ::1] second,
               const float[::1] first_mapping, const float[::1] second_mapping,
               float first_gain, float second_gain, float threshold, float softness,
               float least, float most, float level, float relief):
    """Fill a cloud layer's opacity, from `least` to `most`, and its brightness.

    Opacity follows a smooth step of two textures' sum about a threshold; minus infinity is a closed deck.
    `blur` (n_pixels,) widens the step where one pixel spans much of the texture (low elevation), and
    pulls the sum towards its mean of zero, as the eye along a slant path averages it. Brightness is
    ``level * (1 + relief * second texture)``, 0.05 at least, times `shade` (n_pixels,).
    """
    cdef Py_ssize_t i, n = opacity.shape[0]
    cdef float a00 = first_mapping[0], a01 = first_mapping[1], a0 = first_mapping[2]
    cdef float a10 = first_mapping[3], a11 = first_mapping[4], a1 = first_mapping[5]
    cdef float b00 = second_mapping[0], b01 = second_mapping[1], b0 = second_mapping[2]
    cdef float b10 = second_mapping[3], b11 = second_mapping[4], b1 = second_mapping[5]
    cdef float value, other, light, span = most - least
    cdef bint closed = threshold < -<float>1e30
    with nogil:
        for i in range(n):
            other = _sample(second, b00 * x[i] + b01 * y[i] + b0, b10 * x[i] + b11 * y[i] + b1)
            light = level * (<float>1 + relief * other)
            brightness[i] = shade[i] * (light if light > <float>0.05 else <float>0.05)
            if closed:
                opacity[i] = most
                continue
            value = first_gain * _sample(first, a00 * x[i] + a01 * y[i] + a0, a10 * x[i] + a11 * y[i] + a1)
            value = (value + second_gain * other) / (<float>1 + blur[i])
            opacity[i] = least + span * _smoothstep(<float>0.5 + (value - threshold) / (softness + blur[i]))


cdef inline float _landscape(float here, float other, float cap, float cosine, float sine) noexcept nogil:
    cdef float height = cosine * here + sine * other
    return height if height < cap else cap


cdef inline float _sample_landscape(const float[:, ::1] first, const float[:, ::1] second,
                                    const float[:, ::1] cap, float cosine, float sine,
                                    float u, float v) noexcept nogil:
    """Sample the lower of ``cosine * first + sine * second`` and the cap, taken cell by cell."""
    cdef int mask = <int>first.shape[0] - 1
    cdef int i = _floor(u), j = _floor(v)
    cdef float a = u - i, b = v - j
    i &= mask
    j &= mask
    cdef int i1 = (i + 1) & mask, j1 = (j + 1) & mask
    cdef float one = _landscape(first[i, j], second[i, j], cap[i, j], cosine, sine)
    cdef float two = _landscape(first[i, j1], second[i, j1], cap[i, j1], cosine, sine)
    cdef float top = one + b * (two - one)
    one = _landscape(first[i1, j], second[i1, j], cap[i1, j], cosine, sine)
    two = _landscape(first[i1, j1], second[i1, j1], cap[i1, j1], cosine, sine)
    return top + a * (one + b * (two - one) - top)


def add_patches(float[::1] out, const float[::1] x, const float[::1] y, const float[::1] footprint,
                const float[:, ::1] potential, const short[:, ::1] ids, const float[:, ::1] delay,
                const float[::1] mapping, const float[:, ::1] series, double position,
                const float[::1] threshold, float softness, float slope,
                const float[:, ::1] second=None, const float[:, ::1] cap=None,
                float cosine=1, float sine=0):
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
    delay : float32 (size, size) or (1, 1), samples of `series`
        How much later than the patch's first cell this cell follows it.
    series : float32 (n_patches, n_samples)
        Brightness over time.
    position : float
        The time asked for, in samples of `series`.
    threshold : float32 (n_patches,)
        Where each outline lies now: raising it shrinks the patch.
    softness, slope : float
        Width of the edge in units of potential, and its growth with the footprint.
    second, cap : float32 (size, size), optional
        Where given, the landscape is ``cosine * potential + sine * second``, the cap at most.
    """
    cdef Py_ssize_t i, n = out.shape[0]
    cdef int k, size = <int>ids.shape[0], mask = size - 1, low, last = <int>series.shape[1] - 1
    cdef int late = <int>delay.shape[0] - 1
    cdef bint mixed = second is not None
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
            if mixed:
                p = _sample_landscape(potential, second, cap, cosine, sine, u, v)
            else:
                p = _sample(potential, u, v)
            if p <= lowest:
                continue
            k = ids[_floor(u + <float>0.5) & mask, _floor(v + <float>0.5) & mask]
            if k < 0:
                continue
            e = _smoothstep((p - threshold[k]) / (softness + slope * footprint[i]))
            if e == 0:
                continue
            when = position - delay[_floor(u) & late, _floor(v) & late]
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


def add_blobs(float[:, ::1] potential, short[:, ::1] ids, const int[:, ::1] centre,
              const float[:, ::1] shape, const float[:, :, ::1] lobes):
    """Raise a periodic landscape to rounded patches where they exceed it, and note whose each cell is.

    Parameters
    ----------
    potential : float32, ids : int16; both (side, side)
        A patch's height is 1 in its middle, 0 on its outline; it owns cells where it stands above -0.3.
    centre : int32 (n, 2)
        Row and column.
    shape : float32 (n, 7)
        How far (cells) below and right of the patch's middle its centre lies, cosine and sine of its angle,
        its length and width (half of each, cells), and its bend (across per along squared).
    lobes : float32 (n, 4, 2)
        Amplitudes of cosine and sine of 3 to 6 times the angle, as shares of the radius.
    """
    cdef Py_ssize_t n
    cdef int side = <int>potential.shape[0], reach, r, c, i, j, m
    cdef float dy, dx, along, across, p, q, square, height, lobe, most, re, im, turned
    with nogil:
        for n in range(centre.shape[0]):
            reach = <int>min(max(shape[n, 4], shape[n, 5]) * <float>1.65 + 2, <float>(side // 2 - 1))
            most = 0
            for m in range(4):
                most += sqrtf(lobes[n, m, 0] * lobes[n, m, 0] + lobes[n, m, 1] * lobes[n, m, 1])
            most = (<float>1 - most) * (<float>1 - most) if most < 1 else 0
            for r in range(-reach, reach + 1):
                i = (centre[n, 0] + r + side) % side
                dy = r + shape[n, 0]
                for c in range(-reach, reach + 1):
                    dx = c + shape[n, 1]
                    along = dx * shape[n, 2] + dy * shape[n, 3]
                    across = dy * shape[n, 2] - dx * shape[n, 3] - shape[n, 6] * along * along
                    p = along / shape[n, 4]
                    q = across / shape[n, 5]
                    square = p * p + q * q
                    j = (centre[n, 1] + c + side) % side
                    if <float>1 - most * square <= potential[i, j]:  # lobes or not
                        continue
                    height = sqrtf(square)
                    if height > <float>1e-6:
                        p /= height
                        q /= height
                    re, im, lobe = p, q, 1
                    for m in range(4):
                        if m == 0:
                            turned = re * p - im * q
                            im = re * q + im * p
                            re = turned
                        turned = re * p - im * q
                        im = re * q + im * p
                        re = turned
                        lobe += re * lobes[n, m, 0] + im * lobes[n, m, 1]
                    height = <float>1 - square * lobe * lobe
                    if height > potential[i, j]:
                        potential[i, j] = height
                        if height > -<float>0.3:
                            ids[i, j] = <short>n


def fill_lines(float[:, ::1] out, const double[:, ::1] knots, const double[:, ::1] levels,
               const double[::1] late, double step):
    """Fill samples of lines from knot to knot: row k at times ``step * column + late[k]``.

    `knots` rise along each row; before the first and after the last a line stays level.
    """
    cdef Py_ssize_t k
    cdef int c, j, n = <int>out.shape[1], last = <int>knots.shape[1] - 1
    cdef double when, start, slope
    with nogil:
        for k in range(out.shape[0]):
            j = -1  # the knot passed last
            start, slope = 0, 0
            for c in range(n):
                when = step * c + late[k]
                if j < last and when >= knots[k, j + 1]:
                    while j < last and when >= knots[k, j + 1]:
                        j += 1
                    start, slope = knots[k, j], 0
                    if j < last:
                        slope = (levels[k, j + 1] - levels[k, j]) / (knots[k, j + 1] - start)
                out[k, c] = <float>(levels[k, max(j, 0)] + slope * (when - start))


def fill_exposed(float[:, ::1] out, const float[:, ::1] series, const float[::1] late, int n_exposed):
    """Fill what an exposure of `n_exposed` samples that begins at each sees, 0 at least.

    Row k of `out` follows row ``k % len(series)`` by ``late[k]`` samples, between which it is linear; beyond
    its ends a series stays level.
    """
    cdef Py_ssize_t k, own
    cdef int c, q, first, begin, end, n = <int>out.shape[1], m = <int>series.shape[1]
    cdef float part, weight
    with nogil:
        for k in range(out.shape[0]):
            own = k % series.shape[0]
            first = _floor(-late[k])
            part = -late[k] - first
            for c in range(n):
                out[k, c] = 0
            # The mean of n_exposed lines between samples is that of n_exposed + 1 samples, ends by their parts.
            for q in range(n_exposed + 1):
                weight = 1 - part if q == 0 else part if q == n_exposed else 1
                weight /= n_exposed
                begin = min(max(-first - q, 0), n)
                end = min(max(m - first - q, begin), n)
                for c in range(begin):
                    out[k, c] += weight * series[own, 0]
                for c in range(end, n):
                    out[k, c] += weight * series[own, m - 1]
                if end > begin:
                    add_scaled(&series[own, begin + first + q], weight, &out[k, begin], end - begin)
            for c in range(n):
                out[k, c] = out[k, c] if out[k, c] > 0 else 0


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
            k = _floor(s)
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
            if q > <float>3.2 or q < -<float>3.2:
                continue
            value = gain
            if q != 0:
                value *= expf(-q * q)
            if structure != 0:
                q = footprint[i] / finest
                s = <float>1 + structure / (<float>1 + q * q) * _sample(texture, m00 * x[i] + m01 * y[i] + u0, m10 * x[i] + m11 * y[i] + v0)
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
                east = x[i] * stretch[h] + lean_east * (stretch[h] - <float>1) + moved_e
                north_km = y[i] * stretch[h] + lean_north * (stretch[h] - <float>1) + moved_n
                along = (east * cosine + north_km * sine - s_start) * per_step
                d = north_km * cosine - east * sine
                if d < nearest or d > farthest:
                    continue
                k = _floor(along)
                if k < 0:
                    k = 0
                    along = 0
                elif k > last:
                    k = last
                    along = k + 1
                s = along - k
                for a in range(n_a):
                    q = d - centre[a] - (shape[a, k] + s * (shape[a, k + 1] - shape[a, k]))
                    if q > <float>3.2 * north[a] or q < -<float>3.2 * south[a]:
                        continue
                    q /= north[a] if q > 0 else south[a]
                    total += weight[h] * expf(-q * q) * (light[a, k] + s * (light[a, k + 1] - light[a, k]))
            out[i] += total


cdef inline void _fill_gaussian(float *weights, const float *centred, int reach, float off,
                                float scale) noexcept nogil:
    """exp(-scale (k - off)^2) for k from -reach on, from those about 0: exp(2 scale off k) is a power."""
    cdef int k
    cdef float step = expf(2 * scale * off), right = expf(-scale * off * off), left = right
    cdef float back = 1 / step
    weights[reach] = right
    for k in range(1, reach + 1):
        right *= step
        left *= back
        weights[reach + k] = right * centred[k]
        weights[reach - k] = left * centred[k]


def add_points(float[:, ::1] image, const float[::1] row, const float[::1] col, const float[::1] flux,
               float sigma):
    """Add point sources as Gaussians of width `sigma` (pixels); `flux` is each one's whole light (counts)."""
    cdef Py_ssize_t p, n = row.shape[0]
    cdef int k, r, r0, c0, reach = min(<int>(3 * sigma + 1.5), 31), first, end
    cdef int n_rows = <int>image.shape[0], n_cols = <int>image.shape[1]
    cdef float scale = 1 / (2 * sigma * sigma), norm = 0.15915494 / (sigma * sigma)
    cdef float centred[32]
    cdef float across[64]
    cdef float down[64]
    for k in range(reach + 1):
        centred[k] = expf(-scale * k * k)
    with nogil:
        for p in range(n):
            if not flux[p] > 0:
                continue
            r0 = _floor(row[p] + <float>0.5)
            c0 = _floor(col[p] + <float>0.5)
            if r0 < -reach or c0 < -reach or r0 >= n_rows + reach or c0 >= n_cols + reach:
                continue
            _fill_gaussian(across, centred, reach, col[p] - c0, scale)
            _fill_gaussian(down, centred, reach, row[p] - r0, scale)
            first, end = max(c0 - reach, 0), min(c0 + reach + 1, n_cols)
            if end <= first:
                continue
            for r in range(max(r0 - reach, 0), min(r0 + reach + 1, n_rows)):
                add_scaled(&across[first - c0 + reach], flux[p] * norm * down[r - r0 + reach],
                           &image[r, first], end - first)


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


def fill_between(const float[:, ::1] grid, float[:, ::1] out):
    """Fill an image of twice as many rows and columns: the grid's own values at even ones, linear between.

    Beyond the grid's last row and column it is dark.
    """
    cdef int r, c, n_rows = <int>grid.shape[0], n_cols = <int>grid.shape[1]
    with nogil:
        for r in range(n_rows):
            for c in range(n_cols - 1):
                out[2 * r, 2 * c] = grid[r, c]
                out[2 * r, 2 * c + 1] = <float>0.5 * (grid[r, c] + grid[r, c + 1])
            out[2 * r, 2 * n_cols - 2] = grid[r, n_cols - 1]
            out[2 * r, 2 * n_cols - 1] = <float>0.5 * grid[r, n_cols - 1]
        for r in range(n_rows - 1):
            for c in range(2 * n_cols):
                out[2 * r + 1, c] = <float>0.5 * (out[2 * r, c] + out[2 * r + 2, c])
        for c in range(2 * n_cols):
            out[2 * n_rows - 1, c] = <float>0.5 * out[2 * n_rows - 2, c]


def fill_counts(unsigned short[:, ::1] counts, const float[:, ::1] signal, float factor,
                const float[:, ::1] warm, const float[:, ::1] response,
                const float[:, ::1] normal, const float[::1] row_offset,
                float pedestal, float noise_slope, float read_variance):
    """Fill counts from ``factor * signal + warm``, counts above pedestal: response, noise of the measured law,
    rounding, saturation.
    """
    cdef int r, n = <int>counts.shape[1]
    with nogil:
        for r in range(<int>counts.shape[0]):
            count_row(&signal[r, 0], factor, &warm[r, 0], &response[r, 0], &normal[r, 0],
                      pedestal + row_offset[r], noise_slope, read_variance, &counts[r, 0], n)
