import numpy as np
from numpy.typing import NDArray

N_LAYOUT: int

def scratch_size(n_inside: int, n_cells: int) -> int: ...
def fill_layout(
    minutes: NDArray[np.float64],
    logs: NDArray[np.float32],
    background: NDArray[np.float32],
    elevation: NDArray[np.float32],
    ring: NDArray[np.uint8],
    round_: NDArray[np.uint8],
    low: NDArray[np.uint8],
    waves: NDArray[np.float32],
    place: NDArray[np.int32],
    inside: NDArray[np.uint8],
    edge: NDArray[np.float32],
    n_cols: int,
    scratch: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None: ...
