import numpy as np
from numpy.typing import NDArray

N_MODULATION: int

def scratch_size(n_cells: int, n_frequencies: int) -> int: ...
def flow_size(n_rows: int, n_cols: int) -> int: ...
def fill_modulation(
    times_s: NDArray[np.float64],
    cells: NDArray[np.float32],
    structure: NDArray[np.float32],
    mask: NDArray[np.uint8],
    n_rows: int,
    n_cols: int,
    first: int,
    last: int,
    half_window_s: float,
    cadence_s: float,
    anchor_s: float,
    band_of: NDArray[np.int32],
    gain: float,
    read_variance: float,
    n_pixels: int,
    offset: float,
    snr_threshold: float,
    amplitude_threshold: float,
    beat_half_s: float,
    background: NDArray[np.float32],
    log_cells: NDArray[np.float32],
    light: NDArray[np.float32],
    steep: NDArray[np.float32],
    common: NDArray[np.float32],
    phases: NDArray[np.float64],
    flow: NDArray[np.float32],
    motion: NDArray[np.float32],
    place: NDArray[np.int32],
    scratch: NDArray[np.float32],
    stack: NDArray[np.int32],
    seen: NDArray[np.uint8],
    out: NDArray[np.float32],
) -> None: ...
