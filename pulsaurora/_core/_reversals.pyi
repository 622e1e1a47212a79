import numpy as np
from numpy.typing import NDArray

N_REVERSAL_ARRAYS: int

def fill_reversals(
    times_s: NDArray[np.float64],
    log_light: NDArray[np.float32],
    light: NDArray[np.float32],
    structure: NDArray[np.float32],
    median_column: int,
    place: NDArray[np.int32],
    n_rows: int,
    n_cols: int,
    first: int,
    last: int,
    half_s: float,
    slot_s: float,
    gain: float,
    read_variance: float,
    n_pixels: int,
    offset: float,
    scratch: NDArray[np.float32],
    counts: NDArray[np.int32],
    seen: NDArray[np.uint8],
    out: NDArray[np.float32],
) -> None: ...
