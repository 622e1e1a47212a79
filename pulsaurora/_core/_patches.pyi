import numpy as np
from numpy.typing import NDArray

def fill_patches(
    pulsating: NDArray[np.float32],
    n_rows: int,
    n_cols: int,
    n_mask: int,
    stack: NDArray[np.int32],
    seen: NDArray[np.uint8],
    out: NDArray[np.float32],
) -> None: ...
