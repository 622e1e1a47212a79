import numpy as np
from numpy.typing import NDArray

N_BEAT_ARRAYS: int

def fill_beats(
    times_s: NDArray[np.float64],
    light: NDArray[np.float32],
    steep: NDArray[np.float32],
    structure: NDArray[np.float32],
    background: NDArray[np.float32],
    place: NDArray[np.int32],
    edge: NDArray[np.float32],
    first: int,
    last: int,
    half_s: float,
    gain: float,
    read_variance: float,
    n_pixels: int,
    offset: float,
    common: NDArray[np.float32],
    scratch: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None: ...
