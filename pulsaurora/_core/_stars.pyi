import numpy as np
from numpy.typing import NDArray

N_STARS: int

def scratch_sizes() -> tuple[int, int]: ...
def fill_sparks(
    levels: NDArray[np.float32],
    peaks: NDArray[np.float32],
    structure: NDArray[np.float32],
    peak_scale: float,
    gain: float,
    read_variance: float,
    out: NDArray[np.int8],
) -> None: ...
def fill_stars(
    times_s: NDArray[np.float64],
    sparks: NDArray[np.int8],
    cells: NDArray[np.float32],
    structure: NDArray[np.float32],
    fine_mask: NDArray[np.uint8],
    place: NDArray[np.int32],
    coarse_place: NDArray[np.int32],
    background: NDArray[np.float32],
    first: int,
    last: int,
    half_s: float,
    slot_s: float,
    next_s: float,
    offset: float,
    gain: float,
    read_variance: float,
    levels: NDArray[np.float32],
    points: NDArray[np.int32],
    total: NDArray[np.int16],
    scratch: NDArray[np.float32],
    lists: NDArray[np.int32],
    out: NDArray[np.float32],
) -> None: ...
