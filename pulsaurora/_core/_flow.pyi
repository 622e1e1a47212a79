import numpy as np
from numpy.typing import NDArray

def flow_size(n_rows: int, n_cols: int) -> int: ...
def fill_light(
    cells: NDArray[np.float32],
    structure: NDArray[np.float32],
    place: NDArray[np.int32],
    edge: NDArray[np.float32],
    n_rows: int,
    n_cols: int,
    offset: float,
    scratch: NDArray[np.float32],
    light: NDArray[np.float32],
    log_cells: NDArray[np.float32],
    steep: NDArray[np.float32],
) -> None: ...
def fill_flow(
    times_s: NDArray[np.float64],
    log_cells: NDArray[np.float32],
    edge: NDArray[np.float32],
    n_rows: int,
    n_cols: int,
    first: int,
    last: int,
    half_window_s: float,
    cadence_s: float,
    usable: NDArray[np.uint8],
    scratch: NDArray[np.float32],
    flow: NDArray[np.float32],
    motion: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None: ...
