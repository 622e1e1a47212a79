"""Whether the sanitized drivers would notice a bounds check gone wrong (`python tests/planted.py`).

Each fault below is planted into a copy of the scan, alone; `sanitize.py` must then fail. This takes some ten
seconds a fault, so it is no part of the suite: it is run when the scan or its driver has changed.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import sanitize

# What stands in _pgm.pyx, and what is planted there.
PLANTED = {
    "header start, one byte short": ("if size - at < 5 or", "if size - at < 4 or"),
    "header start, CRLF unchecked": ("return size - at >= 6 and data[at + 4]", "return data[at + 4]"),
    "search, one byte on": ("memchr(data + at, 80, stop - at)", "memchr(data + at, 80, stop - at + 1)"),
    "frame end, three bytes of two": ("if left >= 3 and data[at] == 80", "if left >= 2 and data[at] == 80"),
    "frame end, five bytes of four": ("if left >= 5 and", "if left >= 4 and"),
    "frame end, beyond the file": ("return left == 0", "return True"),
    "line end, one byte on": (
        "memchr(data + line, 10, limit - line)",
        "memchr(data + line, 10, limit - line + 1)",
    ),
    "line end, byte before the file": ("if i > start and data[end - 1] == 13", "if data[end - 1] == 13"),
    "space at a line's end, before its start": ("while end > line and (data", "while (data"),
    "space after the last frame": ("while start < stop:", "while start <= stop:"),
    "key of the time unchecked": ("if end - line > TIME_KEY_LENGTH and memcmp", "if memcmp"),
    "time unchecked": ("if length < 19:", "if length < 3:"),
    "zone unchecked": ("(length - at == 3 and memcmp", "(memcmp"),
    "events, one too many": ("if n < events.shape[0]:", "if n <= events.shape[0]:"),
    "frame table unchecked": ("or frames.shape[0] < size // FRAME_BYTES", "or frames.shape[0] < 0"),
    "pixels, one too many": (
        "for k in range(FRAME_SIDE * FRAME_SIDE)",
        "for k in range(FRAME_SIDE * FRAME_SIDE + 1)",
    ),
    "pixels beyond the file": ("> size - FRAME_BYTES:", "> size:"),
    "gzip member, three bytes on": ("stop = min(at + 512, size - 3)", "stop = min(at + 512, size)"),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--iterations", type=int, default=300, help="mutated files besides those at edges")
    options = parser.parse_args()
    library = sanitize.sanitizer_library()
    missed = []
    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        folder = Path(folder)
        sanitize.build(folder, ["reading"])
        source = folder / "pulsaurora/_core/_pgm.pyx"
        whole = source.read_text()
        asked = ["--only=reading", f"--iterations={options.iterations}"]
        if sanitize.run_child(folder, library, asked).returncode:
            print("without any fault planted, the driver fails: see `make asan`")
            return 2
        for name, (old, new) in PLANTED.items():
            if whole.count(old) != 1:
                print(f"{name}: stands {whole.count(old)} times in the scan; bring it up to date")
                return 2
            source.write_text(whole.replace(old, new))
            sanitize.compile_kernels(folder)
            result = sanitize.run_child(folder, library, asked)
            found = next((line for line in result.stderr.splitlines() if "Error" in line), "")
            print(f"{name}: {'found' if result.returncode else 'MISSED'}  {found.strip()[:90]}", flush=True)
            if not result.returncode:
                missed.append(name)
    print(f"planted: {len(PLANTED) - len(missed)} of {len(PLANTED)} found")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
