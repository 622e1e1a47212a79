import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

def find_warm_pixels(
    pixels: Buffer,
    starts: NDArray[np.int64],
    swap: bool,
    every: int,
    gain: float,
    read_variance: float,
    sums: NDArray[np.uint32],
    marked: NDArray[np.uint8],
    warm: NDArray[np.uint8],
    places: NDArray[np.int32],
) -> int: ...
def mend_blocks(
    pixels: Buffer,
    starts: NDArray[np.int64],
    swap: bool,
    block: int,
    warm: NDArray[np.uint8],
    places: NDArray[np.int32],
    n_places: int,
    means: NDArray[np.float32],
    peaks: NDArray[np.float32],
) -> None: ...
