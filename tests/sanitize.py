"""Kernels under address and undefined-behaviour sanitizers, on mutated files (`make asan`).

Builds a copy of the package with PULSAURORA_SANITIZE=1, then runs this file again in a child Python
that has gcc's sanitizers loaded. There each kernel is driven through thousands of inputs; a read or
write outside an array, or undefined arithmetic, ends the child with a report and this with status 1.

    python tests/sanitize.py [--iterations 3000] [--only reading,contrast] [--seed 0]

A kernel joins by a function and a line in DRIVERS below.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REAL_HOUR = ROOT.parent / "shared/data/stream0/2014/03/10/gill_themis19/ut06"
CHILD = "PULSAURORA_SANITIZED_CHILD"


# -- drivers: (rng, iterations) -> number of inputs tried, and a remark -------------------------------


def drive_reading(rng, iterations):
    """Whole, cut and mutated minute files through the scan and the pixel copy."""
    import numpy as np

    from pulsaurora._core import _pgm as pgm

    files = _minute_files(rng)
    events = np.empty((3, pgm.N_EVENT_COLUMNS), np.int64)
    n_kept = n_edges = 0

    def scan(data):
        # A copy of exact length, so that the byte behind it is out of bounds and not a spare zero.
        data = np.frombuffer(data, np.uint8).copy()
        table = np.empty((len(data) // pgm.FRAME_BYTES, pgm.N_FRAME_COLUMNS), np.int64)
        n_frames, _ = pgm.scan_frames(data, table, events)
        if n_frames:
            images = np.empty((n_frames, 256, 256), np.uint16)
            pgm.fill_pixels(data, table[:n_frames, pgm.PIXELS_START], images)
        return data, n_frames

    for data in edge_files():
        scan(data)
        n_edges += 1
    for i in range(iterations):
        data, n_frames = scan(mutated(files[i % len(files)], rng))
        pgm.find_gzip_member(data[-4096:].copy(), int(rng.integers(0, 5000)))
        n_kept += n_frames
    for left in range(6):
        for tail in (b"\x1f\x8b\x08\0", b"\x1f\x1f\x1f\x1f", b"x\x1f\x8b\x08"):
            for start in range(-1, 6):
                pgm.find_gzip_member(np.frombuffer(tail[:left], np.uint8).copy(), start)
    _refuse_wrong_tables(pgm, np.frombuffer(files[0], np.uint8).copy())
    return iterations, f"{n_kept} frames found in them; and {n_edges} files that end at every byte"


def _refuse_wrong_tables(pgm, data):
    """Tables too small, or of frames that are not in the data, are refused before anything is touched."""
    import numpy as np

    good, last = len(data) // pgm.FRAME_BYTES, len(data) - pgm.FRAME_BYTES
    for n_rows, n_columns, n_event_columns in ((good - 1, 5, 5), (good, 4, 5), (good, 5, 4)):
        try:
            pgm.scan_frames(data, np.empty((n_rows, n_columns), "i8"), np.empty((3, n_event_columns), "i8"))
        except ValueError:
            continue
        raise RuntimeError(f"a table of {n_rows} x {n_columns} and events of {n_event_columns} were taken")
    images = np.empty((1, 256, 256), np.uint16)
    for start in (-1, last + 1, last + pgm.FRAME_BYTES, 2**62):
        try:
            pgm.fill_pixels(data, np.full(1, start, np.int64), images)
        except ValueError:
            continue
        raise RuntimeError(f"a frame that starts at byte {start} of {len(data)} was taken")


def drive_contrast(rng, iterations):
    """Stacks of odd shapes, cut into odd numbers of tiles."""
    from pulsaurora.imaging.contrast import clahe

    n_tried = max(20, iterations // 10)
    for _ in range(n_tried):
        n_tiles = (int(rng.integers(1, 12)), int(rng.integers(1, 12)))
        clahe(_images(rng, 1, 300), clip_limit=float(rng.choice([0.5, 3.0, 300.0])), tiles=n_tiles)
    return n_tried, "stacks of odd shapes"


def drive_features(rng, iterations):
    """Frames of every size that can be cut into cells, at odd times, in odd windows."""
    import numpy as np

    from pulsaurora.pulsation.looks import look_features
    from pulsaurora.pulsation.reduction import SkyGrid, reduce_frames, window_features

    grids = {side: SkyGrid(shape=(side, side)) for side in (128, 256, 512)}
    n_tried = max(12, iterations // 150)
    for _ in range(n_tried):
        side, n = int(rng.choice([128, 256, 256, 512])), int(rng.integers(1, 60))
        images = np.concatenate([_images(rng, side, side + 1) for _ in range(n)])
        steps_ms = rng.choice([1, 2990, 3000, 3010, 6000, 90000, 4000000], len(images))
        times = np.datetime64("2014-03-10T23:50", "us") + np.cumsum(steps_ms) * np.timedelta64(1, "ms")
        reduced = reduce_frames(images, times, grids[side])
        first = int(rng.integers(0, len(images)))
        for features in (window_features, look_features):
            features(reduced, slice(first, None), window_s=float(rng.choice([30, 120, 360])))
    return n_tried, "stacks at odd times"


def drive_events(rng, iterations):
    """Patches in noise, at odd times and of odd sizes of frame."""
    import numpy as np

    from pulsaurora.pulsation.events import find_events

    n_tried = max(6, iterations // 400)
    for _ in range(n_tried):
        side, n = int(rng.choice([128, 256])), int(rng.integers(0, 70))
        images = rng.normal(3600, 40, (n, side, side)).astype(np.uint16)
        for _ in range(3):
            row, col = rng.integers(0, side - 40, 2)
            lit = rng.random(n) < 0.5
            images[lit, row : row + 40, col : col + 40] += np.uint16(300)
        steps_ms = rng.choice([1, 2990, 3000, 3010, 6000, 90000], n)
        times = np.datetime64("2014-03-10T23:50", "us") + np.cumsum(steps_ms) * np.timedelta64(1, "ms")
        find_events(images, times, least_confidence=0.0)
    return n_tried, "stacks with patches"


def drive_steadying(rng, iterations):
    """Sequences of any length and number of classes, with rows that say nothing."""
    import numpy as np

    from pulsaurora.classification.refine import likeliest_path, steady

    n_tried = max(20, iterations // 10)
    for _ in range(n_tried):
        shape = (int(rng.integers(0, 200)), int(rng.integers(1, 9)))
        probabilities = rng.random(shape) ** 4
        probabilities[rng.random(shape[0]) < 0.1] = np.nan
        times = np.datetime64("2014-03-10", "us") + np.cumsum(rng.integers(0, 10**8, shape[0]))
        steady(probabilities, times)
        likeliest_path(probabilities, times)
    return n_tried, "sequences"


def drive_simulation(rng, iterations):
    """A minute of a few plausible nights."""
    import numpy as np

    from pulsaurora.simulation.night import simulate_minutes

    n_tried = max(2, iterations // 1000)
    for _ in range(n_tried):
        start = np.datetime64("2014-01-01T00:00") + np.timedelta64(int(rng.integers(0, 500000)), "m")
        for _ in simulate_minutes(int(rng.integers(1000)), start, 1, script="varied"):
            pass
    return n_tried, "minutes"


MODULATION = ("_spectra", "_coherence", "_patches", "_flow", "_beats", "_reversals", "_layout")
# What is driven, through which kernels, by what.
DRIVERS = {
    "reading": (("_pgm",), drive_reading),
    "contrast": (("_clahe",), drive_contrast),
    "features": (("_cells", "_defects", "_structure", *MODULATION, "_stars"), drive_features),
    "events": (("_cells", "_defects", "_structure", "_pulses"), drive_events),
    "steadying": (("_steady",), drive_steadying),
    "simulation": (("_simulated_sky", "_simulated_patches", "_simulated_imager"), drive_simulation),
}


def edge_files():
    """Small files, and files behind a whole frame, that end at every byte of every kind of header.

    What a scan looks at before it knows where it is lies at ends: of the file, of lines, of headers.
    """
    import synthetic

    plain, later = synthetic.header(), synthetic.header(1)
    short = b'P5\n#"a" b\n256 256\n65535\n'
    headers = [
        plain,
        later.replace(b"\n", b"\r\n"),
        short,
        short.replace(b"\n", b"\r\n"),
        short.replace(b"256 256\n", b"512 512\n"),
        short.replace(b"256 256\n", b""),
        short.replace(b"65535", b"65536"),
        short.replace(b"256 256\n65535", b" \t256\t256 65535 "),
        b'P5\n#"Image request start" 2014-03-10 06:00:00.063119 UTC\n256 256\n65535\n',
        b'P5\n#"Image request start" 2014-03-10T06:00:00Z\n256 256 65535 9\n6553\n',
        b"\n\r\r\n\r\n" + short,
        b"\n5" + short[2:],
        b" \n" + short[2:],
        b"P5\n" + short,
    ]
    pixels = bytes(131072)
    for header in headers:
        for cut in range(len(header) + 1):
            part = header[:cut]
            for before in (b"", b"\n", b"\r\n", b"x\r\n", b"P", b"xx", short):
                for after in (b"", b"\n", b"\r\n", b"P5", b" "):
                    yield before + part + after
        for cut in {*range(9), *range(9, len(header), 17), len(header)}:
            for whole in (short + pixels, short + pixels[:-1], short + pixels + b" \n"):
                yield whole + header[:cut]
                yield whole + header[:cut] + b"\n"


# -- inputs -------------------------------------------------------------------------------------------

TOKENS = (
    b"P5\n",
    b'P5\n#"',
    b'#"',
    b"\n",
    b"\r\n",
    b"256 256\n",
    b"65535\n",
    b"65535",
    b"512 512\n",
    b"0 0\n",
    b"999999 999999\n",
    b"99999999999999999999 1\n",
    b'#"Image request start" ',
    b'#"Image request start"\n',
    b'#"Image request start" 2014-03-10 06:00:0\n',
    b"2014-03-10 06:00:00.063119 UTC\n",
    b"\xff",
    b"\0",
    b"P",
    b"\x1f\x8b\x08",
    b"\n" * 17000,
)


def _minute_files(rng):
    """Made-up minutes of one to three frames and, where there are any, real ones."""
    import gzip

    import synthetic

    files = [synthetic.minute(synthetic.pixels(n, seed=n)) for n in (1, 2, 3)]
    files.append(files[0].replace(b"\n", b"\r\n", 12))
    for path in sorted(REAL_HOUR.glob("*.pgm*")) if REAL_HOUR.is_dir() else ():
        data = path.read_bytes()
        whole = gzip.decompress(data) if path.suffix == ".gz" else data
        # A few frames of each: twenty times the bytes would try nothing new.
        first = int(rng.integers(0, 3)) * 131500
        files.append(whole[first : first + int(rng.integers(1, 4)) * 131500])
    return files


def mutated(data, rng):
    """Cut, spoil, remove, repeat and insert, mostly near headers."""
    data = bytearray(data)
    for _ in range(int(rng.integers(0, 6))):
        near = data.find(b"P5\n", int(rng.integers(0, len(data) + 1)))
        if near >= 0 and rng.random() < 0.7:
            at = max(0, near + int(rng.integers(-60, 700)))
        else:
            at = int(rng.integers(0, len(data) + 1))
        at = min(at, len(data))
        n = int(rng.choice([0, 1, 2, 3, 7, 500, 131072]))
        kind = rng.integers(6)
        if kind == 0 and at < len(data):
            data[at] = int(rng.integers(256))
        elif kind == 1:
            del data[at : at + n]
        elif kind == 2:
            data[at:at] = TOKENS[rng.integers(len(TOKENS))]
        elif kind == 3:
            data[at : at + 6] = TOKENS[rng.integers(len(TOKENS))]
        elif kind == 4:
            data[at:at] = data[at : at + n]
        else:
            del data[at:]
    # Ends matter most: cut inside a header's first bytes, or add the first bytes of something.
    if rng.random() < 0.3:
        near = data.rfind(b"P5")
        del data[max(0, near) + int(rng.integers(1, 9)) :]
    if rng.random() < 0.3:
        data += TOKENS[rng.integers(len(TOKENS))][: rng.integers(1, 7)]
    return bytes(data)


def whole_frames(data):
    """Where the pixels begin of frames beyond doubt: a plain header, pixels, and a header or the end."""
    header = re.compile(rb'P5\n(?:#"[ -~]*\n)+256 256\n65535\n')
    starts = [match.end() for match in header.finditer(data)]
    ends = (start + 131072 for start in starts)
    return [
        start
        for start, end in zip(starts, ends, strict=True)
        if end == len(data) or data[end : end + 5] == b'P5\n#"'
    ]


def _images(rng, shortest, longest):
    """A stack of random counts, of random shape, hot and dark pixels included."""
    import numpy as np

    shape = (int(rng.integers(1, 3)), *(int(n) for n in rng.integers(shortest, longest, 2)))
    images = rng.integers(0, 65536, shape) if rng.random() < 0.3 else rng.normal(3400, 90, shape)
    images = np.clip(images, 0, 65535).astype(np.uint16)
    images.reshape(-1)[rng.integers(images.size)] = 65535
    return images


# -- building and running -----------------------------------------------------------------------------


def sanitizer_library():
    """Path of gcc's address sanitizer.

    Raises
    ------
    RuntimeError
        If what this needs is not there, saying what.
    """
    gcc = shutil.which("gcc")
    if gcc is None or not sys.platform.startswith("linux"):
        raise RuntimeError("sanitizers need gcc on Linux")
    path = subprocess.run([gcc, "-print-file-name=libasan.so"], capture_output=True, text=True).stdout.strip()
    if not os.path.isabs(path) or not os.path.exists(path):
        raise RuntimeError("this gcc comes without libasan.so")
    missing = [name for name in ("Cython", "setuptools") if find_spec(name) is None]
    if missing:
        raise RuntimeError(f"{' and '.join(missing)} not installed: pip install -e .[test] brings them")
    return path


def chosen(names):
    """Kernels of the drivers named, all of them if none is."""
    return {kernel for name in names or DRIVERS for kernel in DRIVERS[name][0]}


def build(folder, names):
    """Copy the package into a folder and build it there under sanitizers."""
    ignored = shutil.ignore_patterns("*.so", "__pycache__", "*.onnx", ".*")
    shutil.copytree(ROOT / "pulsaurora", folder / "pulsaurora", ignore=ignored)
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, folder / name)
    for source in (folder / "pulsaurora/_core").glob("_*.pyx"):
        if source.stem not in chosen(names):
            source.unlink()
    compile_kernels(folder)


def compile_kernels(folder):
    """Build what has changed of the kernels in a folder under sanitizers."""
    subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", "--inplace", "--parallel", "2"],
        cwd=folder,
        env=os.environ | {"PULSAURORA_SANITIZE": "1"},
        check=True,
    )


def run_child(folder, library, options):
    """Run the drivers on the build in a folder; returns the finished process."""
    environment = os.environ | {
        CHILD: "1",
        "LD_PRELOAD": library,
        "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=0:exitcode=99",
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
        # Python's own pools hide the ends of small arrays from the sanitizer.
        "PYTHONMALLOC": "malloc",
        "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT / "tests")]),
    }
    command = [sys.executable, str(Path(__file__).resolve()), *options]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def child(names, iterations, seed):
    """Drive what was built; runs inside the sanitized Python."""
    import numpy as np

    for name, (kernels, driver) in DRIVERS.items():
        if names and name not in names:
            continue
        missing = [kernel for kernel in kernels if find_spec(f"pulsaurora._core.{kernel}") is None]
        if missing:
            raise SystemExit(f"{name}: there is no kernel {', '.join(missing)}; see DRIVERS")
        start = time.perf_counter()
        n_tried, remark = driver(np.random.default_rng(seed), iterations)
        print(f"{name}: {n_tried} inputs, {remark}, {time.perf_counter() - start:.1f} s", flush=True)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--iterations", type=int, default=3000)
    parser.add_argument("--only", default="", help=f"some of {','.join(DRIVERS)}; all by default")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    names = [name for name in options.only.split(",") if name]
    if unknown := set(names) - set(DRIVERS):
        parser.error(f"no driver for {', '.join(sorted(unknown))}")
    if os.environ.get(CHILD):
        child(names, options.iterations, options.seed)
        return 0
    try:
        library = sanitizer_library()
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="sanitize-") as folder:
        build(Path(folder), names)
        repeated = [f"--iterations={options.iterations}", f"--only={options.only}", f"--seed={options.seed}"]
        result = run_child(Path(folder), library, repeated)
    print(result.stdout, end="")
    if result.returncode or "runtime error" in result.stderr or "AddressSanitizer" in result.stderr:
        print(result.stderr[-20000:], file=sys.stderr)
        print(f"sanitizers: failed, status {result.returncode}", file=sys.stderr)
        return 1
    print("sanitizers: nothing to report")
    return 0


if __name__ == "__main__":
    sys.exit(main())
