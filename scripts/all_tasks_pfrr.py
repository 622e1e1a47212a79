"""Label the Poker Flat (PFRR) images of every night from one date to another, each filter by itself.

    python scripts/all_tasks_pfrr.py 'YYYY-MM-DD' 'YYYY-MM-DD' [NUM_PROCESSES]

Reads data/pfrr and writes data/classifications/YYYY/MM/DD/, unless PULSAURORA_PFRR and PULSAURORA_OUT name
other folders. The model was made for THEMIS frames, and how well it does here is not known: docs/pfrr.md says
more. Nights that are done are not done again. Exit status: 0 all done; 3 done, but some files could not be
read (see problems.csv); 2 wrong usage; 1 failed. `pulsaurora classify --help` tells more.
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
    try:
        from pulsaurora.cli.main import run
    except ModuleNotFoundError as error:
        print(f"{error.name} is not installed in {sys.executable}; see the README", file=sys.stderr)
        return 1
    start, end, *workers = arguments
    raw = os.environ.get("PULSAURORA_PFRR", "data/pfrr")
    return run(["classify", start, end, f"--pfrr={raw}", *(f"--workers={number}" for number in workers)])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
