"""How many threads work is shared between, and memory that they have done with."""

import ctypes
import functools
import os


def n_cores():
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def give_back_memory():
    """Give the system back what was freed; do it after a batch.

    glibc keeps freed pages for each thread that ever used some: 10 to 30 MB, as chance has it. The next night
    takes them again, so that they do not grow, and giving them back after each night would cost it 12 ms of
    processor time. Where the C library is another one, nothing is done.
    """
    if (trim := _malloc_trim()) is not None:
        trim(0)


@functools.cache
def _malloc_trim():
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
