"""THEMIS all-sky PGM: where the frames of one inflated minute file lie, and their pixels.

Called by pulsaurora.imaging.themis with the whole file in memory. A minute file is a run of
frames; a frame is header lines up to the line `65535`, then exactly 131,072 bytes of big-endian
pixels. `65535\\n` occurs inside pixels, so a frame's end is counted; a search for the next header
(`P5\\n#"`) happens only where the count does not end at a header, that is where bytes are lost.

Every byte is looked at a bounded number of times, whatever the file holds, and none outside it.
Oracle: tests/naive.py::pgm_frames, and themis-imager-readfile on real files.
"""

from libc.limits cimport LLONG_MIN
from libc.string cimport memchr, memcmp

cdef extern from "_pgm.h" nogil:
    int pulsaurora_gzip_begins(const unsigned char *data, int n)

cpdef enum:
    FRAME_SIDE = 256
    FRAME_BYTES = 131072

# Columns of the frame table that scan_frames fills.
cpdef enum:
    HEADER_START
    PIXELS_START
    TIME_US                 # NO_TIME where the header has none that can be read
    POSITION                # in the file, from zero, lost frames counted too
    FLAGS
    N_FRAME_COLUMNS

# Bits of FLAGS: what was odd about a frame that is whole all the same.
cpdef enum:
    FLAG_NOT_ASCII = 1      # a header line holds a byte that is not ASCII
    FLAG_ODD_LINE = 2       # a header line is neither comment, nor size, nor largest value
    FLAG_NO_SIZE = 4        # no line `256 256`
    FLAG_BYTES_AFTER = 8    # bytes that are no frame follow the pixels

# Columns of the event table.
cpdef enum:
    KIND
    EVENT_POSITION
    OFFSET
    FOUND
    FOUND_2
    N_EVENT_COLUMNS

# Kinds of event: what was lost, or was found where nothing should be.
cpdef enum:
    NOT_PGM = 1             # no header anywhere
    BYTES_BEFORE            # FOUND bytes before the first header
    HEADER_CUT              # the file ends inside a header
    HEADER_DAMAGED          # a header never comes to its pixels
    WRONG_SIZE              # FOUND x FOUND_2 pixels
    WRONG_MAXIMUM           # largest value FOUND
    SHORT_FRAME             # FOUND bytes of pixels
    BYTES_AFTER             # FOUND bytes between a frame and the next header

cdef enum:
    MAXIMUM = 65535
    # Real headers take 0.3 to 1.3 kB; the limit bounds how far damage is read as text.
    HEADER_LIMIT = 16384
    NUMBER_LIMIT = 1000000
    TIME_KEY_LENGTH = 22

cdef enum HeaderEnd:
    AT_PIXELS
    AT_END_OF_FILE
    AT_OTHER_HEADER
    AT_LIMIT
    AT_WRONG_MAXIMUM

cdef struct Header:
    Py_ssize_t stop         # where reading stopped: first pixel, other header, or limit
    long long time_us
    long long width
    long long height
    long long maximum
    long long flags

cdef const char *TIME_KEY = b'#"Image request start"'
NO_TIME = LLONG_MIN               # what numpy calls NaT


cdef inline bint starts_header(const unsigned char *data, Py_ssize_t size, Py_ssize_t at) noexcept nogil:
    """Whether `P5`, a line end and `#"` stand here."""
    if size - at < 5 or data[at] != 80 or data[at + 1] != 53:
        return False
    if data[at + 2] == 13 and data[at + 3] == 10:
        return size - at >= 6 and data[at + 4] == 35 and data[at + 5] == 34
    return data[at + 2] == 10 and data[at + 3] == 35 and data[at + 4] == 34


cdef Py_ssize_t next_header(
    const unsigned char *data, Py_ssize_t size, Py_ssize_t start, Py_ssize_t stop
) noexcept nogil:
    """First header that starts in [start, stop), or -1."""
    cdef const unsigned char *found
    cdef Py_ssize_t at = start
    while at < stop:
        found = <const unsigned char *> memchr(data + at, 80, stop - at)
        if found == NULL:
            return -1
        at = found - data
        if starts_header(data, size, at):
            return at
        at += 1
    return -1


cdef inline bint ends_well(const unsigned char *data, Py_ssize_t size, Py_ssize_t at) noexcept nogil:
    """Whether a frame can end here: end of file, or a header with at most one end damaged."""
    cdef Py_ssize_t left = size - at
    if left <= 0:
        return left == 0
    if left >= 3 and data[at] == 80 and data[at + 1] == 53 and (data[at + 2] == 10 or data[at + 2] == 13):
        return True
    if left >= 5 and data[at + 2] == 10 and data[at + 3] == 35 and data[at + 4] == 34:
        return True
    # a file cut one or two bytes into the next header
    return (left == 1 and data[at] == 80) or (left == 2 and data[at] == 80 and data[at + 1] == 53)


cdef inline bint only_space(const unsigned char *data, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    while start < stop:
        if data[start] != 32 and not 9 <= data[start] <= 13:
            return False
        start += 1
    return True


cdef inline long long digits(const unsigned char *text, int count) noexcept nogil:
    """Value of exactly `count` decimal digits, or -1."""
    cdef long long value = 0
    cdef int i
    for i in range(count):
        if text[i] < 48 or text[i] > 57:
            return -1
        value = value * 10 + (text[i] - 48)
    return value


cdef long long days_from_civil(long long year, long long month, long long day) noexcept nogil:
    """Days since 1970-01-01 in the Gregorian calendar; years counted from March, leap day last."""
    cdef long long of_year, shifted
    if month <= 2:
        year -= 1
        shifted = month + 9
    else:
        shifted = month - 3
    of_year = (153 * shifted + 2) // 5 + day - 1
    return year * 365 + year // 4 - year // 100 + year // 400 + of_year - 719468


cdef long long parse_time(const unsigned char *text, Py_ssize_t length) noexcept nogil:
    """Microseconds since 1970 of `2014-03-10 06:00:00.063119 UTC`, or LLONG_MIN."""
    cdef long long year, month, day, hour, minute, second, last_day
    cdef long long fraction = 0
    cdef long long unit = 100000
    cdef Py_ssize_t at = 19
    while length > 0 and (text[0] == 32 or text[0] == 9):
        text += 1
        length -= 1
    if length < 19:
        return LLONG_MIN
    if text[4] != 45 or text[7] != 45 or text[13] != 58 or text[16] != 58 or not (text[10] == 32 or text[10] == 84):
        return LLONG_MIN
    year = digits(text, 4)
    month = digits(text + 5, 2)
    day = digits(text + 8, 2)
    hour = digits(text + 11, 2)
    minute = digits(text + 14, 2)
    second = digits(text + 17, 2)
    if year < 1900 or year > 2199 or month < 1 or month > 12 or day < 1:
        return LLONG_MIN
    if hour < 0 or hour > 23 or minute < 0 or minute > 59 or second < 0 or second > 60:
        return LLONG_MIN
    if month == 2:
        last_day = 29 if (year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)) else 28
    else:
        last_day = 30 if (month == 4 or month == 6 or month == 9 or month == 11) else 31
    if day > last_day:
        return LLONG_MIN
    if at < length and text[at] == 46:
        at += 1
        if at >= length or text[at] < 48 or text[at] > 57:
            return LLONG_MIN
        while at < length and 48 <= text[at] <= 57:
            fraction += unit * (text[at] - 48)   # digits past the microsecond count nothing
            unit //= 10
            at += 1
    while at < length and (text[at] == 32 or text[at] == 9):
        at += 1
    if not (at == length or (length - at == 1 and text[at] == 90)
            or (length - at == 3 and memcmp(text + at, b"UTC", 3) == 0)):
        return LLONG_MIN
    return ((days_from_civil(year, month, day) * 24 + hour) * 60 + minute) * 60000000 + second * 1000000 + fraction


cdef int parse_numbers(const unsigned char *text, Py_ssize_t length, long long *numbers) noexcept nogil:
    """Up to three whole numbers parted by spaces; how many there are, or -1 if there is anything else."""
    cdef int count = 0
    cdef Py_ssize_t at = 0
    cdef long long value
    while True:
        while at < length and (text[at] == 32 or text[at] == 9):
            at += 1
        if at == length:
            return count
        if count == 3 or text[at] < 48 or text[at] > 57:
            return -1
        value = 0
        while at < length and 48 <= text[at] <= 57:
            value = value * 10 + (text[at] - 48)
            if value > NUMBER_LIMIT:
                return -1
            at += 1
        if at < length and text[at] != 32 and text[at] != 9:
            return -1
        numbers[count] = value
        count += 1


cdef HeaderEnd read_header(
    const unsigned char *data, Py_ssize_t size, Py_ssize_t start, Header *header
) noexcept nogil:
    """Read header lines from `start` to the first pixel."""
    cdef Py_ssize_t line = start
    cdef Py_ssize_t limit = size if size - start < HEADER_LIMIT else start + HEADER_LIMIT
    cdef Py_ssize_t end, i
    cdef const unsigned char *found
    cdef long long numbers[3]
    cdef int count
    header.time_us = LLONG_MIN
    header.width = header.height = header.maximum = -1
    header.flags = 0
    while True:
        found = NULL
        if line < limit:
            found = <const unsigned char *> memchr(data + line, 10, limit - line)
        if found == NULL:
            header.stop = limit
            return AT_END_OF_FILE if limit == size else AT_LIMIT
        end = found - data
        # Another header in mid-header, at a line's start or behind binary rubbish: start over there.
        i = end - 2
        if i > start and data[end - 1] == 13:
            i -= 1
        if i > start and i >= line and starts_header(data, size, i):
            header.stop = i
            return AT_OTHER_HEADER
        header.stop = end + 1
        while end > line and (data[end - 1] == 13 or data[end - 1] == 32 or data[end - 1] == 9):
            end -= 1
        if end == line or (end - line == 2 and data[line] == 80 and data[line + 1] == 53):
            pass
        elif data[line] == 35:
            for i in range(line, end):
                if data[i] > 127:
                    header.flags |= FLAG_NOT_ASCII
                    break
            else:
                if end - line > TIME_KEY_LENGTH and memcmp(data + line, TIME_KEY, TIME_KEY_LENGTH) == 0:
                    header.time_us = parse_time(data + line + TIME_KEY_LENGTH, end - line - TIME_KEY_LENGTH)
        else:
            count = parse_numbers(data + line, end - line, numbers)
            if count >= 2:
                header.width = numbers[0]
                header.height = numbers[1]
            if count == 1 or count == 3:
                header.maximum = numbers[count - 1]
                if header.maximum == MAXIMUM:
                    if header.width < 0:
                        header.flags |= FLAG_NO_SIZE
                    return AT_PIXELS
                if header.width >= 0:
                    return AT_WRONG_MAXIMUM
            if count < 2:
                header.flags |= FLAG_ODD_LINE
                # A damaged `65535` is forgiven if a whole frame follows it.
                if header.width == FRAME_SIDE and header.height == FRAME_SIDE:
                    if ends_well(data, size, header.stop + FRAME_BYTES):
                        return AT_PIXELS
        line = header.stop


cdef inline Py_ssize_t note(
    long long[:, ::1] events, Py_ssize_t n, long long kind, long long position,
    long long offset, long long found, long long found_2
) noexcept nogil:
    if n < events.shape[0]:
        events[n, KIND] = kind
        events[n, EVENT_POSITION] = position
        events[n, OFFSET] = offset
        events[n, FOUND] = found
        events[n, FOUND_2] = found_2
    return n + 1


cdef inline Py_ssize_t keep(
    long long[:, ::1] frames, Py_ssize_t n, Py_ssize_t start, Py_ssize_t pixels,
    long long time_us, long long position, long long flags
) noexcept nogil:
    frames[n, HEADER_START] = start
    frames[n, PIXELS_START] = pixels
    frames[n, TIME_US] = time_us
    frames[n, POSITION] = position
    frames[n, FLAGS] = flags
    return n + 1


def scan_frames(const unsigned char[::1] buffer, long long[:, ::1] frames, long long[:, ::1] events):
    """Fill the tables of whole frames and of what was lost; return how many there are of each.

    `frames` has N_FRAME_COLUMNS columns and room for len(buffer) // FRAME_BYTES rows. `events` has
    N_EVENT_COLUMNS columns; events past its last row are only counted.
    """
    cdef Py_ssize_t size = buffer.shape[0]
    if frames.shape[1] != N_FRAME_COLUMNS or frames.shape[0] < size // FRAME_BYTES:
        raise ValueError(f"frame table is {frames.shape[0]} x {frames.shape[1]}, "
                         f"needs {size // FRAME_BYTES} x {<int> N_FRAME_COLUMNS}")
    if events.shape[1] != N_EVENT_COLUMNS:
        raise ValueError(f"event table has {events.shape[1]} columns, needs {<int> N_EVENT_COLUMNS}")
    if size == 0:
        return 0, 0
    cdef const unsigned char *data = &buffer[0]
    cdef Py_ssize_t n_frames = 0
    cdef Py_ssize_t n_events = 0
    cdef Py_ssize_t at = 0                  # where a header starts; -1 when there are no more
    cdef Py_ssize_t start, pixels, end, found
    cdef long long position = 0
    cdef Header header
    cdef HeaderEnd status
    with nogil:
        if not ends_well(data, size, 0):
            at = next_header(data, size, 0, size)
            if at < 0:
                n_events = note(events, n_events, NOT_PGM, 0, 0, size, 0)
            else:
                n_events = note(events, n_events, BYTES_BEFORE, 0, 0, at, 0)
        while 0 <= at < size:
            start = at
            status = read_header(data, size, start, &header)
            pixels = header.stop
            end = pixels + FRAME_BYTES
            if status == AT_END_OF_FILE:
                n_events = note(events, n_events, HEADER_CUT, position, start, size - start, 0)
                break
            elif status == AT_OTHER_HEADER:
                n_events = note(events, n_events, HEADER_DAMAGED, position, start, pixels - start, 0)
                at = pixels
            elif status == AT_LIMIT:
                n_events = note(events, n_events, HEADER_DAMAGED, position, start, pixels - start, 0)
                at = next_header(data, size, pixels, size)
            elif status == AT_WRONG_MAXIMUM:
                n_events = note(events, n_events, WRONG_MAXIMUM, position, start, header.maximum, 0)
                at = next_header(data, size, pixels, size)
            elif header.width >= 0 and (header.width != FRAME_SIDE or header.height != FRAME_SIDE):
                n_events = note(events, n_events, WRONG_SIZE, position, start, header.width, header.height)
                # A whole frame of another geometry is stepped over, anything else searched.
                end = pixels + header.width * header.height * 2
                at = end if ends_well(data, size, end) else next_header(data, size, pixels, size)
            elif ends_well(data, size, end):
                n_frames = keep(frames, n_frames, start, pixels, header.time_us, position, header.flags)
                at = end
            else:
                # Bytes are missing if a header lies where pixels should, or the file ends there.
                at = next_header(data, size, pixels, end if end < size else size)
                if at >= 0 or end > size:
                    found = (at if at >= 0 else size) - pixels
                    n_events = note(events, n_events, SHORT_FRAME, position, start, found, 0)
                else:
                    # The frame is whole, and what follows is no header.
                    at = next_header(data, size, end, size)
                    if at >= 0 or not only_space(data, end, size):
                        found = (at if at >= 0 else size) - end
                        n_events = note(events, n_events, BYTES_AFTER, position, end, found, 0)
                        header.flags |= FLAG_BYTES_AFTER
                    n_frames = keep(frames, n_frames, start, pixels, header.time_us, position, header.flags)
            position += 1
    return n_frames, n_events


def fill_pixels(const unsigned char[::1] buffer, const long long[:] starts, unsigned short[:, :, ::1] images):
    """Write the pixels that begin at each of starts, in native byte order, into the first images."""
    cdef Py_ssize_t size = buffer.shape[0]
    cdef Py_ssize_t n_frames = starts.shape[0]
    cdef Py_ssize_t i, k
    cdef const unsigned char *source
    cdef unsigned short *target
    if n_frames == 0:
        return
    if images.shape[0] < n_frames:
        raise ValueError(f"{n_frames} frames for {images.shape[0]} images")
    if images.shape[1] != FRAME_SIDE or images.shape[2] != FRAME_SIDE:
        raise ValueError(f"images are {images.shape[1]} x {images.shape[2]}, expected 256 x 256")
    for i in range(n_frames):
        if starts[i] < 0 or starts[i] > size - FRAME_BYTES:
            raise ValueError(f"frame {i} starts at byte {starts[i]} of {size}")
    with nogil:
        for i in range(n_frames):
            source = &buffer[starts[i]]
            target = &images[i, 0, 0]
            for k in range(FRAME_SIDE * FRAME_SIDE):
                target[k] = <unsigned short> ((source[2 * k] << 8) | source[2 * k + 1])


def find_gzip_member(const unsigned char[::1] buffer, Py_ssize_t start):
    """Offset of what may be another gzip member's first bytes at or after `start`, or -1.

    libdeflate stops after the first member without a word; this tells when to look closer.
    """
    cdef Py_ssize_t size = buffer.shape[0]
    cdef Py_ssize_t at = start, stop
    cdef Py_ssize_t result = -1
    cdef const unsigned char *data
    if start < 0 or size - start < 4:
        return -1
    data = &buffer[0]
    with nogil:
        # A block at a time, most of which hold no such bytes: byte after byte takes twice as long.
        while at < size - 3 and result < 0:
            stop = min(at + 512, size - 3)
            if pulsaurora_gzip_begins(data + at, <int>(stop - at)):
                while at < stop:
                    # deflate is method 8, and the three high flag bits are reserved as zero
                    if data[at] == 0x1F and data[at + 1] == 0x8B and data[at + 2] == 8 and data[at + 3] < 32:
                        result = at
                        break
                    at += 1
            at = stop
    return result
