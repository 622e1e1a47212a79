import numpy as np
from numpy.typing import NDArray

def fill_posterior(
    log_evidence: NDArray[np.float64],
    gaps_s: NDArray[np.float64],
    rate: float,
    log_prior: NDArray[np.float64],
    posterior: NDArray[np.float64],
) -> None: ...
def fill_path(
    log_evidence: NDArray[np.float64],
    gaps_s: NDArray[np.float64],
    rate: float,
    log_prior: NDArray[np.float64],
    came_from: NDArray[np.int8],
    path: NDArray[np.int8],
) -> None: ...
