import numpy as np
from numpy.typing import NDArray

N_STRUCTURE: int

def scratch_sizes() -> tuple[int, int, int]: ...
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
    basis: NDArray[np.float32],
    scratch: NDArray[np.float32],
    mask_scratch: NDArray[np.uint8],
    stack: NDArray[np.int32],
    cells: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None: ...
