import numpy as np
from numpy.typing import NDArray

_F32 = NDArray[np.float32]

def add_texture(out: _F32, x: _F32, y: _F32, texture: _F32, mapping: _F32, gain: float) -> None: ...
def fill_cloud(
    opacity: _F32,
    brightness: _F32,
    x: _F32,
    y: _F32,
    blur: _F32,
    shade: _F32,
    first: _F32,
    second: _F32,
    first_mapping: _F32,
    second_mapping: _F32,
    first_gain: float,
    second_gain: float,
    threshold: float,
    softness: float,
    least: float,
    most: float,
    level: float,
    relief: float,
) -> None: ...
def add_patches(
    out: _F32,
    x: _F32,
    y: _F32,
    footprint: _F32,
    potential: _F32,
    ids: NDArray[np.int16],
    delay: _F32,
    mapping: _F32,
    series: _F32,
    position: float,
    threshold: _F32,
    softness: float,
    slope: float,
    second: _F32 | None = None,
    cap: _F32 | None = None,
    cosine: float = 1.0,
    sine: float = 0.0,
) -> None: ...
def add_blobs(
    potential: _F32, ids: NDArray[np.int16], centre: NDArray[np.int32], shape: _F32, lobes: _F32
) -> None: ...
def fill_lines(
    out: _F32, knots: NDArray[np.float64], levels: NDArray[np.float64], late: NDArray[np.float64], step: float
) -> None: ...
def fill_exposed(out: _F32, series: _F32, late: _F32, n_exposed: int) -> None: ...
def add_band(
    out: _F32,
    x: _F32,
    y: _F32,
    footprint: _F32,
    texture: _F32,
    mapping: _F32,
    cosine: float,
    sine: float,
    centre: float,
    flat: float,
    north: float,
    south: float,
    border: _F32,
    s_start: float,
    per_step: float,
    gain: float,
    structure: float,
    finest: float,
) -> None: ...
def add_arcs(
    out: _F32,
    x: _F32,
    y: _F32,
    stretch: _F32,
    weight: _F32,
    lean_east: float,
    lean_north: float,
    warp_east: _F32,
    warp_north: _F32,
    mapping: _F32,
    warp: float,
    cosine: float,
    sine: float,
    centre: _F32,
    north: _F32,
    south: _F32,
    shape: _F32,
    light: _F32,
    s_start: float,
    per_step: float,
) -> None: ...
def add_points(image: _F32, row: _F32, col: _F32, flux: _F32, sigma: float) -> None: ...
def blur(image: _F32, scratch: _F32, out: _F32, sigma: float) -> None: ...
def fill_counts(
    counts: NDArray[np.uint16],
    signal: _F32,
    response: _F32,
    normal: _F32,
    row_offset: _F32,
    pedestal: float,
    noise_slope: float,
    read_variance: float,
) -> None: ...
