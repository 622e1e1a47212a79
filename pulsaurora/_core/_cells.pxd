# What _defects asks of frames that lie in a file's bytes, as _cells does.

cdef int check_starts(const unsigned char[::1] buffer, const long long[:] starts, Py_ssize_t frame_bytes) except -1
