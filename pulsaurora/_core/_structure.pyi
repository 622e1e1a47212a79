import numpy as np
from numpy.typing import NDArray

N_STRUCTURE: int

def fill_structure(
    levels: NDArray[np.float32],
    peaks: NDArray[np.float32],
    fine_mask: NDArray[np.uint8],
    fine_elevation: NDArray[np.float32],
    peak_scale: float,
    n_pixels: int,
    gain: float,
    read_variance: float,
    offset: float,
    saturation: float,
    scratch: NDArray[np.float32],
    mask_scratch: NDArray[np.uint8],
    cells: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None: ...
