"""Every reader on files spoiled by the thousand (`make fuzz`).

Each format's files are made on the spot, spoiled (`mutations.py`) and read (`fuzzformats.py`) in a child
process with a limit of memory and of time for each. What may come of it is a clear error of pulsaurora's
own, or what could be saved. Found is: any other exception, a crash, a hang, memory beyond the limit, a frame
that is not in the file. The spoiled file is kept in a folder, and a seed and number give it again.

    python tests/fuzz.py [--seconds 60] [--inputs N] [--only pgm,xlsx] [--seed 0] [--findings DIR]
"""

import argparse
import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

TESTS = Path(__file__).resolve().parent
sys.path[:0] = [str(TESTS.parent), str(TESTS)]  # this checkout, whichever is installed
SECONDS_AN_INPUT = 20
# Above what the child holds before it reads. Reading may take some: 64 MB inflated and the frames from it.
PEAK_BYTES = 768 * 2**20
ADDRESS_BYTES = 4 * 2**30


# -- in the child -------------------------------------------------------------------------------------


def drive(names, seed, first, seconds, n_inputs, folder):
    """Read spoiled files one after the other, of each format in turn; returns the tally.

    Ends with the process at a crash or hang.
    """
    import numpy as np
    from fuzzformats import FORMATS, WrongFrameError

    from pulsaurora.problems import PulsauroraError

    formats = [(name, FORMATS[name](folder)) for name in names.split(",")]
    warnings.simplefilter("error")
    tally = {"tried": 0, "refused": 0, "findings": []}
    reached = os.open(folder / "reached", os.O_CREAT | os.O_WRONLY)
    held = _status("VmSize")
    resource.setrlimit(resource.RLIMIT_AS, (held + ADDRESS_BYTES, resource.RLIM_INFINITY))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends the process, whatever it is doing
    ends = time.monotonic() + seconds
    number = first
    while time.monotonic() < ends and number - first < n_inputs:
        name, one = formats[number % len(formats)]
        rng = np.random.default_rng((seed, number))
        path = one.write(rng)
        os.pwrite(reached, f"{number:12d} {tally['refused']} {path.name}".ljust(200).encode(), 0)
        _forget_peak()
        before = _status("VmHWM")
        signal.setitimer(signal.ITIMER_REAL, SECONDS_AN_INPUT)
        said = None
        try:
            one.read(path)
        except PulsauroraError as error:
            tally["refused"] += 1
            if "\n" in str(error) or len(str(error)) > 1200:
                said = f"an error that is no line: {str(error)[:80]!r}"
        except WrongFrameError as error:
            said = f"wrong frame: {error}"
        except BaseException as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            said = f"{type(error).__name__}: {str(error)[:120]} ({Path(where.filename).name}:{where.lineno})"
        signal.setitimer(signal.ITIMER_REAL, 0)
        grown = _status("VmHWM") - before
        if said is None and grown > PEAK_BYTES:
            said = f"took {grown >> 20} MB"
        if said:
            tally["findings"].append((number, said))
            _keep(folder, name, seed, number, path)
        tally["tried"] += 1
        number += 1
    return tally


def _status(key):
    """Bytes that this process holds (VmSize), or has held at most (VmHWM)."""
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith(f"{key}:"):
                return int(line.split()[1]) * 1024
    return 0


def _forget_peak():
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _keep(folder, name, seed, number, path):
    target = folder / "findings" / f"{name}-{seed}-{number}-{path.name}"
    with contextlib.suppress(OSError):
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(path.read_bytes())


# -- in the parent ------------------------------------------------------------------------------------


def fuzz(names, seed, seconds, n_inputs, findings=None):
    """Drive formats in child processes, a new one after each that ended before its time.

    Parameters
    ----------
    names : str
        One format, or several with commas between them, which then take turns.
    seed, n_inputs : int
    seconds : float
    findings : pathlib.Path, optional
        Where the files found are kept.

    Returns
    -------
    dict
        `tried`, `refused`, and `findings`: list of (number, what was found).
    """
    total = {"tried": 0, "refused": 0, "findings": []}
    ends = time.monotonic() + seconds
    first, start = 0, 0
    while (left := ends - time.monotonic()) > 0 and start + n_inputs > first:
        with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
            folder = Path(folder)
            asked = [names, str(seed), str(first), str(left), str(start + n_inputs - first), str(folder)]
            child = subprocess.run(
                [sys.executable, "-X", "faulthandler", __file__, "--child", *asked],
                capture_output=True,
                text=True,
                env=os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)])},
            )
            if child.returncode == 0:
                part = json.loads(child.stdout.splitlines()[-1])
            elif (folder / "reached").exists():
                number, refused, path = (folder / "reached").read_text().split(maxsplit=2)
                number = int(number)
                died = signal.Signals(-child.returncode).name if child.returncode < 0 else child.returncode
                part = {"tried": number - first + 1, "refused": int(refused)}
                part["findings"] = [(number, f"ended by {died}")]
                name = names.split(",")[number % (names.count(",") + 1)]
                _keep(folder, name, seed, number, folder / path.strip())
            else:
                raise RuntimeError(f"{names}: the child did not begin: {child.stderr[-2000:]}")
            if findings is not None and (folder / "findings").is_dir():
                findings.mkdir(parents=True, exist_ok=True)
                for kept in (folder / "findings").iterdir():
                    (findings / kept.name).write_bytes(kept.read_bytes())
            total["tried"] += part["tried"]
            total["refused"] += part["refused"]
            total["findings"] += part["findings"]
            first += part["tried"]
    return total


def main(arguments=None):
    if arguments is None and sys.argv[1:2] == ["--child"]:
        names, seed, first, seconds, n_inputs, folder = sys.argv[2:]
        print(json.dumps(drive(names, int(seed), int(first), float(seconds), int(n_inputs), Path(folder))))
        return 0
    from fuzzformats import FORMATS

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60, help="for each format; 60 by default")
    parser.add_argument("--inputs", type=int, default=10**9, help="for each format, at most")
    parser.add_argument("--only", default="", help=f"some of {','.join(FORMATS)}; all by default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--findings", type=Path, default=Path("logs/fuzz"), help="where files found are kept")
    options = parser.parse_args(arguments)
    names = [name for name in options.only.split(",") if name] or list(FORMATS)
    if unknown := set(names) - set(FORMATS):
        parser.error(f"no format {', '.join(sorted(unknown))}")
    n_found = 0
    for name in names:
        began = time.monotonic()
        total = fuzz(name, options.seed, options.seconds, options.inputs, options.findings)
        print(
            f"{name}: {total['tried']} inputs, {total['refused']} refused, "
            f"{len(total['findings'])} findings, {time.monotonic() - began:.0f} s",
            flush=True,
        )
        for number, said in total["findings"][:20]:
            print(f"    {name} --seed {options.seed}, input {number}: {said}", flush=True)
        n_found += len(total["findings"])
    print("fuzz: nothing to report" if not n_found else f"fuzz: {n_found} findings")
    return 1 if n_found else 0


if __name__ == "__main__":
    sys.exit(main())
