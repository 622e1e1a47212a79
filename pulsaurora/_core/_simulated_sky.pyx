"""What each sky pixel of a synthetic imager sees of textures, cloud, patches, bands and arcs.

Called by pulsaurora.simulation with checked, contiguous float32. Sky pixels are a flat list (n_pixels,):
only those the lens sees are computed. Textures are square, periodic, with a power-of-two side, and are
sampled bilinearly at ``u = m00 * x + m01 * y + u0`` (row) and ``v = m10 * x + m11 * y + v0`` (column).
NaN is not expected anywhere. Oracles: tests/naive.py::sampled_texture, ::patch_light, ::arc_light.
Every loop runs without the GIL and adds to, or fills, what the caller allocated. Constants are cast to float
since Cython writes 1 as 1.0 next to one, and the sum would be made in doubles.
"""

from libc.math cimport expf

cdef extern from "_simulation.h" nogil:
    int pulsaurora_floor(float value)


cdef struct Cells:
    int i, j, i1, j1
    float a, b


cdef inline Cells _cells_about(float u, float v, int size) noexcept nogil:
    """Return which cells of a texture are about a place, and how far it is from the first, in cells."""
    cdef Cells at
    cdef int mask = size - 1
    at.i, at.j = pulsaurora_floor(u), pulsaurora_floor(v)
    at.a, at.b = u - at.i, v - at.j
    at.i &= mask
    at.j &= mask
    at.i1, at.j1 = (at.i + 1) & mask, (at.j + 1) & mask
    return at


cdef inline float _sample(const float[:, ::1] texture, float u, float v) noexcept nogil:
    cdef Cells at = _cells_about(u, v, <int>texture.shape[0])
    cdef float top = texture[at.i, at.j] + at.b * (texture[at.i, at.j1] - texture[at.i, at.j])
    cdef float low = texture[at.i1, at.j] + at.b * (texture[at.i1, at.j1] - texture[at.i1, at.j])
    return top + at.a * (low - top)


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
               float least, float most, float level, float relief, float core):
    """Fill a cloud layer's opacity, from `least` to `most`, and its brightness.

    Opacity follows a smooth step of two textures' sum about a threshold; minus infinity is a closed deck.
    `blur` (n_pixels,) widens the step where one pixel spans much of the texture (low elevation), and
    pulls the sum towards its mean of zero, as the eye along a slant path averages it. Brightness is
    ``level * (1 + relief * second texture)``, 0.05 at least, times `shade` (n_pixels,); where the sum lies
    d above that from which on cloud is as dense as it gets, times exp(-core d): thick cloud is dark below.
    """
    cdef Py_ssize_t i, n = opacity.shape[0]
    cdef float a00 = first_mapping[0], a01 = first_mapping[1], a0 = first_mapping[2]
    cdef float a10 = first_mapping[3], a11 = first_mapping[4], a1 = first_mapping[5]
    cdef float b00 = second_mapping[0], b01 = second_mapping[1], b0 = second_mapping[2]
    cdef float b10 = second_mapping[3], b11 = second_mapping[4], b1 = second_mapping[5]
    cdef float value, other, light, dense, span = most - least
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
            dense = value - threshold - <float>0.5 * (softness + blur[i])
            if core > 0 and dense > 0:
                brightness[i] *= expf(-core * dense)


cdef inline float _landscape(float here, float other, float cap, float cosine, float sine) noexcept nogil:
    cdef float height = cosine * here + sine * other
    return height if height < cap else cap


cdef inline float _sample_landscape(const float[:, ::1] first, const float[:, ::1] second,
                                    const float[:, ::1] cap, float cosine, float sine,
                                    float u, float v) noexcept nogil:
    """Sample the lower of ``cosine * first + sine * second`` and the cap, taken cell by cell."""
    cdef Cells at = _cells_about(u, v, <int>first.shape[0])
    cdef float one = _landscape(first[at.i, at.j], second[at.i, at.j], cap[at.i, at.j], cosine, sine)
    cdef float two = _landscape(first[at.i, at.j1], second[at.i, at.j1], cap[at.i, at.j1], cosine, sine)
    cdef float top = one + at.b * (two - one)
    one = _landscape(first[at.i1, at.j], second[at.i1, at.j], cap[at.i1, at.j], cosine, sine)
    two = _landscape(first[at.i1, at.j1], second[at.i1, at.j1], cap[at.i1, at.j1], cosine, sine)
    return top + at.a * (one + at.b * (two - one) - top)


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
            k = ids[pulsaurora_floor(u + <float>0.5) & mask, pulsaurora_floor(v + <float>0.5) & mask]
            if k < 0:
                continue
            e = _smoothstep((p - threshold[k]) / (softness + slope * footprint[i]))
            if e == 0:
                continue
            when = position - delay[pulsaurora_floor(u) & late, pulsaurora_floor(v) & late]
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


cdef inline int _knot(float *along, int last) noexcept nogil:
    """Return the knot before a place along a line, 0 to `last`; what lies beyond its ends is held at them."""
    cdef int k = pulsaurora_floor(along[0])
    if k < 0:
        k = 0
        along[0] = 0
    elif k > last:
        k = last
        along[0] = k + 1
    return k


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
            k = _knot(&s, last)
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
                k = _knot(&along, last)
                s = along - k
                for a in range(n_a):
                    q = d - centre[a] - (shape[a, k] + s * (shape[a, k + 1] - shape[a, k]))
                    if q > <float>3.2 * north[a] or q < -<float>3.2 * south[a]:
                        continue
                    q /= north[a] if q > 0 else south[a]
                    total += weight[h] * expf(-q * q) * (light[a, k] + s * (light[a, k + 1] - light[a, k]))
            out[i] += total
