"""Label every frame of every night from one date to another, on the servers that hold the archive.

    python all_tasks.py 'YYYY-MM-DD' 'YYYY-MM-DD' [NUM_PROCESSES]

Reads /stream0 and writes ./YYYY/MM/DD/, unless PULSAURORA_STREAM0 and PULSAURORA_OUT name other folders.
Nights that are done are not done again. Exit status: 0 all done; 3 done, but some files could not be read
(see problems.csv); 2 wrong usage; 1 failed. The README beside this file tells more.
"""

import os
import sys


def main(arguments):
    if arguments in (["-h"], ["--help"]):
        print(__doc__.strip())
        return 0
    if len(arguments) not in (2, 3) or arguments[0].startswith("-"):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    os.environ.setdefault("PULSAURORA_STREAM0", "/stream0")
    os.environ.setdefault("PULSAURORA_OUT", ".")
    try:
        from pulsaurora.cli.main import run
    except ModuleNotFoundError as error:
        print(f"{error.name} is not installed in {sys.executable}; see the README", file=sys.stderr)
        return 1
    start, end, *workers = arguments
    return run(["classify", start, end, *(f"--workers={number}" for number in workers)])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
