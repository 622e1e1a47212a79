/* What libFuzzer calls: one input through the kernel that takes a file's bytes (see fuzzkernels.py).
 *
 * The first byte says what is done, the others are the file. Everything that the kernel reads and writes lies in
 * blocks of exact size, so that the byte beside them is the sanitizer's. What comes out is checked as well: frames
 * lie within the file, one behind the other, and their pixels are the file's.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* FRAME_SIDE and N_EVENTS come from the command line. */
#define FRAME_BYTES (2 * FRAME_SIDE * FRAME_SIDE)
#define N_COLUMNS 5
enum { HEADER_START, PIXELS_START, TIME_US, POSITION, FLAGS };

PyMODINIT_FUNC PyInit__pgm(void);
static PyObject *scan_frames, *fill_pixels, *find_gzip_member;

static void require(int holds, const char *what)
{
    if (holds) return;
    if (PyErr_Occurred()) PyErr_Print();
    fprintf(stderr, "Error: not so: %s\n", what);
    abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    PyImport_AppendInittab("_pgm", PyInit__pgm);
    Py_InitializeEx(0);
    PyObject *module = PyImport_ImportModule("_pgm");
    require(module != NULL, "the kernel can be imported");
    scan_frames = PyObject_GetAttrString(module, "scan_frames");
    fill_pixels = PyObject_GetAttrString(module, "fill_pixels");
    find_gzip_member = PyObject_GetAttrString(module, "find_gzip_member");
    require(scan_frames && fill_pixels && find_gzip_member, "the kernel has its three functions");
    return 0;
}

/* A view of memory of ours; NULL with an exception set where Python makes none (no rows). */
static PyObject *view(void *data, Py_ssize_t n_bytes, const char *shape, Py_ssize_t n, Py_ssize_t m)
{
    PyObject *plain = PyMemoryView_FromMemory(data, n_bytes, PyBUF_WRITE);
    PyObject *cast;
    if (!strcmp(shape, "B")) return plain;
    if (!strcmp(shape, "q") && m == 0) cast = PyObject_CallMethod(plain, "cast", "s", "q");
    else if (!strcmp(shape, "q")) cast = PyObject_CallMethod(plain, "cast", "s(nn)", "q", n, m);
    else cast = PyObject_CallMethod(plain, "cast", "s(nnn)", "H", n, m, m);
    Py_DECREF(plain);
    require(cast != NULL, "views can be made");
    return cast;
}

static void *block(Py_ssize_t n_bytes)
{
    void *made = malloc(n_bytes ? n_bytes : 1);
    require(made != NULL, "there is memory");
    memset(made, 0xA5, n_bytes);
    return made;
}

/* Frames and events of a file; checks all that is said of them. A table with too few rows or columns is refused. */
static void scan(unsigned char *data, Py_ssize_t size, Py_ssize_t fewer_rows, Py_ssize_t n_columns, Py_ssize_t n_events)
{
    Py_ssize_t needed = size / FRAME_BYTES, n_rows = needed - fewer_rows;
    if (n_rows < 1) n_rows = needed > 0 && fewer_rows ? 0 : 1;
    if (n_rows < 1) return; /* Python makes no view without rows */
    int wrong = n_rows < needed || n_columns != N_COLUMNS;
    int64_t *table = block(n_rows * n_columns * 8), *events = block(n_events * N_COLUMNS * 8);
    PyObject *bytes = view(data, size, "B", 0, 0);
    PyObject *frames = view(table, n_rows * n_columns * 8, "q", n_rows, n_columns);
    PyObject *noted = view(events, n_events * N_COLUMNS * 8, "q", n_events, N_COLUMNS);
    PyObject *found = PyObject_CallFunctionObjArgs(scan_frames, bytes, frames, noted, NULL);
    if (wrong) {
        require(found == NULL && PyErr_ExceptionMatches(PyExc_ValueError), "a wrong table is refused");
        PyErr_Clear();
    } else {
        Py_ssize_t n = 0, n_noted = 0, at = 0;
        require(found && PyArg_ParseTuple(found, "nn", &n, &n_noted), "any file is scanned");
        require(0 <= n && n <= needed && n_noted >= 0, "there are no more frames than the file has room for");
        require(n > 0 || n_noted > 0 || size == 0, "a file without frames is told of");
        for (Py_ssize_t i = 0; i < n; i++) {
            int64_t *row = table + i * N_COLUMNS;
            require(row[HEADER_START] >= at, "frames lie one behind the other");
            require(row[PIXELS_START] > row[HEADER_START], "a header has bytes");
            at = row[PIXELS_START] + FRAME_BYTES;
            require(at <= size, "frames lie within the file");
            require(row[TIME_US] == INT64_MIN || (-2208988800000000 <= row[TIME_US] && row[TIME_US] <= 7258118400000000),
                    "a time is of 1900 to 2199 or none");
            require(row[FLAGS] >= 0 && row[FLAGS] < 16 && row[POSITION] >= i, "flags and positions are what they are");
        }
        if (n > 0) {
            uint16_t *pixels = block(n * FRAME_BYTES);
            PyObject *images = view(pixels, n * FRAME_BYTES, "H", n, FRAME_SIDE);
            int64_t *starts = block(n * 8);
            for (Py_ssize_t i = 0; i < n; i++) starts[i] = table[i * N_COLUMNS + PIXELS_START];
            PyObject *kept = view(starts, n * 8, "q", n, 0);
            PyObject *none = PyObject_CallFunctionObjArgs(fill_pixels, bytes, kept, images, NULL);
            require(none != NULL, "pixels of frames that were found are copied");
            for (Py_ssize_t i = 0; i < n; i++)
                for (Py_ssize_t k = 0; k < FRAME_SIDE * FRAME_SIDE; k++) {
                    unsigned char *pair = data + table[i * N_COLUMNS + PIXELS_START] + 2 * k;
                    require(pixels[i * FRAME_SIDE * FRAME_SIDE + k] == (pair[0] << 8 | pair[1]), "pixels are the file's");
                }
            Py_XDECREF(none), Py_XDECREF(kept), Py_XDECREF(images);
            free(pixels), free(starts);
        }
    }
    Py_XDECREF(found), Py_XDECREF(noted), Py_XDECREF(frames), Py_XDECREF(bytes);
    free(events), free(table);
}

/* Frames wherever the first eight bytes say: refused, or within the file. */
static void fill(unsigned char *data, Py_ssize_t size)
{
    int64_t start = 0;
    uint16_t *pixels = block(FRAME_BYTES);
    if (size >= 8) memcpy(&start, data, 8);
    if (size >= 9 && data[8] < 32) start = size - data[8]; /* near the end */
    int within = start >= 0 && start <= size - FRAME_BYTES;
    PyObject *bytes = view(data, size, "B", 0, 0), *frames = view(&start, sizeof start, "q", 1, 0);
    PyObject *images = view(pixels, FRAME_BYTES, "H", 1, FRAME_SIDE);
    PyObject *none = PyObject_CallFunctionObjArgs(fill_pixels, bytes, frames, images, NULL);
    require((none != NULL) == within, "frames beyond the file are refused, others are not");
    PyErr_Clear();
    Py_XDECREF(none), Py_XDECREF(images), Py_XDECREF(frames), Py_XDECREF(bytes);
    free(pixels);
}

/* What may be another gzip member's first bytes, beside a search byte by byte. */
static void find(unsigned char *data, Py_ssize_t size, Py_ssize_t start)
{
    PyObject *bytes = view(data, size, "B", 0, 0), *from = PyLong_FromSsize_t(start);
    PyObject *found = PyObject_CallFunctionObjArgs(find_gzip_member, bytes, from, NULL);
    require(found != NULL, "any bytes are searched");
    Py_ssize_t at = start < 0 ? size : start;
    while (at + 4 <= size && memcmp(data + at, "\x1f\x8b\x08", 3)) at++;
    while (at + 4 <= size && (memcmp(data + at, "\x1f\x8b\x08", 3) || data[at + 3] >= 32)) at++;
    require(PyLong_AsSsize_t(found) == (at + 4 <= size ? at : -1), "the first such bytes are found");
    Py_XDECREF(found), Py_XDECREF(from), Py_XDECREF(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    if (length < 1) return 0;
    Py_ssize_t size = (Py_ssize_t)length - 1;
    unsigned char *data = malloc(size ? size : 1);
    require(data != NULL, "there is memory");
    memcpy(data, input + 1, size);
    switch (input[0] & 7) {
    case 1: scan(data, size, 1, N_COLUMNS, N_EVENTS); break;
    case 2: scan(data, size, 0, N_COLUMNS - 1, N_EVENTS); break;
    case 3: fill(data, size); break;
    case 4: find(data, size, (input[0] >> 3) - 1); break;
    default: scan(data, size, 0, N_COLUMNS, N_EVENTS);
    }
    free(data);
    return 0;
}
