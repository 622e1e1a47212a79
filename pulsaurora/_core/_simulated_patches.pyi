import numpy as np
from numpy.typing import NDArray

_F32 = NDArray[np.float32]

def add_blobs(
    potential: _F32, ids: NDArray[np.int16], centre: NDArray[np.int32], shape: _F32, lobes: _F32
) -> None: ...
def fill_lines(
    out: _F32, knots: NDArray[np.float64], levels: NDArray[np.float64], late: NDArray[np.float64], step: float
) -> None: ...
def fill_exposed(out: _F32, series: _F32, late: _F32, n_exposed: int) -> None: ...
