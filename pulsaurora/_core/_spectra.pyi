import numpy as np
from numpy.typing import NDArray

N_MODULATION: int

def scratch_sizes(n_inside: int, n_cells: int, n_frequencies: int) -> tuple[int, int]: ...
def fill_spectra(
    times_s: NDArray[np.float64],
    cells: NDArray[np.float32],
    structure: NDArray[np.float32],
    place: NDArray[np.int32],
    is_low: NDArray[np.uint8],
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
    phases: NDArray[np.float64],
    scratch: NDArray[np.float32],
    lists: NDArray[np.int32],
    usable: NDArray[np.uint8],
    pulsating: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None: ...
