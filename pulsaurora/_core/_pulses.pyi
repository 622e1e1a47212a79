import numpy as np
from numpy.typing import NDArray

N_PULSE_COLUMNS: int

def fill_trends(
    times_s: NDArray[np.float64],
    levels: NDArray[np.float32],
    first: int,
    half_window_s: float,
    fewest: int,
    sums: NDArray[np.float64],
    slopes: NDArray[np.float64],
    trends: NDArray[np.float32],
) -> None: ...
def fill_smoothed(
    values: NDArray[np.float32],
    neighbours: NDArray[np.int32],
    scales: NDArray[np.float32],
    fewest: int,
    out: NDArray[np.float32],
) -> None: ...
def fill_pulses(
    times_s: NDArray[np.float64],
    series: NDArray[np.float32],
    longest_gap_s: float,
    longest_step_s: float,
    reach_s: float,
    least_prominence: float,
    out: NDArray[np.float64],
) -> int: ...
def fill_groups(
    cells: NDArray[np.int32],
    starts_s: NDArray[np.float64],
    ends_s: NDArray[np.float64],
    heights: NDArray[np.float64],
    offsets: NDArray[np.int32],
    neighbours: NDArray[np.int32],
    least_overlap: float,
    groups: NDArray[np.int32],
    highest: NDArray[np.float64],
) -> None: ...
