"""Coverage-guided fuzzing of the kernel that takes a file's bytes, under sanitizers (`make fuzz-kernels`).

clang's libFuzzer drives `fuzz_pgm.c`, which hands each input to the compiled `_pgm.pyx` under the address and
undefined-behaviour sanitizers and checks what comes out. A frame of 131,072 bytes would leave libFuzzer
nothing but pixels to change, so a copy of the kernel is built in which a frame has 2 x 2 of them and a
header at most 160 bytes; all else is as it is, and `sanitize.py` drives it with frames of their true size.

    python tests/fuzzkernels.py [--seconds 60] [--corpus data/fuzz-kernels] [--planted]

What makes the kernel fail is kept in logs/fuzz. `--planted` shows that faults would be found: those of
`planted.py` are put into the kernel one at a time, and each must make a run fail.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SIDE, N_EVENTS = 2, 3
# What stands in _pgm.pyx, and what the copy that is fuzzed has there.
SMALLER = {
    "FRAME_SIDE = 256": f"FRAME_SIDE = {SIDE}",
    "FRAME_BYTES = 131072": f"FRAME_BYTES = {2 * SIDE * SIDE}",
    "HEADER_LIMIT = 16384": "HEADER_LIMIT = 160",
}
# As setup.py has them.
DIRECTIVES = ("boundscheck=False", "wraparound=False", "initializedcheck=False", "cdivision=True")
SANITIZE = ("-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=undefined")
LONGEST = 1024  # bytes of an input
PLANTED_SECONDS = 60
_STATISTIC = re.compile(r"^stat::(\w+):\s+(\d+)", re.MULTILINE)
_EDGES = re.compile(r"^(UN)?COVERED_FUNC: hits: \d+ edges: (\d+)/(\d+) (\S+)", re.MULTILINE)


def compiler():
    """Path of a clang that has libFuzzer and can embed this Python.

    Raises
    ------
    RuntimeError
        If what this needs is not there, saying what.
    """
    clang = shutil.which("clang")
    if clang is None or not sys.platform.startswith("linux"):
        raise RuntimeError("coverage-guided fuzzing needs clang on Linux (Debian: clang and libclang-rt-dev)")
    if not sysconfig.get_config_var("Py_ENABLE_SHARED"):
        raise RuntimeError("this Python has no shared library that a program could be linked with")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "try.c")
        source.write_text("int LLVMFuzzerTestOneInput(const char *d, long n) { return !d || !n; }\n")
        tried = subprocess.run([clang, *SANITIZE, source, "-o", source.with_suffix("")], capture_output=True)
    if tried.returncode:
        raise RuntimeError("this clang comes without libFuzzer (Debian: libclang-rt-dev)")
    try:
        import Cython  # noqa: F401
    except ModuleNotFoundError:
        raise RuntimeError("Cython is not installed: pip install -e .[test] brings it") from None
    return clang


def build(clang, folder, planted=()):
    """Build the harness with a small copy of the kernel; return the program's path.

    Parameters
    ----------
    clang : str
    folder : Path
    planted : tuple of (str, str)
        What stands in the kernel and what takes its place.
    """
    core = ROOT / "pulsaurora/_core"
    text = (core / "_pgm.pyx").read_text()
    for old, new in (*SMALLER.items(), *planted):
        if text.count(old) != 1:
            raise RuntimeError(f"{old!r} stands {text.count(old)} times in _pgm.pyx; bring this up to date")
        text = text.replace(old, new)
    source = folder / "_pgm.pyx"
    source.write_text(text)
    options = [part for directive in DIRECTIVES for part in ("-X", directive)]
    subprocess.run([sys.executable, "-m", "cython", "-3", *options, source], check=True)
    program = folder / "fuzz_pgm"
    library = sysconfig.get_config_var("LIBDIR")
    subprocess.run(
        [
            clang, "-O1", "-g", "-w", *SANITIZE, "-fno-omit-frame-pointer",
            f"-DFRAME_SIDE={SIDE}", f"-DN_EVENTS={N_EVENTS}", f"-I{core}",
            f"-I{sysconfig.get_path('include')}", ROOT / "tests/fuzz_pgm.c", source.with_suffix(".c"),
            f"-L{library}", f"-Wl,-rpath,{library}", f"-lpython{sysconfig.get_config_var('LDVERSION')}",
            "-o", program,
        ],
        check=True,
    )  # fmt: skip
    return program


def write_seeds(folder):
    """Write valid and nearly valid files of the small geometry, and what kinds of line there are."""
    import sanitize
    import synthetic

    def small(data):
        return data.replace(b"256 256", b"%d %d" % (SIDE, SIDE))

    pixels = bytes(range(2 * SIDE * SIDE))
    time_line = b'#"Image request start" 2014-03-10 06:00:00.063119 UTC\n'
    short = small(b'P5\n#"a" b\n256 256\n65535\n')
    files = [
        short + pixels,
        2 * (short + pixels),
        short.replace(b"\n", b"\r\n") + pixels,
        short[:3] + time_line + short[3:] + pixels,
        b"xx\n" + short + pixels + b" \n",
        short + pixels[:-1] + short + pixels,
        short.replace(b"2 2", b"3 3") + bytes(18) + short + pixels,
        short.replace(b"65535", b"65536") + pixels,
        short.replace(b"65535\n", b"6553\n") + pixels,
        short + pixels + b"rubbish" + short + pixels,
        b'P5\n#"' + b"x" * 200 + b"\n" + short + pixels,
    ]
    # A real header's lines, in files no longer than the limit of a header here.
    files += [b"P5\n" + line + short[3:] + pixels for line in synthetic.header().splitlines(True)[1:-2]]
    for mode in range(5):
        for number, data in enumerate(files if mode in (0, 1) else files[:2]):
            (folder / f"seed-{mode}-{number}").write_bytes(bytes([mode]) + data)
    (folder / "seed-gzip").write_bytes(b"\x0c\x1f\x8bxx\x1f\x8b\x08\x00\x1f\x8b")
    tokens = dict.fromkeys(small(token) for token in sanitize.TOKENS if len(token) < 64)
    lines = ('"' + "".join(f"\\x{byte:02x}" for byte in token) + '"' for token in tokens)
    dictionary = folder.parent / "tokens"
    dictionary.write_text("\n".join(lines) + "\n")
    return dictionary


def run(program, corpus, seeds, dictionary, seconds, seed=1, kept=None):
    """Fuzz for a while; returns the finished process."""
    command = [
        program, corpus, seeds, f"-max_total_time={seconds}", f"-max_len={LONGEST}", f"-dict={dictionary}",
        f"-seed={seed}", "-print_final_stats=1", "-print_coverage=1", "-timeout=10", "-rss_limit_mb=2048",
        "-verbosity=1", f"-artifact_prefix={kept or Path(corpus).parent}{os.sep}",
    ]  # fmt: skip
    environment = os.environ | {
        "PYTHONHOME": sys.base_prefix,
        "PYTHONMALLOC": "malloc",
        "PYTHONDONTWRITEBYTECODE": "1",
        "ASAN_OPTIONS": "detect_leaks=0",
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    }
    return subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace")


def tell(result):
    """What a run did: inputs tried, and how much of the kernel they reached."""
    told = dict(_STATISTIC.findall(result.stderr))
    # The kernel's own functions; module set-up and conversions of arguments are Cython's. Half of the edges
    # are the sanitizers' own, to what is done where something is wrong.
    own = re.compile(r"__pyx_p?[fw]_\d+_pgm_")
    functions = [match for match in _EDGES.findall(result.stderr) if own.match(match[3])]
    reached, edges = (sum(int(match[i]) for match in functions) for i in (1, 2))
    line = f"{int(told.get('number_of_executed_units', 0)):,} inputs"
    line += f", {int(told.get('average_exec_per_sec', 0)):,} a second"
    if edges:
        line += f"; reached {reached} of {edges} edges in {len(functions)} functions of the kernel"
    return line


def fault(result):
    """The line that says what was wrong; empty if nothing was."""
    if not result.returncode:
        return ""
    lines = result.stderr.splitlines()
    said = ("ERROR: ", "runtime error", "Error: ")
    return next((line.strip() for line in lines if any(word in line for word in said)), "failed")


def find_planted(clang, faults, folder, seconds=PLANTED_SECONDS):
    """Plant faults one at a time and fuzz; yield name, what was said (empty if missed) and seconds."""
    for name, change in faults.items():
        for left in ("corpus", "seeds"):
            shutil.rmtree(folder / left, ignore_errors=True)
            (folder / left).mkdir()
        dictionary = write_seeds(folder / "seeds")
        program = build(clang, folder, [change])
        began = time.monotonic()
        result = run(program, folder / "corpus", folder / "seeds", dictionary, seconds)
        yield name, fault(result), time.monotonic() - began


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0, help="of libFuzzer; 0 is another one each time")
    parser.add_argument("--corpus", type=Path, default=ROOT / "data/fuzz-kernels", help="kept between runs")
    parser.add_argument("--planted", action="store_true", help="show that faults would be found")
    options = parser.parse_args(arguments)
    try:
        clang = compiler()
    except RuntimeError as error:
        print(f"fuzz-kernels: skipped: {error}", file=sys.stderr)
        return 0
    with tempfile.TemporaryDirectory(prefix="fuzz-kernels-") as folder:
        folder = Path(folder)
        if options.planted:
            import planted

            found = list(_told(find_planted(clang, planted.PLANTED, folder)))
            print(f"planted: {sum(map(bool, found))} of {len(found)} found")
            return 0 if all(found) else 1
        (folder / "seeds").mkdir()
        kept = ROOT / "logs/fuzz"
        for made in (options.corpus, kept):
            made.mkdir(parents=True, exist_ok=True)
        dictionary = write_seeds(folder / "seeds")
        program = build(clang, folder)
        seeds, seconds = folder / "seeds", options.seconds
        result = run(program, options.corpus, seeds, dictionary, seconds, options.seed, kept)
    print(f"fuzz-kernels: {tell(result)}")
    if result.returncode:
        print(result.stderr[-20000:], file=sys.stderr)
        print(f"fuzz-kernels: failed: {fault(result)}; what did it is in {kept}", file=sys.stderr)
        return 1
    print("fuzz-kernels: nothing to report")
    return 0


def _told(planted):
    for name, said, took in planted:
        print(f"{name}: {'found' if said else 'MISSED'} in {took:.0f} s  {said[:90]}", flush=True)
        yield said


if __name__ == "__main__":
    sys.exit(main())
