import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

FRAME_SIDE: int
FRAME_BYTES: int

HEADER_START: int
PIXELS_START: int
TIME_US: int
POSITION: int
FLAGS: int
N_FRAME_COLUMNS: int

FLAG_NOT_ASCII: int
FLAG_ODD_LINE: int
FLAG_NO_SIZE: int
FLAG_BYTES_AFTER: int

KIND: int
EVENT_POSITION: int
OFFSET: int
FOUND: int
FOUND_2: int
N_EVENT_COLUMNS: int

NOT_PGM: int
BYTES_BEFORE: int
HEADER_CUT: int
HEADER_DAMAGED: int
WRONG_SIZE: int
WRONG_MAXIMUM: int
SHORT_FRAME: int
BYTES_AFTER: int

NO_TIME: int

def scan_frames(
    buffer: Buffer, frames: NDArray[np.int64], events: NDArray[np.int64]
) -> tuple[int, int]: ...
def fill_pixels(buffer: Buffer, starts: NDArray[np.int64], images: NDArray[np.uint16]) -> None: ...
def find_gzip_member(buffer: Buffer, start: int) -> int: ...
