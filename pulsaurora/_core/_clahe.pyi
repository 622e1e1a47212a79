import numpy as np
from numpy.typing import NDArray

N_COUNTS: int
SPARE: int

def equalize(
    frames: NDArray[np.uint16],
    source_rows: NDArray[np.int32],
    source_columns: NDArray[np.int32],
    row_edges: NDArray[np.int32],
    column_edges: NDArray[np.int32],
    row_weights: NDArray[np.float32],
    column_weights: NDArray[np.float32],
    limit: int,
    table_scale: float,
    scale: float,
    present: NDArray[np.uint8],
    ranks: NDArray[np.uint16],
    ranked: NDArray[np.uint16],
    histogram: NDArray[np.uint16],
    wide: NDArray[np.int32],
    table: NDArray[np.uint16],
    cells: NDArray[np.int32],
    offsets: NDArray[np.int64],
    out16: NDArray[np.uint16] | None,
    out8: NDArray[np.uint8] | None,
) -> None: ...
