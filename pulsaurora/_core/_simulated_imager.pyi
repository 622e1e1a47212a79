import numpy as np
from numpy.typing import NDArray

_F32 = NDArray[np.float32]

def add_points(image: _F32, row: _F32, col: _F32, flux: _F32, sigma: float) -> None: ...
def blur(image: _F32, scratch: _F32, out: _F32, sigma: float) -> None: ...
def fill_between(grid: _F32, out: _F32) -> None: ...
def fill_counts(
    counts: NDArray[np.uint16],
    signal: _F32,
    factor: float,
    warm: _F32,
    response: _F32,
    normal: _F32,
    row_offset: _F32,
    pedestal: float,
    noise_slope: float,
    read_variance: float,
) -> None: ...
