import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

def fill_cells(
    frames: NDArray[np.uint16],
    block: int,
    column_sums: NDArray[np.uint32],
    column_tops: NDArray[np.uint16],
    means: NDArray[np.float32],
    peaks: NDArray[np.float32],
) -> None: ...
def fill_packed_cells(
    buffer: Buffer,
    starts: NDArray[np.int64],
    swap: bool,
    means: NDArray[np.float32],
    peaks: NDArray[np.float32],
) -> None: ...
