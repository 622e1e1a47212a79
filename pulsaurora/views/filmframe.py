"""One frame of a film, drawn into the bytes that a video encoder takes.

A film shows each image twice as large, above it site, imager, time and frame number, and, if asked for, under
it the class of each frame along the film. What does not change is drawn once; into it go the image and the
letters, copied from a table of glyphs.
"""

import functools

import numpy as np

from pulsaurora.classes import CLASSES
from pulsaurora.views.colors import CLASS_COLORS, CLASS_TITLES

ZOOM = 2
TITLE_ROWS = 32
RIBBON_ROWS = 48
_STRIP = (30, 46)  # rows of the ribbon that show the classes; the line above them tells the present one
_FONT_PIXELS = 15
_FIRST_GLYPH, _LAST_GLYPH = 32, 126
_BLACK, _WHITE, _NEUTRAL = 16, 235, 128
_MARGIN = 8


@functools.cache
def glyphs():
    """Return what each printable ASCII character looks like.

    Returns
    -------
    ndarray of uint8, shape (95, rows, columns)
        0 to 255, all of one width; space comes first.
    """
    from matplotlib.font_manager import findfont
    from matplotlib.ft2font import FT2Font

    font = FT2Font(findfont("DejaVu Sans Mono"))
    font.set_size(_FONT_PIXELS, 72)
    rows, columns, baseline = _FONT_PIXELS + 4, 9, _FONT_PIXELS
    table = np.zeros((_LAST_GLYPH - _FIRST_GLYPH + 1, rows, columns), np.uint8)
    for code, cell in enumerate(table, _FIRST_GLYPH):
        font.set_text(chr(code), 0.0)
        font.draw_glyphs_to_bitmap(antialiased=True)
        drawn = np.asarray(font.get_image())
        below = int(np.ceil(font.get_descent() / 64))
        left = max(int(round(font.get_bitmap_offset()[0] / 64)), 0)
        bottom = min(baseline + below, rows)
        drawn = drawn[-bottom:, : columns - left]
        cell[bottom - len(drawn) : bottom, left : left + drawn.shape[1]] = drawn
    return table


def text_pixels(text):
    """Return text as an image: ndarray of uint8, shape (rows, n_characters * columns), 0 to 255."""
    codes = np.frombuffer(text.encode("ascii", "replace"), np.uint8).astype(int) - _FIRST_GLYPH
    table = glyphs()
    return table[np.clip(codes, 0, len(table) - 1)].transpose(1, 0, 2).reshape(table.shape[1], -1)


class FilmFrame:
    """Draws the frames of one film.

    Parameters
    ----------
    side : int
        Pixels a side of the images.
    name : str
        Site and imager, for the title.
    classes : ndarray of int, shape (n_frames,), optional
        Class code of each frame of the film, -1 where none is known; makes the ribbon.
    confidence : ndarray of shape (n_frames,), optional
    """

    def __init__(self, side, name, classes=None, confidence=None):
        self.width = side * ZOOM
        self.height = TITLE_ROWS + side * ZOOM + (0 if classes is None else RIBBON_ROWS)
        self._name, self._classes, self._confidence = name, classes, confidence
        levels = np.arange(256) * (_WHITE - _BLACK) / 255 + _BLACK
        self._levels = np.rint(levels).astype(np.uint8)
        self._background = self._draw_background()

    @property
    def image_rows(self):
        """Where the image is: a slice of rows."""
        return slice(TITLE_ROWS, TITLE_ROWS + self.width)

    def draw(self, images, times, numbers, first):
        """Draw some consecutive frames.

        Parameters
        ----------
        images : ndarray of uint8, shape (n, side, side)
            North in row 0.
        times : ndarray of datetime64[us], shape (n,)
        numbers : ndarray of int, shape (n,)
            Of each frame on its date.
        first : int
            Place of the first in the film.

        Returns
        -------
        ndarray of uint8, shape (n, height * 3 // 2, width)
            YUV 4:2:0 in planes, of limited range.
        """
        out = np.empty((len(images), *self._background.shape), np.uint8)
        out[:] = self._background
        bright = self._levels[images]
        for i, frame in enumerate(out):
            shown = frame[self.image_rows]
            for down in range(ZOOM):
                for across in range(ZOOM):
                    shown[down::ZOOM, across::ZOOM] = bright[i]
            moment = str(times[i].astype("datetime64[ms]")).replace("T", " ")
            self._write(frame, 6, _MARGIN, f"{self._name}  {moment} UT")
            number = text_pixels(f"#{numbers[i]:05d}")
            self._blit(frame, 6, self.width - _MARGIN - number.shape[1], number)
            self._letters(frame)
            if self._classes is not None:
                self._mark(frame, first + i)
        return out

    def _draw_background(self):
        planes = np.full((self.height * 3 // 2, self.width), _BLACK, np.uint8)
        planes[self.height :] = _NEUTRAL
        if self._classes is None:
            return planes
        # The most frequent class of the frames of each two columns: colour has half the resolution.
        n = self.width // 2
        column = np.arange(len(self._classes)) * n // max(len(self._classes), 1)
        known = self._classes >= 0
        counts = np.bincount(
            column[known] * len(CLASSES) + self._classes[known], minlength=n * len(CLASSES)
        ).reshape(n, len(CLASSES))
        self._n_columns = n
        if len(self._classes) < n:  # columns between frames show the frame before
            starts = np.flatnonzero(np.isin(np.arange(n), column))
            counts = counts[starts[np.searchsorted(starts, np.arange(n), side="right") - 1]]
        top, bottom = (self.height - RIBBON_ROWS + row for row in _STRIP)
        for code, name in enumerate(CLASSES):
            y, u, v = yuv_of(CLASS_COLORS[name])
            mine = counts.any(axis=1) & (counts.argmax(axis=1) == code)
            planes[top:bottom, np.repeat(mine, 2)] = y
            for plane, value in zip(self._chroma(planes), (u, v), strict=True):
                plane[top // 2 : bottom // 2, mine] = value
        return planes

    def _chroma(self, planes):
        """The two planes of colour, (height // 2, width // 2) each, of the same memory."""
        quarter = self.height // 4
        parts = planes[self.height : self.height + quarter], planes[self.height + quarter :]
        return [part.reshape(self.height // 2, self.width // 2) for part in parts]

    def _mark(self, frame, place):
        """Tell the class of the present frame, and where in the ribbon it is."""
        code = int(self._classes[place])
        said = CLASS_TITLES[CLASSES[code]] if code >= 0 else "not classified"
        if code >= 0 and self._confidence is not None:
            said += f" {self._confidence[place]:.2f}"
        row = self.height - RIBBON_ROWS
        self._write(frame, row + 6, _MARGIN, said)
        column = place * self._n_columns // len(self._classes)
        frame[row + _STRIP[0] - 2 : row + _STRIP[1] + 2, 2 * column : 2 * column + 2] = _WHITE
        for plane in self._chroma(frame):
            plane[(row + _STRIP[0] - 2) // 2 : (row + _STRIP[1] + 2) // 2, column] = _NEUTRAL

    def _letters(self, frame):
        """North is up, and east to the left, as one sees who looks up."""
        top, middle = TITLE_ROWS + 4, TITLE_ROWS + self.width // 2 - 9
        self._write(frame, top, self.width // 2 - 5, "N")
        self._write(frame, middle, 2, "E")
        self._write(frame, middle, self.width - 12, "W")

    def _write(self, frame, row, column, text):
        self._blit(frame, row, column, text_pixels(text))

    def _blit(self, frame, row, column, pixels):
        target = frame[row : row + pixels.shape[0], column : column + pixels.shape[1]]
        np.maximum(target, self._levels[pixels[:, : target.shape[1]]], out=target)


def yuv_of(color):
    """Return (y, u, v), 8-bit of limited range (BT.601), of a colour such as `#0072B2`."""
    red, green, blue = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    y = 0.299 * red + 0.587 * green + 0.114 * blue
    u, v = (blue - y) / 1.772, (red - y) / 1.402
    return round(16 + 219 * y), round(128 + 224 * u), round(128 + 224 * v)
