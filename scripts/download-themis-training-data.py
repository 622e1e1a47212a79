"""Fetch the THEMIS nights that the label workbooks name, with their skymaps, for labelling and training.

    python scripts/download-themis-training-data.py [--labels WORKBOOK_OR_FOLDER] [--out DIR] [OPTION ...]

Reads the workbooks in data/labels/themis and writes data/training/SITE/YYYY-MM-DD/utHH/ with the night's
skymap beside the hours, unless --labels and --out name others. Options that `pulsaurora download themis` and
`skymap` both take may follow, such as --sites gill,rank, --transport https or --dry-run; --base and
--skymap-base are where each tree begins on a server. What is whole already is not fetched again, and a night
that fails does not keep the others back. Exit status: 0 all is there; 3 some of it is not (listed in the log
under logs/); 2 wrong usage; 1 failed.
"""

import argparse
import sys


def main(arguments):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--labels", default="data/labels/themis", help=argparse.SUPPRESS)
    parser.add_argument("--out", default="data/training", help=argparse.SUPPRESS)
    parser.add_argument("--base", help=argparse.SUPPRESS)
    parser.add_argument("--skymap-base", help=argparse.SUPPRESS)
    chosen, options = parser.parse_known_args(arguments)
    try:
        from pulsaurora.cli.main import run
    except ModuleNotFoundError as error:
        print(f"{error.name} is not installed in {sys.executable}; see the README", file=sys.stderr)
        return 1
    status = 0
    for what, base in (("themis", chosen.base), ("skymap", chosen.skymap_base)):
        where = ["--labels", chosen.labels, "--out", chosen.out, *(["--base", base] if base else [])]
        now = run(["download", what, "--layout", "training", *where, *options])
        if now not in (0, 3):
            return now
        status = max(status, now)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
